//! Provider `kuma`: one TrafficRoute with the name of the apex, for all callers in the mesh (routers-mesh.md 9).
//!
//! TrafficRoutes belong to the whole cluster. So two canaries of one name in two namespaces are told apart by what the route leads to, and the
//! second is refused instead of taking the first one's traffic (RM-22); and as nothing in a namespace can own one, it goes with
//! `revertOnDeletion`.

#[cfg(test)]
mod tests;

use crds::Canary;
use serde_json::{Value, json};

use super::{Capabilities, Context, Provider, Refused, Split, Unready, adoption, order, put_or_remove};
use crate::{ObjectRef, json as tree, objects, objects::kinds, services};

/// Tag by which Kuma knows a Service.
const SERVICE: &str = "kuma.io/service";
/// Annotation of the Canary that names its mesh.
const MESH: &str = "kuma.io/mesh";
/// The mesh of Canaries that name none.
const DEFAULT_MESH: &str = "default";
/// Kuma puts labels of its own on its objects.
const KUMA: &str = "kuma.io/";

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "kuma",
    about: "Kuma",
    capabilities: Capabilities {
        weights: true,
        revert: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::TRAFFIC_ROUTE],
    notes: "The annotation `kuma.io/mesh` of the Canary names the mesh. TrafficRoutes belong to the whole cluster: give canaries of one name \
            in two namespaces different `service.name`s, and set `revertOnDeletion`, or the route stays when the Canary goes.",
    claims: |name| name == "kuma",
    objects: |canary| vec![reference(canary)],
    desired: |context, split, _| Ok(vec![desired(context, split)?]),
    observed,
    // Kuma reports nothing on a TrafficRoute.
    accepted: |_| Ok(()),
    reverted: |context| vec![context.at(0).and_then(|route| reverted(route, context.canary))],
};

fn reference(canary: &Canary) -> ObjectRef {
    kinds::TRAFFIC_ROUTE.named(canary.namespace(), canary.spec.apex_name())
}

fn desired(context: &Context<'_>, split: Split) -> Result<Value, Refused> {
    let (canary, service) = (context.canary, context.service()?);
    let port = services::port(canary)?;
    let current = context.at(0);
    let live = current.map_or(&Value::Null, |route| &route["spec"]);
    if let Some(other) = current.and_then(|route| elsewhere(route, canary)) {
        let why = format!(
            "{} carries the traffic of namespace {other}; name this one differently",
            reference(canary)
        );
        return Err(Refused::field("service.name", why));
    }
    let tag = |name: &str| json!({SERVICE: format!("{name}_{}_svc_{port}", canary.namespace())});
    let shares = [
        (canary.spec.primary_service_name(), split.primary),
        (canary.spec.canary_service_name(), split.canary),
    ];
    let shares = shares.map(|(name, weight)| json!({"weight": weight, "destination": tag(&name)}));

    let base = current.cloned().unwrap_or_else(|| context.fresh(&reference(canary)));
    let mut route = context.dressed(base, service);
    keep_labels_of_kuma(&mut route, current);
    if let Some(current) = current {
        adoption::remember(&mut route, current, canary, is_ours(current, canary));
    }
    let mesh = canary.metadata.annotations.as_ref().and_then(|all| all.get(MESH));
    route["mesh"] = json!(mesh.map_or(DEFAULT_MESH, String::as_str));
    tree::set(&mut route, &["spec", "sources"], json!([{"match": {SERVICE: "*"}}]));
    let root = json!([{"match": tag(canary.spec.apex_name())}]);
    tree::set(&mut route, &["spec", "destinations"], root);
    // Rules of a route that was there before leave nothing behind (RM-18); what is added to ours stays. A route has a split or a destination.
    if current.is_some_and(|current| !is_ours(current, canary)) {
        put_or_remove(&mut route["spec"], "conf", false, Value::Null);
    }
    tree::set(&mut route, &["spec", "conf", "split"], json!(shares));
    put_or_remove(&mut route["spec"]["conf"], "destination", false, Value::Null);
    route["spec"] = order::settled(route["spec"].take(), live);
    Ok(route)
}

fn keep_labels_of_kuma(route: &mut Value, current: Option<&Value>) {
    let live = current
        .map(|route| objects::metadata_map(route, "labels"))
        .unwrap_or_default();
    for (key, value) in live.into_iter().filter(|(key, _)| key.contains(KUMA)) {
        tree::set(route, &["metadata", "labels", key.as_str()], json!(value));
    }
}

fn shares(route: &Value) -> impl Iterator<Item = (&str, i64)> {
    let entries = route["spec"]["conf"]["split"].as_array().into_iter().flatten();
    entries.filter_map(|entry| {
        let tag = entry["destination"][SERVICE].as_str()?;
        Some((tag, entry["weight"].as_i64().unwrap_or(0)))
    })
}

/// The parts of `<service>_<namespace>_svc_<port>`; neither name can have a `_`.
fn parts(tag: &str) -> Option<(&str, &str)> {
    let (service, rest) = tag.split_once('_')?;
    let (namespace, _) = rest.split_once('_')?;
    Some((service, namespace))
}

/// The namespace of another canary of this name, where the route is that one's.
fn elsewhere<'r>(route: &'r Value, canary: &Canary) -> Option<&'r str> {
    let primary = canary.spec.primary_service_name();
    let mut found = shares(route).filter_map(|(tag, _)| parts(tag));
    let other = found.find(|(service, namespace)| *service == primary && *namespace != canary.namespace());
    other.map(|(_, namespace)| namespace)
}

/// Nothing can own a route, so what tells is where it leads, or, after a foreign edit of that, the annotations that all our objects carry.
fn is_ours(route: &Value, canary: &Canary) -> bool {
    let annotations = objects::metadata_map(route, "annotations");
    let mut marks = objects::GITOPS_ANNOTATIONS.into_iter();
    let is_marked = marks.all(|(key, value)| annotations.get(key).is_some_and(|found| found == value));
    is_marked || share(route, canary, &canary.spec.primary_service_name()).is_some()
}

fn share(route: &Value, canary: &Canary, service: &str) -> Option<i64> {
    let found = shares(route).find(|(tag, _)| parts(tag) == Some((service, canary.namespace())));
    found.map(|(_, weight)| weight)
}

fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let canary = context.canary;
    let at = reference(canary);
    let route = context.at(0).ok_or_else(|| Unready::Absent(at.to_string()))?;
    let primary = share(route, canary, &canary.spec.primary_service_name());
    let shares = primary.zip(share(route, canary, &canary.spec.canary_service_name()));
    shares
        .and_then(|(primary, canary)| Split::of_shares(primary, canary))
        .ok_or_else(|| Unready::NoSplit(at.to_string()))
}

/// A route that was there before gets back what it said; one that was made here goes, as no owner takes it along (observed.md E16).
fn reverted(route: &Value, canary: &Canary) -> Option<Value> {
    if elsewhere(route, canary).is_some() {
        return None;
    }
    let restored = adoption::restored(route, canary);
    restored.or_else(|| is_ours(route, canary).then_some(Value::Null))
}
