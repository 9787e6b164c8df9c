//! Weights in routes of the user's own.

mod properties;

use super::*;
use crate::{
    objects::kinds,
    routes::tests::play::{self, NAMESPACE, Play},
};

fn spec(provider: &str, kind: Kind, changes: &Value) -> Value {
    let reference = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "name": "web"});
    let mut spec = json!({"provider": provider, "routeRef": reference});
    tree::merge(&mut spec, changes);
    spec
}

fn route(kind: Kind, rules: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"name": "web", "namespace": NAMESPACE, "uid": "1", "resourceVersion": "1", "generation": 3, "annotations": {"theirs": "1"}},
        "spec": {"parentRefs": [{"name": "gw"}], "hostnames": ["a.test"], "rules": rules},
    })
}

fn lab(rules: &Value, changes: &Value) -> Play {
    let canary = play::canary(&spec("gatewayapi:v1", kinds::HTTP_ROUTE, changes));
    Play::new(canary, &[route(kinds::HTTP_ROUTE, rules)])
}

fn rules_of(play: &Play) -> &Value {
    &play.get(kinds::HTTP_ROUTE, "web")["spec"]["rules"]
}

/// The rules of a user who serves more than this app.
fn several() -> Value {
    let extension = json!({"type": "ExtensionRef", "extensionRef": {"group": "a.io", "kind": "Limit", "name": "l"}});
    json!([
        {"name": "static", "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}], "backendRefs": [{"name": "assets", "port": 80, "weight": 3}, {"name": "cdn", "port": 80}]},
        {"name": "testers", "matches": [{"headers": [{"name": "x", "value": "y"}]}], "backendRefs": [{"name": "cart-canary", "port": 80}]},
        {
            "name": "main", "filters": [extension], "retry": {"attempts": 2}, "sessionPersistence": {"sessionName": "s"}, "timeouts": {"request": "9s"},
            "backendRefs": [{"group": "", "kind": "Service", "name": "cart", "port": 8080, "filters": [extension]}],
        },
        {"matches": [{"path": {"type": "PathPrefix", "value": "/api"}}], "backendRefs": [{"name": "cart", "port": 80, "weight": 1}]},
    ])
}

/// Only the backends of rules that lead to the apex change, and they keep what stood beside the name (RM-18, RM-28, RM-29).
#[test]
fn only_the_backends_change() {
    let mut play = lab(&several(), &json!({}));
    play.settle(Split::of(30));
    let mut expected = several();
    let before = expected[2]["backendRefs"][0].clone();
    let side = |from: &Value, name: &str, weight: i64| {
        let mut backend = from.clone();
        tree::merge(&mut backend, &json!({"name": name, "weight": weight}));
        backend
    };
    expected[2]["backendRefs"] = json!([side(&before, "cart-primary", 70), side(&before, "cart-canary", 30)]);
    let before = expected[3]["backendRefs"][0].clone();
    expected[3]["backendRefs"] = json!([side(&before, "cart-primary", 70), side(&before, "cart-canary", 30)]);
    assert_eq!(*rules_of(&play), expected);
    let written = play.get(kinds::HTTP_ROUTE, "web");
    assert_eq!(written["metadata"]["annotations"]["theirs"], "1");
    assert_eq!(
        written["metadata"]["ownerReferences"],
        Value::Null,
        "it stays the user's"
    );
    assert_eq!(written["spec"]["hostnames"], json!(["a.test"]));
}

/// `sectionName`: the others stay as they are, also those that lead to the apex.
#[test]
fn one_rule_by_name() {
    let mut play = lab(&several(), &json!({"routeRef": {"sectionName": "main"}}));
    play.settle(Split::of(40));
    assert_eq!(rules_of(&play)[2]["backendRefs"][1]["weight"], 40);
    let others = |rules: &Value| [rules[0].clone(), rules[1].clone(), rules[3].clone()];
    assert_eq!(others(rules_of(&play)), others(&several()));
    // A rule with one side alone is shared when it is named.
    let mut play = lab(&several(), &json!({"routeRef": {"sectionName": "testers"}}));
    play.settle(Split::of(40));
    assert_eq!(rules_of(&play)[1]["backendRefs"].as_array().unwrap().len(), 2);
}

/// Both sides in the user's order and with the user's words stay so.
#[test]
fn both_sides_are_there_already() {
    let rules = json!([{"backendRefs": [
        {"name": "cart-canary", "port": 81, "weight": 0}, {"name": "cart-primary", "port": 80, "weight": 100},
    ]}]);
    let mut play = lab(&rules, &json!({}));
    assert_eq!(play.observed(), Ok(Split::PRIMARY));
    play.settle(Split::of(20));
    let expected = json!([
        {"name": "cart-canary", "port": 81, "weight": 20}, {"name": "cart-primary", "port": 80, "weight": 80},
    ]);
    assert_eq!(rules_of(&play)[0]["backendRefs"], expected);
}

/// A foreign edit of the weights, the loss of a side, another match: mended at the weight of the run, with the rest as it was edited.
#[test]
fn drift_is_repaired_and_the_rest_left() {
    let mut play = lab(&several(), &json!({}));
    play.settle(Split::of(30));
    let whole = rules_of(&play).clone();
    for (pointer, value) in [
        ("/spec/rules/2/backendRefs/0/weight", json!(0)),
        ("/spec/rules/2/backendRefs", json!([whole[2]["backendRefs"][0]])),
        ("/spec/rules/3/backendRefs", json!([whole[3]["backendRefs"][1]])),
    ] {
        let at = kinds::HTTP_ROUTE.named(NAMESPACE, "web");
        *play.objects.get_mut(&at).unwrap().pointer_mut(pointer).unwrap() = value;
        play.settle(Split::of(30));
        let mut now = rules_of(&play).clone();
        // A side that was lost is made anew from the other one.
        now[2]["backendRefs"][1]["port"] = whole[2]["backendRefs"][1]["port"].clone();
        assert_eq!(now, whole, "{pointer}");
    }
    let at = kinds::HTTP_ROUTE.named(NAMESPACE, "web");
    let mut edited = play.objects[&at].clone();
    edited["spec"]["rules"][3]["matches"] = json!([{"path": {"type": "Exact", "value": "/v2"}}]);
    edited["spec"]["rules"][2]["timeouts"] = json!({"request": "1s"});
    edited["spec"]["rules"].as_array_mut().unwrap().swap(0, 3);
    play.put(edited.clone());
    play.settle(Split::of(30));
    assert_eq!(
        *rules_of(&play),
        edited["spec"]["rules"],
        "edits that are no weights stay"
    );
    let writes = play.provider().reverts(&play.context());
    play.apply(writes);
    assert_eq!(
        rules_of(&play)[0]["backendRefs"],
        several()[3]["backendRefs"],
        "and the rule is still known"
    );
}

/// The deletion gives back what was there, rule by rule, and leaves no trace; edits of the user's in between stay.
#[test]
fn what_was_there_comes_back() {
    for changes in [json!({}), json!({"routeRef": {"sectionName": "main"}})] {
        let mut play = lab(&several(), &changes);
        let before = play.get(kinds::HTTP_ROUTE, "web").clone();
        for weight in [0, 40, 100, 0] {
            play.settle(Split::of(weight));
        }
        let writes = play.provider().reverts(&play.context());
        assert_eq!(writes.len(), 1);
        play.apply(writes);
        assert_eq!(*play.get(kinds::HTTP_ROUTE, "web"), before);
        assert_eq!(
            play.provider().reverts(&play.context()),
            [],
            "and then there is nothing to do"
        );
    }
    // Without the record the apex is put back: the Services of both sides go with the Canary.
    let mut play = lab(&several(), &json!({"routeRef": {"sectionName": "main"}}));
    play.settle(Split::of(40));
    play.patch(
        kinds::HTTP_ROUTE,
        "web",
        &json!({"metadata": {"annotations": {"aviary/original-backends": "{"}}}),
    );
    let writes = play.provider().reverts(&play.context());
    play.apply(writes);
    assert_eq!(*rules_of(&play), several());
}

/// Also what was shared before the Canary named another rule, and whatever has become of its neighbours.
#[test]
fn rules_of_former_names_come_back() {
    let mut play = lab(&several(), &json!({}));
    play.settle(Split::of(40));
    play.canary = lab(&several(), &json!({"routeRef": {"sectionName": "main"}})).canary;
    play.settle(Split::PRIMARY);
    let mixed = json!([{"name": "cart", "port": 80}, {"name": "other", "port": 80}]);
    let at = kinds::HTTP_ROUTE.named(NAMESPACE, "web");
    play.objects.get_mut(&at).unwrap()["spec"]["rules"][2]["backendRefs"] = mixed.clone();
    let writes = play.provider().reverts(&play.context());
    play.apply(writes);
    let mut expected = several();
    expected[2]["backendRefs"] = mixed;
    assert_eq!(*rules_of(&play), expected);
}

/// Two canaries in one route keep out of each other's way, in either order.
#[test]
fn two_canaries_in_one_route() {
    let rules = json!([
        {"matches": [{"path": {"value": "/cart"}}], "backendRefs": [{"name": "cart", "port": 80}]},
        {"matches": [{"path": {"value": "/stock"}}], "backendRefs": [{"name": "stock", "port": 80}]},
    ]);
    let mut play = lab(&rules, &json!({}));
    let before = play.get(kinds::HTTP_ROUTE, "web").clone();
    let cart = play.canary.clone();
    let stock = play::named("stock", &spec("gatewayapi:v1", kinds::HTTP_ROUTE, &json!({})));
    play.settle(Split::of(30));
    play.canary = stock;
    play.settle(Split::of(60));
    play.canary = cart;
    assert_eq!(play.observed(), Ok(Split::of(30)));
    let writes = play.provider().reverts(&play.context());
    play.apply(writes);
    play.canary = play::named("stock", &spec("gatewayapi:v1", kinds::HTTP_ROUTE, &json!({})));
    assert_eq!(play.observed(), Ok(Split::of(60)));
    let writes = play.provider().reverts(&play.context());
    play.apply(writes);
    assert_eq!(*play.get(kinds::HTTP_ROUTE, "web"), before);
}

/// Each lack is told with its cure, is no fault of the Canary's, and the route goes on when it is mended.
#[test]
fn lacks_are_told() {
    let cart = json!({"name": "cart", "port": 80});
    let mixed = json!([{"backendRefs": [cart, {"name": "old", "port": 80}]}]);
    let cases = [
        (
            several(),
            json!({"routeRef": {"name": "gone"}}),
            "HTTPRoute gone.shop is not there; create it, or correct spec.routeRef",
        ),
        (
            several(),
            json!({"routeRef": {"sectionName": "mian"}}),
            "HTTPRoute web.shop has no rule with the name mian; correct spec.routeRef",
        ),
        (
            several(),
            json!({"routeRef": {"sectionName": "static"}}),
            "HTTPRoute web.shop has no rule static that leads to Service cart; add one",
        ),
        (
            json!([]),
            json!({}),
            "HTTPRoute web.shop has no rule that leads to Service cart; add one",
        ),
        (
            mixed,
            json!({}),
            "rule 0 of HTTPRoute web.shop leads to old, too, whose weight is not ours to change; give it a rule of its own",
        ),
    ];
    for (rules, changes, expected) in cases {
        let mut play = lab(&rules, &changes);
        assert_eq!(play.shift(Split::of(30)), Err(Refused::Source(expected.to_owned())));
        assert_eq!(play.accepted(), Err(Unready::Source(expected.to_owned())));
        assert!(play.observed().is_err());
        assert_eq!(play.provider().refused(&play.canary), None);
        assert_eq!(play.provider().reverts(&play.context()), []);
    }
    let mut play = lab(&json!([]), &json!({}));
    play.shift(Split::of(30)).unwrap_err();
    play.put(route(kinds::HTTP_ROUTE, &several()));
    play.settle(Split::of(30));
}

/// Requests that would need rules of ours, and a route that the provider does not write.
#[test]
fn what_needs_rules_is_refused() {
    let affinity = json!({"analysis": {"sessionAffinity": {"cookieName": "c"}}});
    let cases = [
        (
            play::testing(&json!([{"headers": {"a": {"exact": "b"}}}])),
            "spec.analysis.match: only weights",
        ),
        (
            json!({"analysis": {"mirror": true}}),
            "spec.analysis.mirror: only weights",
        ),
        (affinity, "spec.analysis.sessionAffinity: only weights"),
        (
            json!({"routeRef": {"kind": "TCPRoute"}}),
            "spec.routeRef.kind: the provider writes a HTTPRoute",
        ),
    ];
    for (mut changes, expected) in cases {
        let play = lab(&several(), &changes);
        let refused = play.provider().refused(&play.canary).unwrap().to_string();
        assert!(refused.starts_with(expected), "{refused}");
        changes["skipAnalysis"] = json!(true);
        let skipped = lab(&several(), &changes);
        let is_possible = skipped.provider().refused(&skipped.canary).is_none();
        assert_eq!(
            is_possible,
            !refused.contains("routeRef.kind"),
            "an emergency release goes on"
        );
    }
    // A reference for APISIX says nothing here, as with the peer.
    let play = lab(
        &several(),
        &json!({"routeRef": {"kind": "ApisixRoute"}, "service": {"gatewayRefs": [{"name": "gw"}]}}),
    );
    let names: Vec<String> = play
        .provider()
        .objects(&play.canary)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["HTTPRoute cart.shop"]);
}

#[test]
fn what_the_canary_says_of_the_route_is_told_to_be_idle() {
    let play = lab(
        &several(),
        &json!({"service": {"hosts": ["a"], "timeout": "3s", "retries": {"attempts": 1}}}),
    );
    let idle = play.provider().without_effect(&play.canary);
    assert_eq!(idle, ["service.retries", "service.hosts", "service.timeout"]);
}

/// What its parents say counts as for a route of our own (RM-11).
#[test]
fn parents_may_refuse() {
    let mut play = lab(&several(), &json!({}));
    play.settle(Split::of(30));
    assert_eq!(play.accepted(), Ok(()));
    let condition = json!({"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "message": "no"});
    let parents = json!([{"parentRef": {"name": "gw"}, "conditions": [condition]}]);
    play.patch(kinds::HTTP_ROUTE, "web", &json!({"status": {"parents": parents}}));
    assert!(matches!(play.accepted(), Err(Unready::NotAccepted { .. })));
    assert_eq!(play.observed(), Ok(Split::of(30)), "a rollback still sees the weights");
}
