//! Recorded shapes and routers-mesh.md 6, 7.

use super::*;
use crate::{json::merge, objects};

fn canary(changes: &Value) -> Canary {
    let mut object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "app", "namespace": "test", "uid": "c0ffee"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "app"}, "service": {"port": 80, "meshName": "prod"}},
    });
    merge(&mut object, changes);
    crds::decode::decode(&object).unwrap()
}

/// As in the recordings `appmesh-linear` and `appmesh-v1beta1-linear`.
fn whole() -> Value {
    json!({"spec": {"service": {
        "targetPort": 9898, "timeout": "3s", "backends": ["stock"], "hosts": ["app.example.com"],
        "retries": {"attempts": 3, "perTryTimeout": "1s", "retryOn": "gateway-error"},
        "apex": {"labels": {"team": "a"}},
    }}})
}

fn context<'a>(canary: &'a Canary, current: &'a [Value]) -> Context<'a> {
    let mut seen: Vec<Option<&Value>> = current.iter().map(Some).collect();
    seen.resize(6, None);
    Context {
        canary,
        current: seen,
        selector_key: Some("app.kubernetes.io/name"),
        selector_value: Some("cart"),
        entropy: 7,
        flags: crate::routes::Flags::default(),
    }
}

fn made(provider: &Provider, canary: &Canary, split: Split) -> Vec<Value> {
    provider.desired(&context(canary, &[]), split).unwrap()
}

fn named(objects: &[Value]) -> Vec<String> {
    let of = |object: &Value| {
        format!(
            "{} {}",
            object["kind"].as_str().unwrap(),
            object["metadata"]["name"].as_str().unwrap()
        )
    };
    objects.iter().map(of).collect()
}

/// Recorded scenario `appmesh-linear`. The peer takes the target's name for the label of its pods, which it need not be.
#[test]
fn linear_v1beta2() {
    let canary = canary(&whole());
    let objects = made(&V1BETA2, &canary, Split::of(30));
    assert_eq!(
        named(&objects),
        [
            "VirtualNode app-primary",
            "VirtualNode app-canary",
            "VirtualRouter app",
            "VirtualService app",
            "VirtualRouter app-canary",
            "VirtualService app-canary"
        ]
    );
    let node = json!({
        "apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualNode",
        "metadata": {
            "name": "app-canary", "namespace": "test", "ownerReferences": [objects::owner_reference(&canary)], "labels": {"team": "a"},
            "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled", "kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        },
        "spec": {
            "backends": [{"virtualService": {"virtualServiceRef": {"name": "stock"}}}],
            "listeners": [{"portMapping": {"port": 9898, "protocol": "http"}, "timeout": {"http": {"perRequest": {"unit": "ms", "value": 3000}}}}],
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "cart"}},
            "serviceDiscovery": {"dns": {"hostname": "app-canary.test.svc.cluster.local."}},
        },
    });
    assert_eq!(objects[1], node);
    assert_eq!(
        objects[0]["spec"]["podSelector"],
        json!({"matchLabels": {"app.kubernetes.io/name": "cart-primary"}})
    );
    assert_eq!(
        objects[0]["spec"]["serviceDiscovery"]["dns"]["hostname"],
        "app-primary.test.svc.cluster.local."
    );
    let route = |name: &str, canary: i64| {
        json!({"name": name, "httpRoute": {
            "action": {"weightedTargets": [
                {"virtualNodeRef": {"name": "app-canary"}, "weight": canary}, {"virtualNodeRef": {"name": "app-primary"}, "weight": 100 - canary},
            ]},
            "match": {"prefix": "/"},
            "retryPolicy": {"httpRetryEvents": ["gateway-error"], "maxRetries": 3, "perRetryTimeout": {"unit": "ms", "value": 1000}},
            "timeout": {"perRequest": {"unit": "ms", "value": 3000}},
        }})
    };
    let listeners = json!([{"portMapping": {"port": 9898, "protocol": "http"}}]);
    assert_eq!(
        objects[2]["spec"],
        json!({"listeners": listeners, "routes": [route("app", 30)]})
    );
    assert_eq!(
        objects[4]["spec"],
        json!({"listeners": listeners, "routes": [route("app-canary", 100)]})
    );
    for (place, router) in [(3, "app"), (5, "app-canary")] {
        assert_eq!(
            objects[place]["spec"],
            json!({"provider": {"virtualRouter": {"virtualRouterRef": {"name": router}}}})
        );
    }
    let annotations = json!({
        "gateway.appmesh.k8s.aws/domain": "app.example.com,", "gateway.appmesh.k8s.aws/expose": "true",
        "gateway.appmesh.k8s.aws/retries": "3", "gateway.appmesh.k8s.aws/timeout": "3s",
    });
    assert_eq!(objects[3]["metadata"]["annotations"], annotations);
    for place in [2, 4, 5] {
        assert_eq!(objects[place]["metadata"]["annotations"], Value::Null);
        assert_eq!(objects[place]["metadata"]["labels"], Value::Null);
    }
}

