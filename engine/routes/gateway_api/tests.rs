//! Recorded shapes and routers-mesh.md 4, then properties against the defaults of the API server.

mod adoption;
mod affinity;
mod answers;
mod properties;

use super::*;
use crate::seam::Act;

const NAMESPACE: &str = "test";

/// A Canary as in the recordings, with changes to its spec.
fn canary(changes: &Value) -> Canary {
    let mut spec = json!({
        "targetRef": {"kind": "Deployment", "name": "app"},
        "service": {"port": 9898, "hosts": ["app.example.com"], "gatewayRefs": [{"name": "gw", "namespace": "default"}]},
        "analysis": {"stepWeight": 20, "maxWeight": 60},
    });
    tree::merge(&mut spec, changes);
    let metadata = json!({"name": "app", "namespace": NAMESPACE, "uid": "c0ffee"});
    let object = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": spec});
    crds::decode::decode(&object).unwrap()
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

fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    V1.observed(context)
}

fn accepted(context: &Context<'_>) -> Result<(), Unready> {
    V1.accepted(context)
}

fn made(canary: &Canary, split: Split) -> Value {
    V1.desired(&context(canary, None), split).unwrap().remove(0)
}

fn patch(canary: &Canary, current: &Value, split: Split) -> Option<Value> {
    let writes = V1.writes(&context(canary, Some(current)), split).unwrap();
    writes.into_iter().next().map(|write| match write.act {
        Act::Merge { patch, .. } => patch,
        other => panic!("a merge was expected, not {other:?}"),
    })
}

/// The object as the API server stores it: identity and the defaults of the HTTPRoute schema.
fn stored(mut route: Value) -> Value {
    tree::merge(
        &mut route["metadata"],
        &json!({"uid": "u1", "resourceVersion": "7", "generation": 1}),
    );
    for parent in route["spec"]["parentRefs"].as_array_mut().into_iter().flatten() {
        default(
            parent,
            &json!({"group": "gateway.networking.k8s.io", "kind": "Gateway"}),
        );
    }
    for rule in route["spec"]["rules"].as_array_mut().into_iter().flatten() {
        default(rule, &json!({"matches": [{}]}));
        for found in rule["matches"].as_array_mut().unwrap() {
            default(found, &json!({"path": {"type": "PathPrefix", "value": "/"}}));
            for list in ["headers", "queryParams"] {
                for pair in found.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    default(pair, &json!({"type": "Exact"}));
                }
            }
        }
        for backend in rule["backendRefs"].as_array_mut().unwrap() {
            default(backend, &json!({"group": "", "kind": "Service", "weight": 1}));
        }
        for filter in rule
            .get_mut("filters")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if filter["type"] == "CORS" {
                default(&mut filter["cors"], &json!({"maxAge": 5}));
            }
            if filter["type"] == "RequestMirror" {
                default(
                    &mut filter["requestMirror"]["backendRef"],
                    &json!({"group": "", "kind": "Service"}),
                );
            }
        }
    }
    route
}

fn default(object: &mut Value, defaults: &Value) {
    for (key, value) in defaults.as_object().unwrap() {
        if object[key].is_null() {
            object[key] = value.clone();
        }
    }
}

fn backend(name: &str, weight: i64) -> Value {
    json!({"group": "", "kind": "Service", "name": name, "port": 9898, "weight": weight})
}

fn everything() -> Value {
    json!([{"path": {"type": "PathPrefix", "value": "/"}}])
}

/// Recorded scenario `linear`, at weight 20.
#[test]
fn linear() {
    let expected = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {
            "name": "app", "namespace": NAMESPACE,
            "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled", "kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
            "ownerReferences": [{
                "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "app", "uid": "c0ffee",
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "hostnames": ["app.example.com"],
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": "default"}],
            "rules": [{"backendRefs": [backend("app-primary", 80), backend("app-canary", 20)], "matches": everything()}],
        },
    });
    assert_eq!(made(&canary(&json!({})), Split::of(20)), expected);
}

