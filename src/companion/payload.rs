//! The payload of a hook, read as Go's JSON decoder would, with two leniencies: numbers and booleans in the metadata are taken as text
//! (`clone: 100` of document 000), and `null` is an empty text.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Longest body that is read. A Canary is at most 1.5 MiB in etcd, so no controller sends more.
pub(crate) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Who calls, about which revision, and what for (loadtester.md 1.1). Everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    /// Name of the Canary.
    pub(crate) name: String,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its phase; empty when somebody calls by hand.
    pub(crate) phase: String,
    /// Identifies one revision.
    pub(crate) checksum: String,
    /// What the user wrote.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Why a body is no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPayload {
    /// There is no body.
    #[error("EOF")]
    Empty,
    /// Not JSON, or more after it.
    #[error("{0}")]
    Syntax(String),
    /// A value of the wrong kind.
    #[error("cannot use {kind} as {field}")]
    Kind {
        /// What was found.
        kind: &'static str,
        /// Where.
        field: String,
    },
}

// === impl Payload ===

impl Payload {
    /// Read exactly one JSON value.
    pub(crate) fn read(body: &[u8]) -> Result<Self, BadPayload> {
        let value = serde_json::from_slice(body).map_err(|error| syntax(body, &error))?;
        Self::from_value(value)
    }

    /// Read the first JSON value and ignore what follows, as the k6 webhook does (k6-webhook.md 2).
    pub(crate) fn read_first(body: &[u8]) -> Result<Self, BadPayload> {
        let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
        match values.next() {
            None => Err(BadPayload::Empty),
            Some(Err(error)) => Err(syntax(body, &error)),
            Some(Ok(value)) => Self::from_value(value),
        }
    }

    fn from_value(value: Value) -> Result<Self, BadPayload> {
        let fields = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(fields) => fields,
            other => return Err(bad(&other, "payload")),
        };
        let mut payload = Self::default();
        for (key, target) in [
            ("name", &mut payload.name),
            ("namespace", &mut payload.namespace),
            ("phase", &mut payload.phase),
            ("checksum", &mut payload.checksum),
        ] {
            *target = match field(&fields, key) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => return Err(bad(other, key)),
            };
        }
        match field(&fields, "metadata") {
            None | Some(Value::Null) => {}
            Some(Value::Object(entries)) => {
                for (key, value) in entries {
                    let text = text(value).ok_or_else(|| bad(value, &format!("metadata.{key}")))?;
                    payload.metadata.insert(key.clone(), text);
                }
            }
            Some(other) => return Err(bad(other, "metadata")),
        }
        Ok(payload)
    }

    /// A value of the metadata; an empty text counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.metadata
            .get(key)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }
}

/// The exact key, or else one that differs in case only, as in Go.
fn field<'f>(fields: &'f Map<String, Value>, key: &str) -> Option<&'f Value> {
    fields.get(key).or_else(|| {
        let like = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        like.map(|(_, value)| value)
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn bad(value: &Value, field: &str) -> BadPayload {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    BadPayload::Kind {
        kind,
        field: field.to_owned(),
    }
}

fn syntax(body: &[u8], error: &serde_json::Error) -> BadPayload {
    if body.iter().all(u8::is_ascii_whitespace) {
        return BadPayload::Empty;
    }
    BadPayload::Syntax(error.to_string())
}

/// What Go's `ParseBool` takes; `None` for anything else.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
