//! One row per observer: its series as the proxy, the ingress controller or the application exports them.

use super::{Durations, Pairs, Row};

const MS: f64 = 1000.0;
const S: f64 = 1.0;
const ENVOY: &str = "envoy_cluster_upstream_rq";
const ENVOY_STATUS: (&str, &str, &str) = ("envoy_response_code", "200", "503");
const ENVOY_TIME: Durations = Durations::Buckets {
    name: "envoy_cluster_upstream_rq_time_bucket",
    per_second: MS,
};

fn text(pairs: &[(&'static str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn pod(namespace: &str, name: &str) -> Pairs {
    text(&[("kubernetes_namespace", namespace), ("kubernetes_pod_name", name)])
}

fn istio(namespace: &str, workload: &str, reporter: &str) -> Pairs {
    text(&[
        ("reporter", reporter),
        ("destination_workload_namespace", namespace),
        ("destination_workload", workload),
    ])
}

fn linkerd(namespace: &str, deployment: &str, direction: &str) -> Pairs {
    text(&[
        ("namespace", namespace),
        ("deployment", deployment),
        ("direction", direction),
    ])
}

fn osm(namespace: &str, kind: &str, name: &str) -> Pairs {
    text(&[
        ("destination_namespace", namespace),
        ("destination_kind", kind),
        ("destination_name", name),
    ])
}

fn one(label: &'static str, value: String) -> Pairs {
    vec![(label, value)]
}

fn envoy(name: &'static str, number: f64) -> Row {
    Row {
        name,
        provider: name,
        kind: "Deployment",
        target: "app",
        route: "main",
        number,
        counter: ENVOY,
        status: ENVOY_STATUS,
        durations: ENVOY_TIME,
        canary: |_| Vec::new(),
        others: |_| Vec::new(),
        timed: &[],
    }
}

/// The rows; each has a number of its own.
pub(crate) fn rows() -> Vec<Row> {
    [meshes(), envoys(), ingresses(), applications()]
        .into_iter()
        .flatten()
        .collect()
}

fn applications() -> Vec<Row> {
    let http = |name, number, kind, canary, others| Row {
        name,
        provider: "gatewayapi:v1",
        kind,
        counter: "http_request_duration_seconds_count",
        status: ("status", "200", "500"),
        durations: Durations::Buckets {
            name: "http_request_duration_seconds_bucket",
            per_second: S,
        },
        canary,
        others,
        ..envoy(name, number)
    };
    vec![
        http(
            "http",
            1.0,
            "Deployment",
            |ns| pod(ns, "app-6b9d5c7f4-x2x8q"),
            |ns| {
                vec![
                    pod(ns, "app-primary-7c6f8d5b9-k4wz7"),
                    pod("elsewhere", "app-6b9d5c7f4-x2x8q"),
                    pod(ns, "other-6b9d5c7f4-x2x8q"),
                ]
            },
        ),
        Row {
            provider: "kubernetes",
            target: "agent",
            ..http(
                "http, DaemonSet",
                2.0,
                "DaemonSet",
                |ns| pod(ns, "agent-x2x8q"),
                |ns| vec![pod(ns, "agent-primary-k4wz7")],
            )
        },
    ]
}

fn meshes() -> Vec<Row> {
    vec![
        Row {
            counter: "istio_requests_total",
            status: ("response_code", "200", "500"),
            durations: Durations::Buckets {
                name: "istio_request_duration_milliseconds_bucket",
                per_second: MS,
            },
            canary: |ns| istio(ns, "app", "destination"),
            others: |ns| vec![istio(ns, "app-primary", "destination"), istio(ns, "app", "source")],
            ..envoy("istio", 3.0)
        },
        Row {
            counter: "response_total",
            status: ("classification", "success", "failure"),
            durations: Durations::Buckets {
                name: "response_latency_ms_bucket",
                per_second: MS,
            },
            canary: |ns| linkerd(ns, "app", "inbound"),
            others: |ns| vec![linkerd(ns, "app-primary", "inbound"), linkerd(ns, "app", "outbound")],
            ..envoy("linkerd", 4.0)
        },
        Row {
            counter: "osm_request_total",
            status: ("response_code", "200", "500"),
            durations: Durations::Buckets {
                name: "osm_request_duration_ms_bucket",
                per_second: MS,
            },
            canary: |ns| osm(ns, "Deployment", "app"),
            others: |ns| vec![osm(ns, "Deployment", "app-primary"), osm(ns, "StatefulSet", "app")],
            ..envoy("osm", 5.0)
        },
    ]
}

fn envoys() -> Vec<Row> {
    vec![
        Row {
            canary: |ns| pod(ns, "app-6b9d5c7f4-x2x8q"),
            others: |ns| vec![pod(ns, "app-primary-7c6f8d5b9-k4wz7")],
            ..envoy("appmesh", 6.0)
        },
        Row {
            canary: |ns| one("envoy_cluster_name", format!("{ns}_web-canary_80")),
            others: |ns| {
                ["primary", ""]
                    .map(|role| one("envoy_cluster_name", format!("{ns}_web-{role}_80")))
                    .to_vec()
            },
            ..envoy("contour", 7.0)
        },
        Row {
            canary: |ns| one("envoy_cluster_name", format!("{ns}-web-canaryupstream-80_gloo-system")),
            others: |ns| {
                vec![one(
                    "envoy_cluster_name",
                    format!("{ns}-web-primaryupstream-80_gloo-system"),
                )]
            },
            ..envoy("gloo", 8.0)
        },
        Row {
            canary: |ns| one("service", format!("web-canary_{ns}_svc_80")),
            others: |ns| {
                ["web", "web-primary"]
                    .map(|name| one("service", format!("{name}_{ns}_svc_80")))
                    .to_vec()
            },
            ..envoy("kuma", 9.0)
        },
        Row {
            route: "app-00002",
            canary: |ns| one("envoy_cluster_name", format!("{ns}/app-00002")),
            others: |ns| vec![one("envoy_cluster_name", format!("{ns}/app-00001"))],
            ..envoy("knative", 10.0)
        },
    ]
}

fn ingresses() -> Vec<Row> {
    let traefik = "traefik_service_request_duration_seconds_bucket";
    vec![
        Row {
            counter: traefik,
            status: ("code", "200", "502"),
            durations: Durations::Buckets {
                name: traefik,
                per_second: S,
            },
            canary: |ns| one("service", format!("{ns}-web-canary-80@kubernetescrd")),
            others: |ns| vec![one("service", format!("{ns}-web-primary-80@kubernetescrd"))],
            ..envoy("traefik", 11.0)
        },
        Row {
            counter: "skipper_response_duration_seconds_bucket",
            status: ("code", "200", "500"),
            durations: Durations::Summary("skipper_serve_route_duration_seconds"),
            canary: |ns| {
                one(
                    "route",
                    format!("kube_{ns}__edge_canary__app_example_com____web_canary_0"),
                )
            },
            others: |ns| {
                vec![one(
                    "route",
                    format!("kube_{ns}__edge_canary__app_example_com____web_primary"),
                )]
            },
            ..envoy("skipper", 12.0)
        },
        Row {
            counter: "nginx_ingress_controller_requests",
            status: ("status", "200", "504"),
            durations: Durations::Summary("nginx_ingress_controller_response_duration_seconds"),
            canary: |ns| {
                let backend = format!("{ns}-web-canary-80");
                text(&[("namespace", ns), ("ingress", "edge"), ("canary", &backend)])
            },
            others: |ns| {
                let other = format!("{ns}-api-canary-80");
                let of = |backend: &str| text(&[("namespace", ns), ("ingress", "edge"), ("canary", backend)]);
                vec![of(""), of(&other)]
            },
            ..envoy("nginx", 13.0)
        },
        Row {
            counter: "apisix_http_status",
            status: ("code", "200", "500"),
            durations: Durations::Buckets {
                name: "apisix_http_latency_bucket",
                per_second: MS,
            },
            canary: |ns| one("route", format!("{ns}_main-web-canary_main")),
            others: |ns| vec![one("route", format!("{ns}_main_main"))],
            timed: &[("type", "request")],
            ..envoy("apisix", 14.0)
        },
    ]
}
