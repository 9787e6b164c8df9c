//! Gives YAML its lost indentation back: the schema of the kind says under which open field a key can stand.
//!
//! A key goes to the innermost open object that knows it and has not got it yet; a map of texts takes only keys with a value, so that
//! `labels:` after some annotations ends them. What a `|` begins goes on to the end of the document.

use crds::manifest;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::LazyLock};

static MANIFESTS: LazyLock<Vec<Value>> = LazyLock::new(manifest::manifests);

/// An object or a list that is still open.
struct Open<'s> {
    schema: &'s Value,
    /// Blanks before its keys, or before its dashes.
    indent: usize,
    seen: BTreeSet<String>,
}

/// The document with its indentation, or `None` if it is no Canary, MetricTemplate or AlertProvider, nor a part of a Canary.
pub(super) fn restored(document: &str) -> Option<String> {
    let lines: Vec<&str> = document.lines().map(str::trim).collect();
    let content = lines.iter().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let schema = schema(&content.copied().collect::<Vec<_>>())?;
    let mut open = vec![Open::new(&schema, 0)];
    let mut text = Vec::new();
    let mut scalar = None;
    for line in lines {
        if let Some(indent) = scalar {
            text.push(" ".repeat(indent) + line);
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let indent = place(&mut open, line).unwrap_or_else(|| panic!("there is no place for `{line}`: {document}"));
        text.push(" ".repeat(indent) + line);
        if line.ends_with(": |") {
            scalar = Some(indent + 4);
        }
    }
    Some(text.join("\n"))
}

/// Where this line stands; what ended before it is closed, what it begins is opened.
fn place(open: &mut Vec<Open<'_>>, line: &str) -> Option<usize> {
    let item = line.strip_prefix("- ");
    let (key, value) = item.unwrap_or(line).split_once(':')?;
    let (key, value) = (key.trim(), value.split(" #").next().unwrap_or_default().trim());
    while !open.last()?.takes(key, value, item.is_some()) {
        open.pop();
    }
    let top = open.last_mut()?;
    let indent = top.indent;
    let mut within = indent;
    if item.is_some() {
        within += 2;
        let schema = &top.schema["items"];
        open.push(Open::new(schema, within));
    }
    let top = open.last_mut()?;
    top.seen.insert(key.to_owned());
    let child = child(top.schema, key)?;
    if value.is_empty() {
        open.push(Open::new(child, within + 2));
    }
    Some(indent)
}

fn child<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let named = schema["properties"].get(key);
    named.or_else(|| schema.get("additionalProperties"))
}

/// The schema of the kind that is named, or of what a fragment of a Canary begins with.
fn schema(lines: &[&str]) -> Option<Value> {
    let kind = lines.iter().find_map(|line| line.strip_prefix("kind: "));
    let typed = lines.iter().any(|line| line.starts_with("apiVersion: flagger.app/"));
    let of = |kind: &str| {
        let crd = MANIFESTS.iter().find(|crd| crd["spec"]["names"]["kind"] == kind)?;
        let mut schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
        let text = json!({"type": "string"});
        schema["properties"]["apiVersion"] = text.clone();
        schema["properties"]["kind"] = text.clone();
        schema["properties"]["metadata"] = json!({"type": "object", "properties": {
            "name": text, "namespace": text, "labels": texts, "annotations": texts,
        }});
        old_forms(&mut schema["properties"]["spec"]["properties"]);
        Some(schema)
    };
    if typed {
        return of(kind?);
    }
    let canary = of("Canary")?;
    let spec = &canary["properties"]["spec"];
    let key = lines.first()?.split(':').next()?;
    let part = match key {
        "spec" | "status" => &canary["properties"][key],
        "canary" => spec,
        "analysis" | "service" | "canaryAnalysis" => &spec["properties"][key],
        "webhooks" => &spec["properties"]["analysis"]["properties"][key],
        _ => return None,
    };
    Some(json!({"type": "object", "properties": { key: part }}))
}

/// What the old documents show; the schema takes anything there.
fn old_forms(spec: &mut Value) {
    let analysis = &mut spec["analysis"]["properties"];
    if analysis.is_null() {
        return;
    }
    let steps = json!({
        "maxWeight": {"type": "number"}, "stepWeight": {"type": "number"}, "stepWeights": {"type": "array"},
    });
    analysis["promotion"] = json!({"type": "object", "properties": steps});
    spec["canaryAnalysis"] = spec["analysis"].clone();
}

// === impl Open ===

impl<'s> Open<'s> {
    fn new(schema: &'s Value, indent: usize) -> Self {
        Self {
            schema,
            indent,
            seen: BTreeSet::new(),
        }
    }

    /// Whether a key can stand here, as an entry of a list or not.
    fn takes(&self, key: &str, value: &str, item: bool) -> bool {
        if item {
            return child(&self.schema["items"], key).is_some();
        }
        let Some(child) = child(self.schema, key) else {
            return false;
        };
        let branches = ["object", "array"].iter().any(|kind| child["type"] == *kind);
        let fits = !value.is_empty() || branches || self.schema["properties"].get(key).is_some();
        fits && !self.seen.contains(key)
    }
}