/// Recorded scenario `service-options`: names, and the selector label beside those of the apex block.
#[test]
fn apex_metadata() {
    let apex = json!({"annotations": {"a": "1"}, "labels": {"l": "apex"}});
    let canary = canary(&json!({"service": {"name": "shop", "port": 80, "apex": apex}}));
    let route = made(&canary, Split::PRIMARY);
    assert_eq!(route["metadata"]["name"], "shop");
    assert_eq!(route["metadata"]["labels"], json!({"app": "shop", "l": "apex"}));
    assert_eq!(route["metadata"]["annotations"]["a"], "1");
    assert_eq!(route["spec"]["rules"][0]["backendRefs"][1]["name"], "shop-canary");
    assert_eq!(route["spec"]["rules"][0]["backendRefs"][1]["port"], 80);
}

/// Recorded scenario `gatewayapi-features`.
#[test]
fn features() {
    let canary = canary(&json!({"service": {
        "match": [{"uri": {"prefix": "/cart"}, "method": {"exact": "GET"}, "headers": {"x-env": {"exact": "prod"}}, "queryParams": {"v": {"exact": "2"}}}],
        "rewrite": {"uri": "/", "type": "ReplacePrefixMatch"},
        "timeout": "3s",
        "backendTimeout": "2s",
        "headers": {"request": {"add": {"x-from": "edge"}, "remove": ["x-drop"]}, "response": {"set": {"x-served": "app"}}},
        "corsPolicy": {"allowOrigin": ["https://example.com"], "allowMethods": ["GET"], "maxAge": "24h"},
    }}));
    let expected = json!([{
        "matches": [{
            "headers": [{"name": "x-env", "type": "Exact", "value": "prod"}],
            "method": "GET",
            "path": {"type": "PathPrefix", "value": "/cart"},
            "queryParams": [{"name": "v", "type": "Exact", "value": "2"}],
        }],
        "filters": [
            {"requestHeaderModifier": {"add": [{"name": "x-from", "value": "edge"}], "remove": ["x-drop"]}, "type": "RequestHeaderModifier"},
            {"responseHeaderModifier": {"set": [{"name": "x-served", "value": "app"}]}, "type": "ResponseHeaderModifier"},
            {"type": "URLRewrite", "urlRewrite": {"path": {"replacePrefixMatch": "/", "type": "ReplacePrefixMatch"}}},
            {"cors": {"allowMethods": ["GET"], "allowOrigins": ["https://example.com"], "maxAge": 86400}, "type": "CORS"},
        ],
        "timeouts": {"backendRequest": "2s", "request": "3s"},
        "backendRefs": [backend("app-primary", 50), backend("app-canary", 50)],
    }]);
    assert_eq!(made(&canary, Split::of(50))["spec"]["rules"], expected);
}

/// Recorded scenario `ab-gatewayapi`.
#[test]
fn ab_test() {
    let canary = canary(&json!({"analysis": {"iterations": 2, "match": [
        {"headers": {"x-canary": {"exact": "insider"}}},
        {"headers": {"cookie": {"regex": "^(.*?;)?(canary=always)(;.*)?$"}}},
    ]}}));
    let path = json!({"type": "PathPrefix", "value": "/"});
    let expected = json!([
        {
            "matches": [
                {"headers": [{"name": "x-canary", "type": "Exact", "value": "insider"}], "path": path},
                {"headers": [{"name": "cookie", "type": "RegularExpression", "value": "^(.*?;)?(canary=always)(;.*)?$"}], "path": path},
            ],
            "backendRefs": [backend("app-primary", 0), backend("app-canary", 100)],
        },
        {"matches": everything(), "backendRefs": [backend("app-primary", 100)]},
    ]);
    let route = made(&canary, Split::CANARY);
    assert_eq!(route["spec"]["rules"], expected);
    assert_eq!(observed(&context(&canary, Some(&route))), Ok(Split::CANARY));
}

