//! Meshes whose proxies name the workload: Istio, Linkerd, Open Service Mesh.

use super::{Latency, Observer, QUERY_FAILED, quoted};

/// Istio's standard metrics, as reported by the receiving proxy. Also the fallback for providers that nobody knows.
pub(super) const ISTIO: Observer = Observer {
    name: "istio",
    matches: |provider| provider == "istio",
    select: |model| {
        let (namespace, target) = (&model.namespace, quoted(&model.target));
        format!(
            "reporter=\"destination\",destination_workload_namespace=\"{namespace}\",destination_workload=~\"{target}\""
        )
    },
    requests: "istio_requests_total",
    only: "",
    good: "response_code!~\"5.*\"",
    latency: Latency::Percentile("istio_request_duration_milliseconds_bucket"),
    duration_unit: 1.0,
    cause_prefix: QUERY_FAILED,
};

/// Linkerd, whose proxy itself says what a failure is, so that failed gRPC calls count.
pub(super) const LINKERD: Observer = Observer {
    name: "linkerd",
    matches: |provider| provider == "linkerd",
    select: |model| {
        let label = if model.kind == "DaemonSet" {
            "daemonset"
        } else {
            "deployment"
        };
        let (namespace, target) = (&model.namespace, quoted(&model.target));
        format!("namespace=\"{namespace}\",{label}=~\"{target}\",direction=\"inbound\"")
    },
    requests: "response_total",
    only: "",
    good: "classification!=\"failure\"",
    latency: Latency::Percentile("response_latency_ms_bucket"),
    duration_unit: 1.0,
    cause_prefix: QUERY_FAILED,
};

/// Open Service Mesh.
pub(super) const OSM: Observer = Observer {
    name: "osm",
    matches: |provider| provider == "osm",
    select: |model| {
        let kind = if model.kind == "DaemonSet" {
            "DaemonSet"
        } else {
            "Deployment"
        };
        let (namespace, target) = (&model.namespace, &model.target);
        format!("destination_namespace=\"{namespace}\",destination_kind=\"{kind}\",destination_name=\"{target}\"")
    },
    requests: "osm_request_total",
    only: "",
    good: "response_code!~\"5.*\"",
    latency: Latency::Percentile("osm_request_duration_ms_bucket"),
    duration_unit: 1.0,
    cause_prefix: QUERY_FAILED,
};
