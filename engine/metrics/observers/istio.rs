//! Istio's standard metrics, as reported by the receiving proxy. Also the fallback for providers that nobody knows.

use super::{Observer, percent, percentile, quoted};
use crate::metrics::Model;

/// Istio.
pub(super) const OBSERVER: Observer = Observer {
    name: "istio",
    matches: |provider| provider == "istio",
    success_rate: |model| {
        percent(
            "istio_requests_total",
            &selection(model),
            "response_code!~\"5.*\"",
            &model.interval,
        )
    },
    duration: |model| {
        percentile(
            "istio_request_duration_milliseconds_bucket",
            &selection(model),
            &model.interval,
        )
    },
    duration_unit: 1.0,
    cause_prefix: "running query failed: ",
};

fn selection(model: &Model) -> String {
    format!(
        "reporter=\"destination\",destination_workload_namespace=\"{}\",destination_workload=~\"{}\"",
        model.namespace,
        quoted(&model.target)
    )
}
