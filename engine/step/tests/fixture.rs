//! A cluster with one Deployment and one Canary.

use serde_json::{Value, json};

use crate::{
    ObjectRef,
    json::merge,
    model::{Model, answer, vector},
    objects::kinds,
};
use crds::Phase;
use jiff::Timestamp;

pub(super) const NAMESPACE: &str = "test";

pub(super) fn target_at() -> ObjectRef {
    kinds::DEPLOYMENT.named(NAMESPACE, "app")
}

pub(super) fn primary_at() -> ObjectRef {
    kinds::DEPLOYMENT.named(NAMESPACE, "app-primary")
}

pub(super) fn route_at() -> ObjectRef {
    kinds::HTTP_ROUTE.named(NAMESPACE, "app")
}

/// The object with the weights, whichever provider the canary has, and its list of rules with the list of backends in each.
pub(super) fn weights_at(model: &Model) -> (ObjectRef, &'static str, &'static str) {
    if model.canary().spec.provider.as_deref() == Some("istio") {
        return (kinds::VIRTUAL_SERVICE.named(NAMESPACE, "app"), "http", "route");
    }
    (route_at(), "rules", "backendRefs")
}

pub(super) fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "app", "namespace": NAMESPACE, "generation": 1, "labels": {"app": "app"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 9898}]}]},
            },
        },
    })
}

/// The base Canary (Gateway API, steps of 20 up to 60, threshold 3) with a merge patch on its spec.
pub(super) fn canary(spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "app", "namespace": NAMESPACE, "uid": "c0ffee", "generation": 1},
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 9898, "hosts": ["app.example.com"], "gatewayRefs": [{"name": "gw", "namespace": "default"}]},
            "analysis": {
                "interval": "10s", "threshold": 3, "stepWeight": 20, "maxWeight": 60,
                "metrics": [
                    {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
                    {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}},
                ],
            },
        },
    });
    merge(&mut object["spec"], spec);
    object
}

/// A model in which success rate and duration answer with these values.
pub(super) fn model(spec: &Value, success: &'static str, seconds: &'static str) -> Model {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut model = Model::new(start, &canary(spec), [(target_at(), deployment())]);
    model.queries = Box::new(move |_, request| {
        let body = if request.url.contains("quantile") {
            vector(seconds)
        } else {
            vector(success)
        };
        Ok(answer(
            200,
            &if request.url.contains("vector%281%29") {
                vector("1")
            } else {
                body
            },
        ))
    });
    model
}

/// A good model that is initialised, with a new image set.
pub(super) fn released(spec: &Value) -> Model {
    released_with(model(spec, "100", "0.2"))
}

pub(super) fn released_with(mut model: Model) -> Model {
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.trajectory);
    set_image(&mut model, "app:2");
    model
}

/// Run to the end, whichever it is.
pub(super) fn finish(model: &mut Model) {
    let ended = model.run_until(&[Phase::Succeeded, Phase::Failed], 120);
    assert!(
        ended,
        "{:#?}\n{:#?}\n{:#?}",
        model.trajectory, model.decisions, model.violations
    );
}

/// Run until the canary has at least this share.
pub(super) fn reach(model: &mut Model, weight: i64) {
    for _ in 0..60 {
        if model
            .canary()
            .status
            .is_some_and(|status| status.canary_weight >= weight)
        {
            return;
        }
        model.run_until(&[Phase::Succeeded, Phase::Failed], 1);
    }
    panic!(
        "weight {weight} is not reached: {:#?}\n{:#?}",
        model.trajectory, model.decisions
    );
}

pub(super) fn set_image(model: &mut Model, image: &str) {
    let mut containers = deployment()["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["image"] = image.into();
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"spec": {"containers": containers}}}}),
    );
}

pub(super) fn image(model: &Model, at: &ObjectRef) -> String {
    let object = model.get(at).expect("it is there");
    object["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn replicas(model: &Model, at: &ObjectRef) -> i64 {
    model.get(at).expect("it is there")["spec"]["replicas"]
        .as_i64()
        .unwrap_or(-1)
}

pub(super) fn assert_clean(model: &Model) {
    assert_eq!(model.violations, [], "{:#?}", model.trajectory);
}

/// The part of the trajectory after initialisation.
pub(super) fn run_of(model: &Model) -> Vec<&str> {
    let start = model
        .trajectory
        .iter()
        .position(|line| line.starts_with("Initialized"))
        .map_or(0, |at| at + 1);
    model.trajectory[start..].iter().map(String::as_str).collect()
}
