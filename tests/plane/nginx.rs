//! Debian's nginx, for what Traefik 3.6 cannot: filters of backends, which set cookies, and mirrors. It is told what the HTTPRoute says.

use std::{fs, path::PathBuf, process::Command, time::Duration};
use tokio::{task::JoinHandle, time::sleep};

use super::{
    objects::{APP, Way},
    spawn,
    translation::{self, Backends, NUMBER},
};
use crate::cluster::{
    lab::{Lab, Room, items, text},
    process::Process,
    until,
};

/// Where users come in.
pub(crate) const ADDRESS: &str = "127.0.0.1:8100";
/// Between two looks at route and pods.
const POLL: Duration = Duration::from_millis(100);
const MINUTE: Duration = Duration::from_mins(1);
/// A reload leaves the old worker a moment in which it still accepts: so many new connections in a row must meet the new one.
const ANSWERS: usize = 10;

/// nginx and its translator, for the app of one room.
pub(crate) struct Nginx {
    _process: Process,
    translator: JoinHandle<()>,
    folder: PathBuf,
    http: reqwest::Client,
}

// === impl Nginx ===

impl Nginx {
    /// Start it with the route as it is.
    pub(crate) async fn start(room: &Room<'_>) -> Self {
        let folder = PathBuf::from(room.lab.env("AVIARY_RUN_DIR")).join("nginx");
        fs::create_dir_all(&folder).unwrap();
        let first = made(room, &folder).await;
        write(&folder, &first, 0);
        let mut command = nginx(&folder);
        let process = Process::start(&mut command, &room.lab.log("nginx"));
        let lab = Lab::at(&std::env::var("AVIARY_CLUSTER_ENV").unwrap()).await;
        let name = room.name.clone();
        let translator = spawn({
            let folder = folder.clone();
            async move { translate(&Room { lab: &lab, name }, folder, first).await }
        });
        Self {
            _process: process,
            translator,
            folder,
            // Each user comes with a connection of its own.
            http: reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap(),
        }
    }

    /// Wait until it does what the objects say now.
    pub(crate) async fn settled(&self, room: &Room<'_>) {
        let is_settled = async || {
            let wanted = made(room, &self.folder).await;
            let file = fs::read_to_string(self.folder.join("nginx.conf")).unwrap();
            let number = file
                .split("map $host $number { default ")
                .nth(1)?
                .split(';')
                .next()?
                .to_owned();
            if !file.contains(&wanted) {
                return None;
            }
            for _ in 0..ANSWERS {
                let request = self.http.get(format!("http://{ADDRESS}{NUMBER}"));
                let answer = request.header("host", Way::host(room)).send().await.ok()?;
                if answer.text().await.ok()? != number {
                    return None;
                }
            }
            Some(())
        };
        until("nginx does what the route says", MINUTE, is_settled).await;
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.translator.abort();
    }
}

/// Whenever route or pods change: a new configuration, and a reload.
async fn translate(room: &Room<'_>, folder: PathBuf, mut last: String) {
    let mut number = 0;
    loop {
        sleep(POLL).await;
        let made = made(room, &folder).await;
        if made == last {
            continue;
        }
        number += 1;
        write(&folder, &made, number);
        let status = nginx(&folder).args(["-s", "reload"]).status().unwrap();
        assert!(status.success(), "nginx -s reload: {status}\n{made}");
        last = made;
    }
}

fn nginx(folder: &std::path::Path) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/nginx");
    let output = Command::new(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut command = Command::new(String::from_utf8(output.stdout).unwrap().trim());
    command.arg("-p").arg(folder).arg("-e").arg(folder.join("error.log"));
    command.arg("-c").arg(folder.join("nginx.conf"));
    command
}

fn write(folder: &std::path::Path, http: &str, number: u64) {
    let file = translation::file(http, number, folder.to_str().unwrap());
    fs::write(folder.join("nginx.conf"), file).unwrap();
}

async fn made(room: &Room<'_>, folder: &std::path::Path) -> String {
    let route = room.get("httproutes", APP).await;
    let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", room.name);
    let slices = items(room.lab.get(&slices).await);
    let mut backends = Backends::new();
    for service in items(room.lab.get(&room.path("services", "")).await) {
        let service = text(&service["metadata"]["name"]);
        let of_service = slices
            .iter()
            .filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
        let endpoints = of_service.flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true);
        let mut addresses: Vec<String> = ready
            .map(|endpoint| format!("{}:9898", text(&endpoint["addresses"][0])))
            .collect();
        addresses.sort();
        backends.push((service.to_owned(), addresses));
    }
    translation::config(&route, &backends, ADDRESS, folder.to_str().unwrap())
}
