//! Metadata that the API server owns: names, uids, generations, times of birth and death, preconditions.

use super::{failure::Failure, kinds::Resource};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Fields of metadata that no update can change.
const SYSTEM_FIELDS: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
];
/// Fields of metadata that vanish when empty.
const COLLECTIONS: [&str; 4] = ["labels", "annotations", "finalizers", "ownerReferences"];

/// A time as Kubernetes writes it: whole seconds, UTC.
pub(super) fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

pub(super) fn resource_version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

pub(super) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or_default()
}

/// Remove a field of an object.
pub(super) fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

/// apiVersion, kind and namespace must be those of the URL; absent ones are filled in.
pub(super) fn check_envelope(resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Failure> {
    if !object.is_object() || !(object["metadata"].is_object() || object["metadata"].is_null()) {
        return Err(Failure::BadRequest("the body is not a Kubernetes object".to_owned()));
    }
    for (field, wanted) in [("apiVersion", resource.api_version()), ("kind", resource.kind.clone())] {
        match &object[field] {
            Value::Null => object[field] = json!(wanted),
            found if *found == wanted.as_str() => {}
            found => {
                let why = format!("the {field} in the data ({found}) does not match the expected {field} ({wanted})");
                return Err(Failure::BadRequest(why));
            }
        }
    }
    let found = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if !found.is_empty() && found != namespace {
        let why = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::BadRequest(why.to_owned()));
    }
    if resource.namespaced {
        object["metadata"]["namespace"] = json!(namespace);
    }
    Ok(())
}

/// Name, uid and resourceVersion of an update, against what is stored.
pub(super) fn check_preconditions(
    resource: &Resource,
    name: &str,
    object: &Value,
    before: &Value,
) -> Result<(), Failure> {
    let sent = object["metadata"]["name"].as_str().unwrap_or_default();
    if sent != name {
        let why = format!("the name of the object ({sent}) does not match the name on the URL ({name})");
        return Err(Failure::BadRequest(why));
    }
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    let stored = before["metadata"]["uid"].as_str().unwrap_or_default();
    if !uid.is_empty() && uid != stored {
        return Err(Failure::precondition(resource, name, "UID", uid, stored));
    }
    let version = resource_version(object);
    if version.is_empty() && !resource.overwrites() {
        let why = "Invalid value: 0: must be specified for an update";
        return Err(Failure::invalid(resource, name, "metadata.resourceVersion", why));
    }
    if !version.is_empty() && version != resource_version(before) {
        return Err(Failure::stale(resource, name));
    }
    let new_finalizer =
        texts(object, "finalizers").find(|wanted| texts(before, "finalizers").all(|old| old != *wanted));
    if let (true, Some(added)) = (is_dying(before), new_finalizer) {
        let why = format!(
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers [\"{added}\"]"
        );
        return Err(Failure::invalid(resource, name, "metadata.finalizers", why));
    }
    Ok(())
}

fn texts<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    object["metadata"][field]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Absent and null are the same to the API server, and so are absent and empty for the collections of metadata.
pub(super) fn settle(object: &mut Value) {
    drop_nulls(object);
    let Some(metadata) = object["metadata"].as_object_mut() else {
        return;
    };
    metadata.remove("managedFields");
    metadata.remove("selfLink");
    metadata.retain(|field, value| !COLLECTIONS.contains(&field.as_str()) || !is_empty(value));
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Remove the nulls inside a value.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Uid, time and generation of a new object; the uid is its number, so that every run gives the same.
pub(super) fn stamp_birth(resource: &Resource, object: &mut Value, number: u64, now: Timestamp) {
    for field in SYSTEM_FIELDS {
        remove(&mut object["metadata"], field);
    }
    let metadata = &mut object["metadata"];
    metadata["uid"] = json!(format!("00000000-0000-4000-8000-{number:012x}"));
    metadata["creationTimestamp"] = json!(time(now));
    if resource.counts_generations() {
        metadata["generation"] = json!(1);
    }
}

pub(super) fn keep_system_fields(object: &mut Value, before: &Value) {
    for field in SYSTEM_FIELDS {
        match before["metadata"].get(field) {
            Some(value) => object["metadata"][field] = value.clone(),
            None => remove(&mut object["metadata"], field),
        }
    }
}

/// Whether an update of the main resource counts: any change outside metadata and status, and for Deployments annotations too.
pub(super) fn bumps_generation(resource: &Resource, object: &Value, before: &Value) -> bool {
    if !resource.counts_generations() {
        return false;
    }
    let annotations = |object: &Value| object["metadata"]["annotations"].clone();
    if resource.plural == "deployments" && annotations(object) != annotations(before) {
        return true;
    }
    let (Some(new), Some(old)) = (object.as_object(), before.as_object()) else {
        return false;
    };
    let counts = |field: &str| field != "metadata" && field != "status";
    let keys = new.keys().chain(old.keys());
    keys.filter(|field| counts(field))
        .any(|field| new.get(field) != old.get(field))
}

/// One generation more, for kinds that count them.
pub(super) fn bump_generation(object: &mut Value) {
    let now = generation(object);
    if now > 0 {
        object["metadata"]["generation"] = json!(now + 1);
    }
}

/// Whether finalizers hold the object.
pub(super) fn is_held(object: &Value) -> bool {
    texts(object, "finalizers").next().is_some()
}

/// Whether a delete has been asked for.
pub(super) fn is_dying(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Whether the last finalizer has let go of an object that is to be deleted.
pub(super) fn is_released(object: &Value) -> bool {
    is_dying(object) && !is_held(object)
}
