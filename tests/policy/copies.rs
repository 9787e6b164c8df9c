//! Copies of the policies for one namespace each, so that no other test notices them.

use serde_json::{Value, json};
use std::time::Duration;

use crate::{
    broken,
    cluster::{
        lab::{Lab, Room, items, text},
        until,
    },
};

/// Marks the copies, so that what an earlier test left behind is found.
const MARK: &str = "aviary.test/made-by";
const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";
const PLURALS: [&str; 2] = ["validatingadmissionpolicybindings", "validatingadmissionpolicies"];

/// How a copy of both policies differs from the original.
pub(crate) struct Copy<'l> {
    pub(crate) room: &'l Room<'l>,
    /// What the binding of the first does.
    pub(crate) actions: &'l [&'l str],
    pub(crate) failure: &'l str,
}

/// Name of the copy of a policy.
pub(crate) fn name(copy: &str, policy: &str) -> String {
    format!("test-{copy}-{policy}")
}

/// Take all copies away.
pub(crate) async fn remove(lab: &Lab) {
    for plural in PLURALS {
        let list = lab.get(&format!("{GROUP}/{plural}?labelSelector={MARK}")).await;
        for object in items(list) {
            let path = format!("{GROUP}/{plural}/{}", text(&object["metadata"]["name"]));
            lab.call("DELETE", &path, None).await.unwrap();
        }
    }
}

// === impl Copy ===

impl Copy<'_> {
    /// Install it, and wait until the API server acts by it.
    pub(crate) async fn install(&self, copy: &str) {
        let lab = self.room.lab;
        for mut object in crds::policy::policies() {
            let original = text(&object["metadata"]["name"]).to_owned();
            object["metadata"] = json!({"name": name(copy, &original), "labels": {MARK: "cluster-tests"}});
            let spec = &mut object["spec"];
            let plural = if spec["policyName"].is_null() {
                spec["failurePolicy"] = json!(self.failure);
                PLURALS[1]
            } else {
                spec["policyName"] = json!(name(copy, &original));
                let labels = json!({"kubernetes.io/metadata.name": self.room.name});
                spec["matchResources"] = json!({"namespaceSelector": {"matchLabels": labels}});
                if original == crds::policy::CANARIES {
                    spec["validationActions"] = json!(self.actions);
                }
                PLURALS[0]
            };
            let path = format!("{GROUP}/{plural}");
            lab.call("POST", &path, Some(&object)).await.unwrap();
        }
        let heard = async || {
            let (answer, warnings) = crate::post(self.room, &broken(), "?dryRun=All").await;
            let own = name(copy, crds::policy::CANARIES);
            let told = warnings.into_iter().chain(answer.err());
            told.filter(|text: &String| text.contains(&own))
                .count()
                .gt(&0)
                .then_some(())
        };
        until("the policy is in force", Duration::from_mins(1), heard).await;
        self.until_deletions(copy).await;
    }

    /// The second policy may come into force later than the first.
    async fn until_deletions(&self, copy: &str) {
        let lab = self.room.lab;
        let mut object = crate::examples::base();
        object["metadata"] = json!({"name": "probe"});
        crate::post(self.room, &object, "").await.0.unwrap();
        let path = self.room.path("canaries", "probe");
        let status = json!({"status": {"phase": "Succeeded", "canaryWeight": 0, "failedChecks": 0, "iterations": 0}});
        lab.call("PATCH", &format!("{path}/status"), Some(&status))
            .await
            .unwrap();
        let dry = json!({"dryRun": ["All"]});
        let heard = async || {
            let (_, warnings): (Result<Value, String>, _) = lab.warned("DELETE", &path, &dry).await;
            let own = name(copy, crds::policy::DELETIONS);
            warnings.iter().any(|text| text.contains(&own)).then_some(())
        };
        until("the policy for deletions is in force", Duration::from_mins(1), heard).await;
        lab.call("DELETE", &path, None).await.unwrap();
    }
}
