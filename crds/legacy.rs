//! What the old documents show, and what to write instead.
//!
//! `flagger.app/v1alpha3` with `spec.canaryAnalysis`, `analysis.promotion` and `analysis.skipAnalysis` are in documents
//! that users still follow (routers-mesh.md 0.2.5). The peer refuses or silently prunes them. Here they are served, kept,
//! translated, and named to their owner.

use serde_json::{Map, Value, json};

/// Old version of Canary that is still served.
pub const CANARY_VERSION: &str = "v1alpha3";
/// Old version of MetricTemplate that is still served.
pub const METRIC_TEMPLATE_VERSION: &str = "v1alpha1";

const STEPS: [&str; 4] = ["maxWeight", "stepWeight", "stepWeights", "stepWeightPromotion"];

/// One old form that was found, and read as if the new one had been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Path of the old form, such as `spec.canaryAnalysis`.
    pub path: String,
    /// What the owner should write instead.
    pub instead: String,
}

/// Bring the raw object into today's form. Where both forms are there the new one counts and the old one is dropped.
/// Idempotent; an object of today's form is not touched and yields nothing.
pub fn modernise(canary: &mut Value) -> Vec<Translation> {
    let mut found = Vec::new();
    modernise_version(canary, &mut found);
    if let Some(spec) = canary.get_mut("spec").and_then(Value::as_object_mut) {
        modernise_spec(spec, &mut found);
    }
    found
}

/// Keep the old fields in the schema, so that they are not pruned before [`modernise`] sees them. They take anything: the peer prunes
/// them whatever they hold, so what cannot be read in them must reach the controller, which says so, and not be refused.
pub(crate) fn admit(root: &mut Value) {
    let spec = &mut root["properties"]["spec"]["properties"];
    let analysis = &mut spec["analysis"]["properties"];
    analysis["promotion"] = anything("Old form: write these fields directly under analysis.");
    analysis["skipAnalysis"] = anything("Old form: write spec.skipAnalysis.");
    spec["canaryAnalysis"] = anything("Old form: write spec.analysis.");
}

fn anything(description: &str) -> Value {
    json!({"description": description, "x-kubernetes-preserve-unknown-fields": true})
}

fn modernise_version(canary: &mut Value, found: &mut Vec<Translation>) {
    let old = canary["apiVersion"]
        .as_str()
        .is_some_and(|version| version.starts_with("flagger.app/v1alpha"));
    if old {
        canary["apiVersion"] = crate::API_VERSION.into();
        found.push(translation(
            "apiVersion",
            &format!("apiVersion: {}", crate::API_VERSION),
        ));
    }
}

fn modernise_spec(spec: &mut Map<String, Value>, found: &mut Vec<Translation>) {
    if let Some(old) = take(spec, "canaryAnalysis") {
        found.push(translation("spec.canaryAnalysis", "spec.analysis"));
        put(spec, "analysis", old);
    }
    let Some(analysis) = spec.get_mut("analysis").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(Value::Object(mut steps)) = take(analysis, "promotion") {
        found.push(translation("spec.analysis.promotion", &directly(&steps)));
        for step in STEPS {
            if let Some(value) = take(&mut steps, step) {
                put(analysis, step, value);
            }
        }
    }
    if let Some(skip) = take(analysis, "skipAnalysis") {
        found.push(translation("spec.analysis.skipAnalysis", "spec.skipAnalysis"));
        put(spec, "skipAnalysis", skip);
    }
}

fn directly(steps: &Map<String, Value>) -> String {
    let names: Vec<String> = STEPS
        .iter()
        .filter(|step| steps.contains_key(**step))
        .map(|step| format!("spec.analysis.{step}"))
        .collect();
    if names.is_empty() {
        return "spec.analysis".to_owned();
    }
    names.join(", ")
}

/// The value under this key, removed; `null` is removed and counts as absent.
fn take(map: &mut Map<String, Value>, key: &str) -> Option<Value> {
    map.remove(key).filter(|value| !value.is_null())
}

fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    if map.get(key).is_none_or(Value::is_null) {
        map.insert(key.to_owned(), value);
    }
}

fn translation(path: &str, instead: &str) -> Translation {
    Translation {
        path: path.to_owned(),
        instead: instead.to_owned(),
    }
}

#[cfg(test)]
mod tests;
