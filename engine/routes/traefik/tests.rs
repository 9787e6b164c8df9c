//! The worked example of routers-ingress.md 5.5, its vectors (10), and what is better here.

use super::*;
use crate::{objects, routes::tests::play::*};

fn play(objects: &[Value]) -> Play {
    let apex = json!({"labels": {"tier": "web"}, "annotations": {"note": "hi"}});
    Play::new(
        canary(&json!({"provider": "traefik", "service": {"apex": apex}})),
        objects,
    )
}

fn written(play: &Play) -> &Value {
    &play.get(kinds::TRAEFIK_SERVICE, "cart")["spec"]["weighted"]["services"]
}

fn to(name: &str, weight: i64) -> Value {
    json!({"name": name, "namespace": NAMESPACE, "port": 80, "weight": weight})
}

/// A share of 0 is written as 0 (RI-18).
#[test]
fn the_worked_example() {
    let mut play = play(&[]);
    play.settle(Split::PRIMARY);
    let expected = json!({
        "apiVersion": "traefik.io/v1alpha1", "kind": "TraefikService",
        "metadata": {
            "name": "cart", "namespace": NAMESPACE, "labels": {"tier": "web", "app": "cart"},
            "annotations": {"note": "hi", "kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"},
            "ownerReferences": [objects::owner_reference(&play.canary)],
        },
        "spec": {"weighted": {"services": [to("cart-primary", 100)]}},
    });
    assert_eq!(*play.get(kinds::TRAEFIK_SERVICE, "cart"), expected);
    for weight in [20, 40, 60, 80, 100] {
        play.settle(Split::of(weight));
        assert_eq!(
            *written(&play),
            json!([to("cart-primary", 100 - weight), to("cart-canary", weight)])
        );
    }
    play.settle(Split::PRIMARY);
    assert_eq!(*play.get(kinds::TRAEFIK_SERVICE, "cart"), expected);
}

/// RI-1: the peer writes 100 to 100. RI-19: fields that it does not know stay.
#[test]
fn drift_is_repaired_at_the_weight() {
    let mut play = play(&[]);
    play.settle(Split::of(10));
    let mut services = written(&play).clone();
    services[0]["passHostHeader"] = json!(false);
    services[0]["kind"] = json!("TraefikService");
    services.as_array_mut().unwrap().push(to("evil", 1000));
    let sticky = json!({"cookie": {"name": "lb"}});
    play.patch(
        kinds::TRAEFIK_SERVICE,
        "cart",
        &json!({"metadata": {"labels": {"tier": "evil"}}, "spec": {"mirroring": {"name": "evil"}, "weighted": {"sticky": sticky, "services": services}}}),
    );
    play.settle(Split::of(10));
    let object = play.get(kinds::TRAEFIK_SERVICE, "cart");
    assert_eq!(object["metadata"]["labels"]["tier"], "web");
    let mut primary = to("cart-primary", 90);
    primary["passHostHeader"] = json!(false);
    assert_eq!(
        object["spec"],
        json!({"weighted": {"sticky": sticky, "services": [primary, to("cart-canary", 10)]}})
    );
}

/// What Traefik reads without a weight has 1; without the primary there is no split (RI-6), nor without `weighted` (RI-8).
#[test]
fn what_a_foreign_service_says() {
    let cases = [
        (
            json!({"weighted": {"services": [{"name": "cart-primary"}, {"name": "cart-canary", "weight": 1}]}}),
            Ok(Split::of(50)),
        ),
        (
            json!({"weighted": {"services": [{"name": "cart-primary"}]}}),
            Ok(Split::PRIMARY),
        ),
        (
            json!({"weighted": {"services": [{"name": "cart-canary", "weight": 100}]}}),
            Err(()),
        ),
        (json!({"weighted": {"services": []}}), Err(())),
        (json!({"mirroring": {"name": "cart"}}), Err(())),
    ];
    for (spec, expected) in cases {
        let object =
            json!({"kind": "TraefikService", "metadata": {"name": "cart", "namespace": NAMESPACE}, "spec": spec});
        assert_eq!(play(&[object]).observed().map_err(drop), expected, "{spec}");
    }
    assert_eq!(
        play(&[]).observed(),
        Err(Unready::Absent("TraefikService cart.shop".into()))
    );
}

/// RI-25.
#[test]
fn an_adopted_service_comes_back() {
    let mine =
        json!({"mirroring": {"name": "cart", "port": 80, "mirrors": [{"name": "shadow", "port": 80, "percent": 5}]}});
    let object = json!({"kind": "TraefikService", "metadata": {"name": "cart", "namespace": NAMESPACE, "annotations": {"mine": "1"}}, "spec": mine});
    let mut play = play(&[object]);
    play.settle(Split::of(40));
    play.settle(Split::PRIMARY);
    assert_eq!(play.get(kinds::TRAEFIK_SERVICE, "cart")["spec"].get("mirroring"), None);
    let writes = play.provider().reverts(&play.context());
    play.apply(writes);
    let object = play.get(kinds::TRAEFIK_SERVICE, "cart");
    assert_eq!(object["spec"], mine);
    assert_eq!(object["metadata"]["annotations"]["mine"], "1");

    let mut own = Play::new(canary(&json!({"provider": "traefik"})), &[]);
    own.settle(Split::PRIMARY);
    assert_eq!(
        own.provider().reverts(&own.context()),
        Vec::new(),
        "it is collected with the Canary"
    );
}
