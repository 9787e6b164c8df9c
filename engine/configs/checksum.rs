//! The checksum of `status.trackedConfigs`, portable between the peer and us (workloads.md 12.2): SHA-256 over the JSON of `data`
//! as Go's encoder writes it, so that a take-over sees no change where there is none.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt::Write as _};

use crate::revision::hex;

/// Bytes of the hash that are kept.
const HASH_BYTES: usize = 8;

/// Checksum of a ConfigMap or Secret: 16 hex digits. `binaryData`, which the peer overlooks (WL-11), is hashed behind `data` when
/// there is some; without it the checksum is the peer's.
pub(super) fn of(object: &Value) -> String {
    let mut text = String::new();
    write(&mut text, &object["data"]);
    let binary = &object["binaryData"];
    if binary.as_object().is_some_and(|map| !map.is_empty()) {
        write(&mut text, binary);
    }
    hex(&Sha256::digest(text)[..HASH_BYTES])
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            text.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_text(text, key);
                text.push(':');
                write(text, value);
            }
            text.push('}');
        }
        Value::String(content) => write_text(text, content),
        // `null`; the values of stored objects are texts only.
        other => text.push_str(&other.to_string()),
    }
}

fn write_text(text: &mut String, content: &str) {
    text.push('"');
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            _ => text.push(c),
        }
    }
    text.push('"');
}
