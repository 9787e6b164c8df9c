//! Reading objects one by one: a bad one is an error with a place in it, never an outage for the others (W-41).

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Why an object could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {problem}")]
pub struct Unreadable {
    /// Field path, such as `spec.analysis.interval`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Read an object of the contract. `null` counts as absent, as with the API server.
pub fn decode<T: DeserializeOwned>(object: &Value) -> Result<T, Unreadable> {
    let pruned = without_nulls(object);
    serde_path_to_error::deserialize(&pruned).map_err(|error| Unreadable {
        path: error.path().to_string(),
        problem: error.inner().to_string(),
    })
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// A Go duration such as `1m30s` or `500ms`; `None` when it is empty, negative or cannot be read.
pub fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_len);
        let unit_len = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        total += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = next;
    }
    (!text.is_empty())
        .then(|| Duration::try_from_secs_f64(total).ok())
        .flatten()
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}
