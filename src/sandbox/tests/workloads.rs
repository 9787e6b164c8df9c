//! Timing and status of Deployments and DaemonSets.

use super::{super::*, deployment, sandbox};
use serde_json::{Value, json};

const KIND: &str = "deployments.apps";

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn patch(sandbox: &Sandbox, spec: &Value) {
    sandbox.patch(KIND, "default", "app", &json!({ "spec": spec })).unwrap();
}

fn image(tag: &str) -> Value {
    json!({ "template": { "spec": { "containers": [{ "name": "app", "image": tag }] } } })
}

fn status(sandbox: &Sandbox) -> Value {
    sandbox.get(KIND, "default", "app").unwrap()["status"].clone()
}

/// `replicas/updated/available` and the two conditions as `status:reason`.
fn brief(sandbox: &Sandbox) -> String {
    let status = status(sandbox);
    let count = |field: &str| status[field].as_i64().unwrap_or_default();
    let condition = |kind: &str| {
        let found = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|found| found["type"] == kind);
        let text = |field: &str| found.and_then(|found| found[field].as_str()).unwrap_or("-").to_owned();
        format!("{}:{}", text("status"), text("reason"))
    };
    let counts = [count("replicas"), count("updatedReplicas"), count("availableReplicas")].map(|n| n.to_string());
    format!(
        "{} {} {}",
        counts.join("/"),
        condition("Available"),
        condition("Progressing")
    )
}

