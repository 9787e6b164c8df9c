//! The revision of a workload: a short text that changes when its pods would change, and only then.
//!
//! It is the SHA-256 of the pod template as canonical JSON: keys in byte order; nulls, empty maps and empty lists left out. So a
//! field that is unset, `null` or `{}` is the same, and neither a new API field nor another client library makes a new revision
//! (WL-32). Lists keep their order and length, texts and numbers stay as they are, and so does everything in annotations: the one
//! of `kubectl rollout restart` starts a run, as documented. Two selectors keep their empty form, because there it selects all
//! while an absent one selects nothing else. `v2-`, should it ever come, is then told apart from `v1-` by the prefix.

use crds::CanaryStatus;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// In front of every revision; holds characters that the peer's never have.
const VERSION_PREFIX: &str = "v1-";

/// Bytes of the hash that are kept: 64 bits, as a release history of a million revisions then collides with p < 10^-7.
const HASH_BYTES: usize = 8;

/// Characters of the peer's hashes (workloads.md 11.2).
const PEER_ALPHABET: &str = "456789bcdf";

/// Longest hash of the peer: a 32-bit number in decimal digits.
const PEER_CHARS_MAX: usize = 10;

/// Keys whose empty map says something else than their absence.
const EMPTY_MATTERS: [&str; 2] = ["labelSelector", "namespaceSelector"];

/// Revision of a Deployment: `v1-` and 16 hex digits over its whole `spec.template`, metadata included (workloads.md 11.1).
pub fn of_deployment(target: &Value) -> String {
    of(&target["spec"]["template"])
}

/// Whether a stored revision was written by the peer: `^[4-9bcdf]{1,10}$`. Such a text is never compared with one of ours; the
/// caller takes the canary over instead (controller.md 1.7).
pub fn is_peers(text: &str) -> bool {
    (1..=PEER_CHARS_MAX).contains(&text.len()) && text.chars().all(|c| PEER_ALPHABET.contains(c))
}

/// Whether `revision` is to be released (workloads.md 11.3). Nothing applied yet: yes. The promoted revision: no, the owner took
/// the last one back. Otherwise: when it is not the one last applied.
pub fn changed(status: &CanaryStatus, revision: &str) -> bool {
    let applied = status.last_applied_spec.as_deref().unwrap_or_default();
    if applied.is_empty() {
        return true;
    }
    if status.last_promoted_spec.as_deref() == Some(revision) {
        return false;
    }
    applied != revision
}

/// Revision of anything that decides what runs.
pub(crate) fn of(value: &Value) -> String {
    let hash = Sha256::digest(canonical(value).to_string());
    format!("{VERSION_PREFIX}{}", hex(&hash[..HASH_BYTES]))
}

/// The value with sorted keys and without nulls, empty maps and empty lists inside of maps.
pub(crate) fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(canonical_map(map)),
        Value::Array(list) => list.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn canonical_map(map: &Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<(&String, Value)> = map
        .iter()
        .map(|(key, value)| (key, canonical(value)))
        .filter(|(key, value)| !is_unset(value) || (value.is_object() && EMPTY_MATTERS.contains(&key.as_str())))
        .collect();
    // Sorted here, whatever order the map type of serde_json was built with.
    entries.sort_by_key(|(key, _)| *key);
    entries.into_iter().map(|(key, value)| (key.clone(), value)).collect()
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
