//! The Deployment and DaemonSet controllers in miniature: all pods are there and available at once, a DaemonSet has one node.
//!
//! No node has the label `lab/no-node`. Two annotations play trouble: `lab/never-ready` in the pod template spoils a revision, `lab/broken` on the object spoils its pods
//! without being a new revision.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{ObjectRef, model::Model, objects::kinds, workloads::Workload};

// === impl Model ===

impl Model {
    /// Play the controllers: every Deployment and DaemonSet gets the status that its spec calls for.
    pub fn settle(&mut self) {
        let workloads: Vec<ObjectRef> = self
            .objects
            .keys()
            .filter(|at| [kinds::DEPLOYMENT, kinds::DAEMON_SET].contains(&at.kind))
            .cloned()
            .collect();
        for at in workloads {
            let Some(object) = self.get(&at) else { continue };
            let mut next = (*object).clone();
            let status = if at.kind == kinds::DAEMON_SET {
                daemon_status(&next)
            } else {
                status(&next, self.now)
            };
            next["status"] = status;
            if next != *object {
                self.put(at, next);
            }
        }
    }
}

/// The status of a DaemonSet with one node that it may run on.
fn daemon_status(set: &Value) -> Value {
    let stuck = set["spec"]["template"]["metadata"]["annotations"]["lab/never-ready"] == "true";
    let broken = set["metadata"]["annotations"]["lab/broken"] == "true";
    let has_node = set["spec"]["template"]["spec"]["nodeSelector"]
        .get("lab/no-node")
        .is_none();
    let desired = if has_node { Workload::DaemonSet.replicas(set) } else { 0 };
    let available = if stuck || broken { 0 } else { desired };
    json!({
        "observedGeneration": set["metadata"]["generation"],
        "desiredNumberScheduled": desired,
        "updatedNumberScheduled": desired,
        "numberAvailable": available,
    })
}

/// The status of a Deployment as its spec and its annotations call for.
fn status(deployment: &Value, now: Timestamp) -> Value {
    let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let stuck = deployment["spec"]["template"]["metadata"]["annotations"]["lab/never-ready"] == "true";
    let broken = deployment["metadata"]["annotations"]["lab/broken"] == "true";
    let available = if stuck || broken { 0 } else { replicas };
    let was = &deployment["status"]["conditions"];
    let is_available = available >= replicas;
    let same = was.as_array().and_then(|list| {
        let found = list.iter().find(|condition| condition["type"] == "Available")?;
        let unchanged = (found["status"] == "True") == is_available;
        unchanged.then(|| found["lastTransitionTime"].clone())
    });
    let since = same.unwrap_or_else(|| now.to_string().into());
    json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": available,
        "conditions": [
            {"type": "Available", "status": if is_available { "True" } else { "False" },
             "reason": if is_available { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" },
             "lastUpdateTime": since, "lastTransitionTime": since},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    })
}
