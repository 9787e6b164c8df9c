use serde_json::{Value, json};

use super::*;
use crate::{metrics::Access, workloads::ZERO_SELECTOR};

fn target(kind: &str, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "app", "namespace": "test"},
        "spec": {
            "selector": {"matchLabels": {"app": "app", "tier": "front end"}},
            "template": template(image),
        },
    })
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": image}]}})
}

fn answer(items: &Value) -> Response {
    crate::model::answer(200, &json!({"kind": "List", "items": items}).to_string())
}

#[test]
fn the_history_of_a_kind_is_asked_for_by_labels() {
    for (kind, plural) in [("Deployment", "replicasets"), ("DaemonSet", "controllerrevisions")] {
        let question = question(&target(kind, "app:1")).expect("it has a history");
        assert_eq!(question.access, Access::Cluster);
        let path = format!("/apis/apps/v1/namespaces/test/{plural}?labelSelector=app%3Dapp%2Ctier%3Dfront+end");
        assert!(question.request.url.ends_with(&path), "{}", question.request.url);
    }
    assert_eq!(
        question(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "test"}})),
        None
    );
}

/// ReplicaSets carry a label more than the Deployment; ControllerRevisions hold patches, and those of a DaemonSet at zero its selector.
#[test]
fn the_hash_finds_the_revision() {
    let set = |image: &str| {
        let mut template = template(image);
        template["metadata"]["labels"][POD_TEMPLATE_HASH] = json!("7c5");
        json!({"metadata": {"name": "app-7c5"}, "spec": {"replicas": 0, "template": template}})
    };
    let revision = |image: &str| {
        let mut template = template(image);
        template["$patch"] = json!("replace");
        template["spec"]["nodeSelector"] = json!({ZERO_SELECTOR: "true"});
        json!({"metadata": {"name": "app-5d9"}, "revision": 1, "data": {"spec": {"template": template}}})
    };
    for kind in ["Deployment", "DaemonSet"] {
        let item = |image: &str| {
            if kind == "Deployment" {
                set(image)
            } else {
                revision(image)
            }
        };
        let (old, new) = (target(kind, "app:1"), target(kind, "app:3"));
        let promoted = Workload::of_object(&old).revision(&old);
        let answer = answer(&json!([item("app:3"), {"spec": {}}, item("app:1"), item("app:2")]));
        let found = target_of(&promoted, &new, &answer).expect("it is there");
        assert_eq!(
            found["spec"]["template"]["spec"]["containers"],
            old["spec"]["template"]["spec"]["containers"]
        );
        assert_eq!(Workload::of_object(&found).revision(&found), promoted);
        assert_eq!(target_of("v1-0000000000000000", &new, &answer), None);
    }
}

#[test]
fn an_answer_that_tells_nothing_is_none() {
    let old = target("Deployment", "app:1");
    let promoted = Workload::Deployment.revision(&old);
    for (status, body) in [
        (403, r#"{"kind": "Status"}"#),
        (200, "{\"items\": [{\"spec\":"),
        (200, "{}"),
    ] {
        assert_eq!(
            target_of(&promoted, &old, &crate::model::answer(status, body)),
            None,
            "{body}"
        );
    }
}
