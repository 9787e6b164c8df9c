//! The worked example of routers-ingress.md 4.6, and what is better here.

use super::*;
use crate::{objects, routes::tests::play::*};

const PRIMARY: &str = "shop-cart-primaryupstream-80";
const CANARY: &str = "shop-cart-canaryupstream-80";

fn service(name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"selector": {"app": app}}})
}

fn tuning() -> Value {
    json!({
        "apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": "tuning", "namespace": "gloo-system", "labels": {"x": "y"}},
        "spec": {
            "static": {"hosts": [{"addr": "a.test", "port": 1}]}, "connectionConfig": {"connectTimeout": "3s"},
            "loadBalancerConfig": {"roundRobin": {"slowStartConfig": {"slowStartWindow": "90s"}}},
            "sslConfig": {"parameters": {"minimumProtocolVersion": "TLSv1_2"}}, "healthChecks": [{"path": "/"}],
        },
    })
}

fn play(changes: &Value) -> Play {
    let mut spec = json!({
        "provider": "gloo", "upstreamRef": {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "tuning", "namespace": "gloo-system"},
    });
    tree::merge(&mut spec, changes);
    Play::new(
        canary(&spec),
        &[
            tuning(),
            service("cart-primary", "cart-primary"),
            service("cart-canary", "cart"),
        ],
    )
}

fn routes(play: &Play) -> &Value {
    &play.get(kinds::ROUTE_TABLE, "cart")["spec"]["routes"]
}

fn to(name: &str, weight: i64) -> Value {
    json!({"destination": {"upstream": {"name": name, "namespace": NAMESPACE}}, "weight": weight})
}

fn route(destinations: &Value) -> Value {
    json!({"inheritablePathMatchers": true, "routeAction": {"multi": {"destinations": destinations}}})
}

fn both(primary: i64, canary: i64) -> Value {
    json!([to(PRIMARY, primary), to(CANARY, canary)])
}

/// All settings of the template but where it leads (RI-22).
#[test]
fn the_worked_example() {
    let mut play = play(&json!({}));
    let written = play.shift(Split::PRIMARY).unwrap();
    assert_eq!(
        written,
        [
            format!("Upstream {PRIMARY}.shop"),
            format!("Upstream {CANARY}.shop"),
            "RouteTable cart.shop".into()
        ]
    );
    let mut settings = tuning()["spec"].clone();
    settings.as_object_mut().unwrap().remove("static");
    for (name, service, app) in [
        (PRIMARY, "cart-primary", "cart-primary"),
        (CANARY, "cart-canary", "cart"),
    ] {
        let mut spec = settings.clone();
        spec["kube"] =
            json!({"serviceName": service, "serviceNamespace": NAMESPACE, "servicePort": 80, "selector": {"app": app}});
        let expected = json!({
            "apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
            "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": [objects::owner_reference(&play.canary)]},
            "spec": spec,
        });
        assert_eq!(*play.get(kinds::UPSTREAM, name), expected);
    }
    for weight in [0, 10, 30, 50, 100, 0] {
        play.settle(Split::of(weight));
        assert_eq!(*routes(&play), json!([route(&both(100 - weight, weight))]));
    }
    let metadata = &play.get(kinds::ROUTE_TABLE, "cart")["metadata"];
    assert_eq!(
        metadata["annotations"],
        json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"})
    );
}

/// RI-2: with the peer, whoever is not chosen has no route at all.
#[test]
fn ab_testing() {
    let matches = json!([
        {"headers": {"x-beta": {"exact": "on"}, "x-who": {"regex": "me|you"}}},
        {"headers": {"x-a": {"prefix": "a.b"}}, "queryParams": {"v": {"suffix": "2"}}},
    ]);
    let mut play = play(&testing(&matches));
    play.settle(Split::PRIMARY);
    assert_eq!(*routes(&play), json!([route(&both(100, 0))]));
    play.settle(Split::CANARY);
    let mut chosen = route(&both(0, 100));
    chosen["matchers"] = json!([
        {"headers": [{"name": "x-beta", "value": "on"}, {"name": "x-who", "value": "me|you", "regex": true}]},
        {
            "headers": [{"name": "x-a", "value": "a\\.b.*", "regex": true}],
            "queryParameters": [{"name": "v", "value": ".*2", "regex": true}],
        },
    ]);
    assert_eq!(*routes(&play), json!([chosen, route(&json!([to(PRIMARY, 100)]))]));
    play.settle(Split::PRIMARY);
    assert_eq!(*routes(&play), json!([route(&both(100, 0))]));
}

#[test]
fn mirrored_requests() {
    let mut play = play(&json!({"analysis": {"mirror": true, "mirrorWeight": 10}}));
    play.settle(Split::PRIMARY);
    let mut table = routes(&play).clone();
    table[0]["options"] = json!({"timeout": "3s"});
    play.patch(kinds::ROUTE_TABLE, "cart", &json!({"spec": {"routes": table}}));
    play.settle(Split::PRIMARY.mirrored());
    let shadow = json!({"upstream": {"name": CANARY, "namespace": NAMESPACE}, "percentage": 10});
    assert_eq!(
        routes(&play)[0]["options"],
        json!({"timeout": "3s", "shadowing": shadow})
    );
    play.settle(Split::of(30));
    assert_eq!(routes(&play)[0]["options"], json!({"timeout": "3s"}));
}

