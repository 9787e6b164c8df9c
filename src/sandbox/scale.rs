//! The scale subresource: the replicas of an object, whatever its kind.

use super::{failure::Failure, kinds::Resource, metadata};
use serde_json::{Value, json};

/// The Scale of an object.
pub(super) fn view(resource: &Resource, object: &Value) -> Result<Value, Failure> {
    let [wanted, present, selector] = resource.scale().ok_or(Failure::NoPage)?;
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let kept = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
    let metadata = kept.iter().filter_map(|field| {
        let value = object["metadata"].get(*field)?;
        Some(((*field).to_owned(), value.clone()))
    });
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata.collect::<serde_json::Map<_, _>>(),
        "spec": { "replicas": number(&wanted) }, "status": { "replicas": number(&present) },
    });
    let selector = object.pointer(&selector).filter(|_| !selector.is_empty());
    if let Some(selector) = selector.map(written) {
        scale["status"]["selector"] = json!(selector);
    }
    Ok(scale)
}

/// The object with the replicas of a Scale.
pub(super) fn apply(resource: &Resource, object: &Value, scale: &Value) -> Result<Value, Failure> {
    let [wanted, ..] = resource.scale().ok_or(Failure::NoPage)?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let version = metadata::resource_version(scale);
    if !version.is_empty() && version != metadata::resource_version(object) {
        return Err(Failure::stale(resource, name));
    }
    let replicas = scale["spec"]["replicas"].as_i64().unwrap_or_default();
    if replicas < 0 {
        let why = format!("Invalid value: {replicas}: must be greater than or equal to 0");
        return Err(Failure::invalid(resource, name, "spec.replicas", why));
    }
    let path: Vec<&str> = wanted.split('/').filter(|part| !part.is_empty()).collect();
    let mut changed = object.clone();
    engine::json::set(&mut changed, &path, json!(replicas));
    Ok(changed)
}

/// A selector as text: `a=b,c=d`.
fn written(selector: &Value) -> String {
    if let Some(text) = selector.as_str() {
        return text.to_owned();
    }
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let pairs = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(",")
}