#[tokio::test(start_paused = true)]
async fn a_new_deployment_becomes_ready() {
    let sandbox = sandbox();
    sandbox.create(deployment("app", 2, "app:1")).unwrap();
    assert!(status(&sandbox).is_null());
    wait(1).await;
    assert_eq!(
        brief(&sandbox),
        "2/2/0 False:MinimumReplicasUnavailable True:NewReplicaSetCreated"
    );
    wait(5).await;
    assert_eq!(
        brief(&sandbox),
        "2/2/2 True:MinimumReplicasAvailable True:NewReplicaSetAvailable"
    );
    let object = sandbox.get(KIND, "default", "app").unwrap();
    assert_eq!(
        (
            &object["status"]["observedGeneration"],
            &object["metadata"]["generation"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        object["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "1"
    );
    assert_eq!(
        object["status"]["conditions"][0]["lastTransitionTime"],
        "2026-01-01T00:00:05Z"
    );
}

#[tokio::test(start_paused = true)]
async fn scaling_from_zero_is_no_rollout() {
    let sandbox = sandbox();
    sandbox.create(deployment("app", 0, "app:1")).unwrap();
    wait(1).await;
    assert_eq!(
        brief(&sandbox),
        "0/0/0 True:MinimumReplicasAvailable True:NewReplicaSetAvailable"
    );
    patch(&sandbox, &image("app:2"));
    wait(1).await;
    sandbox.set_ready("app", false);
    patch(&sandbox, &json!({ "replicas": 1 }));
    wait(1).await;
    let unavailable = "1/1/0 False:MinimumReplicasUnavailable True:NewReplicaSetAvailable";
    assert_eq!(brief(&sandbox), unavailable);
    wait(3600).await;
    assert_eq!(brief(&sandbox), unavailable, "no progress deadline");
    sandbox.set_ready("app", true);
    wait(6).await;
    assert_eq!(
        brief(&sandbox),
        "1/1/1 True:MinimumReplicasAvailable True:NewReplicaSetAvailable"
    );
    patch(&sandbox, &json!({ "replicas": 0 }));
    wait(1).await;
    assert_eq!(
        brief(&sandbox),
        "0/0/0 True:MinimumReplicasAvailable True:NewReplicaSetAvailable"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_template_rolls_in_batches() {
    let sandbox = sandbox();
    sandbox.create(deployment("app", 4, "app:1")).unwrap();
    wait(6).await;
    patch(&sandbox, &image("app:2"));
    assert_eq!(
        status(&sandbox)["observedGeneration"],
        1,
        "the controller has not looked yet"
    );
    wait(1).await;
    assert_eq!(
        brief(&sandbox),
        "5/1/4 True:MinimumReplicasAvailable True:NewReplicaSetCreated"
    );
    wait(5).await;
    assert_eq!(
        brief(&sandbox),
        "5/2/4 True:MinimumReplicasAvailable True:ReplicaSetUpdated"
    );
    wait(20).await;
    assert_eq!(
        brief(&sandbox),
        "4/4/4 True:MinimumReplicasAvailable True:NewReplicaSetAvailable"
    );
    let object = sandbox.get(KIND, "default", "app").unwrap();
    assert_eq!(
        object["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "2"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stuck_rollout_exceeds_its_deadline() {
    let sandbox = sandbox();
    sandbox.create(deployment("app", 1, "app:1")).unwrap();
    wait(6).await;
    let mut stuck = image("app:2");
    stuck["template"]["metadata"] = json!({ "annotations": { controllers::NEVER_READY: "true" } });
    stuck["progressDeadlineSeconds"] = json!(60);
    patch(&sandbox, &stuck);
    wait(50).await;
    assert_eq!(
        brief(&sandbox),
        "2/1/1 True:MinimumReplicasAvailable True:NewReplicaSetCreated"
    );
    wait(20).await;
    assert_eq!(
        brief(&sandbox),
        "2/1/1 True:MinimumReplicasAvailable False:ProgressDeadlineExceeded"
    );
    patch(
        &sandbox,
        &json!({ "template": { "metadata": { "annotations": null } } }),
    );
    wait(6).await;
    assert_eq!(
        brief(&sandbox),
        "1/1/1 True:MinimumReplicasAvailable True:NewReplicaSetAvailable"
    );
}

#[tokio::test(start_paused = true)]
async fn broken_pods_can_be_healed() {
    let sandbox = sandbox();
    sandbox.create(deployment("app", 1, "app:1")).unwrap();
    wait(6).await;
    sandbox.set_ready("app", false);
    wait(1).await;
    assert_eq!(
        brief(&sandbox),
        "1/1/0 False:MinimumReplicasUnavailable True:NewReplicaSetAvailable"
    );
    sandbox.set_ready("app", true);
    wait(6).await;
    assert_eq!(
        brief(&sandbox),
        "1/1/1 True:MinimumReplicasAvailable True:NewReplicaSetAvailable"
    );
}

#[tokio::test(start_paused = true)]
async fn daemon_sets_run_where_nodes_fit() {
    let sandbox = sandbox();
    sandbox.tune(|settings| settings.nodes = 3);
    let mut daemon = deployment("app", 0, "app:1");
    daemon["kind"] = json!("DaemonSet");
    daemon["spec"].as_object_mut().unwrap().remove("replicas");
    sandbox.create(daemon).unwrap();
    let counts = || {
        let status = sandbox.get("daemonsets.apps", "default", "app").unwrap()["status"].clone();
        let fields = [
            "desiredNumberScheduled",
            "updatedNumberScheduled",
            "numberReady",
            "numberUnavailable",
        ];
        fields.map(|field| status[field].as_i64().unwrap_or_default())
    };
    wait(1).await;
    assert_eq!(counts(), [3, 3, 0, 3]);
    wait(5).await;
    assert_eq!(counts(), [3, 3, 3, 0]);
    let spec =
        json!({ "spec": { "template": { "spec": { "nodeSelector": { "flagger.app/scale-to-zero": "true" } } } } });
    sandbox.patch("daemonsets.apps", "default", "app", &spec).unwrap();
    wait(1).await;
    assert_eq!(counts(), [0, 0, 0, 0]);
    let spec = json!({ "spec": { "template": { "spec": { "nodeSelector": null } } } });
    sandbox.patch("daemonsets.apps", "default", "app", &spec).unwrap();
    wait(6).await;
    assert_eq!(counts(), [3, 3, 3, 0]);
}
