//! HorizontalPodAutoscaler `autoscaling/v2` (workloads.md 14.1).

use crds::{Canary, Number, canary::AutoscalerRef};
use serde_json::{Value, json};

use crate::{
    json::set,
    objects::{metadata_map, owner_reference, without_toolkit},
};

/// `autoscalerRef.kind` of this scaler.
pub const KIND: &str = "HorizontalPodAutoscaler";
/// What an HPA copies from the target's.
const COPIED: [&str; 4] = ["minReplicas", "maxReplicas", "metrics", "behavior"];

/// The primary's HPA, built on its present state so that foreign fields stay: limits, metrics and behaviour of `source`, the canary's
/// overrides on top, pointed at the primary.
pub fn primary(canary: &Canary, scaler: &AutoscalerRef, source: &Value, current: Option<&Value>) -> Value {
    let mut desired = current.cloned().unwrap_or_else(|| fresh(canary, scaler, source));
    for field in COPIED {
        match source["spec"].get(field) {
            Some(value) => set(&mut desired, &["spec", field], value.clone()),
            None => remove(&mut desired, field),
        }
    }
    let limits = scaler.primary_scaler_replicas.clone().unwrap_or_default();
    for (field, limit) in [
        ("minReplicas", limits.min_replicas),
        ("maxReplicas", limits.max_replicas),
    ] {
        if let Some(limit) = limit.and_then(Number::whole) {
            set(&mut desired, &["spec", field], limit.into());
        }
    }
    let mut reference = source["spec"]["scaleTargetRef"].clone();
    set(&mut reference, &["name"], canary.spec.primary_name().into());
    set(&mut desired, &["spec", "scaleTargetRef"], reference);
    desired
}

fn fresh(canary: &Canary, scaler: &AutoscalerRef, source: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "autoscaling/v2",
        "kind": KIND,
        "metadata": {
            "name": format!("{}-primary", scaler.name),
            "namespace": canary.namespace(),
            "ownerReferences": [owner_reference(canary)],
        },
        "spec": {},
    });
    let labels = without_toolkit(&metadata_map(source, "labels"));
    if !labels.is_empty() {
        set(&mut object, &["metadata", "labels"], json!(labels));
    }
    object
}

fn remove(object: &mut Value, field: &str) {
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove(field);
    }
}

#[cfg(test)]
mod tests;
