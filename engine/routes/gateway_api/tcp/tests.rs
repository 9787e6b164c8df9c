//! TCPRoutes of both versions.

use super::*;
use crate::routes::tests::play::{self, Play};
use serde_json::Value;

fn lab(provider: &str, changes: &Value) -> Play {
    let mut spec = json!({"provider": provider, "service": {"port": 6379, "targetPort": 6379, "hosts": ["ignored"], "gatewayRefs": [{"name": "gw", "sectionName": "redis"}]}});
    crate::json::merge(&mut spec, changes);
    Play::new(play::canary(&spec), &[])
}

#[test]
fn linear() {
    for (provider, kind) in [
        ("gatewayapi:v1:tcp", kinds::TCP_ROUTE),
        ("gatewayapi:v1alpha2:tcp", kinds::TCP_ROUTE_V1ALPHA2),
    ] {
        let mut play = lab(provider, &json!({}));
        play.settle(Split::of(30));
        let route = play.get(kind, "cart");
        assert_eq!(route["apiVersion"], kind.api_version());
        let backend = |name: &str, weight: i64| json!({"group": "", "kind": "Service", "name": name, "port": 6379, "weight": weight});
        let expected = json!({
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "sectionName": "redis"}],
            "rules": [{"backendRefs": [backend("cart-primary", 70), backend("cart-canary", 30)]}],
        });
        assert_eq!(route["spec"], expected);
        play.patch(
            kind,
            "cart",
            &json!({"spec": {"rules": [{"backendRefs": [{"name": "evil", "port": 1}]}]}}),
        );
        play.settle(Split::of(30));
        assert_eq!(play.get(kind, "cart")["spec"], expected, "mended at the weight");
    }
}

/// A connection has no requests to choose, to copy or to keep (RM-3, RM-4).
#[test]
fn what_needs_requests_is_refused() {
    let match_all = json!([{"uri": {"prefix": "/"}}]);
    for (changes, path) in [
        (json!({"service": {"match": match_all}}), "service.match"),
        (json!({"service": {"rewrite": {"uri": "/"}}}), "service.rewrite"),
        (
            json!({"service": {"mirror": [{"backendRef": {"name": "a", "port": 1}}]}}),
            "service.mirror",
        ),
    ] {
        let play = lab("gatewayapi:v1:tcp", &changes);
        let refused = play.provider().refused(&play.canary).unwrap().to_string();
        assert_eq!(
            refused,
            format!("spec.{path}: a TCPRoute knows connections, not requests")
        );
    }
    let mut asked = play::testing(&json!([{"headers": {"a": {"exact": "b"}}}]));
    crate::json::merge(
        &mut asked,
        &json!({"analysis": {"mirror": true, "sessionAffinity": {"cookieName": "c"}}}),
    );
    let play = lab("gatewayapi:v1:tcp", &asked);
    let missing = play.provider().capabilities.missing(&play.canary);
    let paths: Vec<&str> = missing.into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["analysis.match", "analysis.sessionAffinity", "analysis.mirror"]);
}
