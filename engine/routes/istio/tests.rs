//! Recorded shapes and routers-mesh.md 3, then properties.

mod adoption;
mod affinity;
mod mirrors;
mod properties;

use super::*;
use crate::{objects, seam::Act};

const NAMESPACE: &str = "test";

/// A Canary as in the recordings, with changes to spec and status.
fn canary_with(changes: &Value, status: &Value) -> Canary {
    let mut spec = json!({
        "provider": "istio",
        "targetRef": {"kind": "Deployment", "name": "app"},
        "service": {"port": 9898, "hosts": ["app.example.com"], "gateways": ["edge/public"]},
        "analysis": {"stepWeight": 20, "maxWeight": 60},
    });
    tree::merge(&mut spec, changes);
    let metadata = json!({"name": "app", "namespace": NAMESPACE, "uid": "c0ffee"});
    let object = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": spec, "status": status});
    crds::decode::decode(&object).unwrap()
}

fn canary(changes: &Value) -> Canary {
    canary_with(changes, &json!({}))
}

fn context<'a>(canary: &'a Canary, current: &'a [Value]) -> Context<'a> {
    let mut seen: Vec<Option<&Value>> = current.iter().map(Some).collect();
    seen.resize(3, None);
    Context {
        canary,
        current: seen,
        selector_key: Some("app"),
        selector_value: Some("app"),
        entropy: 7,
        flags: crate::routes::Flags::default(),
    }
}

/// All three objects, made from nothing.
fn made(canary: &Canary, split: Split) -> Vec<Value> {
    PROVIDER.desired(&context(canary, &[]), split).unwrap()
}

fn route(canary: &Canary, split: Split) -> Value {
    made(canary, split).remove(VIRTUAL_SERVICE)
}

/// The patches that bring these objects to the split, by name.
fn patches(canary: &Canary, current: &[Value], split: Split) -> Vec<(String, Value)> {
    let writes = PROVIDER.writes(&context(canary, current), split).unwrap();
    writes
        .into_iter()
        .map(|write| match write.act {
            Act::Merge { patch, .. } => (write.object.to_string(), patch),
            other => panic!("a merge was expected, not {other:?}"),
        })
        .collect()
}

fn observed_of(canary: &Canary, current: &[Value]) -> Result<Split, Unready> {
    PROVIDER.observed(&context(canary, current))
}

fn to(host: &str, weight: i64) -> Value {
    json!({"destination": {"host": host}, "weight": weight})
}

fn both(primary: i64, canary: i64) -> Value {
    json!([to("app-primary", primary), to("app-canary", canary)])
}

/// Recorded scenario `istio-linear`, at weight 30.
#[test]
fn linear() {
    let canary = canary(&json!({"service": {
        "match": [{"uri": {"prefix": "/cart"}}],
        "rewrite": {"uri": "/", "type": "ReplacePrefixMatch"},
        "timeout": "3s",
        "headers": {"request": {"add": {"x-from": "edge"}}},
        "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}},
        "corsPolicy": {"allowOrigin": ["example.com"], "allowMethods": ["GET"]},
    }}));
    let objects = made(&canary, Split::of(30));
    let rule = |name: &str| {
        json!({
            "apiVersion": "networking.istio.io/v1beta1", "kind": "DestinationRule",
            "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": [objects::owner_reference(&canary)]},
            "spec": {"host": name, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}},
        })
    };
    assert_eq!(objects[0], rule("app-canary"));
    assert_eq!(objects[1], rule("app-primary"));
    let expected = json!({
        "apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
        "metadata": {
            "name": "app", "namespace": NAMESPACE,
            "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled", "kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
            "ownerReferences": [objects::owner_reference(&canary)],
        },
        "spec": {
            "gateways": ["edge/public"],
            "hosts": ["app.example.com", "app"],
            "http": [{
                "corsPolicy": {"allowMethods": ["GET"], "allowOrigin": ["example.com"]},
                "headers": {"request": {"add": {"x-from": "edge"}}},
                "match": [{"uri": {"prefix": "/cart"}}],
                "rewrite": {"uri": "/"},
                "route": both(70, 30),
                "timeout": "3s",
            }],
        },
    });
    assert_eq!(objects[2], expected);
    assert_eq!(observed_of(&canary, &objects), Ok(Split::of(30)));
}

