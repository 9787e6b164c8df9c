//! Any route of a user's, of any kind.

use super::*;
use proptest::prelude::*;
use serde_json::from_value;

/// Every kind of route, with its provider.
const ALL: [(&str, Kind); 5] = [
    ("gatewayapi:v1", kinds::HTTP_ROUTE),
    ("gatewayapi:v1beta1", kinds::HTTP_ROUTE_V1BETA1),
    ("gatewayapi:v1:grpc", kinds::GRPC_ROUTE),
    ("gatewayapi:v1:tcp", kinds::TCP_ROUTE),
    ("gatewayapi:v1alpha2:tcp", kinds::TCP_ROUTE_V1ALPHA2),
];

fn any_rules() -> impl Strategy<Value = Value> {
    let backend = prop::sample::select(vec!["cart", "cart-primary", "cart-canary", "other"]);
    let backends = prop::collection::vec((backend, 0..3_i64), 0..4);
    let rule = (prop::option::of("[ab]"), "[xy]", backends);
    prop::collection::vec(rule, 0..4).prop_map(|rules| {
        let rules = rules.into_iter().map(|(name, path, backends)| {
            let backends: Vec<Value> = backends
                .into_iter()
                .map(|(name, weight)| json!({"name": name, "port": 80, "weight": weight, "theirs": path}))
                .collect();
            let mut rule = json!({"matches": [{"path": {"value": path}}], "backendRefs": backends, "theirs": [path]});
            if let Some(name) = name {
                rule["name"] = json!(name);
            }
            rule
        });
        from_value(rules.collect()).unwrap()
    })
}

proptest! {
    /// Any route of any kind: it is left alone with a reason, or reads back what was written, rests, has nothing but weights changed, and
    /// comes back.
    #[test]
    fn any_route(rules in any_rules(), which in 0..ALL.len(), from in 0..=100_i64, to in 0..=100_i64, named in prop::option::of("[ab]")) {
        let (provider, kind) = ALL[which];
        let canary = play::canary(&spec(provider, kind, &json!({"routeRef": {"sectionName": named}})));
        let before = route(kind, &rules);
        let mut play = Play::new(canary, std::slice::from_ref(&before));
        if play.shift(Split::of(from)).is_err() {
            prop_assert_eq!(play.get(kind, "web"), &before);
            prop_assert!(play.accepted().is_err());
            return Ok(());
        }
        play.settle(Split::of(to));
        let after = play.get(kind, "web").clone();
        let bare = |route: &Value| {
            let mut bare = route.clone();
            for rule in bare["spec"]["rules"].as_array_mut().unwrap() {
                rule["backendRefs"].take();
            }
            tree::set(&mut bare, &["metadata", "annotations", ORIGINALS], Value::Null);
            bare
        };
        prop_assert_eq!(bare(&after), bare(&before));
        for (now, was) in rules::of(&after).iter().zip(rules::of(&before)) {
            if now["backendRefs"] != was["backendRefs"] {
                let weights: i64 = backends(now).iter().map(|backend| backend["weight"].as_i64().unwrap()).sum();
                prop_assert_eq!(weights, 100);
                prop_assert!(backends(now).iter().all(|backend| backend["theirs"] == was["theirs"][0]));
            }
        }
        let writes = play.provider().reverts(&play.context());
        play.apply(writes);
        prop_assert_eq!(play.get(kind, "web"), &before);
    }

    /// Parts of the wrong shape: no panic, and what is written is read back.
    #[test]
    fn nonsense(shape in prop::sample::select(vec![json!(null), json!({}), json!([]), json!("x"), json!([null]), json!([{"backendRefs": {}}]), json!([{"backendRefs": [null, 7]}])]), note in "[\\[\\]{}:,\"a]{0,8}") {
        let mut play = lab(&shape, &json!({}));
        play.patch(kinds::HTTP_ROUTE, "web", &json!({"metadata": {"annotations": {"aviary/original-backends": note}}}));
        prop_assert!(play.observed().is_err() && play.shift(Split::of(30)).is_err() && play.accepted().is_err());
        drop(play.provider().reverts(&play.context()));
    }
}
