//! Where a scenario begins: the cluster, the Canary, and how far it is.

use crds::Phase;
use serde_json::{Value, json};

use super::{
    super::{fixture::*, knative},
    DEADLINE_SECS,
    moves::{accept, set_revision},
    scenarios::Scenario,
};
use crate::{json::merge, model::Model, objects::kinds};

/// The first state.
pub(super) fn begun(scenario: &Scenario) -> Model {
    let mut spec = json!({
        "progressDeadlineSeconds": DEADLINE_SECS,
        "analysis": {
            "threshold": 2, "stepWeight": 50, "maxWeight": 100,
            "metrics": [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}],
            "webhooks": [
                {"name": "start", "type": "confirm-rollout", "url": "http://gate.test/"},
                {"name": "traffic", "type": "confirm-traffic-increase", "url": "http://gate.test/"},
                {"name": "promotion", "type": "confirm-promotion", "url": "http://gate.test/"},
            ],
        },
    });
    if scenario.spec.is_object() {
        merge(&mut spec, &scenario.spec);
    }
    let mut model = match scenario.target {
        "DaemonSet" => daemon_set(&spec),
        "Service" => service(&spec),
        "Knative" => {
            let mut spec = spec;
            spec["service"] = Value::Null;
            knative::knative(&spec)
        }
        _ => model(&spec, "100", "0.2"),
    };
    add_annotations(&mut model, &scenario.annotations);
    add_parts(&mut model, scenario);
    if scenario.name == "deletion with revert" || scenario.spec["routeRef"]["kind"] == "HTTPRoute" {
        // A Service that was there before: after the deletion it has to lead to pods again.
        let apex = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "app", "namespace": NAMESPACE},
            "spec": {"ports": [{"name": "http", "port": 9898}], "selector": {"app": "app"}},
        });
        model.put(kinds::SERVICE.named(NAMESPACE, "app"), apex);
    }
    if scenario.from_new {
        model.settle();
        return model.fork();
    }
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    set_revision(&mut model, "app:2");
    accept(&mut model, true);
    model.fork()
}

fn add_annotations(model: &mut Model, annotations: &Value) {
    if annotations.is_object() {
        let at = model.canary_at.clone();
        model.edit(&at, &json!({"metadata": {"annotations": annotations}}));
    }
}

/// The autoscaler that the Canary names, and a ConfigMap that the target uses.
fn add_parts(model: &mut Model, scenario: &Scenario) {
    let Some(kind) = scenario.spec["autoscalerRef"]["kind"].as_str() else {
        return;
    };
    let hpa = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "app", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "minReplicas": 1, "maxReplicas": 4,
        },
    });
    let scaled_object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "app", "namespace": NAMESPACE},
        "spec": {"scaleTargetRef": {"name": "app"}, "minReplicaCount": 1, "maxReplicaCount": 4, "triggers": []},
    });
    match kind {
        "ScaledObject" => model.put(kinds::SCALED_OBJECT.named(NAMESPACE, "app"), scaled_object),
        _ => model.put(kinds::HORIZONTAL_POD_AUTOSCALER.named(NAMESPACE, "app"), hpa),
    }
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": NAMESPACE}, "data": {"text": "a"},
    });
    model.put(kinds::CONFIG_MAP.named(NAMESPACE, "settings"), settings);
    let volumes = json!([{"name": "settings", "configMap": {"name": "settings"}}]);
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"spec": {"volumes": volumes}}}}),
    );
}

fn with_target(spec: &Value, api_version: &str, target: Value) -> Model {
    let mut canary = canary(spec);
    let kind = target["kind"].clone();
    canary["spec"]["targetRef"] = json!({"apiVersion": api_version, "kind": kind, "name": "app"});
    let at = match kind.as_str() {
        Some("DaemonSet") => kinds::DAEMON_SET,
        _ => kinds::SERVICE,
    };
    let start = "2026-01-01T00:00:00Z".parse().expect("it is a time");
    Model::new(start, &canary, [(at.named(NAMESPACE, "app"), target)])
}

fn daemon_set(spec: &Value) -> Model {
    let mut set = deployment();
    set["kind"] = json!("DaemonSet");
    set["spec"].as_object_mut().expect("it is a map").remove("replicas");
    with_target(spec, "apps/v1", set)
}

fn service(spec: &Value) -> Model {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "app", "namespace": NAMESPACE, "generation": 1},
        "spec": {"ports": [{"name": "http", "port": 9898}], "selector": {"app": "app", "version": "app:1"}},
    });
    with_target(spec, "v1", service)
}
