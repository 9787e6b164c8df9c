//! Each form of weights is read, and a wrong one is noticed.

use super::*;
use crate::{
    json::merge,
    routes::{Context, Flags, Provider, Split, providers},
};
use serde_json::json;

/// Without lists of weights, or made from objects of the user's; those have the search of their own.
const WITHOUT_LISTS: [&str; 6] = ["kubernetes", "knative", "nginx", "skipper", "apisix", "gloo"];

fn canary(spec: &Value) -> Canary {
    let mut whole = json!({
        "targetRef": {"kind": "Deployment", "name": "app"},
        "service": {"port": 9898, "meshName": "prod", "gatewayRefs": [{"name": "gw"}]},
    });
    merge(&mut whole, spec);
    let metadata = json!({"name": "app", "namespace": "test", "uid": "c0ffee"});
    let object = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": whole});
    crds::decode::decode(&object).unwrap()
}

fn made(provider: &Provider, canary: &Canary, split: Split) -> Vec<Value> {
    let context = Context {
        canary,
        current: vec![None; provider.objects(canary).len()],
        selector_key: Some("app"),
        selector_value: Some("app"),
        entropy: 7,
        flags: Flags::default(),
    };
    provider.desired(&context, split).unwrap()
}

/// Every weight that is above `least` in the object, as a place to change it.
fn weights(value: &mut Value, least: i64) -> Vec<&mut Value> {
    match value {
        Value::Object(fields) => fields
            .iter_mut()
            .flat_map(|(key, field)| {
                let number = field.as_i64().or_else(|| field.as_str()?.parse().ok());
                if key == "weight" && number.is_some_and(|number| number >= least) {
                    vec![field]
                } else {
                    weights(field, least)
                }
            })
            .collect(),
        Value::Array(list) => list.iter_mut().flat_map(|entry| weights(entry, least)).collect(),
        _ => Vec::new(),
    }
}

fn set(weight: &mut Value, number: i64) {
    *weight = if weight.is_string() {
        json!(number.to_string())
    } else {
        json!(number)
    };
}

/// S1 for every provider: each single weight of a split counts for the sum.
#[test]
fn a_wrong_sum_is_noticed_in_every_form() {
    let mut read = 0;
    for provider in providers() {
        if WITHOUT_LISTS.contains(&provider.name) {
            continue;
        }
        let canary = canary(&json!({ "provider": provider.name }));
        let objects = made(provider, &canary, Split::of(40));
        let mut found = 0;
        for object in objects {
            assert!(sum_to_100(&object, &canary), "{}", provider.name);
            let count = weights(&mut object.clone(), 0).len();
            for place in 0..count {
                let mut broken = object.clone();
                set(weights(&mut broken, 0).swap_remove(place), 55);
                assert!(!sum_to_100(&broken, &canary), "{}: {broken}", provider.name);
                found += 1;
            }
        }
        assert!(found >= 2, "{}: its weights are not found", provider.name);
        read += 1;
    }
    assert_eq!(read, providers().len() - WITHOUT_LISTS.len());
}

/// At 100/0 a rule that still leads to the canary is noticed.
#[test]
fn a_leak_is_noticed_in_every_form() {
    for provider in providers()
        .iter()
        .filter(|provider| !WITHOUT_LISTS.contains(&provider.name))
    {
        let canary = canary(&json!({ "provider": provider.name }));
        let leaks = |split| {
            made(provider, &canary, split)
                .iter()
                .any(|object| leak(object, &canary))
        };
        assert!(!leaks(Split::PRIMARY), "{}", provider.name);
        assert!(leaks(Split::of(1)), "{}", provider.name);
    }
}

/// In a route of the user's own only rules that lead to our sides count, and with a name only the one of that name.
#[test]
fn rules_of_others_do_not_count() {
    let backend = |name: &str, weight: i64| json!({"name": name, "weight": weight});
    let both = |name: &str, share: i64| json!({"name": name, "backendRefs": [backend("app-primary", 100 - share), backend("app-canary", share)]});
    let theirs = json!({"backendRefs": [backend("one", 3), backend("other", 1)]});
    let route = json!({"spec": {"rules": [theirs, both("main", 0), {"backendRefs": [backend("app-canary", 1)]}]}});
    let any = canary(&json!({}));
    assert!(sum_to_100(&route, &any) && !leak(&route, &any));
    let route = json!({"spec": {"rules": [both("main", 0), both("pinned", 30), {"name": "odd", "backendRefs": [backend("app-primary", 1), backend("app-canary", 1)]}]}});
    assert!(!sum_to_100(&route, &any) && leak(&route, &any));
    let reference = json!({"apiVersion": "v1", "kind": "HTTPRoute", "name": "web", "sectionName": "main"});
    let named = canary(&json!({ "routeRef": reference }));
    assert!(sum_to_100(&route, &named) && !leak(&route, &named));
}
