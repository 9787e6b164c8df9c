//! The few rules of single kinds that a progressive delivery controller can run into.

use super::{
    crd,
    failure::{Cause, Failure},
    kinds::Resource,
    natives,
    schema::{self, Origin},
    write::Mode,
};
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
        "CustomResourceDefinition" if !resource.custom => unfit(resource, object, crd::problems(object)),
        _ => Ok(()),
    }
}

/// What the schema of the kind makes of an object: unknown fields are dropped or refused, defaults filled in, the rest checked. Kinds
/// without a schema take everything, and so do builtin kinds where the sandbox is not strict.
pub(super) fn fit(resource: &Resource, object: &mut Value, mode: Mode<'_>) -> Result<(), Failure> {
    let origin = match (&resource.definition, resource.custom) {
        (Some(_), _) => Origin::Custom,
        (None, false) if mode.strict => Origin::Native,
        _ => return Ok(()),
    };
    let Some(rules) = natives::schema(resource) else {
        return Ok(());
    };
    let mut unknown = Vec::new();
    schema::prune(rules, origin, object, &mut unknown);
    if mode.exact && !unknown.is_empty() {
        let fields: Vec<String> = unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
        return Err(unreadable(
            resource,
            &format!("strict decoding error: {}", fields.join(", ")),
        ));
    }
    if origin == Origin::Custom {
        schema::fill(rules, object);
    }
    let mut causes = Vec::new();
    schema::check(rules, object, "", &mut causes);
    if origin == Origin::Native {
        // Types are part of reading a builtin kind; what k8s-openapi calls required is not all required by the server.
        if let Some(cause) = causes.iter().find(|cause| cause.why.starts_with("Invalid")) {
            return Err(unreadable(resource, &format!("{}: {}", cause.field, cause.why)));
        }
        causes.retain(|cause| cause.field.starts_with("spec."));
    }
    unfit(resource, object, causes)
}

/// What was said of an object, said of the patch that made it.
pub(super) fn blame_patch(failure: Failure) -> Failure {
    let Failure::BadRequest(text) = &failure else {
        return failure;
    };
    let Some((_, why)) = text
        .split_once(" cannot be handled as a ")
        .and_then(|(_, rest)| rest.split_once(": "))
    else {
        return failure;
    };
    Failure::Unfit {
        kind: String::new(),
        name: String::new(),
        causes: vec![Cause::invalid("patch", format!("\"(the patched object)\": {why}"))],
    }
}

fn unreadable(resource: &Resource, why: &str) -> Failure {
    let (kind, version) = (&resource.kind, &resource.version);
    Failure::BadRequest(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
    ))
}

fn unfit(resource: &Resource, object: &Value, causes: Vec<Cause>) -> Result<(), Failure> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::Unfit {
        kind: resource.qualified_kind(),
        name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        causes,
    })
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