/// All conditions of both sides hold together; where both name a header, in whatever case, the analysis decides (RM-9).
#[test]
fn ab_test_narrows_the_service_matches() {
    let canary = canary(&json!({
        "service": {"match": [
            {"uri": {"exact": "/a"}, "headers": {"X-Env": {"exact": "prod"}, "Cookie": {"regex": "old"}}},
            {"uri": {"regex": "/b.*"}, "method": {"exact": "GET"}, "sourceLabels": {"x": "y"}},
        ]},
        "analysis": {"iterations": 2, "match": [{"headers": {"cookie": {"regex": "new"}}, "queryParams": {"q": {"exact": "1"}}}]},
    }));
    let cookie = json!({"name": "cookie", "type": "RegularExpression", "value": "new"});
    let query = json!([{"name": "q", "type": "Exact", "value": "1"}]);
    let expected = json!([
        {
            "path": {"type": "Exact", "value": "/a"}, "queryParams": query,
            "headers": [{"name": "X-Env", "type": "Exact", "value": "prod"}, cookie],
        },
        {"path": {"type": "RegularExpression", "value": "/b.*"}, "method": "GET", "queryParams": query, "headers": [cookie]},
    ]);
    assert_eq!(made(&canary, Split::CANARY)["spec"]["rules"][0]["matches"], expected);
}

/// Blue/green with mirror (routers-mesh.md 4.6, variant): one filter more, the last one.
#[test]
fn mirrors() {
    let canary = canary(&json!({"service": {
        "rewrite": {"authority": "shop.internal"},
        "mirror": [{"backendRef": {"name": "audit", "namespace": "infra", "port": 80}}],
    }}));
    let plain = made(&canary, Split::PRIMARY);
    let audit = json!({"type": "RequestMirror", "requestMirror": {"backendRef": {
        "group": "", "kind": "Service", "name": "audit", "namespace": "infra", "port": 80,
    }}});
    let host = json!({"type": "URLRewrite", "urlRewrite": {"hostname": "shop.internal"}});
    assert_eq!(plain["spec"]["rules"][0]["filters"], json!([host, audit]));
    assert_eq!(observed(&context(&canary, Some(&plain))), Ok(Split::PRIMARY));

    let mirrored = made(&canary, Split::PRIMARY.mirrored());
    let copy = json!({"type": "RequestMirror", "requestMirror": {"backendRef": {
        "group": "", "kind": "Service", "name": "app-canary", "port": 9898,
    }}});
    assert_eq!(mirrored["spec"]["rules"][0]["filters"], json!([host, audit, copy]));
    assert_eq!(
        observed(&context(&canary, Some(&mirrored))),
        Ok(Split::PRIMARY.mirrored())
    );
}

