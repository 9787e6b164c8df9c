//! Reading objects one by one: a bad one is an error with a place in it, never an outage for the others (W-41).
//!
//! Lenient where nothing is lost by it: `null` counts as absent, counters of the status may be fractions, times that
//! cannot be read count as absent, unknown fields are ignored. Strict where guessing would be dangerous: an unknown
//! phase, a field of the wrong type or a missing required one is [`Unreadable`].

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

use crate::{
    Canary,
    legacy::{self, Translation},
};

/// Why an object could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {problem}")]
pub struct Unreadable {
    /// Field path, such as `spec.analysis.interval`; `.` is the object itself.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Read a Canary of any version that was ever documented, and what of it is written in an old form.
pub fn canary(object: &Value) -> Result<(Canary, Vec<Translation>), Unreadable> {
    let mut object = object.clone();
    let translations = legacy::modernise(&mut object);
    for (path, value) in [
        ("spec", &object["spec"]),
        ("spec.targetRef", &object["spec"]["targetRef"]),
    ] {
        if value.is_null() {
            return Err(Unreadable {
                path: path.to_owned(),
                problem: "it is missing".to_owned(),
            });
        }
    }
    decode(&object).map(|canary| (canary, translations))
}

/// Read an object of the contract. `null` counts as absent, as with the API server. Use [`canary`] for a Canary.
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

/// A Go duration such as `1m30s`, `1.5h` or `500ms`; `None` when it is empty, negative, longer than Go can hold
/// (2^63 - 1 ns, 292 years) or cannot be read.
pub fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, next) = split_where(after, |c| c.is_ascii_digit() || c == '.');
        total = total.checked_add(nanoseconds(number, unit_nanoseconds(unit)?)?)?;
        rest = next;
    }
    i64::try_from(total).ok().map(|_| Duration::from_nanos(total))
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

/// `1.25` times the unit, without the rounding of floating point in the whole part; digits beyond the 18th are dropped.
fn nanoseconds(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u64 = match whole {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let (mut part, mut scale) = (0_u64, 1_u64);
    for digit in fraction.bytes().take(18) {
        part = part * 10 + u64::from(digit - b'0');
        scale *= 10;
    }
    let part = u128::from(part) * u128::from(unit) / u128::from(scale);
    whole.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

fn unit_nanoseconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" | "μs" => 1_000,
        "ns" => 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