/// Recorded scenario `istio-delegation`; and a VirtualService that becomes a delegate loses its hosts at once (RM-22).
#[test]
fn delegation() {
    let delegate = canary(&json!({"service": {"hosts": [], "gateways": [], "delegation": true}}));
    let expected = json!({"hosts": [], "http": [{"route": both(50, 50)}]});
    assert_eq!(route(&delegate, Split::of(50))["spec"], expected);
    let before = made(&canary(&json!({})), Split::of(50));
    let changes = patches(&delegate, &before, Split::of(50));
    let expected = json!({"spec": {"hosts": [], "gateways": null}});
    assert_eq!(changes, [("VirtualService app.test".to_owned(), expected)]);
}

/// Recorded scenario `ab-istio`. Its second route says 0 for its only destination while the test runs; here always 100.
#[test]
fn ab_test() {
    let canary = canary(&json!({"analysis": {"iterations": 2, "match": [
        {"headers": {"x-canary": {"exact": "insider"}}},
        {"headers": {"cookie": {"regex": "^(.*?;)?(canary=always)(;.*)?$"}}},
        {"sourceLabels": {"app.kubernetes.io/name": "scheduler"}},
    ]}}));
    let objects = made(&canary, Split::CANARY);
    let expected = json!([
        {
            "match": [
                {"headers": {"x-canary": {"exact": "insider"}}},
                {"headers": {"cookie": {"regex": "^(.*?;)?(canary=always)(;.*)?$"}}},
                {"sourceLabels": {"app.kubernetes.io/name": "scheduler"}},
            ],
            "route": both(0, 100),
        },
        {"route": [to("app-primary", 100)]},
    ]);
    assert_eq!(objects[2]["spec"]["http"], expected);
    assert_eq!(observed_of(&canary, &objects), Ok(Split::CANARY));
}

