//! The CRD manifests, generated from the types of this crate.
//!
//! The derive is nearly right; what it adds and the peer's CRDs do not have (`nullable`, `format` of integers, defaults of
//! Rust, a required `spec`) is taken away here, so that the API server accepts, prunes and defaults as it did (crates.md 2.1).
//! `deploy/crds/crds.yaml` is this output, checked in; a test keeps the two equal.

use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::{AlertProvider, Canary, MetricTemplate, legacy};

/// The three CRDs, in the order in which the peer ships them.
pub fn manifests() -> Vec<Value> {
    let mut canary = manifest(json!(Canary::crd()));
    legacy::admit(schema_of(&mut canary));
    let canary = serve(canary, legacy::CANARY_VERSION);
    let template = serve(manifest(json!(MetricTemplate::crd())), legacy::METRIC_TEMPLATE_VERSION);
    let mut provider = manifest(json!(AlertProvider::crd()));
    admit_address_or_secret(schema_of(&mut provider));
    let mut all = vec![canary, template, provider];
    // A stable order, whatever map type serde_json was built with.
    all.iter_mut().for_each(Value::sort_all_objects);
    all
}

/// The manifests as one YAML stream.
///
/// # Panics
///
/// Never: only keys that are no texts cannot be written, and JSON has none.
pub fn yaml() -> String {
    let documents: Vec<String> = manifests()
        .iter()
        .map(|manifest| serde_saphyr::to_string(manifest).expect("JSON values have only text keys"))
        .collect();
    format!("---\n{}", documents.join("---\n"))
}

fn manifest(mut crd: Value) -> Value {
    // Helm must not delete the CRDs, and every canary with them, when the chart goes.
    crd["metadata"]["annotations"] = json!({ "helm.sh/resource-policy": "keep" });
    let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default();
    crd["spec"]["names"]["listKind"] = format!("{kind}List").into();
    crd["spec"]["versions"][0]["subresources"] = json!({ "status": {} });
    let root = schema_of(&mut crd);
    tidy(root);
    if let Some(root) = root.as_object_mut() {
        root.remove("required"); // an object without spec is stored, and reported by the controller
    }
    without_defaults(&mut root["properties"]["status"]);
    if root["properties"]["status"].is_null() {
        root["properties"] = json!({ "spec": root["properties"]["spec"] });
    }
    crd
}

fn schema_of(crd: &mut Value) -> &mut Value {
    &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Serve an old version too. All versions have one schema, so that no conversion is needed.
fn serve(mut crd: Value, old: &str) -> Value {
    let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default();
    let warning = format!(
        "flagger.app/{old} {kind} is the old form; write {} {kind}",
        crate::API_VERSION
    );
    let mut version = crd["spec"]["versions"][0].clone();
    version["name"] = old.into();
    version["storage"] = false.into();
    version["deprecated"] = true.into();
    version["deprecationWarning"] = warning.into();
    if let Some(versions) = crd["spec"]["versions"].as_array_mut() {
        versions.push(version);
    }
    crd
}

/// The documents show an AlertProvider with both; the peer's schema wants exactly one (AN-44).
fn admit_address_or_secret(root: &mut Value) {
    root["properties"]["spec"]["anyOf"] = json!([
        { "required": ["type", "address"] },
        { "required": ["type", "secretRef"] },
    ]);
    if let Some(spec) = root["properties"]["spec"].as_object_mut() {
        spec.remove("required");
    }
}

fn tidy(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    schema.remove("nullable");
    schema.remove("title");
    if schema.get("format").is_some_and(|format| format != "date-time") {
        schema.remove("format");
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    for bound in ["minimum", "maximum"] {
        if let Some(whole) = schema
            .get(bound)
            .and_then(Value::as_f64)
            .filter(|number| number.fract() == 0.0)
        {
            schema.insert(bound.to_owned(), (whole as i64).into());
        }
    }
    if let Some(texts) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        texts.retain(|text| !text.is_null());
    }
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = without_reference(description);
    }
    each_child(schema, tidy);
}

fn without_defaults(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    schema.remove("default");
    each_child(schema, without_defaults);
}

fn each_child(schema: &mut Map<String, Value>, visit: fn(&mut Value)) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = schema.get_mut(key) {
            visit(child);
        }
    }
}

/// `How … (controller.md 1.1).` without the reference, which means nothing to readers of `kubectl explain`.
fn without_reference(description: &str) -> String {
    match description.rsplit_once(" (") {
        Some((text, reference)) if reference.contains(".md ") => format!("{text}."),
        _ => description.to_owned(),
    }
}

#[cfg(test)]
mod tests;
