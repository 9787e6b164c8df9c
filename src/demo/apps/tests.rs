use super::{Stand, selects, stand};
use crate::demo::mirror::Change;
use engine::objects::kinds;
use serde_json::{Value, json};

fn deployment(replicas: i64, status: &Value) -> Change {
    let template = json!({ "spec": { "containers": [{ "image": "example.com/app:2" }] } });
    Change {
        kind: kinds::DEPLOYMENT,
        object: json!({
            "metadata": { "name": "app", "generation": 3 },
            "spec": { "replicas": replicas, "template": template }, "status": status,
        }),
        gone: false,
    }
}

fn status(generation: i64, all: i64, updated: i64, ready: i64) -> Value {
    json!({ "observedGeneration": generation, "replicas": all, "updatedReplicas": updated, "readyReplicas": ready })
}

#[test]
fn a_server_runs_from_ready_pods_until_there_are_none() {
    let ready = || Stand::Ready("example.com/app:2".to_owned());
    let table = [
        (2, status(3, 2, 2, 2), ready()),
        (2, status(2, 2, 2, 2), Stand::Moving),
        (2, status(3, 2, 2, 1), Stand::Moving),
        (2, status(3, 3, 2, 3), Stand::Moving),
        (2, status(3, 2, 1, 2), Stand::Moving),
        (2, Value::Null, Stand::Moving),
        (0, status(3, 1, 1, 1), Stand::Nothing),
    ];
    for (replicas, status, expected) in table {
        assert_eq!(stand(&deployment(replicas, &status)), expected, "{status}");
    }
    let mut gone = deployment(2, &status(3, 2, 2, 2));
    gone.gone = true;
    assert_eq!(stand(&gone), Stand::Nothing);
}

#[test]
fn a_service_leads_to_the_pods_that_it_selects() {
    let labels = json!({ "app": "good-primary", "more": "x" });
    assert!(selects(&json!({ "app": "good-primary" }), &labels));
    assert!(!selects(&json!({ "app": "good" }), &labels));
    assert!(!selects(&json!({}), &labels));
    assert!(!selects(&Value::Null, &labels));
}
