//! The difference of two JSON objects as an RFC 7386 merge patch. All updates of the engine are made with it, so that only what
//! differs is written and nothing is written where nothing differs (S7).

use serde_json::{Map, Value};

/// The merge patch that turns `current` into `desired`, or `None` when they are equal. Lists are replaced whole.
pub fn merge_diff(current: &Value, desired: &Value) -> Option<Value> {
    let (Value::Object(from), Value::Object(to)) = (current, desired) else {
        return (current != desired).then(|| desired.clone());
    };
    let mut patch = Map::new();
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in to {
        let before = from.get(key).unwrap_or(&Value::Null);
        if let Some(change) = merge_diff(before, value) {
            patch.insert(key.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Apply an RFC 7386 merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            fields.remove(key);
        } else {
            merge(fields.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

/// Set `object[path…]`, making the objects on the way.
pub fn set(object: &mut Value, path: &[&str], value: Value) {
    let mut at = object;
    for key in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[*key];
    }
    *at = value;
}
