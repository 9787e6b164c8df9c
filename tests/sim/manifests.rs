//! Objects of users, and where they live.

use aviary::sandbox::Resource;
use serde_json::{Value, json};

pub(crate) const NAMESPACE: &str = "test";
pub(crate) const CANARIES: &str = "canaries.flagger.app";
pub(crate) const DEPLOYMENTS: &str = "deployments.apps";
pub(crate) const ROUTES: &str = "httproutes.gateway.networking.k8s.io";
pub(crate) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The kind of CustomResourceDefinitions.
pub(crate) fn definitions() -> Resource {
    Resource {
        namespaced: false,
        ..Resource::custom(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
        )
    }
}

/// The CustomResourceDefinition of a kind, as much as is looked at.
pub(crate) fn definition(kind: &Resource) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{}", kind.plural, kind.group)},
    })
}

/// One pod of version 1, as podinfo in the documents.
pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container(name, "1")]}},
        },
    })
}

pub(crate) fn container(name: &str, version: &str) -> Value {
    json!({
        "name": "app", "image": format!("{name}:{version}"),
        "ports": [{"name": "http", "containerPort": 9898}],
    })
}

/// Gateway API, 10 % per 10 s up to 50 %, two metrics, threshold 3; with a merge patch on its spec.
pub(crate) fn canary(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "service": {
                "port": 9898, "hosts": ["app.example.com"], "gatewayRefs": [{"name": "gateway", "namespace": "default"}],
            },
            "analysis": {
                "interval": "10s", "threshold": 3, "stepWeight": 10, "maxWeight": 50,
                "metrics": [
                    {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
                    {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}},
                ],
            },
        },
    });
    engine::json::merge(&mut object["spec"], spec);
    object
}
