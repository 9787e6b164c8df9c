//! The application's own `http_request_duration_seconds`, for providers without metrics: `kubernetes` and `gatewayapi:*`.

use super::{Observer, percent, percentile, quoted};
use crate::metrics::Model;

/// What a Deployment puts behind the target's name: hash of the ReplicaSet, and of the pod.
const OF_REPLICA_SETS: &str = "-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)";
/// What a DaemonSet puts there. The peer looks for the pods of a Deployment, and finds the primary's only (AN-1).
const OF_DAEMON_SETS: &str = "-[0-9a-zA-Z]+";

/// Kubernetes and Gateway API.
pub(super) const OBSERVER: Observer = Observer {
    name: "http",
    matches: |provider| provider == "kubernetes" || provider.starts_with("gatewayapi"),
    success_rate: |model| success_rate(model, OF_REPLICA_SETS),
    duration: |model| duration(model, OF_REPLICA_SETS),
    duration_unit: 1000.0,
    cause_prefix: "",
};

/// The same for targets of kind DaemonSet.
pub(super) static DAEMONS: Observer = Observer {
    success_rate: |model| success_rate(model, OF_DAEMON_SETS),
    duration: |model| duration(model, OF_DAEMON_SETS),
    ..OBSERVER
};

fn success_rate(model: &Model, pods: &str) -> String {
    percent(
        "http_request_duration_seconds_count",
        &selection(model, pods),
        "status!~\"5.*\"",
        &model.interval,
    )
}

fn duration(model: &Model, pods: &str) -> String {
    percentile(
        "http_request_duration_seconds_bucket",
        &selection(model, pods),
        &model.interval,
    )
}

/// The labels come from the relabelling rules of the bundled Prometheus; the number of name segments after the target's keeps the primary
/// out.
fn selection(model: &Model, pods: &str) -> String {
    format!(
        "kubernetes_namespace=\"{}\",kubernetes_pod_name=~\"{}{pods}\"",
        model.namespace,
        quoted(&model.target)
    )
}