/// RI-22: settings that come, go and change their kind.
#[test]
fn upstreams_follow_their_template() {
    let mut play = play(&json!({}));
    play.settle(Split::of(40));
    play.patch(
        kinds::UPSTREAM,
        CANARY,
        &json!({"spec": {"kube": {"subsetSpec": {}, "selector": {"old": "x"}}, "useHttp2": true}}),
    );
    let at = kinds::UPSTREAM.named("gloo-system", "tuning");
    tree::merge(
        play.objects.get_mut(&at).unwrap(),
        &json!({"spec": {
            "connectionConfig": null, "healthChecks": null, "sslConfig": null, "loadBalancerConfig": {"roundRobin": null, "random": {}},
        }}),
    );
    assert_eq!(play.shift(Split::of(40)).unwrap().len(), 2, "the table stays as it is");
    let kube = json!({"serviceName": "cart-canary", "serviceNamespace": NAMESPACE, "servicePort": 80, "selector": {"app": "cart"}, "subsetSpec": {}});
    assert_eq!(
        play.get(kinds::UPSTREAM, CANARY)["spec"],
        json!({"kube": kube, "loadBalancerConfig": {"random": {}}})
    );

    let mut alone = Play::new(
        canary(&json!({"provider": "gloo"})),
        &[service("cart-primary", "cart-primary")],
    );
    alone.settle(Split::PRIMARY);
    alone.patch(kinds::UPSTREAM, CANARY, &json!({"spec": {"useHttp2": true}}));
    assert_eq!(
        alone.shift(Split::PRIMARY),
        Ok(Vec::new()),
        "without a template all settings are the user's"
    );
}

/// RI-23.
#[test]
fn a_template_without_namespace_is_at_home() {
    for namespace in [Value::Null, json!("")] {
        let play = play(&json!({"upstreamRef": {"namespace": namespace}}));
        assert_eq!(objects(&play.canary).pop().unwrap().to_string(), "Upstream tuning.shop");
    }
}

/// RI-5, RI-6, RI-8, RI-19.
#[test]
fn drift_is_repaired_at_the_weight() {
    let mut play = play(&json!({}));
    play.settle(Split::of(30));
    let mut table = routes(&play).clone();
    table[0]["options"] = json!({"prefixRewrite": "/"});
    table[0]["routeAction"]["multi"]["destinations"][0]["options"] = json!({"csrf": {}});
    table[0]["routeAction"]["multi"]["destinations"][0]["destination"]["subset"] = json!({"values": {}});
    play.patch(
        kinds::ROUTE_TABLE,
        "cart",
        &json!({"metadata": {"labels": {"policy": "touched"}}, "spec": {"weight": 3, "routes": table}}),
    );
    play.settle(Split::of(30));
    assert_eq!(*routes(&play), table);
    assert_eq!(play.get(kinds::ROUTE_TABLE, "cart")["spec"]["weight"], 3);
    for spec in [
        json!({"routes": []}),
        json!({"routes": [route(&json!([to(CANARY, 1)]))]}),
        json!({"routes": [route(&both(0, 0))]}),
    ] {
        play.patch(kinds::ROUTE_TABLE, "cart", &json!({"spec": spec}));
        assert_eq!(
            play.observed(),
            Err(Unready::NoSplit("RouteTable cart.shop".into())),
            "{spec}"
        );
        play.settle(Split::of(30));
    }
}

/// RI-25.
#[test]
fn an_adopted_table_comes_back() {
    let mine = json!({"routes": [{"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": {"name": "cart", "namespace": NAMESPACE}}}}]});
    let mut play = play(&json!({}));
    play.put(json!({"kind": "RouteTable", "metadata": {"name": "cart", "namespace": NAMESPACE}, "spec": mine}));
    play.settle(Split::of(30));
    assert_eq!(*routes(&play), json!([route(&both(70, 30))]));
    let writes = play.provider().reverts(&play.context());
    assert_eq!(play.apply(writes), ["RouteTable cart.shop"]);
    assert_eq!(play.get(kinds::ROUTE_TABLE, "cart")["spec"], mine);
}

#[test]
fn what_gloo_says() {
    for (state, accepted) in [
        (json!("Rejected"), false),
        (json!(2), false),
        (json!("Accepted"), true),
        (json!(1), true),
    ] {
        let mut play = play(&json!({}));
        play.settle(Split::of(30));
        let status = json!({"status": {"statuses": {"gloo-system": {"state": state, "reason": "no such secret"}}}});
        play.patch(kinds::UPSTREAM, CANARY, &status);
        assert_eq!(play.accepted().is_ok(), accepted, "{state}");
    }
}
