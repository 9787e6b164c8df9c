//! Every mesh, and the Gateway API, on the real API server with their own definitions.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;
#[path = "cluster/routes.rs"]
mod routes;

use cluster::{
    lab::Lab,
    objects::{canary, deployment},
    process::Controller,
};
use engine::objects::kinds;
use futures::future::join_all;
use routes::{Fixture, definitions, install, plays, uninstall};
use serde_json::{Value, json};
use std::time::Duration;

/// Definitions of App Mesh, of whose versions a server can have one at a time.
const APP_MESH: [&str; 4] = [
    "meshes.appmesh.k8s.aws",
    "virtualnodes.appmesh.k8s.aws",
    "virtualrouters.appmesh.k8s.aws",
    "virtualservices.appmesh.k8s.aws",
];

fn nothing(_: &str, _: &str) -> Value {
    Value::Null
}

fn gateway(provider: &'static str, name: &'static str) -> Fixture {
    Fixture {
        provider,
        name,
        spec: |name, _| json!({"service": {"hosts": [format!("{name}.example.com")], "gatewayRefs": [{"name": "public"}], "timeout": "3s"}}),
        given: |_, _| Vec::new(),
        weighted: 0,
        theirs: |name, _| json!({"spec": {"hostnames": ["mine.example.com"], "rules": [{"backendRefs": [{"name": name, "port": 80}]}]}}),
        drift: |_, _| json!({"spec": {"hostnames": ["evil.example.com"], "rules": [{"backendRefs": [{"name": "evil", "port": 80}]}]}}),
        weights_only: false,
    }
}

fn tcp(provider: &'static str, name: &'static str) -> Fixture {
    Fixture {
        spec: |_, _| json!({"service": {"gatewayRefs": [{"name": "public", "sectionName": "redis"}]}}),
        theirs: |name, _| json!({"spec": {"rules": [{"name": "mine", "backendRefs": [{"name": name, "port": 80}]}]}}),
        drift: |_, _| json!({"spec": {"rules": [{"backendRefs": [{"name": "evil", "port": 80}]}]}}),
        ..gateway(provider, name)
    }
}

/// A route of the user's own: one rule of it carries the weights.
fn own() -> Fixture {
    Fixture {
        spec: |name, _| json!({"routeRef": own_reference("HTTPRoute", name, Some("main"))}),
        theirs: |name, _| own_rules(&json!([{"name": name, "port": 9898}])),
        drift: |name, _| own_rules(&strayed(name)),
        weights_only: true,
        ..gateway("gatewayapi:v1", "own")
    }
}

/// What `spec.routeRef` says.
fn own_reference(kind: &str, name: &str, rule: Option<&str>) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "name": format!("{name}-web"), "sectionName": rule})
}

/// Weights that somebody else has set.
fn strayed(name: &str) -> Value {
    let side = |side: &str, weight: i64| json!({"name": format!("{name}-{side}"), "port": 9898, "weight": weight});
    json!([side("primary", 5), side("canary", 95)])
}

fn own_rules(backends: &Value) -> Value {
    let header = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "x-from", "value": "edge"}]}});
    let matches = |path: &str| json!([{"path": {"type": "PathPrefix", "value": path}}]);
    json!({"spec": {"parentRefs": [{"name": "public"}], "hostnames": ["own.example.com"], "rules": [
        {"name": "static", "matches": matches("/static"), "backendRefs": [{"name": "assets", "port": 80, "weight": 3}, {"name": "cdn", "port": 80}]},
        {"name": "main", "matches": matches("/"), "filters": [header], "timeouts": {"request": "9s"}, "backendRefs": backends},
    ]}})
}

/// The same with connections, of which a route has one rule.
fn own_tcp() -> Fixture {
    Fixture {
        spec: |name, _| json!({"routeRef": own_reference("TCPRoute", name, None)}),
        theirs: |name, _| json!({"spec": {"parentRefs": [{"name": "public"}], "rules": [{"backendRefs": [{"name": name, "port": 9898}]}]}}),
        drift: |name, _| json!({"spec": {"rules": [{"backendRefs": strayed(name)}]}}),
        weights_only: true,
        ..gateway("gatewayapi:v1:tcp", "own-tcp")
    }
}

/// The same with gRPC: the rules beside ours match methods.
fn own_grpc() -> Fixture {
    Fixture {
        spec: |name, _| json!({"routeRef": own_reference("GRPCRoute", name, Some("main"))}),
        theirs: |name, _| own_methods(&json!([{"name": name, "port": 9898}])),
        drift: |name, _| own_methods(&strayed(name)),
        weights_only: true,
        ..gateway("gatewayapi:v1:grpc", "own-grpc")
    }
}

