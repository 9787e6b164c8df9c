//! The worked example of routers-ingress.md 3.6, its vectors (10), and what is better here.

use super::*;
use crate::{objects, routes::tests::play::*};

fn play(changes: &Value) -> Play {
    let mut spec = json!({"provider": "contour"});
    tree::merge(&mut spec, changes);
    Play::new(canary(&spec), &[])
}

fn written(play: &Play) -> &Value {
    &play.get(kinds::HTTP_PROXY, "cart")["spec"]["routes"]
}

fn to(name: &str, weight: i64) -> Value {
    let value = format!("{name}.shop.svc.cluster.local:80");
    json!({"name": name, "port": 80, "weight": weight, "requestHeadersPolicy": {"set": [{"name": "l5d-dst-override", "value": value}]}})
}

fn both(primary: i64, canary: i64) -> Value {
    json!([to("cart-primary", primary), to("cart-canary", canary)])
}

/// Weights of 0 are written as such.
#[test]
fn the_worked_example() {
    let mut play = play(&json!({"service": {
        "timeout": "12s", "retries": {"attempts": 2, "perTryTimeout": "4s", "retryOn": "5xx, reset"}, "match": [{"uri": {"prefix": "/cart"}}],
    }}));
    play.flags.ingress_class = "edge";
    play.settle(Split::PRIMARY);
    let route = |weight: i64| {
        json!([{
            "conditions": [{"prefix": "/cart"}],
            "timeoutPolicy": {"response": "12s", "idle": "5m"},
            "retryPolicy": {"count": 2, "perTryTimeout": "4s", "retryOn": ["5xx", "reset"]},
            "services": both(100 - weight, weight),
        }])
    };
    let expected = json!({
        "apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy",
        "metadata": {
            "name": "cart", "namespace": NAMESPACE,
            "annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"},
            "ownerReferences": [objects::owner_reference(&play.canary)],
        },
        "spec": {"ingressClassName": "edge", "routes": route(0)},
    });
    assert_eq!(*play.get(kinds::HTTP_PROXY, "cart"), expected);
    for weight in [10, 30, 50, 100] {
        play.settle(Split::of(weight));
        assert_eq!(*written(&play), route(weight));
    }
    play.settle(Split::PRIMARY);
    assert_eq!(*play.get(kinds::HTTP_PROXY, "cart"), expected);
}

/// One route for each alternative, with one path (RI-11); expressions are translated (RI-12); everybody else keeps to the primary.
#[test]
fn ab_testing() {
    let matches = json!([
        {"headers": {"x-beta": {"exact": "on"}, "x-who": {"regex": "me|you"}}},
        {"headers": {"x-a": {"prefix": "a.b"}, "x-b": {"suffix": "a.b"}}, "queryParams": {"v": {"exact": "2"}}},
    ]);
    let mut play = play(&{
        let mut spec = testing(&matches);
        spec["service"] = json!({"match": [{"uri": {"prefix": "/cart"}, "headers": {"X-Who": {"exact": "all"}}}]});
        spec
    });
    let all = json!([{"prefix": "/cart"}, {"header": {"name": "X-Who", "exact": "all"}}]);
    play.settle(Split::PRIMARY);
    assert_eq!(*written(&play), json!([{"conditions": all, "services": both(100, 0)}]));
    play.settle(Split::CANARY);
    let expected = json!([
        {"conditions": [{"prefix": "/cart"}, {"header": {"name": "x-beta", "exact": "on"}}, {"header": {"name": "x-who", "regex": "me|you"}}], "services": both(0, 100)},
        {
            "conditions": [
                {"prefix": "/cart"}, {"header": {"name": "X-Who", "exact": "all"}}, {"header": {"name": "x-a", "regex": "a\\.b.*"}},
                {"header": {"name": "x-b", "regex": ".*a\\.b"}}, {"queryParameter": {"name": "v", "exact": "2"}},
            ],
            "services": both(0, 100),
        },
        {"conditions": all, "services": [to("cart-primary", 100)]},
    ]);
    assert_eq!(*written(&play), expected);
    play.settle(Split::of(40));
    play.settle(Split::PRIMARY);
    assert_eq!(*written(&play), json!([{"conditions": all, "services": both(100, 0)}]));
}

#[test]
fn mirrored_requests() {
    let mut play = play(&json!({"analysis": {"mirror": true, "mirrorWeight": 10}}));
    play.settle(Split::PRIMARY.mirrored());
    let mut copy = to("cart-canary", 10);
    copy["mirror"] = json!(true);
    assert_eq!(written(&play)[0]["services"], json!([to("cart-primary", 100), copy]));
    play.settle(Split::of(30));
    assert_eq!(written(&play)[0]["services"], both(70, 30));
}

