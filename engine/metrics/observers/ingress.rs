//! Ingress controllers with metrics of their own: Traefik, Skipper, NGINX, APISIX.

use super::{Latency, Model, Observer, QUERY_FAILED, quoted};

/// Traefik: the canary Service (AN-3). Its histogram's last bucket counts the requests.
pub(super) const TRAEFIK: Observer = Observer {
    name: "traefik",
    matches: |provider| provider == "traefik",
    select: |model| {
        let (namespace, service) = (quoted(&model.namespace), quoted(&model.service));
        format!("service=~\"{namespace}-{service}-canary-[0-9a-zA-Z-]+@kubernetescrd\"")
    },
    requests: "traefik_service_request_duration_seconds_bucket",
    only: "le=\"+Inf\"",
    good: "code!~\"5..\"",
    latency: Latency::PercentileOfSeconds("traefik_service_request_duration_seconds_bucket"),
    duration_unit: 1.0,
    cause_prefix: QUERY_FAILED,
};

/// Skipper: the route of the canary Ingress, in whose name only word characters are left. Of several canaries on one Ingress the later ones
/// have their Service in that name, too (RI-17).
pub(super) const SKIPPER: Observer = Observer {
    name: "skipper",
    matches: |provider| provider == "skipper",
    select: |model| {
        let [namespace, ingress, service] = [&model.namespace, &model.ingress, &model.service].map(|name| words(name));
        format!("route=~\"kube(ew)?_{namespace}__{ingress}_({service}_)?canary__.*__{service}_canary(_[0-9]+)?\"")
    },
    requests: "skipper_response_duration_seconds_bucket",
    only: "le=\"+Inf\"",
    good: "code!~\"5..\"",
    latency: Latency::MeanOfSeconds("skipper_serve_route_duration_seconds"),
    duration_unit: 1.0,
    cause_prefix: QUERY_FAILED,
};

/// NGINX: what went through the canary Ingress to this canary's Service. The peer counts the requests of all canaries on one Ingress (RI-17).
pub(super) const NGINX: Observer = Observer {
    name: "nginx",
    matches: |provider| provider == "nginx",
    select: |model| {
        let Model { namespace, ingress, .. } = model;
        let [home, service] = [&model.namespace, &model.service].map(|name| quoted(name));
        format!("namespace=\"{namespace}\",ingress=\"{ingress}\",canary=~\"({home}-)?{service}-canary-.+\"")
    },
    requests: "nginx_ingress_controller_requests",
    only: "",
    good: "status!~\"5.*\"",
    latency: Latency::MeanOfSeconds("nginx_ingress_controller_response_duration_seconds"),
    duration_unit: 1.0,
    cause_prefix: QUERY_FAILED,
};

/// APISIX: the canary route, named after the user's route and the Service (AN-3).
pub(super) const APISIX: Observer = Observer {
    name: "apisix",
    matches: |provider| provider == "apisix",
    select: |model| {
        let [namespace, route, service] = [&model.namespace, &model.route, &model.service].map(|name| quoted(name));
        format!("route=~\"{namespace}_{route}-{service}-canary_.+\"")
    },
    requests: "apisix_http_status",
    only: "",
    good: "code!~\"5..\"",
    latency: Latency::PercentileOf("apisix_http_latency_bucket", "type=~\"request\""),
    duration_unit: 1.0,
    cause_prefix: QUERY_FAILED,
};

fn words(name: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(word).collect()
}
