//! Services as targets: the user's own Service is the release, and routes move traffic between two copies of it (workloads.md 15.1).
//!
//! The copies serve routes inside of the cluster. So they never ask for what there is only once: addresses, node ports, a load
//! balancer. The peer copies these fields, and the API server refuses them (WL-6, SV-1, observed A1).

use crds::Canary;
use serde_json::{Map, Value, json};

use super::metadata::{self, by_prefix, put_map, settled};
use crate::{
    Settings,
    json::set,
    objects::{is_controlled_by, kinds, metadata_map, owner_reference, without_toolkit},
    revision,
};

/// Which copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What was promoted last.
    Primary,
    /// What the target is now.
    Canary,
}

/// Addresses that the API server gives to each Service.
const OWN_ADDRESSES: [&str; 4] = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];
/// What belongs to node ports, load balancers and outside addresses.
const OF_THE_OUTSIDE: [&str; 8] = [
    "allocateLoadBalancerNodePorts",
    "externalIPs",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "trafficDistribution",
];

/// Hash of what a copy would take over. Addresses and node ports that the API server hands out are no revision.
pub(super) fn revision(object: &Value) -> String {
    let mut spec = shared(object);
    if let Some(own) = object["spec"].get("trafficDistribution") {
        spec.insert("trafficDistribution".to_owned(), own.clone());
    }
    revision::of(&Value::Object(spec))
}

/// The copy of the target as it shall be, made from the copy as it is. What others put on it stays, its owner, too (WL-17).
pub fn copy(canary: &Canary, settings: &Settings, target: &Value, role: Role, current: Option<&Value>) -> Value {
    let mut desired = current.cloned().unwrap_or_else(|| blank(canary, role));
    put_metadata(canary, settings, target, current, &mut desired);
    let mut spec = shared(target);
    let chosen = canary.spec.service.as_ref();
    let chosen = chosen.and_then(|service| service.traffic_distribution.clone());
    let distribution = match chosen.filter(|text| !text.is_empty()) {
        Some(text) => Some(Value::String(text)),
        None => target["spec"].get("trafficDistribution").cloned(),
    };
    if let Some(distribution) = distribution {
        spec.insert("trafficDistribution".to_owned(), distribution);
    }
    let is_name = spec.get("type").is_some_and(|kind| kind == "ExternalName");
    match current {
        Some(current) if !is_name => {
            let own = OWN_ADDRESSES.map(|field| (field, current["spec"].get(field)));
            let own = own.into_iter().filter_map(|(field, value)| Some((field, value?)));
            spec.extend(own.map(|(field, value)| (field.to_owned(), value.clone())));
        }
        None if target["spec"]["clusterIP"] == "None" => {
            spec.insert("clusterIP".to_owned(), "None".into());
        }
        _ => {}
    }
    set(&mut desired, &["spec"], Value::Object(spec));
    desired
}

/// The target's spec without what each Service has for itself.
fn shared(target: &Value) -> Map<String, Value> {
    let fields = target["spec"].as_object().into_iter().flatten();
    let mut spec: Map<String, Value> = fields
        .filter(|(field, _)| !OWN_ADDRESSES.contains(&field.as_str()) && !OF_THE_OUTSIDE.contains(&field.as_str()))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    if spec.get("type").is_some_and(|kind| kind != "ExternalName") {
        spec.insert("type".to_owned(), "ClusterIP".into());
    }
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(fields) = port.as_object_mut() {
            fields.remove("nodePort");
        }
    }
    spec
}

fn blank(canary: &Canary, role: Role) -> Value {
    json!({
        "apiVersion": kinds::SERVICE.api_version(),
        "kind": kinds::SERVICE.kind,
        "metadata": {
            "name": name(canary, role),
            "namespace": canary.namespace(),
            "ownerReferences": [owner_reference(canary)],
        },
    })
}

/// Name of the copy; `service.name` has no say here (services.md 11).
pub fn name(canary: &Canary, role: Role) -> String {
    let suffix = match role {
        Role::Primary => "primary",
        Role::Canary => "canary",
    };
    format!("{}-{suffix}", canary.spec.target_ref.name)
}

fn put_metadata(canary: &Canary, settings: &Settings, target: &Value, current: Option<&Value>, desired: &mut Value) {
    if current.is_some_and(|current| !is_controlled_by(current, canary)) {
        return;
    }
    let prefixes = &settings.include_label_prefixes;
    for field in ["labels", "annotations"] {
        let of_target = metadata_map(target, field);
        // A new copy looks like its target; later, only what the prefixes name follows it (workloads.md 15.1).
        let mut ours = match current {
            None => without_toolkit(&of_target),
            Some(_) => by_prefix(&of_target, prefixes),
        };
        ours.retain(|key, _| !metadata::is_of_one_object(key));
        let map = settled(metadata_map(desired, field), ours, prefixes);
        put_map(desired, field, map);
    }
}

#[cfg(test)]
mod tests;
