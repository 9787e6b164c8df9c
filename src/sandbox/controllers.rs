//! The controllers of the cluster: what makes Deployments and DaemonSets ready after a while. There are no ReplicaSets and no Pods.
//!
//! One task per change of a spec sleeps and moves the numbers on; a newer change makes older tasks end.

use super::{
    Sandbox, Settings,
    history::{Change, Verb},
    journal::hash_text,
    metadata,
    pods::{Pods, Want},
    statuses::{self, Facts},
    store::{Id, Store},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Annotation of a pod template whose pods never become ready.
pub const NEVER_READY: &str = "lab/never-ready";
/// Annotation of a pod template: seconds until its pods are ready, instead of [`Settings::ready_after`].
pub const READY_AFTER: &str = "lab/ready-after";
/// Annotation that the Deployment controller counts revisions in.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The pods of all workloads.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    pods: BTreeMap<Id, Pods>,
    /// Names of workloads whose pods are kept from being ready.
    broken: BTreeSet<String>,
    epoch: u64,
}

/// One task to start: a workload and the epoch that it serves.
pub(super) type Job = (Id, u64);

// === impl Fleet ===

impl Fleet {
    /// Notice a change; some when a task has to look at it.
    pub(super) fn notice(&mut self, id: &Id, change: &Change) -> Option<Job> {
        if id.topic.0 != "apps" || !["deployments", "daemonsets"].contains(&id.topic.1.as_str()) {
            return None;
        }
        if change.verb == Verb::Deleted {
            self.pods.remove(id);
            return None;
        }
        let uid = change.object["metadata"]["uid"].as_str().unwrap_or_default();
        let generation = metadata::generation(&change.object);
        let pods = self
            .pods
            .entry(id.clone())
            .or_insert_with(|| Pods::new(uid, Instant::now()));
        if pods.uid != uid {
            *pods = Pods::new(uid, Instant::now());
        }
        if pods.generation == generation {
            return None;
        }
        pods.generation = generation;
        self.epoch += 1;
        pods.epoch = self.epoch;
        Some((id.clone(), self.epoch))
    }

    /// Break or heal all workloads of that name.
    pub(super) fn set_ready(&mut self, name: &str, ready: bool) -> Vec<Job> {
        let changed = if ready {
            self.broken.remove(name)
        } else {
            self.broken.insert(name.to_owned())
        };
        if !changed {
            return Vec::new();
        }
        let mut jobs = Vec::new();
        for (id, pods) in self.pods.iter_mut().filter(|(id, _)| id.place.1 == name) {
            self.epoch += 1;
            pods.epoch = self.epoch;
            jobs.push((id.clone(), self.epoch));
        }
        jobs
    }

    /// Look at one workload and write its status. Some when there is something to wait for.
    fn step(&mut self, store: &mut Store, settings: &Settings, job: &Job, now: (Instant, String)) -> Option<Instant> {
        let (id, epoch) = job;
        let (now, stamp) = now;
        let pods = self.pods.get_mut(id).filter(|pods| pods.epoch == *epoch)?;
        let object = store.get(id).ok()?;
        let is_deployment = id.topic.1 == "deployments";
        let want = want(&object, settings, is_deployment, self.broken.contains(&id.place.1));
        pods.advance(&want, now);
        let spec = &object["spec"];
        let deadline = Duration::from_secs(spec["progressDeadlineSeconds"].as_u64().unwrap_or_default());
        let facts = Facts {
            generation: metadata::generation(&object),
            name: &id.place.1,
            replicas: want.replicas,
            spare: share(
                &spec["strategy"]["rollingUpdate"]["maxUnavailable"],
                want.replicas,
                false,
            ),
            late: now >= pods.progressed + deadline,
            now: &stamp,
        };
        let (status, moved) = if is_deployment {
            statuses::deployment(&facts, pods, &object["status"])
        } else {
            (statuses::daemon_set(&facts, pods), false)
        };
        if moved {
            pods.progressed = now;
        }
        pods.fresh = false;
        let timed = (is_deployment && statuses::is_timed(&status)).then(|| pods.progressed + deadline);
        let next = [pods.ready_at, timed].into_iter().flatten().min();
        let revision = pods.revision.to_string();
        let written = store.amend(id, |object| {
            object["status"] = status;
            if is_deployment {
                object["metadata"]["annotations"][REVISION] = json!(revision);
            }
        });
        written.ok().and(next)
    }
}

// === impl Sandbox ===

impl Sandbox {
    /// The life of one task.
    pub(super) async fn tend(self, job: Job) {
        let sync_after = self.state().settings.sync_after;
        tokio::time::sleep(sync_after).await;
        loop {
            let now = (Instant::now(), metadata::time(self.now()));
            let next = self.write_state(|state| state.fleet.step(&mut state.store, &state.settings, &job, now));
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => return,
            }
        }
    }
}

fn want(object: &Value, settings: &Settings, is_deployment: bool, broken: bool) -> Want {
    let spec = &object["spec"];
    let annotation = |name: &str| spec["template"]["metadata"]["annotations"][name].as_str();
    let ready_after = annotation(READY_AFTER)
        .and_then(|seconds| seconds.parse().ok())
        .map(Duration::from_secs);
    let replicas = if is_deployment {
        spec["replicas"].as_i64().unwrap_or(1)
    } else {
        scheduled(spec, settings)
    };
    let recreate = spec["strategy"]["type"] == "Recreate";
    let surge = share(&spec["strategy"]["rollingUpdate"]["maxSurge"], replicas, true);
    Want {
        replicas,
        template: hash_text(&spec["template"].to_string()),
        batch: match (is_deployment, recreate) {
            (false, _) => 1,
            (true, true) => replicas,
            (true, false) => surge.max(1),
        },
        in_place: recreate || !is_deployment,
        unready: broken || annotation(NEVER_READY) == Some("true"),
        broken,
        ready_after: ready_after.unwrap_or(settings.ready_after),
    }
}

/// Nodes that the pods of a DaemonSet may run on.
fn scheduled(spec: &Value, settings: &Settings) -> i64 {
    let mut wanted = spec["template"]["spec"]["nodeSelector"]
        .as_object()
        .into_iter()
        .flatten();
    let fits = wanted.all(|(key, value)| {
        settings
            .node_labels
            .get(key)
            .is_some_and(|label| value == label.as_str())
    });
    if fits { i64::from(settings.nodes) } else { 0 }
}

/// A number or a percentage of `total`.
fn share(value: &Value, total: i64, round_up: bool) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent = value
        .as_str()
        .and_then(|text| text.strip_suffix('%'))
        .and_then(|text| text.parse::<i64>().ok());
    let hundredths = total.saturating_mul(percent.unwrap_or_default());
    if round_up {
        (hundredths + 99) / 100
    } else {
        hundredths / 100
    }
}

/// Tasks for the changes that nobody has looked at yet.
pub(super) fn jobs(fleet: &mut Fleet, touched: &[(Id, Arc<Change>)]) -> Vec<Job> {
    touched
        .iter()
        .filter_map(|(id, change)| fleet.notice(id, change))
        .collect()
}
