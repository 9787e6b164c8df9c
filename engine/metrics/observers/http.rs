//! The application's own `http_request_duration_seconds`, for providers without metrics: `kubernetes` and `gatewayapi:*`.

use super::{Observer, percent, percentile, quoted};
use crate::metrics::Model;

/// Kubernetes and Gateway API.
pub(super) const OBSERVER: Observer = Observer {
    name: "http",
    matches: |provider| provider == "kubernetes" || provider.starts_with("gatewayapi"),
    success_rate: |model| {
        percent(
            "http_request_duration_seconds_count",
            &selection(model),
            "status!~\"5.*\"",
            &model.interval,
        )
    },
    duration: |model| {
        percentile(
            "http_request_duration_seconds_bucket",
            &selection(model),
            &model.interval,
        )
    },
    duration_unit: 1000.0,
    cause_prefix: "",
};

/// The labels come from the relabelling rules of the bundled Prometheus; two name segments after the target's keep the primary out.
fn selection(model: &Model) -> String {
    format!(
        "kubernetes_namespace=\"{}\",kubernetes_pod_name=~\"{}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\"",
        model.namespace,
        quoted(&model.target)
    )
}
