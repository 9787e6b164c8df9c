use super::{OBSERVERS, Observer, knative_revision, knative_service, observer, provider_name};
use crate::{
    Settings,
    metrics::{Builtin, Model},
};
use crds::{Canary, CanarySpec};
use serde_json::json;

fn model(target: &str) -> Model {
    Model {
        namespace: "prod".into(),
        kind: "Deployment".into(),
        target: target.into(),
        service: "web".into(),
        ingress: "edge".into(),
        route: "main".into(),
        interval: "30s".into(),
        ..Model::default()
    }
}

fn canary(provider: Option<&str>, kind: &str) -> Canary {
    let mut spec = CanarySpec {
        provider: provider.map(String::from),
        ..CanarySpec::default()
    };
    spec.target_ref.kind = kind.into();
    Canary::new("app", spec)
}

/// Provider, counter with its own matcher, matchers, good requests.
const RATES: [(&str, &str, &str, &str); 14] = [
    (
        "gatewayapi:v1",
        "http_request_duration_seconds_count",
        HTTP,
        "status!~\"5.*\"",
    ),
    (
        "kubernetes",
        "http_request_duration_seconds_count",
        HTTP,
        "status!~\"5.*\"",
    ),
    (
        "istio",
        "istio_requests_total",
        "reporter=\"destination\",destination_workload_namespace=\"prod\",destination_workload=~\"shop\"",
        "response_code!~\"5.*\"",
    ),
    (
        "linkerd",
        "response_total",
        "namespace=\"prod\",deployment=~\"shop\",direction=\"inbound\"",
        "classification!=\"failure\"",
    ),
    (
        "osm",
        "osm_request_total",
        "destination_namespace=\"prod\",destination_kind=\"Deployment\",destination_name=\"shop\"",
        "response_code!~\"5.*\"",
    ),
    (
        "appmesh:v1beta2",
        "envoy_cluster_upstream_rq",
        HTTP,
        "envoy_response_code!~\"5.*\"",
    ),
    (
        "contour",
        "envoy_cluster_upstream_rq",
        "envoy_cluster_name=~\"prod_web-canary_[0-9a-zA-Z-]+\"",
        "envoy_response_code!~\"5.*\"",
    ),
    (
        "gloo",
        "envoy_cluster_upstream_rq",
        "envoy_cluster_name=~\"prod-web-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+\"",
        "envoy_response_code!~\"5.*\"",
    ),
    (
        "kuma",
        "envoy_cluster_upstream_rq",
        "service=~\"web-canary_prod_svc_[0-9a-zA-Z-]+\"",
        "envoy_response_code!~\"5.*\"",
    ),
    (
        "knative",
        "envoy_cluster_upstream_rq",
        "envoy_cluster_name=~\"prod/main\"",
        "envoy_response_code!~\"5.*\"",
    ),
    (
        "traefik",
        "traefik_service_request_duration_seconds_bucket",
        "service=~\"prod-web-canary-[0-9a-zA-Z-]+@kubernetescrd\",le=\"+Inf\"",
        "code!~\"5..\"",
    ),
    (
        "skipper",
        "skipper_response_duration_seconds_bucket",
        "route=~\"kube(ew)?_prod__edge_(web_)?canary__.*__web_canary(_[0-9]+)?\",le=\"+Inf\"",
        "code!~\"5..\"",
    ),
    (
        "nginx",
        "nginx_ingress_controller_requests",
        "namespace=\"prod\",ingress=\"edge\",canary=~\"(prod-)?web-canary-.+\"",
        "status!~\"5.*\"",
    ),
    (
        "apisix",
        "apisix_http_status",
        "route=~\"prod_main-web-canary_.+\"",
        "code!~\"5..\"",
    ),
];
const HTTP: &str = "kubernetes_namespace=\"prod\",kubernetes_pod_name=~\"shop-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\"";

#[test]
fn success_rates_count_the_documented_series() {
    for (provider, counter, select, good) in RATES {
        let expected = format!(
            "(sum(rate({counter}{{{select},{good}}}[30s])) or vector(0)) / sum(rate({counter}{{{select}}}[30s])) * 100"
        );
        assert_eq!(
            Observer::of(provider).query(Builtin::SuccessRate, &model("shop")),
            expected,
            "{provider}"
        );
    }
    assert_eq!(OBSERVERS.len() + 1, RATES.len(), "kubernetes and gatewayapi share one");
}

