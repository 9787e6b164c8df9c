//! Recorded shapes and routers-mesh.md 9.

use super::*;
use crate::{json::merge, seam::Act};

fn canary_in(namespace: &str, changes: &Value) -> Canary {
    let mut object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "app", "namespace": namespace, "uid": "c0ffee", "annotations": {"kuma.io/mesh": "prod"}},
        "spec": {"provider": "kuma", "targetRef": {"kind": "Deployment", "name": "app"}, "service": {"port": 9898, "name": "kuma-a"}},
    });
    merge(&mut object, changes);
    crds::decode::decode(&object).unwrap()
}

fn canary() -> Canary {
    canary_in("test", &json!({}))
}

fn context<'a>(canary: &'a Canary, current: Option<&'a Value>) -> Context<'a> {
    Context {
        canary,
        current: vec![current],
        selector_key: Some("app"),
        selector_value: Some("app"),
        entropy: 7,
        flags: crate::routes::Flags::default(),
    }
}

fn made(canary: &Canary, split: Split) -> Value {
    PROVIDER.desired(&context(canary, None), split).unwrap().remove(0)
}

/// Recorded scenario `kuma-linear`.
#[test]
fn linear() {
    let expected = json!({
        "apiVersion": "kuma.io/v1alpha1", "kind": "TrafficRoute", "mesh": "prod",
        "metadata": {
            "name": "kuma-a",
            "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled", "kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        },
        "spec": {
            "sources": [{"match": {"kuma.io/service": "*"}}],
            "destinations": [{"match": {"kuma.io/service": "kuma-a_test_svc_9898"}}],
            "conf": {"split": [
                {"weight": 70, "destination": {"kuma.io/service": "kuma-a-primary_test_svc_9898"}},
                {"weight": 30, "destination": {"kuma.io/service": "kuma-a-canary_test_svc_9898"}},
            ]},
        },
    });
    assert_eq!(made(&canary(), Split::of(30)), expected);
    let plain = canary_in("test", &json!({"metadata": {"annotations": null}}));
    assert_eq!(made(&plain, Split::PRIMARY)["mesh"], "default");
}

/// RM-22: the peer ignores another mesh, and lets two canaries overwrite each other.
#[test]
fn the_mesh_follows_and_the_neighbour_is_left_alone() {
    let mine = made(&canary(), Split::of(40));
    let moved = canary_in("test", &json!({"metadata": {"annotations": {"kuma.io/mesh": "other"}}}));
    let desired = PROVIDER.desired(&context(&moved, Some(&mine)), Split::of(40)).unwrap();
    assert_eq!(desired[0]["mesh"], "other");

    let other = canary_in("second", &json!({}));
    let context = context(&other, Some(&mine));
    let refused = PROVIDER.writes(&context, Split::PRIMARY).unwrap_err().to_string();
    assert_eq!(
        refused,
        "spec.service.name: TrafficRoute kuma-a carries the traffic of namespace test; name this one differently"
    );
    assert_eq!(
        PROVIDER.observed(&context),
        Err(Unready::NoSplit("TrafficRoute kuma-a".into()))
    );
    assert_eq!(PROVIDER.reverts(&context), [], "nor is it deleted");
}

/// Recorded scenario `kuma-delete-revert`: the peer leaves a route to Services that are gone.
#[test]
fn a_route_of_our_own_is_deleted() {
    let canary = canary();
    let mut route = made(&canary, Split::PRIMARY);
    route["metadata"]["uid"] = json!("u1");
    let writes = PROVIDER.reverts(&context(&canary, Some(&route)));
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].act, Act::Delete { uid: "u1".into() });
    assert_eq!(writes[0].object.to_string(), "TrafficRoute kuma-a");

    // A foreign edit that takes our split away makes it nobody else's.
    route["spec"]["conf"] = json!({"split": [{"weight": 1, "destination": {"kuma.io/service": "evil"}}]});
    let mended = PROVIDER
        .desired(&context(&canary, Some(&route)), Split::PRIMARY)
        .unwrap()
        .remove(0);
    assert_eq!(
        mended["metadata"]["annotations"],
        made(&canary, Split::PRIMARY)["metadata"]["annotations"]
    );
}

/// RM-1, RM-19: foreign labels of Kuma, foreign settings and the weights stay.
#[test]
fn repair_keeps_the_weights() {
    let canary = canary();
    let mut live = made(&canary, Split::of(40));
    live["metadata"]["labels"] = json!({"kuma.io/origin": "zone"});
    live["spec"]["conf"]["loadBalancer"] = json!({"roundRobin": {}});
    live["spec"]["conf"]["split"].as_array_mut().unwrap().reverse();
    assert_eq!(
        PROVIDER.writes(&context(&canary, Some(&live)), Split::of(40)),
        Ok(Vec::new())
    );
    live["spec"]["destinations"] = json!([{"match": {"kuma.io/service": "*"}}]);
    live["metadata"]["labels"]["theirs"] = json!("1");
    let mended = PROVIDER
        .desired(&context(&canary, Some(&live)), Split::of(40))
        .unwrap()
        .remove(0);
    assert_eq!(mended["metadata"]["labels"], json!({"kuma.io/origin": "zone"}));
    assert_eq!(mended["spec"]["conf"]["loadBalancer"], json!({"roundRobin": {}}));
    assert_eq!(
        mended["spec"]["destinations"][0]["match"]["kuma.io/service"],
        "kuma-a_test_svc_9898"
    );
    assert_eq!(PROVIDER.observed(&context(&canary, Some(&mended))), Ok(Split::of(40)));
}

/// RM-18, RM-21.
#[test]
fn a_users_route_is_replaced_and_comes_back() {
    let canary = canary();
    let conf = json!({"destination": {"kuma.io/service": "mine"}, "http": [{"match": {"path": {"prefix": "/"}}}]});
    let theirs = json!({"mesh": "prod", "metadata": {"name": "kuma-a"}, "spec": {"conf": conf}});
    let route = PROVIDER
        .desired(&context(&canary, Some(&theirs)), Split::of(40))
        .unwrap()
        .remove(0);
    assert_eq!(route["spec"], made(&canary, Split::of(40))["spec"]);
    let back = (PROVIDER.reverted)(&context(&canary, Some(&route))).remove(0).unwrap();
    assert_eq!(back["spec"], theirs["spec"]);
}

#[test]
fn answers_without_a_split() {
    let canary = canary();
    assert_eq!(
        PROVIDER.observed(&context(&canary, None)),
        Err(Unready::Absent("TrafficRoute kuma-a".into()))
    );
    for split in [
        json!(null),
        json!([]),
        json!([{"weight": 1}]),
        json!([{"weight": 1, "destination": {"kuma.io/service": "kuma-a-primary"}}]),
    ] {
        let live = json!({"spec": {"conf": {"split": split}}});
        assert_eq!(
            PROVIDER.observed(&context(&canary, Some(&live))),
            Err(Unready::NoSplit("TrafficRoute kuma-a".into()))
        );
    }
}
