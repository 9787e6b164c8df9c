//! A VirtualService that was there before.

use super::*;

const ORIGINAL: &str = "flagger.kubernetes.io/original-configuration";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn users(annotations: &Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
        "metadata": {"name": "app", "namespace": NAMESPACE, "resourceVersion": "7", "annotations": annotations},
        "spec": {"hosts": ["app"], "http": [{"name": "mine", "route": [{"destination": {"host": "app"}, "weight": 0}]}]},
    })
}

fn with(canary: &Canary, route: &Value) -> Vec<Value> {
    let mut objects = made(canary, Split::PRIMARY);
    objects[VIRTUAL_SERVICE] = route.clone();
    objects
}

fn adopted(canary: &Canary, route: &Value, split: Split) -> Value {
    let objects = with(canary, route);
    PROVIDER
        .desired(&context(canary, &objects), split)
        .unwrap()
        .remove(VIRTUAL_SERVICE)
}

fn restored(canary: &Canary, route: &Value) -> Option<Value> {
    let objects = with(canary, route);
    (PROVIDER.reverted)(&context(canary, &objects)).remove(VIRTUAL_SERVICE)
}

/// RM-20, W-36: the peer saves at each later repair again, and in the end its own spec.
#[test]
fn the_original_is_remembered_once_and_comes_back() {
    let canary = canary(&json!({}));
    let before = users(&json!({"mine": "1"}));
    let mut route = adopted(&canary, &before, Split::of(40));
    let saved: Value = serde_json::from_str(route["metadata"]["annotations"][ORIGINAL].as_str().unwrap()).unwrap();
    assert_eq!(saved, before["spec"]);
    assert_eq!(route["metadata"]["annotations"]["mine"], "1");
    assert_eq!(
        route["spec"]["http"],
        json!([{"route": both(60, 40)}]),
        "nothing of the user's rules stays in ours"
    );

    route["spec"]["hosts"] = json!(["evil"]);
    let repaired = adopted(&canary, &route, Split::of(40));
    assert_eq!(
        repaired["metadata"]["annotations"][ORIGINAL],
        route["metadata"]["annotations"][ORIGINAL]
    );

    // Somebody puts a spec of their own there again, which has nothing of ours.
    let mut replaced = repaired.clone();
    replaced["spec"] = json!({"hosts": ["evil"], "http": [{"route": [{"destination": {"host": "evil"}}]}]});
    let taken_back = adopted(&canary, &replaced, Split::of(40));
    assert_eq!(
        taken_back["metadata"]["annotations"][ORIGINAL],
        route["metadata"]["annotations"][ORIGINAL]
    );

    let back = restored(&canary, &repaired).unwrap();
    let expected = json!({"hosts": ["app"], "http": [{"name": "mine", "route": [{"destination": {"host": "app"}}]}]});
    assert_eq!(
        back["spec"], expected,
        "a single destination gets everything (observed.md A15)"
    );
    assert_eq!(back["metadata"]["annotations"].get(ORIGINAL), None);
}

#[test]
fn what_kubectl_applied_comes_first() {
    let canary = canary(&json!({}));
    let manifest = json!({"spec": {"hosts": ["applied"]}}).to_string();
    let before = users(&json!({LAST_APPLIED: manifest}));
    let route = adopted(&canary, &before, Split::PRIMARY);
    assert_eq!(route["metadata"]["annotations"].get(ORIGINAL), None);
    assert_eq!(
        restored(&canary, &route).unwrap()["spec"],
        json!({"hosts": ["applied"]})
    );
}

/// What the Canary owns is collected with it; what says nothing about before stays as it is.
#[test]
fn nothing_to_bring_back() {
    let canary = canary(&json!({}));
    let own = route(&canary, Split::PRIMARY);
    let mut taken_over = own.clone();
    taken_over["metadata"]["ownerReferences"] = json!([]);
    for route in [own, taken_over, users(&json!({ORIGINAL: "no JSON"}))] {
        assert_eq!(restored(&canary, &route), None);
    }
    assert_eq!(PROVIDER.reverts(&context(&canary, &[])), []);
}
