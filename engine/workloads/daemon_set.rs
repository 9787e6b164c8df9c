//! DaemonSets. They have no replicas: "zero" is a node selector that no node fulfils (workloads.md 10).

use serde_json::{Map, Value, json};

use super::{Projection, metadata};
use crate::{
    json::set,
    objects::{kinds, owner_reference},
    revision,
};

/// Key of the node selector that keeps all pods away; its value is `true` (workloads.md 1).
pub const ZERO_SELECTOR: &str = "flagger.app/scale-to-zero";
/// Fields of `spec` that a primary does not take from its target as they are.
const OWN_FIELDS: [&str; 2] = ["selector", "template"];

/// Hash of the pod template as if the DaemonSet were not scaled to zero.
pub(super) fn revision(target: &Value) -> String {
    revision::of(&scaled(target, true)["spec"]["template"])
}

/// Whether no node may run its pods.
pub(super) fn is_at_zero(object: &Value) -> bool {
    !object["spec"]["template"]["spec"]["nodeSelector"][ZERO_SELECTOR].is_null()
}

/// The DaemonSet on its nodes, or on none. A selector of the user's own stays.
pub(super) fn scaled(object: &Value, on: bool) -> Value {
    let mut desired = object.clone();
    if !on {
        let at = ["spec", "template", "spec", "nodeSelector", ZERO_SELECTOR];
        set(&mut desired, &at, "true".into());
        return desired;
    }
    free(&mut desired["spec"]["template"]);
    desired
}

/// Take the selector away; the map too if nothing else is in it, as the API server stores no empty one that it was not given.
fn free(template: &mut Value) {
    let Some(pods) = template.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(selector) = pods.get_mut("nodeSelector").and_then(Value::as_object_mut) else {
        return;
    };
    if selector.remove(ZERO_SELECTOR).is_some() && selector.is_empty() {
        pods.remove("nodeSelector");
    }
}

/// The primary that does not exist yet. It runs also when its target does not (WL-8).
pub(super) fn new_primary(projection: &Projection<'_>, target: &Value) -> Value {
    let mut primary = json!({
        "apiVersion": kinds::DAEMON_SET.api_version(),
        "kind": kinds::DAEMON_SET.kind,
        "metadata": {
            "name": projection.canary.spec.primary_name(),
            "namespace": projection.canary.namespace(),
            "ownerReferences": [owner_reference(projection.canary)],
        },
        "spec": inherited(target),
    });
    metadata::project(projection, target, &mut primary);
    let selector = json!({"matchLabels": {projection.selector_key: projection.primary_value()}});
    set(&mut primary, &["spec", "selector"], selector);
    set(&mut primary, &["spec", "template"], template(projection, target));
    primary
}

/// The live primary with the target's release. Selector, owners and what others put on it stay.
pub(super) fn promoted(projection: &Projection<'_>, target: &Value, primary: &Value) -> Value {
    let mut desired = primary.clone();
    metadata::project(projection, target, &mut desired);
    let mut spec = inherited(target);
    if let Some(own) = primary["spec"].get("selector") {
        spec.insert("selector".to_owned(), own.clone());
    }
    let mut template = template(projection, target);
    // Older API servers send this null with every template; to drop it would be a difference for ever.
    if let Some(time) = primary["spec"]["template"]["metadata"].get("creationTimestamp") {
        set(&mut template, &["metadata", "creationTimestamp"], time.clone());
    }
    spec.insert("template".to_owned(), template);
    set(&mut desired, &["spec"], Value::Object(spec));
    desired
}

fn template(projection: &Projection<'_>, target: &Value) -> Value {
    let mut template = projection.template(target);
    free(&mut template);
    template
}

fn inherited(target: &Value) -> Map<String, Value> {
    let fields = target["spec"].as_object().into_iter().flatten();
    fields
        .filter(|(field, _)| !OWN_FIELDS.contains(&field.as_str()))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// With `OnDelete` nothing rolls by itself, so neither a run nor a promotion would come to its end (workloads.md 10).
pub(super) fn impediment(target: &Value) -> Option<String> {
    let strategy = target["spec"]["updateStrategy"]["type"]
        .as_str()
        .unwrap_or("RollingUpdate");
    (strategy != "RollingUpdate").then(|| {
        format!("spec.updateStrategy.type {strategy} cannot be released, as its pods do not follow the spec; use RollingUpdate")
    })
}

/// Target and primary run on the same nodes, and a port of the node can be had once (WL-40).
pub(super) fn warnings(target: &Value) -> Vec<String> {
    let pods = &target["spec"]["template"]["spec"];
    let containers = pods["containers"].as_array().into_iter().flatten();
    let ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let taken = ports.filter_map(|port| port["hostPort"].as_i64().filter(|number| *number > 0));
    let taken: Vec<String> = taken.map(|number| number.to_string()).collect();
    if taken.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "host port {} can be used by one of target and primary only: they run on the same nodes, and the other one will not start",
        taken.join(", ")
    )]
}
