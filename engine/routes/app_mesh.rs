//! Providers of AWS App Mesh (routers-mesh.md 6, 7): a VirtualNode for each side, a route that shares traffic between them, and another one
//! that leads to the canary alone, for acceptance tests.
//!
//! In v1beta2 routes stand in a VirtualRouter with a VirtualService in front; in v1beta1 a VirtualService has both. Every object is kept
//! as the Canary says (the peer never looks at a VirtualService again: RM-22), and what App Mesh adds to them stays.

mod nodes;
mod routers;
#[cfg(test)]
mod tests;

use crds::{Canary, service::Service};
use serde_json::{Value, json};

use super::{Capabilities, Context, Provider, Refused, Split, Unready, adoption, order};
use crate::{ObjectRef, json as tree, objects::kinds, services};
use routers::Side;

/// The API versions, whose objects differ in names and shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The current API.
pub(super) const V1BETA2: Provider = Provider {
    name: "appmesh:v1beta2",
    about: "AWS App Mesh",
    capabilities: CAPABILITIES,
    kinds: &[
        kinds::VIRTUAL_NODE_V1BETA2,
        kinds::VIRTUAL_ROUTER_V1BETA2,
        kinds::MESH_SERVICE_V1BETA2,
    ],
    notes: "A/B tests compare headers. Of `service.match` the first path prefix counts. gRPC needs a `service.portName` that contains `grpc`.",
    claims: |name| name.starts_with("appmesh:v1beta2"),
    objects: |canary| objects(canary, Version::Two),
    desired: |context, split, _| desired(context, split, Version::Two),
    observed: |context| observed(context, Version::Two),
    // App Mesh reports on its objects for AWS' sake; traffic follows within seconds, and a run would wait for nothing else.
    accepted: |_| Ok(()),
    reverted,
};

/// The first API.
pub(super) const V1BETA1: Provider = Provider {
    name: "appmesh",
    about: "AWS App Mesh, its first API",
    kinds: &[kinds::VIRTUAL_NODE_V1BETA1, kinds::MESH_SERVICE_V1BETA1],
    notes: "`appmesh:v1beta1` is the same. Needs `service.meshName`. `timeout` counts at App Mesh's gateway only, where `service.hosts` is set.",
    claims: |name| matches!(name, "appmesh" | "appmesh:v1beta1"),
    objects: |canary| objects(canary, Version::One),
    desired: |context, split, _| desired(context, split, Version::One),
    observed: |context| observed(context, Version::One),
    ..V1BETA2
};

const CAPABILITIES: Capabilities = Capabilities {
    weights: true,
    ab: true,
    retries: true,
    timeouts: true,
    revert: true,
    grpc: true,
    ..Capabilities::NONE
};

/// What a route says about the protocol of its requests.
fn is_grpc(service: &Service) -> bool {
    service.port_name.as_deref().is_some_and(|name| name.contains("grpc"))
}

fn protocol(service: &Service) -> &'static str {
    if is_grpc(service) { "grpc" } else { "http" }
}

/// Nodes first: a route must not lead to what is not there.
fn objects(canary: &Canary, version: Version) -> Vec<ObjectRef> {
    let (namespace, apex) = (canary.namespace(), canary.spec.apex_name());
    let sides = [canary.spec.canary_service_name(), canary.spec.primary_service_name()];
    let canary_route = format!("{apex}-canary");
    match version {
        Version::One => {
            let node = |name: &str| kinds::VIRTUAL_NODE_V1BETA1.named(namespace, name);
            let service = |name: &str| kinds::MESH_SERVICE_V1BETA1.named(namespace, &format!("{name}.{namespace}"));
            vec![
                node(apex),
                node(&sides[1]),
                node(&sides[0]),
                service(apex),
                service(&canary_route),
            ]
        }
        Version::Two => {
            let node = |name: &str| kinds::VIRTUAL_NODE_V1BETA2.named(namespace, name);
            let router = |name: &str| kinds::VIRTUAL_ROUTER_V1BETA2.named(namespace, name);
            let service = |name: &str| kinds::MESH_SERVICE_V1BETA2.named(namespace, name);
            vec![
                node(&sides[1]),
                node(&sides[0]),
                router(apex),
                service(apex),
                router(&canary_route),
                service(&canary_route),
            ]
        }
    }
}

/// Place of the object that carries the weights.
const fn weighted(version: Version) -> usize {
    match version {
        Version::One => 3,
        Version::Two => 2,
    }
}

