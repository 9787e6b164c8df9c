//! Objects as users write them.

use serde_json::{Value, json};

/// The image that everything starts with.
pub(crate) const OLD: &str = "stefanprodan/podinfo:3.0.0";
/// And the one that is released.
pub(crate) const NEW: &str = "stefanprodan/podinfo:3.0.1";

/// A Deployment as in the documents, container `podinfod`.
pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 60,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "podinfod",
                    "image": OLD,
                    "ports": [{"name": "http", "containerPort": 9898, "protocol": "TCP"}],
                }]},
            },
        },
    })
}

/// A canary for the Gateway API that goes by tens to fifty, checked every two seconds, without metrics.
pub(crate) fn canary(name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "provider": "gatewayapi:v1",
            "progressDeadlineSeconds": 60,
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "service": {
                "port": 9898,
                "hosts": [format!("{name}.example.com")],
                "gatewayRefs": [{"name": "public", "namespace": "gateways"}],
            },
            "analysis": {"interval": "2s", "threshold": 2, "maxWeight": 50, "stepWeight": 10},
        },
    })
}

/// The metrics of the documents, over a window that a test can wait for.
pub(crate) fn builtin_metrics() -> Value {
    json!([
        {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "10s"},
        {"name": "request-duration", "thresholdRange": {"max": 500}, "interval": "10s"},
    ])
}

/// Weight of the canary in a route whose weights sum to 100.
pub(crate) fn weight(route: &Value, apex: &str) -> i64 {
    let backends = route["spec"]["rules"][0]["backendRefs"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of = |name: String| -> i64 {
        let backend = backends.iter().find(|backend| backend["name"] == name);
        backend.and_then(|backend| backend["weight"].as_i64()).unwrap_or(0)
    };
    let (primary, canary) = (of(format!("{apex}-primary")), of(format!("{apex}-canary")));
    assert_eq!(primary + canary, 100, "{route:#}");
    canary
}
