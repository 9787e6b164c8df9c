//! Parents of a route: how they are written, and what they say of it.

use crds::service::GatewayRef;
use serde_json::{Value, json};

use crate::{
    ObjectRef, json as tree,
    routes::{Context, Refused, Unready},
};

/// The parents of `service.gatewayRefs`, as the API server stores them: gateways, or with a mesh the apex Service itself (RM-35).
pub(super) fn stored(given: &[GatewayRef]) -> Result<Vec<Value>, Refused> {
    if given.is_empty() {
        return Err(Refused::field(
            "service.gatewayRefs",
            "the route needs at least one parent",
        ));
    }
    Ok(given.iter().map(parent).collect())
}

fn parent(given: &GatewayRef) -> Value {
    let present = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut parent = json!({
        "group": given.group.as_deref().unwrap_or("gateway.networking.k8s.io"),
        "kind": given.kind.as_deref().unwrap_or("Gateway"),
        "name": given.name,
    });
    if let Some(namespace) = present(&given.namespace) {
        parent["namespace"] = json!(namespace);
    }
    if let Some(section) = present(&given.section_name) {
        parent["sectionName"] = json!(section);
    }
    if let Some(port) = given.port.filter(|port| *port != 0) {
        parent["port"] = json!(port);
    }
    parent
}

/// Each parent that reports about the route must have accepted this generation of it; a parent that says nothing has nothing against
/// it (routers-mesh.md 4.3). A condition without `observedGeneration` counts as current: Linkerd reports none (RM-11).
pub(super) fn accepted(context: &Context<'_>, object: &ObjectRef) -> Result<(), Unready> {
    let route = context.at(0).ok_or_else(|| Unready::Absent(object.to_string()))?;
    let wanted = route["spec"]["parentRefs"].as_array().map_or(&[][..], Vec::as_slice);
    let wanted: Vec<Value> = wanted
        .iter()
        .map(|parent| identity(parent, &object.namespace))
        .collect();
    let generation = route["metadata"]["generation"].as_i64().unwrap_or_default();
    let reports = route["status"]["parents"].as_array().into_iter().flatten();
    for report in reports {
        let parent = identity(&report["parentRef"], &object.namespace);
        if !wanted.contains(&parent) {
            continue;
        }
        if let Some(why) = objection(&report["conditions"], generation) {
            let text = |key: &str| parent[key].as_str().unwrap_or_default().to_owned();
            return Err(Unready::NotAccepted {
                route: object.to_string(),
                parent: format!("{}/{}", text("namespace"), text("name")),
                why,
            });
        }
    }
    Ok(())
}

/// A parent reference with its defaults, so that two ways to write the same one are equal.
fn identity(parent: &Value, namespace: &str) -> Value {
    let mut full = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace});
    tree::merge(&mut full, parent);
    full
}

fn objection(conditions: &Value, generation: i64) -> Option<String> {
    let conditions = conditions.as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "Accepted")?;
    if condition["status"] != "True" {
        let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
        return Some(format!("{}: {}", text("reason"), text("message")));
    }
    let seen = condition["observedGeneration"].as_i64().unwrap_or(generation);
    (seen < generation).then(|| format!("it has seen generation {seen} of {generation}"))
}
