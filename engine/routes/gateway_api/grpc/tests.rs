//! GRPCRoutes as the API server stores them, and what they have no words for.

use super::*;
use crate::routes::tests::play::{self, Play};

fn spec(changes: &Value) -> Value {
    let mut spec = json!({
        "provider": "gatewayapi:v1:grpc",
        "service": {"port": 9000, "targetPort": 9000, "hosts": ["cart.example.com"], "gatewayRefs": [{"name": "gw"}]},
    });
    crate::json::merge(&mut spec, changes);
    spec
}

fn lab(changes: &Value) -> Play {
    Play::new(play::canary(&spec(changes)), &[])
}

fn rules_at(changes: &Value, split: Split) -> Value {
    let mut play = lab(changes);
    play.settle(split);
    play.get(kinds::GRPC_ROUTE, "cart")["spec"]["rules"].clone()
}

fn backend(name: &str, weight: i64) -> Value {
    json!({"group": "", "kind": "Service", "name": name, "port": 9000, "weight": weight})
}

fn refusal(changes: &Value) -> String {
    let play = lab(changes);
    let refused = play.provider().refused(&play.canary);
    refused.map(|refused| refused.to_string()).unwrap_or_default()
}

#[test]
fn linear() {
    let mut play = lab(&json!({}));
    play.settle(Split::of(30));
    let route = play.get(kinds::GRPC_ROUTE, "cart");
    assert_eq!(route["apiVersion"], "gateway.networking.k8s.io/v1");
    assert_eq!(route["kind"], "GRPCRoute");
    let expected = json!({
        "hostnames": ["cart.example.com"],
        "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}],
        "rules": [{"backendRefs": [backend("cart-primary", 70), backend("cart-canary", 30)]}],
    });
    assert_eq!(route["spec"], expected);
}

/// Services and methods are what a path is to HTTP.
#[test]
fn calls() {
    let matches = json!([
        {"uri": {"prefix": "/shop.Cart/"}, "headers": {"x-env": {"exact": "prod"}}},
        {"uri": {"exact": "/shop.Stock/Get"}},
    ]);
    let headers = json!({"request": {"add": {"x-from": "edge"}}});
    let service = json!({"service": {"match": matches, "headers": headers, "corsPolicy": {"allowOrigin": ["*"]}}});
    let expected = json!([{
        "matches": [
            {"method": {"type": "Exact", "service": "shop.Cart"}, "headers": [{"type": "Exact", "name": "x-env", "value": "prod"}]},
            {"method": {"type": "Exact", "service": "shop.Stock", "method": "Get"}},
        ],
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "x-from", "value": "edge"}]}}],
        "backendRefs": [backend("cart-primary", 50), backend("cart-canary", 50)],
    }]);
    assert_eq!(rules_at(&service, Split::of(50)), expected);
    // One that matches every call makes the others superfluous.
    let all = json!({"service": {"match": [{"uri": {"prefix": "/"}}, {"uri": {"prefix": "/shop.Cart/"}}]}});
    assert_eq!(rules_at(&all, Split::of(50))[0]["matches"], Value::Null);
}

/// Only the chosen reach the canary, and only with the service's own conditions (RM-2, RM-9).
#[test]
fn ab_test() {
    let analysis =
        play::testing(&json!([{"headers": {"X-Env": {"exact": "test"}}}, {"headers": {"who": {"regex": "in.*"}}}]));
    let mut changes =
        json!({"service": {"match": [{"uri": {"prefix": "/shop.Cart/"}, "headers": {"x-env": {"exact": "prod"}}}]}});
    crate::json::merge(&mut changes, &analysis);
    let method = json!({"type": "Exact", "service": "shop.Cart"});
    let prod = json!({"type": "Exact", "name": "x-env", "value": "prod"});
    let expected = json!([
        {
            "matches": [
                {"method": method, "headers": [{"type": "Exact", "name": "X-Env", "value": "test"}]},
                {"method": method, "headers": [{"type": "RegularExpression", "name": "who", "value": "in.*"}, prod]},
            ],
            "backendRefs": [backend("cart-primary", 0), backend("cart-canary", 100)],
        },
        {"matches": [{"method": method, "headers": [prod]}], "backendRefs": [backend("cart-primary", 100)]},
    ]);
    assert_eq!(rules_at(&changes, Split::CANARY), expected);
    let plain = rules_at(&analysis, Split::CANARY);
    assert_eq!(plain[1], json!({"backendRefs": [backend("cart-primary", 100)]}));
}

#[test]
fn mirrors_a_part() {
    let rules = rules_at(
        &json!({"analysis": {"mirror": true, "mirrorWeight": 20}}),
        Split::PRIMARY.mirrored(),
    );
    let expected = json!([{"type": "RequestMirror", "requestMirror": {
        "backendRef": {"group": "", "kind": "Service", "name": "cart-canary", "port": 9000}, "percent": 20,
    }}]);
    assert_eq!(rules[0]["filters"], expected);
}

#[test]
fn what_cannot_be_said_is_refused() {
    let served = |found: Value| json!({"service": {"match": [found]}});
    let cases = [
        (
            served(json!({"uri": {"regex": ".*"}})),
            "spec.service.match[0].uri: a GRPCRoute needs the service's name",
        ),
        (
            served(json!({"uri": {"exact": "/cart"}})),
            "spec.service.match[0].uri: it is no method",
        ),
        (
            served(json!({"uri": {"prefix": "/shop.Ca"}})),
            "spec.service.match[0].uri: it is no service",
        ),
        (
            served(json!({"method": {"exact": "POST"}})),
            "spec.service.match[0].method: a GRPCRoute compares",
        ),
        (
            served(json!({"headers": {"a": {"prefix": "x"}}})),
            "spec.service.match[0].headers.a: only exact and regex",
        ),
        (
            json!({"service": {"rewrite": {"uri": "/"}}}),
            "spec.service.rewrite: a GRPCRoute cannot rewrite",
        ),
        (
            play::testing(&json!([{"queryParams": {"q": {"exact": "1"}}}])),
            "spec.analysis.match[0].queryParams: a GRPCRoute",
        ),
        (
            play::testing(&json!([{}])),
            "spec.analysis.match[0]: it would match every call",
        ),
        (
            json!({"service": {"gatewayRefs": null}}),
            "spec.service.gatewayRefs: the route needs",
        ),
    ];
    for (changes, expected) in cases {
        let refused = refusal(&changes);
        assert!(refused.starts_with(expected), "{changes}: {refused}");
    }
    assert_eq!(refusal(&json!({})), "");
}
