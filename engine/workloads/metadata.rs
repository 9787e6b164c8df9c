//! Labels and annotations of generated objects.
//!
//! Creation and promotion use one rule, unlike the peer, which copies all annotations first and throws them away later (WL-15):
//! what the target has is set, what others put on the object stays. A key that the target gave up is removed only where a
//! configured prefix tells that it was ours.

use serde_json::Value;
use std::collections::BTreeMap;

use super::Projection;
use crate::{
    json::set,
    objects::{TOOLKIT_MARKER, metadata_map, without_toolkit},
};

/// Labels or annotations.
type Texts = BTreeMap<String, String>;

/// The prefix that means all keys.
const ALL: &str = "*";

/// Starts of annotation keys that describe one object and would be lies on its copy: who applied or tracks it, and its own
/// revision number (WL-15).
const OF_ONE_OBJECT: [&str; 4] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/",
    "argocd.argoproj.io/tracking-id",
    "meta.helm.sh/",
];

/// The entries whose key has one of the prefixes, `*` meaning all; never those of GitOps toolkits (workloads.md 5).
pub fn by_prefix(map: &Texts, prefixes: &[String]) -> Texts {
    let mut kept = without_toolkit(map);
    kept.retain(|key, _| prefixes.iter().any(|prefix| prefix == ALL || has_prefix(key, prefix)));
    kept
}

/// The map `current` with `ours` in it. Keys of a prefix are ours to remove, but `*` tells nothing about whose they are.
pub fn settled(mut current: Texts, ours: Texts, prefixes: &[String]) -> Texts {
    current.retain(|key, _| {
        let is_ours = prefixes.iter().any(|prefix| prefix != ALL && has_prefix(key, prefix));
        !is_ours || key.contains(TOOLKIT_MARKER) || ours.contains_key(key) || is_of_one_object(key)
    });
    current.extend(ours);
    current
}

/// Set `metadata.labels` or `metadata.annotations`; an empty map is left out where there was none.
pub fn put_map(object: &mut Value, field: &str, map: Texts) {
    if map.is_empty() && object["metadata"].get(field).is_none() {
        return;
    }
    let value = map.into_iter().map(|(key, text)| (key, Value::String(text))).collect();
    set(object, &["metadata", field], Value::Object(value));
}

/// Bring labels and annotations of a new or live primary up to date with the target's.
pub(super) fn project(projection: &Projection<'_>, target: &Value, primary: &mut Value) {
    let prefixes = &projection.settings.include_label_prefixes;
    let mut labels = by_prefix(&metadata_map(target, "labels"), prefixes);
    labels.insert(projection.selector_key.to_owned(), projection.primary_value());
    let labels = settled(metadata_map(primary, "labels"), labels, prefixes);
    put_map(primary, "labels", labels);

    let mut annotations = without_toolkit(&metadata_map(target, "annotations"));
    annotations.retain(|key, _| !is_of_one_object(key));
    let annotations = settled(metadata_map(primary, "annotations"), annotations, prefixes);
    put_map(primary, "annotations", annotations);
}

fn has_prefix(key: &str, prefix: &str) -> bool {
    !prefix.is_empty() && key.starts_with(prefix)
}

/// Whether the key describes one object and would be a lie on its copy.
pub(crate) fn is_of_one_object(key: &str) -> bool {
    OF_ONE_OBJECT.iter().any(|start| key.starts_with(start))
}
