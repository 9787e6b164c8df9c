//! The application's own `http_request_duration_seconds`, for providers without metrics: `kubernetes` and `gatewayapi:*`.

use super::{Latency, Observer, pods};

/// Kubernetes and Gateway API. The labels come from the relabelling rules of the bundled Prometheus.
pub(super) const HTTP: Observer = Observer {
    name: "http",
    matches: |provider| provider == "kubernetes" || provider.starts_with("gatewayapi"),
    select: |model| {
        let (namespace, pods) = (&model.namespace, pods(model));
        format!("kubernetes_namespace=\"{namespace}\",kubernetes_pod_name=~\"{pods}\"")
    },
    requests: "http_request_duration_seconds_count",
    only: "",
    good: "status!~\"5.*\"",
    latency: Latency::Percentile("http_request_duration_seconds_bucket"),
    duration_unit: 1000.0,
    cause_prefix: "",
};