fn own_methods(backends: &Value) -> Value {
    let header = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "x-from", "value": "edge"}]}});
    let matches = |service: &str| json!([{"method": {"type": "Exact", "service": service}}]);
    json!({"spec": {"parentRefs": [{"name": "public"}], "hostnames": ["grpc.example.com"], "rules": [
        {"name": "health", "matches": matches("grpc.health.v1.Health"), "backendRefs": [{"name": "health", "port": 80}]},
        {"name": "main", "matches": matches("podinfo.Echo"), "filters": [header], "backendRefs": backends},
    ]}})
}

fn istio() -> Fixture {
    Fixture {
        provider: "istio",
        name: "istio",
        spec: |_, _| json!({"service": {"timeout": "3s", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}}),
        given: |_, _| Vec::new(),
        weighted: 2,
        theirs: |name, _| json!({"spec": {"hosts": [name], "http": [{"name": "mine", "route": [{"destination": {"host": name}}]}]}}),
        drift: |_, _| json!({"spec": {"hosts": ["evil"], "http": [{"route": [{"destination": {"host": "evil"}}]}]}}),
        weights_only: false,
    }
}

/// With mirrors of the service's own.
fn mirroring_istio() -> Fixture {
    Fixture {
        name: "istio-audit",
        spec: |_, _| json!({"service": {"mirror": [{"backendRef": {"name": "audit", "namespace": "infra", "port": 80}}]}}),
        weights_only: true,
        ..istio()
    }
}

fn smi(provider: &'static str, name: &'static str) -> Fixture {
    Fixture {
        provider,
        name,
        spec: |_, _| json!({}),
        given: |_, _| Vec::new(),
        weighted: 0,
        theirs: |name, _| json!({"spec": {"service": name, "backends": [{"service": "mine", "weight": 1}]}}),
        drift: |_, _| json!({"spec": {"service": "evil", "backends": []}}),
        weights_only: false,
    }
}

/// Routes of the whole cluster: their names are those of the room.
fn kuma(name: &'static str, theirs: fn(&str, &str) -> Value) -> Fixture {
    Fixture {
        provider: "kuma",
        name,
        spec: |name, namespace| json!({"service": {"name": format!("{name}-{namespace}")}}),
        given: |_, _| Vec::new(),
        weighted: 0,
        theirs,
        drift: |_, _| json!({"spec": {"sources": [], "conf": null}}),
        weights_only: false,
    }
}

fn adopted_by_kuma(_: &str, _: &str) -> Value {
    let all = json!([{"match": {"kuma.io/service": "*"}}]);
    json!({"mesh": "default", "spec": {"sources": all, "destinations": all, "conf": {"destination": {"kuma.io/service": "mine"}}}})
}

fn app_mesh(provider: &'static str, name: &'static str) -> Fixture {
    Fixture {
        provider,
        name,
        spec: |_, _| {
            let retries = json!({"attempts": 3, "perTryTimeout": "1s", "retryOn": "gateway-error,connection-error"});
            json!({"service": {"meshName": "prod", "backends": ["stock"], "hosts": ["a.example.com"], "timeout": "3s", "retries": retries}})
        },
        given: |_, _| Vec::new(),
        weighted: 2,
        theirs: |_, _| {
            let action = json!({"weightedTargets": [{"virtualNodeRef": {"name": "mine"}, "weight": 1}]});
            let listener = json!({"portMapping": {"port": 80, "protocol": "http"}});
            json!({"spec": {"listeners": [listener], "routes": [{"name": "mine", "httpRoute": {"match": {"prefix": "/"}, "action": action}}]}})
        },
        drift: |_, _| json!({"spec": {"routes": []}}),
        weights_only: false,
    }
}