/// Recorded scenario `appmesh-v1beta1-linear`.
#[test]
fn linear_v1beta1() {
    let objects = made(&V1BETA1, &canary(&whole()), Split::of(30));
    assert_eq!(
        named(&objects),
        [
            "VirtualNode app",
            "VirtualNode app-primary",
            "VirtualNode app-canary",
            "VirtualService app.test",
            "VirtualService app-canary.test"
        ]
    );
    for (place, host) in [(0, "app-primary.test"), (1, "app-primary.test"), (2, "app-canary.test")] {
        let expected = json!({
            "meshName": "prod", "serviceDiscovery": {"dns": {"hostName": host}},
            "backends": [{"virtualService": {"virtualServiceName": "stock"}}],
            "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}],
        });
        assert_eq!(objects[place]["spec"], expected);
    }
    for (place, name, canary) in [(3, "app", 30), (4, "app-canary", 100)] {
        let expected = json!({
            "meshName": "prod",
            "virtualRouter": {"name": name, "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]},
            "routes": [{"name": name, "http": {
                "action": {"weightedTargets": [{"virtualNodeName": "app-canary", "weight": canary}, {"virtualNodeName": "app-primary", "weight": 100 - canary}]},
                "match": {"prefix": "/"},
                "retryPolicy": {"httpRetryEvents": ["gateway-error"], "maxRetries": 3, "perRetryTimeoutMillis": 1000},
            }}],
        });
        assert_eq!(objects[place]["spec"], expected);
    }
    assert_eq!(
        objects[3]["metadata"]["annotations"]["gateway.appmesh.k8s.aws/domain"],
        "app.example.com,"
    );
    assert_eq!(objects[4]["metadata"]["annotations"], Value::Null);
}

/// Recorded scenario `appmesh-ab`. A second entry is another way to be chosen; the peer asks for both at once.
#[test]
fn ab_test() {
    let tested = |entries: Value| canary(&json!({"spec": {"analysis": {"iterations": 2, "match": entries}}}));
    let one = tested(json!([{"headers": {"x-canary": {"exact": "insider"}}}]));
    let target = |name: &str, weight: i64| json!({"virtualNodeRef": {"name": name}, "weight": weight});
    let chosen = |name: &str, priority: i64, headers: Value| {
        json!({"name": name, "priority": priority, "httpRoute": {
            "action": {"weightedTargets": [target("app-canary", 100), target("app-primary", 0)]},
            "match": {"prefix": "/", "headers": headers},
        }})
    };
    let rest = json!({"name": "app-b", "priority": 20, "httpRoute": {
        "action": {"weightedTargets": [target("app-primary", 100)]}, "match": {"prefix": "/"},
    }});
    let insider = json!([{"name": "x-canary", "match": {"exact": "insider"}}]);
    let routes = made(&V1BETA2, &one, Split::CANARY)[2]["spec"]["routes"].take();
    assert_eq!(routes, json!([chosen("app-a", 10, insider.clone()), rest]));

    let two = tested(json!([
        {"headers": {"x-canary": {"exact": "insider"}}},
        {"headers": {"user-agent": {"regex": ".*Chrome.*"}, "a": {"suffix": "z"}}},
    ]));
    let browser =
        json!([{"name": "a", "match": {"suffix": "z"}}, {"name": "user-agent", "match": {"regex": ".*Chrome.*"}}]);
    let objects = made(&V1BETA2, &two, Split::CANARY);
    assert_eq!(
        objects[2]["spec"]["routes"],
        json!([chosen("app-a", 10, insider), chosen("app-a-2", 11, browser), rest])
    );
    assert_eq!(
        objects[4]["spec"]["routes"].as_array().map(Vec::len),
        Some(1),
        "acceptance tests reach the canary as they are"
    );

    let routes = made(&V1BETA1, &one, Split::CANARY)[3]["spec"]["routes"].take();
    assert_eq!(
        (&routes[0]["http"]["priority"], &routes[1]["http"]["priority"]),
        (&json!(10), &json!(20))
    );

    for (entries, mention) in [
        (
            json!([{"headers": {"a": {"exact": "b"}}}, {}]),
            "spec.analysis.match[1]: it would match every request",
        ),
        (
            json!([{"queryParams": {"a": {"exact": "b"}}}]),
            "spec.analysis.match[0]: App Mesh compares headers only",
        ),
        (
            json!([{"headers": {"a": {}}}]),
            "spec.analysis.match[0]: a header must be compared",
        ),
    ] {
        let refused = V1BETA2.refused(&tested(entries)).unwrap().to_string();
        assert!(refused.starts_with(mention), "{refused}");
    }
    let many: Vec<Value> = (0..11)
        .map(|number| json!({"headers": {"a": {"exact": number.to_string()}}}))
        .collect();
    assert!(V1BETA2.refused(&tested(json!(many))).is_some());
}

/// RM-37: the peer writes HTTP routes for gRPC.
#[test]
fn grpc() {
    let canary = canary(&json!({"spec": {
        "service": {"portName": "grpc-web", "timeout": "1s", "retries": {"retryOn": "unavailable, gateway-error,connection-error"}},
        "analysis": {"iterations": 1, "match": [{"headers": {"x": {"exact": "y"}}}]},
    }}));
    let objects = made(&V1BETA2, &canary, Split::of(30));
    let listener = json!({"portMapping": {"port": 80, "protocol": "grpc"}, "timeout": {"grpc": {"perRequest": {"unit": "ms", "value": 1000}}}});
    assert_eq!(objects[0]["spec"]["listeners"], json!([listener]));
    let route = &objects[2]["spec"]["routes"][0];
    assert_eq!(
        route["grpcRoute"]["match"],
        json!({"metadata": [{"name": "x", "match": {"exact": "y"}}]})
    );
    let policy = json!({
        "maxRetries": 1, "perRetryTimeout": {"unit": "ms", "value": 250},
        "grpcRetryEvents": ["unavailable"], "httpRetryEvents": ["gateway-error"], "tcpRetryEvents": ["connection-error"],
    });
    assert_eq!(route["grpcRoute"]["retryPolicy"], policy);
    assert_eq!(route["httpRoute"], Value::Null);
    assert_eq!(V1BETA2.observed(&context(&canary, &objects)), Ok(Split::of(30)));
}

#[test]
fn options_of_nodes() {
    let canary = canary(&json!({
        "metadata": {"annotations": {"appmesh.flagger.app/accesslog": "enabled"}},
        "spec": {"service": {"targetPort": "http", "backends": ["arn:aws:appmesh:x", "stock.shop"], "match": [{"uri": {"prefix": "/cart"}}, {"uri": {"prefix": "/x"}}]}},
    }));
    let objects = made(&V1BETA2, &canary, Split::PRIMARY);
    assert_eq!(
        objects[0]["spec"]["logging"],
        json!({"accessLog": {"file": {"path": "/dev/stdout"}}})
    );
    assert_eq!(
        objects[0]["spec"]["listeners"][0]["portMapping"]["port"], 80,
        "a port with a name counts as the service's"
    );
    let backends = json!([{"virtualService": {"virtualServiceARN": "arn:aws:appmesh:x"}}, {"virtualService": {"virtualServiceRef": {"name": "stock.shop"}}}]);
    assert_eq!(objects[0]["spec"]["backends"], backends);
    assert_eq!(
        objects[2]["spec"]["routes"][0]["httpRoute"]["match"],
        json!({"prefix": "/cart"})
    );
    let quiet = self::canary(&json!({}));
    let after = V1BETA2.desired(&context(&quiet, &objects), Split::PRIMARY).unwrap();
    assert_eq!(after[0]["spec"]["logging"], Value::Null);
    assert_eq!(after[0]["spec"]["backends"], Value::Null);
}

/// RM-15, RM-22, recorded scenarios `appmesh-drift`, `appmesh-no-routes`, `appmesh-service-gone`: the peer crashes on an empty list, never
/// makes a lost VirtualService again, and writes the nodes of v1beta1 at each check.
#[test]
fn repair() {
    let canary = canary(&whole());
    let mut live = made(&V1BETA2, &canary, Split::of(40));
    live[0]["spec"]["awsName"] = json!("app-primary_test");
    live[0]["spec"]["meshRef"] = json!({"name": "prod", "uid": "1"});
    live[0]["spec"]["listeners"][0]["healthCheck"] = json!({"path": "/healthz"});
    live[2]["spec"]["awsName"] = json!("app_test");
    live[2]["spec"]["routes"][0]["httpRoute"]["timeout"]["idle"] = json!({"unit": "s", "value": 5});
    live[2]["metadata"]["annotations"] = json!({"theirs": "1"});
    let settled = V1BETA2.desired(&context(&canary, &live), Split::of(40)).unwrap();
    live[2]["spec"]["routes"][0]["httpRoute"]["timeout"] =
        settled[2]["spec"]["routes"][0]["httpRoute"]["timeout"].clone();
    assert_eq!(settled, live);

    live[2]["spec"]["routes"] = json!([]);
    assert_eq!(
        V1BETA2.observed(&context(&canary, &live)),
        Err(Unready::NoSplit("VirtualRouter app.test".into()))
    );
    assert_eq!(
        V1BETA2.desired(&context(&canary, &live), Split::of(40)).unwrap(),
        settled
    );
    let gone = V1BETA2.desired(&context(&canary, &live[..3]), Split::of(40)).unwrap();
    assert_eq!(gone[3], made(&V1BETA2, &canary, Split::of(40))[3]);

    let live = made(&V1BETA1, &canary, Split::of(40));
    assert_eq!(V1BETA1.writes(&context(&canary, &live), Split::of(40)), Ok(Vec::new()));
}

#[test]
fn a_mesh_is_needed_by_v1beta1_alone() {
    let canary = canary(&json!({"spec": {"service": {"meshName": null}}}));
    assert!(
        V1BETA1
            .refused(&canary)
            .unwrap()
            .to_string()
            .starts_with("spec.service.meshName")
    );
    assert_eq!(V1BETA2.refused(&canary), None);
}
