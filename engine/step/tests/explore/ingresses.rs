//! The searches of the ingress providers.

use serde_json::{Value, json};

use super::{
    super::fixture::on_ingress,
    scenarios::{BASE, Scenario},
};

/// Ingress providers differ from the others in their route alone. Each is tried with weights, and those that can with an A/B test.
pub(super) fn ingresses(ab: &Value) -> Vec<Scenario> {
    let weights = [
        ("one weight, nginx", "nginx"),
        ("one weight, skipper", "skipper"),
        ("one weight, traefik", "traefik"),
        ("one weight, contour", "contour"),
        ("one weight, apisix", "apisix"),
        ("one weight, gloo", "gloo"),
    ];
    let tests = [
        ("A/B, nginx", "nginx"),
        ("A/B, skipper", "skipper"),
        ("A/B, contour", "contour"),
        ("A/B, apisix", "apisix"),
        ("A/B, gloo", "gloo"),
    ];
    let scenario = |name: &'static str, provider: &str, more: &Value| Scenario {
        name,
        spec: on_ingress(provider, more),
        thin: [60, 1],
        always: &[],
        without: &["Waiting", "WaitingPromotion"],
        ..BASE
    };
    let weights = weights.map(|(name, provider)| scenario(name, provider, &json!({})));
    let tests = tests.map(|(name, provider)| scenario(name, provider, ab));
    weights.into_iter().chain(tests).collect()
}
