use super::*;
use crate::json::merge_diff;

fn canary(scaler: &Value) -> Canary {
    crds::decode::decode(&json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "web", "namespace": "shop", "uid": "c0ffee"},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "autoscalerRef": scaler},
    }))
    .unwrap()
}

fn source() -> Value {
    json!({
        "metadata": {"name": "web-hpa", "labels": {"team": "a", "kustomize.toolkit.fluxcd.io/name": "apps"}, "annotations": {"x": "y"}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 6,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu"}}],
        },
    })
}

#[test]
fn the_primary_gets_limits_overrides_and_its_own_target() {
    let canary = canary(
        &json!({"apiVersion": "autoscaling/v2", "kind": KIND, "name": "web-hpa", "primaryScalerReplicas": {"minReplicas": 4}}),
    );
    let scaler = canary.spec.autoscaler_ref.clone().unwrap();
    let made = primary(&canary, &scaler, &source(), None);
    assert_eq!(made["metadata"]["name"], "web-hpa-primary");
    assert_eq!(made["metadata"]["labels"], json!({"team": "a"}));
    assert_eq!(
        made["metadata"].get("annotations"),
        None,
        "transient annotations are never copied"
    );
    assert_eq!(made["spec"]["minReplicas"], 4);
    assert_eq!(made["spec"]["maxReplicas"], 6);
    assert_eq!(made["spec"]["scaleTargetRef"]["name"], "web-primary");
    assert_eq!(made["spec"]["metrics"], source()["spec"]["metrics"]);
}

#[test]
fn a_second_pass_changes_nothing_and_foreign_fields_stay() {
    let canary = canary(&json!({"kind": KIND, "name": "web-hpa"}));
    let scaler = canary.spec.autoscaler_ref.clone().unwrap();
    let mut live = primary(&canary, &scaler, &source(), None);
    live["metadata"]["annotations"] = json!({"foreign": "kept"});
    assert_eq!(
        merge_diff(&live, &primary(&canary, &scaler, &source(), Some(&live))),
        None
    );
}
