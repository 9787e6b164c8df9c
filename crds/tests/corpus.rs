//! Documents and recorded scenarios: everything users were ever shown can be read, and what cannot is named here.
//!
//! `documents.yaml` holds the forms of the documents whose indentation was lost on the way to us. The other sources lie
//! beside the workspace and are skipped where they are missing.

use crds::{AlertProvider, MetricTemplate, decode, problems};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Blocks that no YAML reader can read, by a text in them: quotes within quotes, a template as a key.
const NOT_YAML: [&str; 1] = [r#"--overrides='{ "spec""#];

/// The list of all fields, with comments in place of the entries of its lists: no object, here as with the API server.
const SKELETON: &str = "- # metric check";

fn shared(part: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{part} must be there in CI"
    );
    println!("skipped: {part} is not there");
    None
}

fn files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    files.sort();
    files
}

/// RFC 7386.
fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let into = into.as_object_mut().expect("made an object above");
    for (key, value) in patch {
        if value.is_null() {
            into.remove(key);
            continue;
        }
        merge(into.entry(key.clone()).or_insert(Value::Null), value);
    }
}

/// Read an object of the contract; `false` for any other kind.
fn reads(object: &Value, from: &str) -> bool {
    let error = match object["kind"].as_str() {
        Some("Canary") => decode::canary(object).err(),
        Some("MetricTemplate") => decode::decode::<MetricTemplate>(object).err(),
        Some("AlertProvider") => decode::decode::<AlertProvider>(object).err(),
        _ => return false,
    };
    assert_eq!(error, None, "{from}: {object}");
    true
}

fn base() -> Value {
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

/// A whole object, or a fragment of a Canary laid over a sound one.
fn whole(document: Value) -> Option<Value> {
    let mut canary = base();
    if document["kind"] == "Canary" && document["spec"]["targetRef"].is_null() {
        merge(&mut canary, &document);
        return Some(canary);
    }
    if document["kind"].is_string() {
        return Some(document);
    }
    let patch = match document.as_object()?.keys().next()?.as_str() {
        "spec" | "status" => document,
        "analysis" | "service" | "canaryAnalysis" => json!({ "spec": document }),
        "webhooks" => json!({ "spec": { "analysis": document } }),
        _ => return None,
    };
    merge(&mut canary, &patch);
    Some(canary)
}

fn blocks(text: &str) -> Vec<String> {
    let fenced = text
        .split("```yaml")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    // Three points stand for something left out.
    let kept = |block: &str| {
        block
            .lines()
            .filter(|line| line.trim() != "...")
            .collect::<Vec<_>>()
            .join("\n")
    };
    fenced.map(kept).collect()
}

#[test]
fn documents_with_their_indentation() {
    let Some(seeds) = shared("seeds") else { return };
    let mut read = 0;
    for path in files(&seeds, ".txt") {
        let text = fs::read_to_string(&path).unwrap();
        for block in blocks(&text) {
            // This one lost its indentation: see documents.yaml.
            if block.contains("\n|\n") || block.contains(SKELETON) {
                continue;
            }
            let documents: Vec<Value> = match serde_saphyr::from_multiple(&block) {
                Ok(documents) => documents,
                Err(_) if NOT_YAML.iter().any(|known| block.contains(known)) => continue,
                Err(error) => panic!("{error}: {block}"),
            };
            let objects = documents.into_iter().filter_map(whole);
            read += objects
                .filter(|object| reads(object, &path.display().to_string()))
                .count();
        }
    }
    assert!(read >= 25, "only {read} were found");
}

#[test]
fn documents_without_their_indentation() {
    let documents: Vec<Value> = serde_saphyr::from_multiple(include_str!("documents.yaml")).unwrap();
    for document in documents {
        let object = whole(document).unwrap();
        assert!(reads(&object, "documents.yaml"));
        if object["kind"] != "Canary" {
            continue;
        }
        let (canary, _) = decode::canary(&object).unwrap();
        assert_eq!(problems::problems(&canary), [], "{object}");
    }
}

#[test]
fn recorded_scenarios() {
    for part in ["data/traces/scenarios", "data/traces/scenarios-routes"] {
        let Some(directory) = shared(part) else { continue };
        let parse = |path: &Path| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
        let base = parse(&directory.join("_base.json"));
        let mut read = 0;
        for path in files(&directory, ".json") {
            let (mut scenario, name) = (base.clone(), path.display().to_string());
            merge(&mut scenario, &parse(&path));
            assert!(reads(&scenario["canary"], &name));
            let objects = scenario["objects"].as_array().into_iter().flatten();
            read += objects.filter(|object| reads(object, &name)).count() + 1;
        }
        assert!(read >= 35, "{part}: only {read} were found");
    }
}