/// RI-13.
#[test]
fn conditions_of_retries() {
    let policy = |retries: Value| {
        let mut play = play(&json!({"service": {"retries": retries}}));
        play.settle(Split::PRIMARY);
        written(&play)[0]["retryPolicy"].clone()
    };
    assert_eq!(policy(json!({"attempts": 3})), json!({"count": 3}));
    assert_eq!(policy(json!({"attempts": 3, "retryOn": ""})), json!({"count": 3}));
    assert_eq!(
        policy(json!({"retryOn": " reset ,,5xx"})),
        json!({"count": 1, "retryOn": ["reset", "5xx"]})
    );
    let play = play(&json!({"service": {"retries": {"retryOn": "5xx,always"}}}));
    let refused = play.provider().refused(&play.canary).unwrap().to_string();
    assert!(
        refused.starts_with("spec.service.retries.retryOn: always is no condition"),
        "{refused}"
    );
}

/// RI-30: the annotation of one Canary's proxy goes before the controller's class.
#[test]
fn classes() {
    let mut play = play(&json!({"service": {"apex": {"annotations": {CLASS: "inside"}}}}));
    play.flags.ingress_class = "edge";
    play.settle(Split::PRIMARY);
    assert_eq!(
        play.get(kinds::HTTP_PROXY, "cart")["spec"]["ingressClassName"],
        "inside"
    );
}

/// RI-5: repaired at the weight of the run. RI-19: what others added stays with its route and service.
#[test]
fn drift_is_repaired_at_the_weight() {
    let mut play = play(&json!({}));
    play.settle(Split::of(30));
    let mut routes = written(&play).clone();
    routes[0]["loadBalancerPolicy"] = json!({"strategy": "Random"});
    routes[0]["conditions"] = json!([{"prefix": "/evil"}]);
    routes[0]["services"][1]["protocol"] = json!("h2c");
    let labels = json!({"metadata": {"labels": {"policy": "touched"}}, "spec": {"routes": routes}});
    play.patch(kinds::HTTP_PROXY, "cart", &labels);
    play.settle(Split::of(30));
    let mut canary = to("cart-canary", 30);
    canary["protocol"] = json!("h2c");
    let expected = json!([{
        "conditions": [{"prefix": "/"}], "loadBalancerPolicy": {"strategy": "Random"}, "services": [to("cart-primary", 70), canary],
    }]);
    assert_eq!(*written(&play), expected);
}

/// RI-25: the root proxy of a user has the apex' name. Its host stays, its routes come back.
#[test]
fn an_adopted_proxy_comes_back() {
    let mine = json!({
        "virtualhost": {"fqdn": "cart.example.test"}, "includes": [{"name": "other"}],
        "routes": [{"conditions": [{"prefix": "/"}], "services": [{"name": "cart", "port": 80}]}],
    });
    let object = json!({"kind": "HTTPProxy", "metadata": {"name": "cart", "namespace": NAMESPACE}, "spec": mine});
    let mut play = play(&json!({}));
    play.put(object);
    assert_eq!(play.observed(), Err(Unready::NoSplit("HTTPProxy cart.shop".into())));
    play.settle(Split::of(40));
    let spec = &play.get(kinds::HTTP_PROXY, "cart")["spec"];
    assert_eq!(spec["virtualhost"], mine["virtualhost"]);
    assert_eq!(spec["includes"], mine["includes"]);
    let writes = play.provider().reverts(&play.context());
    play.apply(writes);
    assert_eq!(play.get(kinds::HTTP_PROXY, "cart")["spec"], mine);

    play.patch(
        kinds::HTTP_PROXY,
        "cart",
        &json!({"spec": {"tcpproxy": {"services": []}}}),
    );
    assert!(matches!(play.shift(Split::PRIMARY), Err(Refused::Source(_))));
}

/// RI-31: a run waits until Contour has taken the proxy over.
#[test]
fn what_contour_says() {
    let valid = |status: &str, seen: i64| {
        json!({"metadata": {"generation": 4}, "status": {"conditions": [{
            "type": "Valid", "status": status, "observedGeneration": seen, "reason": "ErrorPresent", "message": "At least one error present",
            "errors": [{"type": "Orphaned", "message": "this HTTPProxy is not part of a delegation chain"}],
        }]}})
    };
    let cases = [
        (json!({}), None),
        (valid("True", 4), None),
        (valid("True", 3), Some("it has seen generation 3 of 4")),
        (
            valid("False", 4),
            Some("ErrorPresent: At least one error present: this HTTPProxy is not part of a delegation chain"),
        ),
    ];
    for (status, why) in cases {
        let mut play = play(&json!({}));
        play.settle(Split::PRIMARY);
        play.patch(kinds::HTTP_PROXY, "cart", &status);
        let refused = play.accepted().err().map(|unready| unready.to_string());
        let expected = why.map(|why| format!("HTTPProxy cart.shop is not accepted by its parent contour: {why}"));
        assert_eq!(refused, expected);
    }
}
