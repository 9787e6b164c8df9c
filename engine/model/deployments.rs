//! The Deployment controller in miniature: all pods are there and available at once.
//!
//! Two annotations play trouble: `lab/never-ready` in the pod template spoils a revision, `lab/broken` on the Deployment spoils its pods
//! without being a new revision.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{ObjectRef, model::Model, objects::kinds};

// === impl Model ===

impl Model {
    /// Play the Deployment controller: every Deployment gets the status that its spec calls for.
    pub fn settle(&mut self) {
        let deployments: Vec<ObjectRef> = self
            .objects
            .keys()
            .filter(|at| at.kind == kinds::DEPLOYMENT)
            .cloned()
            .collect();
        for at in deployments {
            let Some(object) = self.get(&at) else { continue };
            let mut next = (*object).clone();
            let status = status(&next, self.now);
            next["status"] = status;
            if next != *object {
                self.put(at, next);
            }
        }
    }
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
        unchanged.then(|| found["lastUpdateTime"].clone())
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
             "lastUpdateTime": since},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    })
}
