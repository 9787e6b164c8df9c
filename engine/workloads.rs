//! Workloads: how the stable copy of a target looks, when it is made and when it takes over a release.
//!
//! The target is what users write; the primary is what a [`Projection`] makes of it. A projection is pure: the target is not
//! touched, and projecting the same target twice gives the same primary, down to `flagger-id` (W-19). Objects stay raw JSON, so
//! that fields this code has never heard of arrive at the primary (WL-12).
//!
//! Parts: [`Workload`] what a kind of target is asked; `deployment`, `daemon_set`, [`service`], [`knative`] the answers of each; `template` the pods,
//! `spread` the selectors by which they keep apart, [`metadata`] labels and annotations, [`history`] what is known of earlier revisions. Another kind of workload is a sibling of
//! `deployment` and a branch in `kind`.

use crds::Canary;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

use crate::{ObjectRef, Settings, objects::LAST_APPLIED, revision::hex};

mod daemon_set;
mod deployment;
pub mod history;
mod kind;
pub mod knative;
pub mod metadata;
pub mod service;
mod spread;
mod template;

pub use daemon_set::ZERO_SELECTOR;
pub use kind::Workload;

/// Annotation of the primary's pods that makes a promotion roll them (workloads.md 1).
pub const FLAGGER_ID: &str = "flagger-id";

/// Everything that decides how a target becomes its primary.
#[derive(Clone, Debug)]
pub struct Projection<'a> {
    /// Owner of the primary.
    pub canary: &'a Canary,
    /// Key of the target's selector label, such as `app` (workloads.md 4).
    pub selector_key: &'a str,
    /// Its value on the target's pods; the primary's pods have `<value>-primary`.
    pub selector_value: &'a str,
    /// Prefixes of copied labels.
    pub settings: &'a Settings,
    /// Configs that have a copy, or get one, before the primary is written. Empty while tracking is off.
    pub tracked: &'a BTreeSet<ObjectRef>,
    /// See [`flagger_id`].
    pub flagger_id: String,
}

/// Value of the annotation `flagger-id`: looks like a random UUID (version 4), but follows from what is promoted, so that a
/// promotion that is tried again changes nothing (W-19) while a changed config still rolls the pods.
///
/// `configs` are the checksums of the tracked configs by their key in the status.
pub fn flagger_id(revision: &str, configs: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(revision);
    for (key, checksum) in configs {
        // Names and checksums hold no line breaks, so no two inputs give the same text.
        hasher.update(format!("\n{key}={checksum}"));
    }
    let mut bytes: [u8; 32] = hasher.finalize().into();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let parts = [0..4, 4..6, 6..8, 8..10, 10..16];
    parts.map(|part| hex(&bytes[part])).join("-")
}

/// Replicas that a workload shall have; 1 when it does not say, as the API server defaults it.
pub fn replicas(workload: &Value) -> i64 {
    workload["spec"]["replicas"].as_i64().unwrap_or(1)
}

/// The workload with another number of replicas.
pub fn scaled(workload: &Value, replicas: i64) -> Value {
    let mut desired = workload.clone();
    crate::json::set(&mut desired, &["spec", "replicas"], replicas.into());
    desired
}

/// Replicas that a target gets when a run needs its pods (workloads.md 9): its own if it has any; else the minimum of its
/// autoscaler, where there is one; else the primary's. At least 1.
///
/// `scaler_min` is `None` only without an `autoscalerRef`; a scaler that sets no minimum, or cannot be read, counts as `Some(1)`.
pub fn replicas_from_zero(target: &Value, primary: Option<&Value>, scaler_min: Option<i64>) -> i64 {
    // Without a number of its own, a Deployment takes another's; a DaemonSet that is not at zero has all that it can have.
    let own = match Workload::of_object(target) {
        Workload::Deployment => target["spec"]["replicas"].as_i64().unwrap_or(0),
        other => other.replicas(target),
    };
    if own > 0 {
        return own;
    }
    scaler_min.or_else(|| primary.map(replicas)).unwrap_or(1).max(1)
}

/// Replicas of a primary that has none to go by, because it is lost or at zero: those of the target if it has any, else what its scaler
/// keeps at least, else what the target's manifest asked for (its own count is zero between runs). At least 1.
pub fn replicas_anew(target: &Value, scaler_min: Option<i64>) -> i64 {
    let applied = target["metadata"]["annotations"][LAST_APPLIED].as_str();
    let applied: Option<Value> = applied.and_then(|text| serde_json::from_str(text).ok());
    let asked = applied.and_then(|manifest| manifest["spec"]["replicas"].as_i64());
    let counts = [Some(replicas(target)), scaler_min, asked];
    counts.into_iter().flatten().find(|count| *count > 0).unwrap_or(1)
}

/// Whether the primary already runs what a promotion would give it (take-over, controller.md 1.7): the pod templates are equal
/// but for what two implementations may do differently: `flagger-id`, the suffix of config names and of the values in spread
/// selectors, unset fields, and a restart of the primary by hand.
pub fn runs_same(primary: &Value, expected: &Value) -> bool {
    template::comparable(primary, expected) == template::comparable(expected, expected)
}

// === impl Projection ===

impl Projection<'_> {
    /// Value of the selector label on the primary's pods.
    pub fn primary_value(&self) -> String {
        format!("{}-primary", self.selector_value)
    }
}

#[cfg(test)]
mod tests;
