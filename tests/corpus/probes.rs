//! Objects to try: each different example, each with one field left out, and each with one value replaced by one of another shape.

use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::examples::Example;

/// One object to try.
pub(crate) struct Probe {
    pub(crate) from: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Without metadata: they are no part of what is compared.
    pub(crate) object: Value,
}

/// The examples and what can be made of them, each different object once.
pub(crate) fn of(examples: &[Example]) -> Vec<Probe> {
    let mut seen = BTreeSet::new();
    let mut probes = Vec::new();
    let mut add = |from: String, object: Value| {
        let key = json!([object["kind"], object["spec"], object["status"]]).to_string();
        if seen.insert(key) {
            let name = format!("probe-{}", probes.len());
            probes.push(Probe {
                name,
                ..Probe::new(&Example { from, object })
            });
        }
    };
    for Example { from, object } in examples {
        // A status is written by itself, so each part is tried without the other.
        let mut bare = object.clone();
        bare.as_object_mut().unwrap().remove("status");
        add(from.clone(), bare);
        if !object["status"].is_null() {
            add(
                from.clone(),
                json!({"kind": object["kind"], "status": object["status"]}),
            );
        }
    }
    // The same place beside the same fields is the same question, whatever their values.
    let mut asked = BTreeSet::new();
    for Example { from, object } in examples {
        for part in ["spec", "status"] {
            let content = &object[part];
            for path in paths(content) {
                let around = shape(content.pointer(parent(&path)).unwrap_or(content));
                let question = format!("{} {part}{} {around}", object["kind"], unnumbered(&path));
                // Ours takes anything there, and the peer drops it.
                if path.starts_with("/canaryAnalysis/") || !asked.insert(question) {
                    continue;
                }
                let mut base = json!({"kind": object["kind"]});
                base[part] = content.clone();
                for (what, changed) in changes(&base, &format!("/{part}{path}")) {
                    add(format!("{from}, {part}{path} {what}"), changed);
                }
            }
        }
    }
    probes
}

/// Pointers to everything within, such as `/analysis/metrics/0/name`.
fn paths(value: &Value) -> Vec<String> {
    let within = |key: String, value: &Value| {
        let deeper = paths(value).into_iter().map(|path| format!("/{key}{path}"));
        std::iter::once(format!("/{key}")).chain(deeper).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| within(key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered
                .flat_map(|(index, item)| within(index.to_string(), item))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Which fields there are.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields.keys().map(String::as_str).collect::<Vec<_>>().join(","),
        _ => String::new(),
    }
}

fn unnumbered(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.parse::<usize>().is_ok() { "0" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// The object with something else in this place.
fn changes(object: &Value, path: &str) -> Vec<(&'static str, Value)> {
    let mut changed = Vec::new();
    let mut without = object.clone();
    let key = path.rsplit('/').next().unwrap().replace("~1", "/").replace("~0", "~");
    match without.pointer_mut(parent(path)) {
        Some(Value::Object(fields)) => drop(fields.remove(&key)),
        Some(Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
        _ => unreachable!("{path} is in an object or in a list"),
    }
    changed.push(("left out", without));
    let mut put = |what, value: Value| {
        let mut other = object.clone();
        *other.pointer_mut(path).unwrap() = value;
        changed.push((what, other));
    };
    put("null", json!(null));
    match object.pointer(path).unwrap() {
        Value::Object(_) => {
            put("a text", json!("x"));
            put("empty", json!({}));
            put("with more", {
                let mut more = object.pointer(path).unwrap().clone();
                more["unheardOf"] = json!("x");
                more
            });
        }
        Value::Array(items) => {
            put("empty", json!([]));
            put("a text", json!("x"));
            put("twice", json!([&items[..], &items[..]].concat()));
        }
        Value::Number(_) => {
            for number in [json!(0), json!(-1), json!(2.5), json!(1_000_000)] {
                put("another number", number);
            }
            put("a text", json!("7"));
        }
        Value::Bool(on) => {
            put("turned", json!(!on));
            put("a text", json!("true"));
        }
        _ => {
            put("empty", json!(""));
            put("another text", json!("An Other, 1.5 h"));
            put("a number", json!(7));
        }
    }
    changed
}

// === impl Probe ===

impl Probe {
    pub(crate) fn new(example: &Example) -> Self {
        let mut object = example.object.clone();
        let name = object["metadata"]["name"].as_str().unwrap_or("probe").to_owned();
        object.as_object_mut().unwrap().remove("metadata");
        let kind = object["kind"].as_str().unwrap().to_owned();
        Self {
            from: example.from.clone(),
            kind,
            name,
            object,
        }
    }
}
