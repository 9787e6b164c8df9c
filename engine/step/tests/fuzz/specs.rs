//! Canary specs by chance, nonsense included: made by walking the schema of the generated CRD, or from a good spec by changing some of its
//! fields to what the schema, or nobody, allows.

use serde_json::{Map, Value, json};

use crate::json::set;

/// Numbers of all kinds: fractions, negative ones, and those that are too large for anything.
const NUMBERS: [f64; 14] = [
    -5.0, 0.0, 0.5, 1.0, 2.0, 3.0, 7.0, 20.0, 50.0, 80.0, 100.0, 101.0, 9898.0, 1e12,
];
/// Texts: durations, names, addresses, expressions, templates, and what is none of these.
const TEXTS: [&str; 24] = [
    "",
    "app",
    "10s",
    "1m",
    "0s",
    "1m30s",
    "5h",
    "-1s",
    "99999999m",
    "999999999999999999999h",
    "http",
    "http://gate.test/",
    "not a url",
    "app.example.com",
    "*",
    "^x[",
    "{{ namespace }}",
    "{{ nonsense",
    "request-success-rate",
    "a-name-that-is-much-longer-than-the-sixty-three-characters-that-a-label-may-have-in-kubernetes",
    "Ünïcödé \u{0}",
    "true",
    "100",
    "kube-system/other",
];

/// Chance: splitmix64, so that a seed is a spec on every machine.
pub(super) struct Chance(pub(super) u64);

// === impl Chance ===

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap_or(0)
    }

    pub(super) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub(super) fn one<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }
}

/// The schema of `spec` in the CRD that is installed.
pub(super) fn schema() -> Value {
    let canary = crds::manifest::manifests().swap_remove(0);
    canary["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// A spec by chance: a third from nothing but the schema, the others by up to four changes of a good one.
pub(super) fn spec(schema: &Value, good: &[Value], chance: &mut Chance) -> Value {
    if chance.percent(33) {
        let mut spec = object(schema, chance, 0);
        // Without these two nearly all specs are refused for the same reason.
        if chance.percent(85) {
            spec["targetRef"] = good[0]["targetRef"].clone();
        }
        if chance.percent(60) {
            set(&mut spec, &["service", "port"], json!(9898));
        }
        if chance.percent(60) {
            spec["provider"] = good[0]["provider"].clone();
        }
        return spec;
    }
    let mut spec = chance.one(good).clone();
    for _ in 0..=chance.below(4) {
        change(schema, &mut spec, chance);
    }
    spec
}

/// Change one field, wherever it is: walk down by chance, then put something else there, or nothing.
fn change(schema: &Value, value_at: &mut Value, chance: &mut Chance) {
    let names: Vec<&String> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .collect();
    if !names.is_empty() && value_at.is_object() {
        let name = *chance.one(&names);
        let below = &schema["properties"][name];
        match value_at.get_mut(name) {
            Some(child) if chance.percent(75) => change(below, child, chance),
            Some(_) if chance.percent(30) => {
                value_at.as_object_mut().and_then(|fields| fields.remove(name));
            }
            _ => value_at[name] = value(below, chance, 0),
        }
        return;
    }
    if let (Some(list), true) = (value_at.as_array_mut(), schema["items"].is_object()) {
        let at = chance.below(list.len().max(1));
        match list.get_mut(at) {
            Some(child) if chance.percent(75) => change(&schema["items"], child, chance),
            _ => list.push(value(&schema["items"], chance, 0)),
        }
        return;
    }
    *value_at = value(schema, chance, 0);
}

/// A value of this schema; now and then one of another type.
fn value(schema: &Value, chance: &mut Chance, depth: usize) -> Value {
    if chance.percent(3) {
        return nonsense(chance);
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.is_empty()) {
        return chance.one(choices).clone();
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[list].as_array().filter(|_| schema["type"].is_null()) {
            return value(&chance.one(choices).clone(), chance, depth);
        }
    }
    match schema["type"].as_str() {
        Some("object") => object(schema, chance, depth),
        Some("array") => {
            let count = chance.below(3);
            (0..count).map(|_| value(&schema["items"], chance, depth + 1)).collect()
        }
        Some("boolean") => chance.percent(50).into(),
        Some("integer") => json!(*chance.one(&NUMBERS) as i64),
        Some("number") => json!(*chance.one(&NUMBERS)),
        Some("string") => json!(*chance.one(&TEXTS)),
        _ => nonsense(chance),
    }
}

fn object(schema: &Value, chance: &mut Chance, depth: usize) -> Value {
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    let mut fields = Map::new();
    // Deep objects get few fields, or a spec would never end.
    let share = if depth == 0 { 60 } else { 35 };
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.iter().any(|wanted| wanted == name.as_str());
        if chance.percent(if is_required { 95 } else { share }) && depth < 8 {
            fields.insert(name.clone(), value(below, chance, depth + 1));
        }
    }
    if schema["additionalProperties"].is_object() {
        for _ in 0..chance.below(3) {
            let key = *chance.one(&TEXTS);
            fields.insert(
                key.to_owned(),
                value(&schema["additionalProperties"], chance, depth + 1),
            );
        }
    }
    Value::Object(fields)
}

fn nonsense(chance: &mut Chance) -> Value {
    match chance.below(6) {
        0 => Value::Null,
        1 => json!(*chance.one(&NUMBERS)),
        2 => json!(*chance.one(&TEXTS)),
        3 => json!([]),
        4 => json!({}),
        _ => chance.percent(50).into(),
    }
}
