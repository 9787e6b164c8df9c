//! Providers that are Envoy underneath: one pair of series, told apart by how each names the canary's cluster.

use serde_json::Value;

use super::{Latency, Model, Observer, QUERY_FAILED, pods, quoted};
use crate::{ObjectRef, objects::kinds};

/// An observer of Envoy's cluster metrics.
const fn envoy(name: &'static str, matches: fn(&str) -> bool, select: fn(&Model) -> String) -> Observer {
    Observer {
        name,
        matches,
        select,
        requests: "envoy_cluster_upstream_rq",
        only: "",
        good: "envoy_response_code!~\"5.*\"",
        latency: Latency::Percentile("envoy_cluster_upstream_rq_time_bucket"),
        duration_unit: 1.0,
        cause_prefix: QUERY_FAILED,
    }
}

/// App Mesh: by pod. The labels come from the relabelling rules of the bundled Prometheus.
pub(super) const APPMESH: Observer = envoy(
    "appmesh",
    |provider| provider.starts_with("appmesh"),
    |model| {
        let (namespace, pods) = (&model.namespace, pods(model));
        format!("kubernetes_namespace=\"{namespace}\",kubernetes_pod_name=~\"{pods}\"")
    },
);

/// Contour: the canary Service.
pub(super) const CONTOUR: Observer = envoy(
    "contour",
    |provider| provider == "contour",
    |model| {
        let (namespace, service) = (quoted(&model.namespace), quoted(&model.service));
        format!("envoy_cluster_name=~\"{namespace}_{service}-canary_[0-9a-zA-Z-]+\"")
    },
);

/// Gloo: the canary Upstream, named after the Service (AN-3).
pub(super) const GLOO: Observer = envoy(
    "gloo",
    |provider| provider.starts_with("gloo"),
    |model| {
        let (namespace, service) = (quoted(&model.namespace), quoted(&model.service));
        format!("envoy_cluster_name=~\"{namespace}-{service}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\"")
    },
);

/// Kuma: the canary Service (AN-3).
pub(super) const KUMA: Observer = envoy(
    "kuma",
    |provider| provider == "kuma",
    |model| {
        let (namespace, service) = (quoted(&model.namespace), quoted(&model.service));
        format!("service=~\"{service}-canary_{namespace}_svc_[0-9a-zA-Z-]+\"")
    },
);

/// Knative: the newest revision, which the caller puts into `route`, see [`knative_revision`].
pub(super) const KNATIVE: Observer = envoy(
    "knative",
    |provider| provider == "knative",
    |model| {
        let (namespace, revision) = (quoted(&model.namespace), quoted(&model.route));
        format!("envoy_cluster_name=~\"{namespace}/{revision}\"")
    },
);

/// The object that knows a Knative target's newest revision.
pub fn knative_service(namespace: &str, target: &str) -> ObjectRef {
    kinds::KNATIVE_SERVICE.named(namespace, target)
}

/// The name of the newest revision, by a Knative Service, or why there is none.
pub fn knative_revision(service: &Value) -> Result<String, String> {
    let revision = service["status"]["latestCreatedRevisionName"].as_str();
    let revision = revision.filter(|revision| !revision.is_empty()).map(str::to_owned);
    revision.ok_or_else(|| "the Knative service has no revision yet".to_owned())
}
