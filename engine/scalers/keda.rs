//! KEDA ScaledObject `keda.sh/v1alpha1` (workloads.md 14.2). The copy is made of raw JSON, so that fields this code has never heard of
//! arrive at the primary, and the user's object gets one annotation and nothing else (WL-12).

use crds::{Canary, Number, canary::AutoscalerRef};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::{
    json::set,
    objects::{kinds, metadata_map, owner_reference, without_toolkit},
    workloads::metadata::{is_of_one_object, put_map},
};

mod query;

/// While it is there, KEDA holds the target at this number of replicas.
const PAUSED: &str = "autoscaling.keda.sh/paused-replicas";
/// What [`PAUSED`] said before the target was held at zero.
const OWN_PAUSE: &str = "aviary/paused-replicas";
/// Start of the annotations that pause a scaler for a while. A copy that has them would pin the primary (WL-10, peer's issue 1934).
const TRANSIENT: &str = "autoscaling.keda.sh/paused";
/// Label by which KEDA marks each ScaledObject with its own name.
const OWN_NAME: &str = "scaledobject.keda.sh/name";

/// The primary's ScaledObject: the spec of `source`, pointed at the primary, with the Canary's limits and queries. Labels and annotations
/// are copied once; later they are the primary's own.
pub fn primary(canary: &Canary, scaler: &AutoscalerRef, source: &Value, current: Option<&Value>) -> Value {
    let mut desired = current.cloned().unwrap_or_else(|| fresh(canary, scaler, source));
    let mut spec = source["spec"].clone();
    set(
        &mut spec,
        &["scaleTargetRef", "name"],
        canary.spec.primary_name().into(),
    );
    let config = "/advanced/horizontalPodAutoscalerConfig/name";
    // The HPA that KEDA makes under this name; two ScaledObjects cannot share it.
    if let Some(name) = spec.pointer_mut(config)
        && let Some(given) = name.as_str().filter(|given| !given.is_empty())
    {
        *name = format!("{given}-primary").into();
    }
    let limits = scaler.primary_scaler_replicas.clone().unwrap_or_default();
    for (field, limit) in [
        ("minReplicaCount", limits.min_replicas),
        ("maxReplicaCount", limits.max_replicas),
    ] {
        if let Some(limit) = limit.and_then(Number::whole) {
            set(&mut spec, &[field], limit.into());
        }
    }
    let triggers = spec.get_mut("triggers").and_then(Value::as_array_mut);
    for trigger in triggers.into_iter().flatten() {
        point(trigger, canary, scaler.primary_scaler_queries.as_ref());
    }
    set(&mut desired, &["spec"], spec);
    desired
}

/// Let the trigger ask for the primary: the Canary's own query for a trigger of that name, else its query with the target's names
/// replaced. A list that names some triggers leaves the others to the replacement, which the peer forgets (WL-13).
fn point(trigger: &mut Value, canary: &Canary, own: Option<&BTreeMap<String, String>>) {
    let name = trigger["name"].as_str().unwrap_or_default();
    let chosen = own.and_then(|own| own.get(name)).cloned();
    let quoted = trigger["type"] == "prometheus";
    let given = trigger["metadata"]["query"].as_str();
    let target = &canary.spec.target_ref.name;
    let Some(wanted) = chosen.or_else(|| given.map(|query| query::for_primary(query, target, quoted))) else {
        return;
    };
    set(trigger, &["metadata", "query"], wanted.into());
}

/// The target's scaler, paused at zero or free again. A pause at another number is the user's own: it makes way, as it would keep the
/// target up, and comes back when the hold is over (WL-30).
pub fn held(source: &Value, held: bool) -> Value {
    let mut desired = source.clone();
    let annotations = &source["metadata"]["annotations"];
    let pause = annotations[PAUSED].as_str();
    if held {
        if let Some(own) = pause.filter(|pause| *pause != "0") {
            set(&mut desired, &["metadata", "annotations", OWN_PAUSE], own.into());
        }
        set(&mut desired, &["metadata", "annotations", PAUSED], "0".into());
        return desired;
    }
    let own = annotations.get(OWN_PAUSE).cloned();
    let Some(annotations) = desired["metadata"]["annotations"].as_object_mut() else {
        return desired;
    };
    annotations.remove(OWN_PAUSE);
    match own.filter(|_| pause == Some("0")) {
        Some(own) => drop(annotations.insert(PAUSED.to_owned(), own)),
        None if pause == Some("0") => drop(annotations.remove(PAUSED)),
        None => {}
    }
    desired
}

fn fresh(canary: &Canary, scaler: &AutoscalerRef, source: &Value) -> Value {
    let mut object = json!({
        "apiVersion": kinds::SCALED_OBJECT.api_version(),
        "kind": kinds::SCALED_OBJECT.kind,
        "metadata": {
            "name": format!("{}-primary", scaler.name),
            "namespace": canary.namespace(),
            "ownerReferences": [owner_reference(canary)],
        },
    });
    for field in ["labels", "annotations"] {
        let mut map = without_toolkit(&metadata_map(source, field));
        map.retain(|key, _| {
            !key.starts_with(TRANSIENT) && key != OWN_PAUSE && key != OWN_NAME && !is_of_one_object(key)
        });
        put_map(&mut object, field, map);
    }
    object
}

#[cfg(test)]
mod tests;
