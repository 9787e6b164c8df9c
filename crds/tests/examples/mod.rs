//! Every object of our kinds that users were ever shown, and every one of the recorded scenarios.
//!
//! They lie beside the workspace; `documents.yaml` has forms of the documents that were written out by hand.

mod documents;
mod indentation;
mod scenarios;

pub(crate) use documents::documents;
pub(crate) use scenarios::scenarios;

use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One object, and where it is from.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) from: String,
    pub(crate) object: Value,
}

/// A folder beside the workspace. `None`, with a word about it, if it is not there; in CI that fails.
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    // This module is part of tests of two packages: the workspace's root and the one below it.
    let near = ["../shared", "../../shared"].map(|near| Path::new(env!("CARGO_MANIFEST_DIR")).join(near).join(part));
    if let Some(path) = near.into_iter().find(|path| path.exists()) {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "../shared/{part} must be there in CI"
    );
    println!("skipped: ../shared/{part} is not there");
    None
}

/// The forms that were written out by hand.
pub(crate) fn written_out() -> Vec<Example> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(include_str!("../documents.yaml")).unwrap();
    let number = documents.into_iter().enumerate();
    let examples = number.map(|(number, document)| Example {
        from: format!("documents.yaml, {number}"),
        object: whole(document).unwrap_or_else(|| panic!("documents.yaml, {number} is nothing of ours")),
    });
    examples.collect()
}

fn files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    files.sort();
    files
}

/// RFC 7386.
pub(crate) fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let into = into.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            into.remove(key);
            continue;
        }
        merge(into.entry(key.clone()).or_insert(Value::Null), value);
    }
}

/// The sound Canary that fragments are laid over.
pub(crate) fn base() -> Value {
    json!({
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 9898},
            "analysis": {"interval": "1m", "threshold": 5, "stepWeight": 5},
        },
    })
}

/// Whether this is one of our kinds.
fn is_ours(object: &Value) -> bool {
    let kind = object["kind"].as_str().unwrap_or_default();
    ["Canary", "MetricTemplate", "AlertProvider"].contains(&kind)
}

/// A whole object of ours, or a fragment of a Canary laid over a sound one. `None` for anything else.
fn whole(mut document: Value) -> Option<Value> {
    let mut canary = base();
    if document["kind"] == "MetricTemplate" && document["spec"]["query"].is_null() {
        document["spec"]["query"] = json!("up");
    }
    if document["kind"] == "Canary" && document["spec"]["targetRef"].is_null() {
        merge(&mut canary, &document);
        return Some(canary);
    }
    if document["kind"].is_string() {
        return is_ours(&document).then_some(document);
    }
    let patch = match document.as_object()?.keys().next()?.as_str() {
        "spec" | "status" => document,
        "analysis" | "service" | "canaryAnalysis" => json!({ "spec": document }),
        "webhooks" => json!({ "spec": { "analysis": document } }),
        "canary" => json!({ "spec": document["canary"] }),
        _ => return None,
    };
    merge(&mut canary, &patch);
    Some(canary)
}
