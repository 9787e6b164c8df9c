//! Knative's gateway: Envoy's statistics of the latest revision (analysis.md 1.3).

use super::{Observer, percent, percentile, quoted};
use crate::metrics::Model;

/// Knative.
pub(super) const OBSERVER: Observer = Observer {
    name: "knative",
    matches: |provider| provider == "knative",
    success_rate: |model| {
        percent(
            "envoy_cluster_upstream_rq",
            &selection(model),
            "envoy_response_code!~\"5.*\"",
            &model.interval,
        )
    },
    duration: |model| {
        percentile(
            "envoy_cluster_upstream_rq_time_bucket",
            &selection(model),
            &model.interval,
        )
    },
    duration_unit: 1.0,
    cause_prefix: "running query failed: ",
};

/// The route of a model is the name of the latest revision here.
fn selection(model: &Model) -> String {
    format!("envoy_cluster_name=~\"{}/{}\"", model.namespace, quoted(&model.route))
}
