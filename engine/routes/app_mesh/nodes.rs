//! VirtualNodes: where the pods of a side are, and whom they may call.

use crds::service::Service;
use serde_json::{Value, json};

use super::{Version, millis, protocol, put};
use crate::{json as tree, routes::Context, services};

/// Annotation of the Canary that has the proxies log requests.
const ACCESS_LOG: &str = "appmesh.flagger.app/accesslog";

/// Make `object` the node of `side`, the name of a Service. Fields of the listener that are not set here are kept.
pub(super) fn fill(object: &mut Value, context: &Context<'_>, service: &Service, side: &str, version: Version) {
    let canary = context.canary;
    // The peer reconciles nodes before it has put the selector's label beside the apex' own (routers-mesh.md 0.5).
    let plain = Context {
        selector_key: None,
        ..context.clone()
    };
    let mut node = plain.dressed(object.take(), service);
    let namespace = canary.namespace();
    let mut listener = node["spec"]["listeners"][0].clone();
    match version {
        Version::One => {
            tree::set(&mut node, &["spec", "meshName"], json!(service.mesh_name));
            let host = format!("{side}.{namespace}");
            tree::set(&mut node, &["spec", "serviceDiscovery", "dns", "hostName"], json!(host));
            let port = services::port(canary).unwrap_or_default();
            tree::set(
                &mut listener,
                &["portMapping"],
                json!({"port": port, "protocol": protocol(service)}),
            );
        }
        Version::Two => {
            let host = format!("{side}.{namespace}.svc.cluster.local.");
            tree::set(&mut node, &["spec", "serviceDiscovery", "dns", "hostname"], json!(host));
            tree::set(
                &mut node,
                &["spec", "podSelector"],
                json!({"matchLabels": pods(context, side)}),
            );
            let mapping = json!({"port": container_port(context, service), "protocol": protocol(service)});
            tree::set(&mut listener, &["portMapping"], mapping);
            let timeout = millis(service.timeout.as_ref());
            let timeout =
                timeout.map(|millis| json!({protocol(service): {"perRequest": {"unit": "ms", "value": millis}}}));
            put(&mut listener, "timeout", timeout);
        }
    }
    tree::set(&mut node, &["spec", "listeners"], json!([listener]));
    let backends: Vec<Value> = service
        .backends
        .iter()
        .map(|backend| json!({"virtualService": named(backend, version)}))
        .collect();
    put(
        &mut node["spec"],
        "backends",
        (!backends.is_empty()).then(|| json!(backends)),
    );
    log_requests(&mut node, context);
    *object = node;
}

fn named(backend: &str, version: Version) -> Value {
    match version {
        Version::One => json!({"virtualServiceName": backend}),
        Version::Two if backend.starts_with("arn:aws") => json!({"virtualServiceARN": backend}),
        Version::Two => json!({"virtualServiceRef": {"name": backend}}),
    }
}

/// The label of the side's pods. The peer takes the target's name for its value, which need not be the same (routers-mesh.md 7).
fn pods(context: &Context<'_>, side: &str) -> Value {
    let spec = &context.canary.spec;
    let key = context.selector_key.unwrap_or("app");
    let value = context.selector_value.unwrap_or(&spec.target_ref.name);
    if side == spec.primary_service_name() {
        return json!({key: format!("{value}-primary")});
    }
    json!({ key: value })
}

/// Envoy calls the container, whose port is `targetPort` where that is a number.
pub(super) fn container_port(context: &Context<'_>, service: &Service) -> i64 {
    let given = json!(service.target_port).as_i64().filter(|port| *port > 0);
    given.unwrap_or_else(|| services::port(context.canary).unwrap_or_default())
}

/// What people log otherwise is theirs.
fn log_requests(node: &mut Value, context: &Context<'_>) {
    let annotations = context.canary.metadata.annotations.as_ref();
    let is_asked = annotations
        .and_then(|all| all.get(ACCESS_LOG))
        .is_some_and(|value| value == "enabled");
    let ours = json!({"accessLog": {"file": {"path": "/dev/stdout"}}});
    if is_asked {
        tree::set(
            node,
            &["spec", "logging", "accessLog", "file", "path"],
            json!("/dev/stdout"),
        );
    } else if node["spec"]["logging"] == ours {
        put(&mut node["spec"], "logging", None);
    }
}
