//! An apex that was there before its Canary: what it said is kept in an annotation, and comes back with `revertOnDeletion` (services.md 7,
//! 10). The peer keeps nothing and restores the selector alone, from kubectl's annotation where there is one (SV-13).

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::Selector;
use crate::{
    json as tree,
    objects::{self, GITOPS_ANNOTATIONS, LAST_APPLIED, ORIGINAL},
};

/// The fields of `spec` that an adoption changes.
const TAKEN: [&str; 3] = ["ports", "selector", "trafficDistribution"];

/// Remember in `new` what `current` says, which `new` is about to replace: once, and nothing that is ours already. Where kubectl has
/// kept the manifest, that is the record, as with routes (RM-20).
pub(super) fn remember(new: &mut Value, current: &Value) {
    let annotations = &current["metadata"]["annotations"];
    let is_known = !annotations[LAST_APPLIED].is_null() || !annotations[ORIGINAL].is_null();
    let is_ours = new["spec"]["selector"] == current["spec"]["selector"];
    if is_known || is_ours {
        return;
    }
    let spec: Map<String, Value> = TAKEN
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), current["spec"].get(field)?.clone())))
        .collect();
    let kept: Map<String, Value> = GITOPS_ANNOTATIONS
        .into_iter()
        .filter_map(|(key, _)| Some((key.to_owned(), annotations.get(key)?.clone())))
        .collect();
    let original = json!({"metadata": {"annotations": kept}, "spec": spec});
    tree::set(new, &["metadata", "annotations", ORIGINAL], original.to_string().into());
}

/// The apex as it shall be when its Canary goes with `revertOnDeletion`: as it was before. `None`: a Canary controls it, so it is left to
/// garbage collection.
///
/// Without a record, or with one that cannot be read, the target's selector is all that is known, as with the peer, whose error would
/// block the deletion for ever.
pub fn reverted_apex(selector: &Selector, current: &Value) -> Option<Value> {
    if objects::controller_of(current).is_some_and(|owner| owner["kind"] == "Canary") {
        return None;
    }
    let annotations = &current["metadata"]["annotations"];
    let read = |key: &str| -> Option<Value> { serde_json::from_str(annotations[key].as_str()?).ok() };
    let original = read(ORIGINAL).or_else(|| read(LAST_APPLIED));
    let recorded = original
        .as_ref()
        .filter(|original| !objects::string_map(&original["spec"]["selector"]).is_empty());
    let mut apex = current.clone();
    let Some(original) = recorded else {
        let own = BTreeMap::from([(selector.key.clone(), selector.value.clone())]);
        tree::set(&mut apex, &["spec", "selector"], json!(own));
        return Some(apex);
    };
    let selector = objects::string_map(&original["spec"]["selector"]);
    tree::set(&mut apex, &["spec", "selector"], json!(selector));
    if let Some(ports) = original["spec"]["ports"].as_array().filter(|ports| !ports.is_empty()) {
        let ports = ports
            .iter()
            .map(|port| restored(port, &current["spec"]["ports"]))
            .collect();
        tree::set(&mut apex, &["spec", "ports"], ports);
    }
    put_back(
        &mut apex["spec"],
        "trafficDistribution",
        &original["spec"]["trafficDistribution"],
    );
    let kept = &original["metadata"]["annotations"];
    let annotations = &mut apex["metadata"]["annotations"];
    for (key, _) in GITOPS_ANNOTATIONS {
        put_back(annotations, key, &kept[key]);
    }
    put_back(annotations, ORIGINAL, &Value::Null);
    Some(apex)
}

/// A recorded port as the API server stores it: a manifest leaves out what has a default, and node ports are the cluster's.
fn restored(recorded: &Value, live: &Value) -> Value {
    let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
    let mut port = recorded.clone();
    if port.get("protocol").is_none() {
        tree::set(&mut port, &["protocol"], "TCP".into());
    }
    if port.get("targetPort").is_none() {
        tree::set(&mut port, &["targetPort"], recorded["port"].clone());
    }
    let is_same = |other: &&Value| other["port"] == port["port"] && protocol(other) == protocol(&port);
    let same = live.as_array().into_iter().flatten().find(is_same);
    if let (None, Some(node_port)) = (recorded.get("nodePort"), same.and_then(|same| same.get("nodePort"))) {
        let node_port = node_port.clone();
        tree::set(&mut port, &["nodePort"], node_port);
    }
    port
}

/// Set the field to what it was, or take it away where it was not there.
fn put_back(object: &mut Value, field: &str, was: &Value) {
    let Some(fields) = object.as_object_mut() else { return };
    if was.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), was.clone());
    }
}

#[cfg(test)]
mod tests;
