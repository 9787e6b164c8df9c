//! Tracked ConfigMaps and Secrets: which are referenced, what their checksum is, how they are copied for the primary.
//!
//! [`references`] lists what a pod template needs, [`digest`] condenses one object, [`changed`] compares with the status,
//! [`copy`] makes `<name>-primary` and [`rewrite`] lets the primary's pods use the copies. The unit is always the whole object.

use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ObjectRef,
    objects::{kinds, metadata_map},
};

mod checksum;
mod copies;
mod places;

pub use copies::{copy, copy_ref};
pub(crate) use places::without_suffix;

/// Annotation that opts an object out when its value starts with `disable` (workloads.md 12.1).
const TRACKING_ANNOTATION: &str = "flagger.app/config-tracking";

/// Types of Secrets that are tracked; all others belong to other tools and are shared.
const TRACKED_SECRET_TYPES: [&str; 4] = [
    "Opaque",
    "kubernetes.io/basic-auth",
    "kubernetes.io/ssh-auth",
    "kubernetes.io/tls",
];

/// What a read of a ConfigMap or Secret gave, without its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// `status.trackedConfigs` value: first 8 bytes of SHA-256 over the JSON of `data`, in hex (workloads.md 12.2).
    pub checksum: String,
    /// Whether it is tracked: not opted out, and of a tracked type.
    pub tracked: bool,
}

/// A ConfigMap or Secret that a pod template needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reference {
    /// The object, in the workload's namespace.
    pub object: ObjectRef,
    /// Whether pods start without it.
    pub optional: bool,
}

/// ConfigMaps and Secrets that a pod template names in volumes, projected volumes, `env` and `envFrom` of containers and init
/// containers (workloads.md 12.1); sorted, each once. When an object is named several times, the last place decides whether
/// it is optional.
pub fn references(pod_template: &Value, namespace: &str) -> Vec<Reference> {
    let mut found = BTreeMap::new();
    for place in places::of(pod_template) {
        found.insert(place.kind.named(namespace, &place.name), place.optional);
    }
    found
        .into_iter()
        .map(|(object, optional)| Reference { object, optional })
        .collect()
}

/// Key of `status.trackedConfigs`: `configmap/<name>` or `secret/<name>`.
pub fn key(object: &ObjectRef) -> String {
    let kind = if object.kind == kinds::SECRET {
        "secret"
    } else {
        "configmap"
    };
    format!("{kind}/{}", object.name)
}

/// Whether the object is tracked: not opted out by annotation and, for a Secret, of a tracked type. A view with metadata only
/// has no type; then the annotations alone decide.
pub fn is_tracked(object: &Value) -> bool {
    let annotations = metadata_map(object, "annotations");
    let opted_out = annotations
        .get(TRACKING_ANNOTATION)
        .is_some_and(|value| value.starts_with("disable"));
    // Only Secrets have a type, and stored ones always do; items of lists come without a kind.
    let shared_type = object["type"]
        .as_str()
        .is_some_and(|text| !TRACKED_SECRET_TYPES.contains(&text));
    !opted_out && !shared_type
}

/// Checksum and tracking of a whole ConfigMap or Secret.
pub fn digest(object: &Value) -> Digest {
    Digest {
        checksum: checksum::of(object),
        tracked: is_tracked(object),
    }
}

/// Whether the tracked configs differ from the stored ones (workloads.md 12.3). A map that was never stored differs only from
/// one with entries. Not to be asked while tracking is off.
pub fn changed(stored: Option<&BTreeMap<String, String>>, now: &BTreeMap<String, String>) -> bool {
    match stored {
        None => !now.is_empty(),
        Some(stored) => stored != now,
    }
}

/// Let the pod template use the copies: `-primary` is appended to the name at every place of [`references`] whose object is in
/// `tracked` (workloads.md 12.5). Namespaces are not compared, as pods only reach their own.
pub fn rewrite(pod_template: &mut Value, tracked: &BTreeSet<ObjectRef>) {
    let names: BTreeSet<_> = tracked
        .iter()
        .map(|object| (object.kind, object.name.as_str()))
        .collect();
    for place in places::of(pod_template) {
        if names.contains(&(place.kind, place.name.as_str())) {
            place.rename(pod_template, format!("{}-primary", place.name));
        }
    }
}

// === impl Reference ===

impl Reference {
    /// Key of `status.trackedConfigs`: `configmap/<name>` or `secret/<name>`.
    pub fn key(&self) -> String {
        key(&self.object)
    }
}

#[cfg(test)]
mod tests;