#[test]
fn durations_come_from_the_documented_series() {
    let bucket =
        |name: &str, select: &str| format!("histogram_quantile(0.99, sum(rate({name}{{{select}}}[30s])) by (le))");
    let mean = |name: &str, select: &str| {
        format!("sum(rate({name}_sum{{{select}}}[30s])) / sum(rate({name}_count{{{select}}}[30s])) * 1000")
    };
    for (provider, _, select, _) in RATES {
        let select = select.trim_end_matches(",le=\"+Inf\"");
        let expected = match provider {
            "gatewayapi:v1" | "kubernetes" => bucket("http_request_duration_seconds_bucket", select),
            "istio" => bucket("istio_request_duration_milliseconds_bucket", select),
            "linkerd" => bucket("response_latency_ms_bucket", select),
            "osm" => bucket("osm_request_duration_ms_bucket", select),
            "traefik" => bucket("traefik_service_request_duration_seconds_bucket", select) + " * 1000",
            "skipper" => mean("skipper_serve_route_duration_seconds", select),
            "nginx" => mean("nginx_ingress_controller_response_duration_seconds", select),
            "apisix" => bucket("apisix_http_latency_bucket", &format!("{select},type=~\"request\"")),
            _ => bucket("envoy_cluster_upstream_rq_time_bucket", select),
        };
        assert_eq!(
            Observer::of(provider).query(Builtin::Duration, &model("shop")),
            expected,
            "{provider}"
        );
    }
}

#[test]
fn names_match_only_themselves() {
    let query = Observer::of("istio").query(Builtin::Duration, &model("shop.v1"));
    assert!(query.contains(r#"destination_workload=~"shop\\.v1""#), "{query}");
    let mut odd = model("shop");
    odd.service = "web.v-1".into();
    let query = Observer::of("skipper").query(Builtin::Duration, &odd);
    assert!(query.contains("__web_v_1_canary("), "{query}");
}

#[test]
fn daemon_sets_are_looked_for_by_their_own_pods() {
    let mut daemon = model("agent");
    daemon.kind = "DaemonSet".into();
    let has = |provider: &str, part: &str| {
        let query = Observer::of(provider).query(Builtin::SuccessRate, &daemon);
        assert!(query.contains(part), "{query}");
    };
    has("kubernetes", "kubernetes_pod_name=~\"agent-[0-9a-zA-Z]+\"");
    has("appmesh", "kubernetes_pod_name=~\"agent-[0-9a-zA-Z]+\"");
    has("linkerd", "daemonset=~\"agent\"");
    has("osm", "destination_kind=\"DaemonSet\"");
}

#[test]
fn the_provider_decides_who_observes() {
    let cases = [
        ("istio", None, "Deployment", "istio", "istio"),
        ("istio", Some("gatewayapi:v1"), "Deployment", "gatewayapi:v1", "http"),
        (
            "istio",
            Some("gatewayapi:v1beta1"),
            "Deployment",
            "gatewayapi:v1beta1",
            "http",
        ),
        ("gatewayapi:v1", Some(""), "Deployment", "gatewayapi:v1", "http"),
        ("istio", Some("kubernetes"), "Service", "kubernetes", "http"),
        ("kubernetes", None, "Service", "kubernetes", "http"),
        ("nginx", None, "Service", "nginx", "nginx"),
        ("istio", Some("gloo:x"), "Deployment", "gloo:x", "gloo"),
        ("smi:linkerd", Some("kubernetes"), "Deployment", "linkerd", "linkerd"),
        ("smi:linkerd", None, "Deployment", "smi:linkerd", "linkerd"),
        ("smi:v1alpha1:osm", None, "Deployment", "smi:v1alpha1:osm", "osm"),
        ("osm", Some("smi:v1alpha2"), "Deployment", "smi:v1alpha2", "osm"),
        (
            "smi:v1alpha2:kuma",
            Some("smi:v1alpha2"),
            "Deployment",
            "smi:v1alpha2",
            "kuma",
        ),
        (
            "gatewayapi:v1",
            Some("smi:v1alpha2"),
            "Deployment",
            "smi:v1alpha2",
            "istio",
        ),
        ("istio", Some("smi:v1alpha3"), "Deployment", "smi:v1alpha3", "istio"),
        ("smi:crossover", None, "Deployment", "crossover", "istio"),
        ("", None, "Deployment", "", "istio"),
    ];
    for (global, own, kind, provider, observed_by) in cases {
        let settings = Settings {
            mesh_provider: global.into(),
            ..Settings::default()
        };
        let canary = canary(own, kind);
        assert_eq!(provider_name(&canary, &settings), provider);
        assert_eq!(observer(&canary, &settings).name, observed_by, "{global} {own:?}");
    }
}

#[test]
fn knatives_newest_revision_is_known_by_its_service() {
    let at = knative_service("prod", "shop");
    assert_eq!(
        (at.to_string().as_str(), at.kind.group),
        ("Service shop.prod", "serving.knative.dev")
    );
    assert_eq!(
        knative_revision(&json!({"status": {"latestCreatedRevisionName": "shop-00002"}})),
        Ok("shop-00002".into())
    );
    assert!(knative_revision(&json!({"status": {}})).is_err());
}
