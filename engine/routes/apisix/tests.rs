//! The worked example of routers-ingress.md 6.5, and what is better here.

use super::*;
use crate::routes::tests::play::*;

fn users() -> Value {
    json!({
        "apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute",
        "metadata": {"name": "edge", "namespace": NAMESPACE, "labels": {"team": "checkout"}},
        "spec": {
            "ingressClassName": "apisix",
            "http": [
                {
                    "name": "main", "match": {"hosts": ["cart.example.test"], "paths": ["/*"]}, "backends": [{"serviceName": "cart", "servicePort": 80}],
                    "plugins": [{"name": "prometheus", "enable": true, "config": {"prefer_name": true}, "secretRef": "s"}],
                },
                {"name": "admin", "match": {"hosts": ["cart.example.test"], "paths": ["/admin/*"]}, "backends": [{"serviceName": "admin", "servicePort": 80}]},
            ],
        },
    })
}

fn play(changes: &Value) -> Play {
    let mut spec = json!({"provider": "apisix", "routeRef": {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "edge"}});
    tree::merge(&mut spec, changes);
    Play::new(canary(&spec), &[users()])
}

fn copy(play: &Play) -> &Value {
    play.get(kinds::APISIX_ROUTE, "edge-cart-canary")
}

fn both(primary: i64, canary: i64) -> Value {
    json!([{"serviceName": "cart-primary", "servicePort": 80, "weight": primary}, {"serviceName": "cart-canary", "servicePort": 80, "weight": canary}])
}

/// The copy comes before the user's rule by one, not before all rules there are (RI-21), with every field that we do not know (RI-19).
#[test]
fn the_worked_example() {
    let mut play = play(&json!({}));
    play.settle(Split::PRIMARY);
    let expected = json!({
        "apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute",
        "metadata": {
            "name": "edge-cart-canary", "namespace": NAMESPACE, "labels": {"team": "checkout"},
            "annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"},
            "ownerReferences": [objects::owner_reference(&play.canary)],
        },
        "spec": {"ingressClassName": "apisix", "http": [{
            "name": "main", "priority": 1, "match": {"hosts": ["cart.example.test"], "paths": ["/*"]}, "backends": both(100, 0),
            "plugins": [{"name": "prometheus", "enable": true, "config": {"prefer_name": true}, "secretRef": "s"}],
        }]},
    });
    assert_eq!(*copy(&play), expected);
    for weight in [10, 30, 50, 100] {
        play.settle(Split::of(weight));
        assert_eq!(copy(&play)["spec"]["http"][0]["backends"], both(100 - weight, weight));
    }
    play.settle(Split::PRIMARY);
    assert_eq!(*copy(&play), expected);
    assert_eq!(*play.get(kinds::APISIX_ROUTE, "edge"), users());
}

/// Entries are alternatives; all others take the user's rule to the primary (RI-4). The user's own expressions hold besides (RI-20).
#[test]
fn ab_testing() {
    let matches = json!([
        {"headers": {"x-beta": {"exact": "on"}, "x-who": {"regex": "me|you"}}},
        {"headers": {"cookie": {"suffix": "a=b"}}, "queryParams": {"v": {"prefix": "2."}}},
    ]);
    let mut play = play(&testing(&matches));
    let own = json!({"subject": {"scope": "Query", "name": "q"}, "op": "In", "set": ["a"]});
    let mut http = users()["spec"]["http"].clone();
    http[0]["match"]["exprs"] = json!([own]);
    http[0]["priority"] = json!(7);
    play.patch(kinds::APISIX_ROUTE, "edge", &json!({"spec": {"http": http}}));
    play.settle(Split::PRIMARY);
    assert_eq!(copy(&play)["spec"]["http"].as_array().unwrap().len(), 1);
    play.settle(Split::CANARY);
    let expr = |scope: &str, name: &str, op: &str, value: &str| json!({"subject": {"scope": scope, "name": name}, "op": op, "value": value});
    let rules = &copy(&play)["spec"]["http"];
    assert_eq!(
        rules[0]["match"]["exprs"],
        json!([
            own,
            expr("Header", "x-beta", "Equal", "on"),
            expr("Header", "x-who", "RegexMatch", "me|you")
        ])
    );
    assert_eq!(
        rules[1]["match"]["exprs"],
        json!([
            own,
            expr("Header", "cookie", "RegexMatch", "a=b$"),
            expr("Query", "v", "RegexMatch", "^2\\.")
        ])
    );
    for (rule, name) in rules.as_array().unwrap().iter().zip(["main", "main-match-1"]) {
        assert_eq!(
            (&rule["name"], &rule["priority"], &rule["backends"]),
            (&json!(name), &json!(8), &both(0, 100))
        );
    }
    play.settle(Split::PRIMARY);
    assert_eq!(copy(&play)["spec"]["http"][0]["match"]["exprs"], json!([own]));
}