/// RM-30: a part of the requests, where one is given.
#[test]
fn mirrors_a_part() {
    for (given, expected) in [
        (json!(10), json!(10)),
        (json!(100), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let canary = canary(&json!({"analysis": {"mirror": true, "mirrorWeight": given}}));
        let route = made(&canary, Split::PRIMARY.mirrored());
        assert_eq!(
            route["spec"]["rules"][0]["filters"][0]["requestMirror"]["percent"],
            expected
        );
        assert_eq!(patch(&canary, &stored(route), Split::PRIMARY.mirrored()), None);
    }
}

/// The order of lists that have none is the live one's (observed.md A19): what the peer wrote in random order stays as it is.
#[test]
fn orders_survive() {
    let found = json!({"headers": {"a": {"exact": "1"}, "b": {"exact": "2"}}, "queryParams": {"q": {"exact": "1"}, "r": {"exact": "2"}}});
    let canary = canary(&json!({"service": {
        "match": [found, {"uri": {"prefix": "/x"}}], "hosts": ["a.example.com", "b.example.com"],
        "gatewayRefs": [{"name": "one"}, {"name": "two"}],
    }}));
    let mut live = stored(made(&canary, Split::of(40)));
    let spec = &mut live["spec"];
    for list in [
        "/hostnames",
        "/parentRefs",
        "/rules/0/matches/0/headers",
        "/rules/0/matches/0/queryParams",
        "/rules/0/matches",
        "/rules/0/backendRefs",
    ] {
        spec.pointer_mut(list).and_then(Value::as_array_mut).unwrap().reverse();
    }
    assert_eq!(patch(&canary, &live, Split::of(40)), None);
    assert_eq!(observed(&context(&canary, Some(&live))), Ok(Split::of(40)));
}

/// RM-5: what the API server fills in is written out, so that it is no drift.
#[test]
fn defaults_are_no_drift() {
    let cases = [
        json!({"match": [{"headers": {"b": {"exact": "1"}, "a": {"regex": ".*"}}}]}),
        json!({"match": [{"sourceLabels": {"only": "istio"}}]}),
        json!({"corsPolicy": {"allowOrigin": ["*", "*"]}}),
        json!({"corsPolicy": {"maxAge": "soon", "allowCredentials": false}}),
        json!({"corsPolicy": {"maxAge": "500ms", "allowCredentials": true, "allowOrigins": [{"exact": "https://a.io"}, {"prefix": "x"}]}}),
        json!({"headers": {"request": {}, "response": {"remove": ["a", "a"]}}, "rewrite": {}}),
        json!({"hosts": [], "timeout": "", "mirror": [{"backendRef": {"name": "m", "port": 1}}]}),
        json!({"gatewayRefs": [{"name": "mesh", "group": "core", "kind": "Service", "port": 8080, "sectionName": ""}]}),
    ];
    for service in cases {
        let canary = canary(&json!({"service": service}));
        let live = stored(made(&canary, Split::of(40)));
        assert_eq!(patch(&canary, &live, Split::of(40)), None, "{service}");
    }
}

/// The age that the API server would fill in stands wherever the Canary's says nothing usable; the smallest valid one is a second.
#[test]
fn cors_age() {
    for (given, expected) in [
        (Value::Null, 5),
        (json!("soon"), 5),
        (json!("500ms"), 5),
        (json!("1m"), 60),
    ] {
        let canary = canary(&json!({"service": {"corsPolicy": {"maxAge": given}}}));
        let filter = &made(&canary, Split::PRIMARY)["spec"]["rules"][0]["filters"][0];
        assert_eq!(
            *filter,
            json!({"type": "CORS", "cors": {"maxAge": expected}}),
            "{given}"
        );
    }
}

/// The repair keeps the weights that are asked for; the peer's goes back to 100/0 (RM-1, recorded scenario `drift-route`).
#[test]
fn repair_keeps_the_weights() {
    let canary = canary(&json!({}));
    let mut live = stored(made(&canary, Split::of(40)));
    live["spec"]["hostnames"] = json!(["evil.example.com"]);
    live["metadata"]["labels"] = json!({"foreign": "1"});
    let change = patch(&canary, &live, Split::of(40)).unwrap();
    let expected = json!({"metadata": {"labels": null}, "spec": {"hostnames": ["app.example.com"]}});
    assert_eq!(change, expected);
}

#[test]
fn foreign_fields_survive() {
    let canary = canary(&json!({"service": {"unmanagedMetadata": {"labels": ["argo"]}}}));
    let mut live = stored(made(&canary, Split::of(40)));
    live["metadata"]["annotations"]["cloud"] = json!("1");
    live["metadata"]["labels"] = json!({"argo": "x"});
    live["spec"]["useDefaultGateways"] = json!("All");
    live["spec"]["rules"][0]["retry"] = json!({"attempts": 3});
    live["spec"]["rules"][0]["name"] = json!("main");
    live["status"] = json!({"parents": []});
    assert_eq!(patch(&canary, &live, Split::of(40)), None);
    let after = V1
        .desired(&context(&canary, Some(&live)), Split::of(60))
        .unwrap()
        .remove(0);
    assert_eq!(after["spec"]["rules"][0]["retry"], json!({"attempts": 3}));
    assert_eq!(after["metadata"]["annotations"]["cloud"], "1");
}