fn first_app_mesh() -> Fixture {
    Fixture {
        weighted: 3,
        theirs: |_, _| {
            let action = json!({"weightedTargets": [{"virtualNodeName": "mine", "weight": 1}]});
            let router = json!({"name": "mine", "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]});
            json!({"spec": {"meshName": "prod", "virtualRouter": router, "routes": [{"name": "mine", "http": {"match": {"prefix": "/"}, "action": action}}]}})
        },
        ..app_mesh("appmesh", "first")
    }
}

/// In one test, as they share definitions. A provider's part is played beside the others' in the time of one.
#[tokio::test]
async fn meshes() {
    let Some(lab) = Lab::open().await else { return };
    let mut fixtures = vec![
        gateway("gatewayapi:v1", "gw"),
        gateway("gatewayapi:v1beta1", "gwb"),
        gateway("gatewayapi:v1:grpc", "gwg"),
        tcp("gatewayapi:v1:tcp", "gwt"),
        tcp("gatewayapi:v1alpha2:tcp", "gwta"),
        own(),
        own_tcp(),
        own_grpc(),
    ];
    let folder = definitions();
    let files = |names: &[&str]| {
        let folder = folder.clone().unwrap_or_default();
        names.iter().map(|name| folder.join(name)).collect::<Vec<_>>()
    };
    if folder.is_some() {
        uninstall(&lab, &["trafficsplits.split.smi-spec.io"]);
        uninstall(&lab, &APP_MESH);
        install(&lab, &files(&["istio.yaml", "kuma.yaml", "appmesh.yaml"]));
        fixtures.extend([
            istio(),
            mirroring_istio(),
            kuma("kuma", adopted_by_kuma),
            kuma("kuma-own", nothing),
        ]);
        fixtures.push(app_mesh("appmesh:v1beta2", "mesh"));
        let versions = [
            ("linkerd", "linkerd"),
            ("osm", "osm"),
            ("smi:v1alpha1", "smi1"),
            ("smi:v1alpha2", "smi2"),
            ("smi:v1alpha3", "smi3"),
        ];
        // All versions of a TrafficSplit are one resource: their names must differ, and each is read in its own version.
        fixtures.extend(versions.map(|(provider, name)| smi(provider, name)));
    }
    let room = lab.room("meshes").await;
    serve_early_tcp_routes(&lab, true);
    let controller = Controller::start(&lab, "meshes", &[]).await;
    waits_for_its_route(&room).await;
    if folder.is_some() {
        waits_for_its_kind(&room).await;
        install(&lab, &files(&["variants/smi-trafficsplit-all.yaml"]));
        room.until_phase("early", "Initialized").await;
    }
    join_all(fixtures.iter().map(|fixture| plays(&room, fixture))).await;
    if folder.is_some() {
        uninstall(&lab, &APP_MESH);
        install(&lab, &files(&["variants/appmesh-v1beta1.yaml"]));
        plays(&room, &first_app_mesh()).await;
        uninstall(&lab, &APP_MESH);
    }
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    serve_early_tcp_routes(&lab, false);
    lab.close().await;
}

/// Clusters before Gateway API 1.6 serve TCPRoutes as v1alpha2. Today's definition has that version, too, but does not serve it.
fn serve_early_tcp_routes(lab: &Lab, serve: bool) {
    let patch = json!([
        {"op": "test", "path": "/spec/versions/1/name", "value": "v1alpha2"},
        {"op": "replace", "path": "/spec/versions/1/served", "value": serve},
    ]);
    let name = "tcproutes.gateway.networking.k8s.io";
    let output = lab.kubectl(&["patch", "crd", name, "--type=json", "-p", &patch.to_string()]);
    assert!(output.status.success(), "{output:?}");
}

/// Without the user's route, or its rule, a canary says so, and goes on when it is there.
async fn waits_for_its_route(room: &cluster::lab::Room<'_>) {
    room.create("deployments", deployment("lost")).await;
    let mut object = canary("lost");
    object["spec"]["routeRef"] = own_reference("HTTPRoute", "lost", Some("main"));
    object["spec"]["service"] = json!({"port": 9898});
    room.create("canaries", object).await;
    room.until_told(
        "lost",
        &[
            "HTTPRoute lost-web.",
            "is not there; create it, or correct spec.routeRef",
        ],
    )
    .await;
    let mut route = own_rules(&json!([{"name": "lost", "port": 9898}]));
    route["metadata"] = json!({"name": "lost-web"});
    route["spec"]["rules"][1]["name"] = json!("mian");
    routes::create(room.lab, kinds::HTTP_ROUTE, &room.name, route).await;
    room.until_told("lost", &["has no rule with the name main; correct spec.routeRef"])
        .await;
    let mended = own_rules(&json!([{"name": "lost", "port": 9898}]));
    let at = routes::path(&kinds::HTTP_ROUTE.named(&room.name, "lost-web"));
    room.lab.call("PATCH", &at, Some(&mended)).await.unwrap();
    room.until_phase("lost", "Initialized").await;
}

/// Without its definition a canary says so, and waits.
async fn waits_for_its_kind(room: &cluster::lab::Room<'_>) {
    room.create("deployments", deployment("early")).await;
    let mut object = canary("early");
    object["spec"]["provider"] = json!("linkerd");
    object["spec"]["service"] = json!({"port": 9898});
    room.create("canaries", object).await;
    room.until_told("early", &["TrafficSplit split.smi-spec.io/v1alpha1 is not installed"])
        .await;
}