/// RI-21: all rules that lead to the apex, of several backends the apex' share only, and no streams.
#[test]
fn several_rules_and_backends() {
    let mut play = play(&json!({}));
    let rule = |name: &str, backends: Value| json!({"name": name, "match": {"paths": ["/*"]}, "backends": backends});
    let cart = |weight: Value| json!({"serviceName": "cart", "servicePort": 80, "subset": "x", "weight": weight});
    let http = json!([
        rule("one", json!([cart(json!(5))])),
        rule(
            "two",
            json!([{"serviceName": "legacy", "servicePort": 80, "weight": 20}, cart(json!(80))])
        ),
    ]);
    play.patch(
        kinds::APISIX_ROUTE,
        "edge",
        &json!({"spec": {"http": http, "stream": [{"name": "tcp"}]}}),
    );
    play.settle(Split::of(25));
    let spec = &copy(&play)["spec"];
    assert_eq!(spec.get("stream"), None);
    let side =
        |name: &str, weight: i64| json!({"serviceName": name, "servicePort": 80, "subset": "x", "weight": weight});
    assert_eq!(
        spec["http"][0]["backends"],
        json!([side("cart-primary", 75), side("cart-canary", 25)])
    );
    let legacy = json!({"serviceName": "legacy", "servicePort": 80, "weight": 2000});
    assert_eq!(
        spec["http"][1]["backends"],
        json!([legacy, side("cart-primary", 6000), side("cart-canary", 2000)])
    );

    play.objects.remove(&kinds::APISIX_ROUTE.named(NAMESPACE, "edge"));
    play.settle(Split::of(50));
    assert_eq!(copy(&play)["spec"]["http"][1]["backends"][1]["weight"], 4000);
}

#[test]
fn routes_that_lead_nowhere() {
    let cases = [
        (
            json!({"spec": {"http": []}}),
            "has no http rule that leads to Service cart",
        ),
        (json!({"spec": null}), "has no http rule"),
        (json!({"spec": {"http": [{"name": "x"}]}}), "has no http rule"),
    ];
    for (change, part) in cases {
        let mut play = play(&json!({}));
        play.patch(kinds::APISIX_ROUTE, "edge", &change);
        let refused = play.shift(Split::PRIMARY).unwrap_err();
        assert!(
            matches!(&refused, Refused::Source(why) if why.contains(part)),
            "{refused}"
        );
        play.put(users());
        play.settle(Split::of(10));
    }
    let mut play = play(&json!({}));
    let mut foreign = users();
    foreign["metadata"]["name"] = json!("edge-cart-canary");
    play.put(foreign);
    assert!(
        matches!(play.shift(Split::PRIMARY), Err(Refused::Source(_))),
        "a user's own route is not overwritten"
    );
}

/// A backend without a weight has 100; without the primary there is no split. The peer crashes (RI-8).
#[test]
fn lost_weights() {
    let mut play = play(&json!({}));
    play.settle(Split::of(50));
    let mut http = copy(&play)["spec"]["http"].clone();
    http[0]["backends"][0].as_object_mut().unwrap().remove("weight");
    http[0]["backends"][1]["weight"] = json!(100);
    play.patch(
        kinds::APISIX_ROUTE,
        "edge-cart-canary",
        &json!({"spec": {"http": http}}),
    );
    assert_eq!(play.observed(), Ok(Split::of(50)));
    play.patch(
        kinds::APISIX_ROUTE,
        "edge-cart-canary",
        &json!({"spec": {"http": [{"name": "main", "backends": []}]}}),
    );
    assert_eq!(
        play.observed(),
        Err(Unready::NoSplit("ApisixRoute edge-cart-canary.shop".into()))
    );
    play.settle(Split::of(30));
}

#[test]
fn what_apisix_says() {
    let mut play = play(&json!({}));
    play.settle(Split::of(10));
    let condition = json!({"type": "ResourcesAvailable", "status": "False", "reason": "ResourceSyncAborted", "message": "no such service"});
    play.patch(
        kinds::APISIX_ROUTE,
        "edge-cart-canary",
        &json!({"status": {"conditions": [condition]}}),
    );
    let refused = play.accepted().unwrap_err().to_string();
    assert!(refused.ends_with("ResourceSyncAborted: no such service"), "{refused}");
}
