//! Prometheus for the pods and the proxy. Debian's is built without the discovery of pods, so the kubelet writes them into a file that
//! Prometheus watches, with the labels that the documents' Prometheus gives them.

use parking_lot::Mutex;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::traefik::ADMIN;
use crate::cluster::{lab::Lab, metrics::serving, process::Process};

/// The pods' port, where podinfo has its metrics, too.
const PORT: u16 = 9898;

/// The list of pods that are asked for their metrics.
#[derive(Clone)]
pub(crate) struct Targets {
    file: PathBuf,
    pods: Arc<Mutex<BTreeMap<Ipv4Addr, (String, String)>>>,
}

/// A pod that is asked as long as this value is there.
pub(crate) struct Target {
    targets: Targets,
    address: Ipv4Addr,
}

// === impl Targets ===

impl Targets {
    pub(crate) fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let targets = Self {
            file: folder.join("pods.json"),
            pods: Arc::default(),
        };
        targets.write();
        targets
    }

    /// Start a Prometheus that reads the list; gives its address, too.
    pub(crate) fn serve(&self, lab: &Lab) -> (Process, String) {
        let folder = self.file.parent().unwrap();
        let config = json!({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": "pods", "file_sd_configs": [{"files": [self.file]}]},
                {"job_name": "traefik", "static_configs": [{"targets": [ADMIN]}]},
            ],
        });
        fs::write(folder.join("prometheus.yml"), config.to_string()).unwrap();
        serving(folder, &lab.log("prometheus"))
    }

    pub(crate) fn add(&self, namespace: &str, name: &str, address: Ipv4Addr) -> Target {
        self.pods
            .lock()
            .insert(address, (namespace.to_owned(), name.to_owned()));
        self.write();
        let targets = self.clone();
        Target { targets, address }
    }

    /// Under another name first, so that it is never read by half.
    fn write(&self) {
        let pods = self.pods.lock();
        let groups = pods.iter().map(|(address, (namespace, name))| {
            json!({
                "targets": [format!("{address}:{PORT}")],
                "labels": {"kubernetes_namespace": namespace, "kubernetes_pod_name": name},
            })
        });
        let text = json!(groups.collect::<Vec<_>>()).to_string();
        let draft = self.file.with_extension("new");
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, &self.file).unwrap();
    }
}

// === impl Target ===

impl Drop for Target {
    fn drop(&mut self) {
        self.targets.pods.lock().remove(&self.address);
        self.targets.write();
    }
}