fn desired(context: &Context<'_>, split: Split, version: Version) -> Result<Vec<Value>, Refused> {
    let (canary, service) = (context.canary, context.service()?);
    let port = services::port(canary)?;
    let apex = canary.spec.apex_name();
    let refs = objects(canary, version);
    let at = |place: usize| refs.get(place).zip(Some(place));
    let make = |place: usize, fill: &dyn Fn(&mut Value)| -> Option<Value> {
        let (at, place) = at(place)?;
        let current = context.at(place);
        let mut object = current.cloned().unwrap_or_else(|| context.fresh(at));
        fill(&mut object);
        if let Some(current) = current {
            object["spec"] = order::settled(object["spec"].take(), &current["spec"]);
            adoption::remember(&mut object, current, canary, is_ours(current, canary));
        }
        Some(object)
    };
    let node = |place: usize, side: &str| make(place, &|object| nodes::fill(object, context, service, side, version));
    let both = routers::Frame::new(context, service, port, version)?;
    let main = both.routes(apex, split, Side::Both, context.at(weighted(version)))?;
    let tested = both.routes(&format!("{apex}-canary"), Split::CANARY, Side::Canary, context.at(4))?;
    let router =
        |place: usize, name: &str, routes: &[Value]| make(place, &|object| both.fill_router(object, name, routes));
    let (primary, canary_side) = (canary.spec.primary_service_name(), canary.spec.canary_service_name());
    let canary_route = format!("{apex}-canary");
    let all = match version {
        Version::One => vec![
            node(0, &primary),
            node(1, &primary),
            node(2, &canary_side),
            make(3, &|object| {
                both.fill_router(object, apex, &main);
                routers::expose(object, service);
            }),
            router(4, &canary_route, &tested),
        ],
        Version::Two => vec![
            node(0, &primary),
            node(1, &canary_side),
            router(2, apex, &main),
            make(3, &|object| {
                provide(object, apex);
                routers::expose(object, service);
            }),
            router(4, &canary_route, &tested),
            make(5, &|object| provide(object, &canary_route)),
        ],
    };
    Ok(all.into_iter().flatten().collect())
}

/// The VirtualService of v1beta2: a name for a router.
fn provide(object: &mut Value, router: &str) {
    tree::set(
        object,
        &["spec", "provider"],
        json!({"virtualRouter": {"virtualRouterRef": {"name": router}}}),
    );
}

/// Whether an object says what we write: it leads to our nodes, or is one.
fn is_ours(object: &Value, canary: &Canary) -> bool {
    let text = object["spec"].to_string();
    let ours = [canary.spec.primary_service_name(), canary.spec.canary_service_name()];
    let named = |name: &String| {
        text.contains(&format!("\"{name}\"")) || text.contains(&format!("\"{name}.{}", canary.namespace()))
    };
    let router = &object["spec"]["provider"]["virtualRouter"]["virtualRouterRef"]["name"];
    ours.iter().any(named) || router == canary.spec.apex_name()
}

fn observed(context: &Context<'_>, version: Version) -> Result<Split, Unready> {
    let canary = context.canary;
    let place = weighted(version);
    let name = objects(canary, version)
        .get(place)
        .map(ToString::to_string)
        .unwrap_or_default();
    let object = context.at(place).ok_or_else(|| Unready::Absent(name.clone()))?;
    routers::shares(object, canary)
        .and_then(|(primary, canary)| Split::of_shares(primary, canary))
        .ok_or(Unready::NoSplit(name))
}

fn reverted(context: &Context<'_>) -> Vec<Option<Value>> {
    let seen = context.current.iter();
    let restored = seen.map(|current| current.and_then(|current| adoption::restored(current, context.canary)));
    restored.collect()
}

/// Milliseconds of a Go duration; `None` where it cannot be read, as with the peer.
fn millis(text: Option<&String>) -> Option<i64> {
    let duration = crds::decode::go_duration(text?)?;
    i64::try_from(duration.as_millis()).ok()
}

/// The live entry of this name in a list, or a new one.
fn entry(list: &Value, name: &str) -> Value {
    let mut entries = list.as_array().into_iter().flatten();
    let found = entries.find(|entry| entry.is_object() && entry["name"] == name);
    found.cloned().unwrap_or_else(|| json!({ "name": name }))
}

/// Set the field where there is a value, else take it away.
fn put(object: &mut Value, key: &str, value: Option<Value>) {
    let is_present = value.is_some();
    super::put_or_remove(object, key, is_present, value.unwrap_or_default());
}
