//! What plays the kubelet of one node: it runs the pods that the scheduler has bound to it.

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    address::Address,
    pod::{Life, Wish},
    scrape::Targets,
    spawn,
};
use crate::cluster::lab::Lab;

/// Pods get here by `nodeSelector`. kwok leaves the node alone, as it has not kwok's annotation.
pub(crate) const NODE: &str = "aviary-machine";

/// The node; its pods end with it.
pub(crate) struct Kubelet(JoinHandle<()>);

/// A pod that was started.
struct Resident {
    wish: watch::Sender<Wish>,
    task: JoinHandle<()>,
}

// === impl Kubelet ===

impl Kubelet {
    /// Register the node and watch for its pods, of which Prometheus learns through `targets`.
    pub(crate) async fn start(lab: &Lab, targets: Targets) -> Self {
        let room = json!({"cpu": "100", "memory": "100Gi", "pods": "500"});
        let labels = json!({"kubernetes.io/hostname": NODE});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}});
        lab.call("POST", "/api/v1/nodes", Some(&node)).await.unwrap();
        let ready = json!({"status": {
            "allocatable": room, "capacity": room, "conditions": [{"type": "Ready", "status": "True"}],
        }});
        let path = format!("/api/v1/nodes/{NODE}/status");
        lab.call("PATCH", &path, Some(&ready)).await.unwrap();
        let folder = PathBuf::from(lab.env("AVIARY_RUN_DIR")).join("pods");
        fs::create_dir_all(&folder).unwrap();
        Self(spawn(work(lab.client(), folder, targets)))
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Resident ===

impl Drop for Resident {
    fn drop(&mut self) {
        self.task.abort(); // which does nothing to one that has ended
    }
}

async fn work(client: Client, folder: PathBuf, targets: Targets) {
    let of_node = watcher::Config::default().fields(&format!("spec.nodeName={NODE}"));
    let events = watcher(Api::<Pod>::all(client.clone()), of_node).default_backoff();
    pin_mut!(events);
    let mut residents: BTreeMap<String, Resident> = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => {
                let uid = pod.metadata.uid.clone().unwrap();
                let grace = grace(&pod);
                let resident = residents
                    .entry(uid)
                    .or_insert_with(|| begin(client.clone(), pod, folder.clone(), &targets));
                if grace.is_some() {
                    resident.wish.send_if_modified(|wish| {
                        wish.is_none() && {
                            *wish = grace;
                            true
                        }
                    });
                }
            }
            Ok(watcher::Event::Delete(pod)) => {
                residents.remove(pod.metadata.uid.as_ref().unwrap());
            }
            Ok(_) => {}
            Err(error) => println!("the watch of the pods: {error}"),
        }
    }
}

/// How long a pod that is being deleted may take.
fn grace(pod: &Pod) -> Option<Duration> {
    pod.metadata.deletion_timestamp.as_ref()?;
    let secs = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
    Some(Duration::from_secs(secs.unsigned_abs()))
}

fn begin(client: Client, pod: Pod, folder: PathBuf, targets: &Targets) -> Resident {
    let (wish, wished) = watch::channel(None);
    let namespace = pod.metadata.namespace.clone().unwrap();
    let api = Api::namespaced(client, &namespace);
    let address = Address::add();
    let target = targets.add(&namespace, pod.metadata.name.as_deref().unwrap(), address.0);
    let life = Life::new(api, pod, wished, folder);
    let task = spawn(async move {
        life.run(address).await;
        drop(target);
    });
    Resident { wish, task }
}
