use super::{Observer, observer, provider_name};
use crate::{
    Settings,
    metrics::{Builtin, Model},
};
use crds::{Canary, CanarySpec};

fn model(target: &str) -> Model {
    Model {
        namespace: "prod".into(),
        target: target.into(),
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

#[test]
fn queries_select_the_documented_series() {
    let http = "kubernetes_namespace=\"prod\",kubernetes_pod_name=~\"shop-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\"";
    let istio = "reporter=\"destination\",destination_workload_namespace=\"prod\",destination_workload=~\"shop\"";
    let cases = [
        (
            "gatewayapi:v1",
            Builtin::SuccessRate,
            format!(
                "(sum(rate(http_request_duration_seconds_count{{{http},status!~\"5.*\"}}[30s])) or vector(0)) / \
                 sum(rate(http_request_duration_seconds_count{{{http}}}[30s])) * 100"
            ),
        ),
        (
            "kubernetes",
            Builtin::Duration,
            format!("histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{{{http}}}[30s])) by (le))"),
        ),
        (
            "istio",
            Builtin::SuccessRate,
            format!(
                "(sum(rate(istio_requests_total{{{istio},response_code!~\"5.*\"}}[30s])) or vector(0)) / \
                 sum(rate(istio_requests_total{{{istio}}}[30s])) * 100"
            ),
        ),
        (
            "istio",
            Builtin::Duration,
            format!(
                "histogram_quantile(0.99, sum(rate(istio_request_duration_milliseconds_bucket{{{istio}}}[30s])) by (le))"
            ),
        ),
    ];
    for (provider, builtin, expected) in cases {
        assert_eq!(Observer::of(provider).query(builtin, &model("shop")), expected);
    }
}

#[test]
fn dots_of_a_name_match_only_dots() {
    let query = Observer::of("istio").query(Builtin::Duration, &model("shop.v1"));
    assert!(query.contains(r#"destination_workload=~"shop\\.v1""#), "{query}");
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
        ("smi:linkerd", Some("kubernetes"), "Deployment", "linkerd", "istio"),
        ("smi:crossover", None, "Deployment", "crossover", "istio"),
        ("", None, "Deployment", "", "istio"),
        (
            "gatewayapi:v1",
            Some("smi:v1alpha2"),
            "Deployment",
            "smi:v1alpha2",
            "istio",
        ),
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

/// AN-1: the pods of a DaemonSet have one name segment behind the target's, and the primary's have two.
#[test]
fn daemons_are_found_by_their_own_names() {
    let settings = Settings::default();
    for (provider, kind, pods) in [
        ("kubernetes", "DaemonSet", "shop-[0-9a-zA-Z]+\""),
        ("gatewayapi:v1", "DaemonSet", "shop-[0-9a-zA-Z]+\""),
        ("kubernetes", "Deployment", "shop-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)\""),
        ("istio", "DaemonSet", "destination_workload=~\"shop\""),
    ] {
        let observer = observer(&canary(Some(provider), kind), &settings);
        for builtin in [Builtin::SuccessRate, Builtin::Duration] {
            let query = observer.query(builtin, &model("shop"));
            assert!(query.contains(pods), "{provider} {kind}: {query}");
        }
    }
}