/// All conditions of both sides hold together; the peer drops those of the service (RM-9). A suffix becomes an expression.
#[test]
fn ab_test_narrows_the_service_matches() {
    let canary = canary(&json!({
        "service": {"match": [
            {"uri": {"exact": "/a"}, "headers": {"X-Env": {"exact": "prod"}, "Cookie": {"regex": "old"}}, "sourceLabels": {"a": "1"}},
            {"uri": {"prefix": "/b"}},
        ]},
        "analysis": {"iterations": 2, "match": [
            {"headers": {"cookie": {"suffix": "a.b"}}, "queryParams": {"q": {"exact": "1"}}, "sourceLabels": {"b": "2"}},
        ]},
    }));
    let cookie = json!({"regex": r".*a\.b"});
    let expected = json!([
        {
            "uri": {"exact": "/a"}, "headers": {"X-Env": {"exact": "prod"}, "cookie": cookie},
            "queryParams": {"q": {"exact": "1"}}, "sourceLabels": {"a": "1", "b": "2"},
        },
        {"uri": {"prefix": "/b"}, "headers": {"cookie": cookie}, "queryParams": {"q": {"exact": "1"}}, "sourceLabels": {"b": "2"}},
    ]);
    let route = route(&canary, Split::CANARY);
    assert_eq!(route["spec"]["http"][0]["match"], expected);
    assert_eq!(route["spec"]["http"][1]["match"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_test_of_everybody_is_refused() {
    let canary = canary(&json!({"analysis": {"iterations": 2, "match": [{"headers": {"a": {"exact": "b"}}}, {}]}}));
    let refused = PROVIDER.refused(&canary).unwrap().to_string();
    assert!(
        refused.starts_with("spec.analysis.match[1]: it would match every request"),
        "{refused}"
    );
}

/// Recorded scenarios `bluegreen-mirror-istio` and `canary-mirror-istio`.
#[test]
fn mirrors() {
    for (percent, expected) in [
        (json!(80), json!({"value": 80})),
        (json!(250), json!({"value": 100})),
        (json!(0), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let canary = canary(&json!({"analysis": {"mirror": true, "mirrorWeight": percent}}));
        let objects = made(&canary, Split::PRIMARY.mirrored());
        let first = &objects[2]["spec"]["http"][0];
        assert_eq!(first["mirror"], json!({"host": "app-canary"}));
        assert_eq!(first["mirrorPercentage"], expected);
        assert_eq!(first["route"], both(100, 0));
        assert_eq!(observed_of(&canary, &objects), Ok(Split::PRIMARY.mirrored()));
        let after = patches(&canary, &objects, Split::of(20));
        assert_eq!(after.len(), 1, "one write ends the mirror and moves the weight");
    }
}

#[test]
fn hosts_and_gateways_of_their_own() {
    for (service, hosts, gateways) in [
        (json!({"hosts": [], "gateways": []}), json!(["app"]), json!(["mesh"])),
        (
            json!({"hosts": ["*"], "gateways": ["mesh"]}),
            json!(["*"]),
            json!(["mesh"]),
        ),
        (
            json!({"name": "shop", "hosts": ["shop"]}),
            json!(["shop"]),
            json!(["edge/public"]),
        ),
    ] {
        let spec = route(&canary(&json!({"service": service})), Split::PRIMARY)["spec"].clone();
        assert_eq!((&spec["hosts"], &spec["gateways"]), (&hosts, &gateways), "{service}");
    }
}

/// routers-mesh.md 3.2: the port is told where requests come from outside, as the Service has several then.
#[test]
fn ports() {
    for (service, expected) in [
        (json!({"portDiscovery": true}), json!({"number": 9898})),
        (
            json!({"portDiscovery": true, "gateways": ["mesh", "edge/public"]}),
            Value::Null,
        ),
        (json!({"portDiscovery": true, "gateways": []}), Value::Null),
        (
            json!({"portDiscovery": true, "gateways": [], "hosts": [], "delegation": true}),
            json!({"number": 9898}),
        ),
        (json!({}), Value::Null),
    ] {
        let route = route(&canary(&json!({"service": service})), Split::PRIMARY);
        for destination in route["spec"]["http"][0]["route"].as_array().unwrap() {
            assert_eq!(destination["destination"]["port"], expected, "{service}");
        }
    }
}

#[test]
fn tcp() {
    let canary = canary(&json!({"service": {
        "appProtocol": "TCP", "timeout": "3s", "retries": {"attempts": 3},
        "match": [{"port": 5432, "uri": {"prefix": "/"}}, {"uri": {"prefix": "/"}}],
    }}));
    let objects = made(&canary, Split::of(40));
    let expected = json!({
        "gateways": ["edge/public"], "hosts": ["app.example.com", "app"],
        "tcp": [{"match": [{"port": 5432}], "route": both(60, 40)}],
    });
    assert_eq!(objects[2]["spec"], expected);
    assert_eq!(observed_of(&canary, &objects), Ok(Split::of(40)));
    assert_eq!(patches(&canary, &objects, Split::of(40)), []);
}

#[test]
fn retries_are_taken_over() {
    let retries = json!({"attempts": 3, "perTryTimeout": "1s", "retryOn": "5xx"});
    let route = route(&canary(&json!({"service": {"retries": retries}})), Split::PRIMARY);
    assert_eq!(route["spec"]["http"][0]["retries"], retries);
}

/// RM-1, recorded scenario `drift-istio`: the peer goes back to 100/0 and drops sticky rules and mirror.
#[test]
fn repair_keeps_the_weights_the_cookies_and_the_mirror() {
    let changes = json!({"analysis": {"sessionAffinity": {"cookieName": "c", "primaryCookieName": "p"}}});
    let canary = canary_with(&changes, &json!({"sessionAffinityCookie": "c=abc"}));
    for split in [Split::of(40), Split::PRIMARY.mirrored()] {
        let whole = made(&canary, split);
        let mut live = whole.clone();
        live[2]["spec"]["http"][0]["timeout"] = json!("1ms");
        live[2]["spec"]["hosts"] = json!(["evil.example.com"]);
        live[0]["spec"]["trafficPolicy"] = json!({"tls": {"mode": "DISABLE"}});
        for (name, patch) in patches(&canary, &live, split) {
            let at = whole.iter().position(|object| {
                name.starts_with(&format!(
                    "{} {}.",
                    object["kind"].as_str().unwrap(),
                    object["metadata"]["name"].as_str().unwrap()
                ))
            });
            tree::merge(&mut live[at.unwrap()], &patch);
        }
        assert_eq!(live, whole);
    }
}

/// RM-18, RM-19, and the order of lists.
#[test]
fn foreign_fields_and_orders_survive() {
    let changes = json!({
        "service": {
            "hosts": ["a.example.com", "b.example.com"], "match": [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}],
            "unmanagedMetadata": {"labels": ["argo"]},
        },
        "analysis": {"sessionAffinity": {"cookieName": "c"}},
    });
    let canary = canary_with(&changes, &json!({"sessionAffinityCookie": "c=abc"}));
    let mut live = made(&canary, Split::of(40));
    live[0]["spec"]["exportTo"] = json!(["."]);
    live[0]["metadata"]["labels"] = json!({"theirs": "1"});
    let route = &mut live[2];
    route["metadata"]["annotations"]["cloud"] = json!("1");
    route["metadata"]["labels"] = json!({"argo": "x"});
    route["spec"]["exportTo"] = json!(["*"]);
    route["spec"]["hosts"] = json!(["app", "b.example.com", "a.example.com"]);
    for rule in route["spec"]["http"].as_array_mut().unwrap() {
        rule["fault"] = json!({"delay": {"fixedDelay": "1s"}});
        rule["match"].as_array_mut().unwrap().reverse();
        rule["route"].as_array_mut().unwrap().reverse();
    }
    route["spec"]["http"][1]["name"] = json!("main");
    assert_eq!(patches(&canary, &live, Split::of(40)), []);

    // The rule for cookies comes and goes; what a user added to the weighted rule does not.
    let after = PROVIDER.desired(&context(&canary, &live), Split::PRIMARY).unwrap();
    let plain = canary_with(&json!({}), &json!({}));
    let alone = PROVIDER.desired(&context(&plain, &after), Split::PRIMARY).unwrap();
    assert_eq!(alone[2]["spec"]["http"].as_array().map(Vec::len), Some(1));
    let again = PROVIDER.desired(&context(&canary, &alone), Split::of(40)).unwrap();
    for objects in [&after, &alone, &again] {
        let http = objects[2]["spec"]["http"].as_array().unwrap();
        assert_eq!(http.last().unwrap()["name"], "main");
        assert!(
            http.iter().all(|rule| rule["fault"]["delay"]["fixedDelay"] == "1s"),
            "{http:#?}"
        );
        let named = http.iter().filter(|rule| !rule["name"].is_null());
        assert_eq!(named.count(), 1, "names are unique");
    }
}

#[test]
fn answers_without_a_split() {
    let canary = canary(&json!({}));
    assert_eq!(
        observed_of(&canary, &[]),
        Err(Unready::Absent("VirtualService app.test".into()))
    );
    let mut objects = made(&canary, Split::of(40));
    for routes in [
        json!([]),
        json!([{"route": [to("app", 100)]}]),
        json!([{"route": [to("app-primary", 100)]}]),
        json!([{"route": both(0, 0)}]),
    ] {
        objects[2]["spec"]["http"] = routes;
        assert_eq!(
            observed_of(&canary, &objects),
            Err(Unready::NoSplit("VirtualService app.test".into()))
        );
    }
    objects[2]["spec"]["http"] = json!([{"route": both(30, 10)}, {"route": [to("other", 1)]}]);
    assert_eq!(observed_of(&canary, &objects), Ok(Split::of(25)), "weights are shares");
}
