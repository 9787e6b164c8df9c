//! The few rules of single kinds that a progressive delivery controller can run into.

use super::{failure::Failure, kinds::Resource};
use serde_json::Value;

/// Rules for what a user sends to create.
pub(super) fn creation(resource: &Resource, object: &Value) -> Result<(), Failure> {
    let spec = &object["spec"];
    let without_address = spec["clusterIP"].as_str().is_none_or(str::is_empty);
    let lists_addresses = spec["clusterIPs"].as_array().is_some_and(|list| !list.is_empty());
    // Copies of a Service that forget the second field are refused (WL-6).
    if resource.kind == "Service" && without_address && lists_addresses {
        let why = format!(
            "Invalid value: {}: may not be set when `clusterIP` is not specified",
            spec["clusterIPs"]
        );
        return Err(refuse(resource, object, "spec.clusterIPs", why));
    }
    Ok(())
}

/// Rules for what would be stored.
pub(super) fn object(resource: &Resource, object: &Value, before: Option<&Value>) -> Result<(), Failure> {
    match resource.kind.as_str() {
        "Service" => addresses(resource, object, before),
        "Deployment" | "DaemonSet" | "ReplicaSet" => workload(resource, object, before),
        _ => Ok(()),
    }
}

fn addresses(resource: &Resource, object: &Value, before: Option<&Value>) -> Result<(), Failure> {
    let Some(before) = before else { return Ok(()) };
    let (new, old) = (&object["spec"]["clusterIP"], &before["spec"]["clusterIP"]);
    if object["spec"]["type"] != "ExternalName" && old.is_string() && new != old {
        let why = format!("Invalid value: [{new}]: may not change once set");
        return Err(refuse(resource, object, "spec.clusterIPs[0]", why));
    }
    Ok(())
}

fn workload(resource: &Resource, object: &Value, before: Option<&Value>) -> Result<(), Failure> {
    let selector = &object["spec"]["selector"];
    if before.is_some_and(|before| before["spec"]["selector"] != *selector) {
        let why = format!("Invalid value: {selector}: field is immutable");
        return Err(refuse(resource, object, "spec.selector", why));
    }
    if !selector.is_object() {
        return Err(refuse(resource, object, "spec.selector", "Required value".to_owned()));
    }
    let labels = &object["spec"]["template"]["metadata"]["labels"];
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    if wanted.into_iter().any(|(key, value)| labels[key.as_str()] != *value) {
        let why = format!("Invalid value: {labels}: `selector` does not match template `labels`");
        return Err(refuse(resource, object, "spec.template.metadata.labels", why));
    }
    Ok(())
}

fn refuse(resource: &Resource, object: &Value, field: &str, why: String) -> Failure {
    Failure::invalid(
        resource,
        object["metadata"]["name"].as_str().unwrap_or_default(),
        field,
        why,
    )
}
