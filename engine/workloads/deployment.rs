//! Primary Deployments.

use serde_json::{Map, Value, json};

use super::{Projection, metadata};
use crate::{
    json::set,
    objects::{kinds, owner_reference},
};

/// Fields of `spec` that a primary does not take from its target as they are. All others, known here or not, follow the target.
const OWN_FIELDS: [&str; 4] = ["paused", "replicas", "selector", "template"];

/// The primary Deployment that does not exist yet (workloads.md 6).
pub(super) fn new_primary(projection: &Projection<'_>, target: &Value) -> Value {
    let mut primary = json!({
        "apiVersion": kinds::DEPLOYMENT.api_version(),
        "kind": kinds::DEPLOYMENT.kind,
        "metadata": {
            "name": projection.canary.spec.primary_name(),
            "namespace": projection.canary.namespace(),
            "ownerReferences": [owner_reference(projection.canary)],
        },
        "spec": inherited(target),
    });
    metadata::project(projection, target, &mut primary);
    let replicas = super::replicas(target);
    set(
        &mut primary,
        &["spec", "replicas"],
        if replicas > 0 { replicas } else { 1 }.into(),
    );
    set(
        &mut primary,
        &["spec", "selector"],
        json!({"matchLabels": {projection.selector_key: projection.primary_value()}}),
    );
    set(&mut primary, &["spec", "template"], projection.template(target));
    primary
}

/// The live primary with the target's release (workloads.md 8). Selector, owners, a pause and what others put on it stay.
pub(super) fn promoted(projection: &Projection<'_>, target: &Value, primary: &Value) -> Value {
    let mut desired = primary.clone();
    metadata::project(projection, target, &mut desired);
    let mut spec = inherited(target);
    for field in ["paused", "selector", "replicas"] {
        if let Some(own) = primary["spec"].get(field) {
            spec.insert(field.to_owned(), own.clone());
        }
    }
    set(&mut desired, &["spec"], Value::Object(spec));
    if projection.canary.spec.autoscaler_ref.is_none() {
        set(
            &mut desired,
            &["spec", "replicas"],
            promoted_replicas(target, primary).into(),
        );
    }
    let mut template = projection.template(target);
    // Older API servers send this null with every template; to drop it would be a difference for ever.
    if let Some(time) = primary["spec"]["template"]["metadata"].get("creationTimestamp") {
        set(&mut template, &["metadata", "creationTimestamp"], time.clone());
    }
    set(&mut desired, &["spec", "template"], template);
    desired
}

/// Promotion never scales the primary to zero: it is what all users are sent to (observed A2, WL-4). A target at zero leaves the
/// primary's count.
fn promoted_replicas(target: &Value, primary: &Value) -> i64 {
    let counts = [super::replicas(target), super::replicas(primary)];
    counts.into_iter().find(|count| *count > 0).unwrap_or(1)
}

fn inherited(target: &Value) -> Map<String, Value> {
    let fields = target["spec"].as_object().into_iter().flatten();
    fields
        .filter(|(field, _)| !OWN_FIELDS.contains(&field.as_str()))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}
