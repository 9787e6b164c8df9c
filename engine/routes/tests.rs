//! The table of providers, and the provider without objects.

mod ingresses;
mod laws;
pub(in crate::routes) mod play;

use super::*;

fn canary(spec: &Value, status: &Value) -> Canary {
    let mut whole = json!({"targetRef": {"kind": "Deployment", "name": "app"}});
    tree::merge(&mut whole, spec);
    let metadata = json!({"name": "app", "namespace": "test", "uid": "c0ffee"});
    let object = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": whole, "status": status});
    crds::decode::decode(&object).unwrap()
}

#[test]
fn providers_by_name() {
    let cases = [
        ("gatewayapi:v1", Some("gatewayapi:v1")),
        ("gatewayapi:v1alpha2", Some("gatewayapi:v1")),
        ("kubernetes", Some("kubernetes")),
        // Not mistaken for v1, and nothing falls back to Istio (RM-13).
        ("gatewayapi:v1beta1", Some("gatewayapi:v1beta1")),
        ("gatewayapi:v1beta1-x", Some("gatewayapi:v1beta1")),
        ("gatewayapi:v1:grpc", Some("gatewayapi:v1:grpc")),
        ("gatewayapi:v1:tcp", Some("gatewayapi:v1:tcp")),
        ("gatewayapi:v1alpha2:tcp", Some("gatewayapi:v1alpha2:tcp")),
        ("gatewayapi:v1beta1:tcp", Some("gatewayapi:v1beta1")),
        ("gatewayapi:v1alpha3:tcp", None),
        ("appmesh", Some("appmesh")),
        ("appmesh:v1beta1", Some("appmesh")),
        ("appmesh:v1beta2", Some("appmesh:v1beta2")),
        ("appmesh:v1", None),
        ("kuma", Some("kuma")),
        ("gatewayapi", None),
        ("kubernetes:v1", None),
        ("istio", Some("istio")),
        ("istio:service", None),
        ("nginx", Some("nginx")),
        ("nginx:v1", None),
        ("traefik", Some("traefik")),
        ("contour", Some("contour")),
        ("skipper", Some("skipper")),
        ("apisix", Some("apisix")),
        ("gloo", Some("gloo")),
        ("gloo:v1", Some("gloo")),
        ("gloop", None),
        ("supergloo", None),
        ("", None),
    ];
    for (name, expected) in cases {
        assert_eq!(provider(name).map(|provider| provider.name), expected, "{name}");
        assert!(!hint(name).is_empty());
    }
    for known in providers() {
        assert!(crds::PROVIDERS.contains(&known.name), "the CRD refuses {}", known.name);
    }
}

#[test]
fn hints_say_what_to_do() {
    let cases = [
        ("gatewayapi", "use gatewayapi:v1"),
        ("supergloo", "use gloo for the gateway, or the provider of the mesh"),
        ("none", "use kubernetes"),
        (
            "ngins",
            "not known; supported are gatewayapi:v1, gatewayapi:v1beta1, gatewayapi:v1:grpc",
        ),
        ("", "no provider is set"),
    ];
    for (name, part) in cases {
        assert!(hint(name).contains(part), "{name}: {}", hint(name));
    }
}

#[test]
fn splits_sum_to_100() {
    for (given, expected) in [
        (-1, (100, 0)),
        (0, (100, 0)),
        (40, (60, 40)),
        (100, (0, 100)),
        (i64::MAX, (0, 100)),
    ] {
        let split = Split::of(given);
        assert_eq!(
            (split.primary, split.canary, split.mirrored),
            (expected.0, expected.1, false)
        );
    }
    assert!(Split::PRIMARY.mirrored().mirrored);
}

/// routers-mesh.md 2.
#[test]
fn kubernetes_has_no_objects() {
    let provider = provider("kubernetes").unwrap();
    for (status, expected) in [
        (Value::Null, Split::PRIMARY),
        (json!({"iterations": 0}), Split::PRIMARY),
        (json!({"iterations": 1}), Split::CANARY),
    ] {
        let canary = canary(&json!({"service": {"port": 80}}), &status);
        let context = Context {
            canary: &canary,
            current: Vec::new(),
            selector_key: Some("app"),
            selector_value: Some("app"),
            entropy: 0,
            flags: Flags::default(),
        };
        assert_eq!(provider.observed(&context), Ok(expected));
        assert_eq!(provider.accepted(&context), Ok(()));
        assert_eq!(provider.writes(&context, Split::CANARY), Ok(Vec::new()));
        assert_eq!(provider.objects(&canary), Vec::new());
    }
}
