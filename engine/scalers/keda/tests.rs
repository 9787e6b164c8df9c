use super::*;
use crate::json::merge_diff;

fn canary(scaler: &Value) -> Canary {
    crds::decode::decode(&json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "web", "namespace": "shop", "uid": "c0ffee"},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "autoscalerRef": scaler},
    }))
    .unwrap()
}

fn reference(more: &Value) -> Value {
    let mut scaler = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web-so"});
    crate::json::merge(&mut scaler, more);
    scaler
}

fn source() -> Value {
    json!({
        "metadata": {
            "name": "web-so", "namespace": "shop", "uid": "1", "resourceVersion": "7",
            "labels": {"team": "a", "kustomize.toolkit.fluxcd.io/name": "apps", "scaledobject.keda.sh/name": "web-so"},
            "annotations": {
                "scaledobject.keda.sh/transfer-hpa-ownership": "true",
                "autoscaling.keda.sh/paused-replicas": "0", "autoscaling.keda.sh/paused": "true", "autoscaling.keda.sh/paused-scale-in": "true",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
        },
        "spec": {
            "scaleTargetRef": {"name": "web", "kind": "Deployment", "envSourceContainerName": "app"},
            "pollingInterval": 10, "cooldownPeriod": 20, "initialCooldownPeriod": 5, "minReplicaCount": 1, "maxReplicaCount": 3,
            "fallback": {"failureThreshold": 3, "replicas": 6, "behavior": "static"},
            "advanced": {
                "scalingModifiers": {"formula": "a + b"},
                "horizontalPodAutoscalerConfig": {"name": "web-hpa", "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}}},
            },
            "triggers": [
                {"type": "prometheus", "name": "requests", "useCachedMetrics": true,
                 "metadata": {"serverAddress": "http://prometheus:9090", "query": "sum(rate(requests{app=\"web\"}[2m]))"}},
                {"type": "prometheus", "name": "latency", "metadata": {"query": "latency{app=\"web-canary\"}"}},
                {"type": "cron", "metadata": {"start": "web", "timezone": "UTC"}},
            ],
        },
    })
}

fn made(scaler: &Value, current: Option<&Value>) -> Value {
    let canary = canary(&reference(scaler));
    let given = canary.spec.autoscaler_ref.clone().unwrap();
    primary(&canary, &given, &source(), current)
}

#[test]
fn the_primary_gets_all_but_what_is_transient() {
    let copy = made(
        &json!({"primaryScalerReplicas": {"minReplicas": 2, "maxReplicas": 5}}),
        None,
    );
    let mut spec = source()["spec"].clone();
    spec["scaleTargetRef"]["name"] = json!("web-primary");
    spec["minReplicaCount"] = json!(2);
    spec["maxReplicaCount"] = json!(5);
    spec["advanced"]["horizontalPodAutoscalerConfig"]["name"] = json!("web-hpa-primary");
    spec["triggers"][0]["metadata"]["query"] = json!("sum(rate(requests{app=\"web-primary\"}[2m]))");
    spec["triggers"][1]["metadata"]["query"] = json!("latency{app=\"web-primary\"}");
    assert_eq!(copy["spec"], spec, "unknown fields arrive (WL-12)");
    let metadata = json!({
        "name": "web-so-primary", "namespace": "shop", "labels": {"team": "a"},
        "annotations": {"scaledobject.keda.sh/transfer-hpa-ownership": "true"},
        "ownerReferences": copy["metadata"]["ownerReferences"],
    });
    assert_eq!(copy["metadata"], metadata, "not born paused (WL-10)");
    assert_eq!(copy["metadata"]["ownerReferences"][0]["controller"], true);
}

#[test]
fn a_second_pass_changes_nothing_and_the_primarys_metadata_is_its_own() {
    let mut live = made(&json!({}), None);
    live["metadata"]["annotations"] = json!({"autoscaling.keda.sh/paused-replicas": "3", "foreign": "kept"});
    live["status"] = json!({"health": {}});
    assert_eq!(merge_diff(&live, &made(&json!({}), Some(&live))), None);
    let mut drifted = live.clone();
    drifted["spec"]["triggers"][0]["metadata"]["query"] = json!("1");
    drifted["spec"]["extra"] = json!(1);
    assert_eq!(made(&json!({}), Some(&drifted)), live);
}

#[test]
fn own_queries_replace_by_name_and_the_others_are_pointed_at_the_primary() {
    let copy = made(&json!({"primaryScalerQueries": {"requests": "sum(own)"}}), None);
    let queries = |index: usize| copy["spec"]["triggers"][index]["metadata"]["query"].clone();
    assert_eq!(queries(0), "sum(own)");
    assert_eq!(queries(1), "latency{app=\"web-primary\"}");
    assert_eq!(queries(2), Value::Null);
}

/// Worked examples of workloads.md 14.2 and 16.3, and what WL-13 asks for.
#[test]
fn only_the_targets_name_is_replaced() {
    for (given, wanted) in [
        (r#"x{app="web"}"#, r#"x{app="web-primary"}"#),
        (r#"x{app="web-canary"}"#, r#"x{app="web-primary"}"#),
        (
            r#"x{app="web"} / y{app="web-canary"}"#,
            r#"x{app="web-primary"} / y{app="web-primary"}"#,
        ),
        (r#"x{app="web-primary"}"#, r#"x{app="web-primary"}"#),
        (r#"webhook_total{app="web"}"#, r#"webhook_total{app="web-primary"}"#),
        (r#"web{web="web"}"#, r#"web{web="web-primary"}"#),
        (
            r#"x{app="web-db",other="myweb",more="web_x"}"#,
            r#"x{app="web-db",other="myweb",more="web_x"}"#,
        ),
        (r#"x{pod=~"web-.*"}"#, r#"x{pod=~"web-primary-.*"}"#),
        (
            r#"x{pod=~"web-[a-z0-9]+-.*|web-canary-.*"}"#,
            r#"x{pod=~"web-primary-[a-z0-9]+-.*|web-primary-.*"}"#,
        ),
        (r#"x{host="web.shop.svc"}"#, r#"x{host="web-primary.shop.svc"}"#),
        (
            r#"x{q="\"web\"", app='web'}"#,
            r#"x{q="\"web-primary\"", app='web-primary'}"#,
        ),
        ("é{app=\"web\"}", "é{app=\"web-primary\"}"),
    ] {
        assert_eq!(query::for_primary(given, "web", true), wanted);
        assert_eq!(query::for_primary(wanted, "web", true), wanted, "twice");
    }
    // Other servers do not quote names.
    assert_eq!(
        query::for_primary("sum:requests{service:web}", "web", false),
        "sum:requests{service:web-primary}"
    );
    assert_eq!(
        query::for_primary("hosts.web.count", "web", false),
        "hosts.web-primary.count"
    );
    assert_eq!(query::for_primary("a", "", false), "a");
}

#[test]
fn a_hold_writes_one_annotation_and_takes_only_its_own_away() {
    let free = json!({"metadata": {"name": "web-so"}, "spec": {"new": 1}});
    let paused = held(&free, true);
    assert_eq!(
        merge_diff(&free, &paused),
        Some(json!({"metadata": {"annotations": {PAUSED: "0"}}}))
    );
    assert_eq!(merge_diff(&paused, &held(&paused, true)), None);
    assert_eq!(
        merge_diff(&paused, &held(&paused, false)),
        Some(json!({"metadata": {"annotations": {PAUSED: null}}}))
    );
    let pinned = json!({"metadata": {"annotations": {PAUSED: "3"}}});
    assert_eq!(held(&pinned, false), pinned, "a pause of the user's own");
    let held_at_zero = held(&pinned, true);
    assert_eq!(held_at_zero["metadata"]["annotations"][PAUSED], "0");
    assert_eq!(held(&held_at_zero, true), held_at_zero);
    assert_eq!(held(&held_at_zero, false), pinned, "it comes back (WL-30)");
    assert_eq!(merge_diff(&free, &held(&free, false)), None);
}
