//! Lists whose order means nothing: a live one that holds the same as ours is left as it is, whoever sorted it (RM-6, observed.md A19).

#[cfg(test)]
mod tests;

use serde_json::Value;

/// Fields whose order matters: the first rule that matches wins, filters are applied in turn.
const ORDERED: [&str; 4] = ["http", "tcp", "rules", "filters"];

/// `desired` with every list that differs from the live one in nothing but its order as the live one has it.
pub(super) fn settled(desired: Value, live: &Value) -> Value {
    settled_at("", desired, live)
}

fn settled_at(field: &str, desired: Value, live: &Value) -> Value {
    if canonical(field, &desired) == canonical(field, live) {
        return live.clone();
    }
    match (desired, live) {
        (Value::Object(fields), Value::Object(before)) => fields
            .into_iter()
            .map(|(key, value)| {
                let settled = settled_at(&key, value, before.get(&key).unwrap_or(&Value::Null));
                (key, settled)
            })
            .collect(),
        (Value::Array(list), Value::Array(before)) if ORDERED.contains(&field) => list
            .into_iter()
            .enumerate()
            .map(|(at, value)| settled_at("", value, before.get(at).unwrap_or(&Value::Null)))
            .collect(),
        (desired, _) => desired,
    }
}

/// The same value with the lists sorted whose order means nothing.
fn canonical(field: &str, value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), canonical(key, value)))
            .collect(),
        Value::Array(list) => {
            let mut entries: Vec<Value> = list.iter().map(|value| canonical("", value)).collect();
            if !ORDERED.contains(&field) {
                entries.sort_by_cached_key(Value::to_string);
            }
            entries.into()
        }
        other => other.clone(),
    }
}
