//! Knative Services. The target is its own primary: Knative keeps every revision, and an annotation says which of them is the stable one
//! (workloads.md 15.2). Traffic between the two is `routes/knative.rs`.

use serde_json::{Value, json};

use crate::{json::set, revision};

/// Names the revision that is the primary (workloads.md 1).
pub const PRIMARY_REVISION: &str = "flagger.app/primary-revision";

/// The revision that Knative has made of the latest spec it has seen.
pub fn latest(service: &Value) -> Option<&str> {
    let name = service["status"]["latestCreatedRevisionName"].as_str();
    name.filter(|name| !name.is_empty())
}

/// The revision that is the primary.
pub fn primary(service: &Value) -> Option<&str> {
    let name = service["metadata"]["annotations"][PRIMARY_REVISION].as_str();
    name.filter(|name| !name.is_empty())
}

/// Hash of the latest revision's name: Knative gives another one to each change of the template (workloads.md 11.1).
pub(super) fn revision(target: &Value) -> String {
    revision::of(&json!(latest(target)))
}

/// The Service with a primary. One whose annotation was lost gets it back from the revision that its traffic is pinned to, so that nobody's
/// edit makes an unjudged revision the stable one. `None`: Knative has made no revision yet.
pub fn adopted(service: &Value) -> Option<Value> {
    if primary(service).is_some() {
        return Some(service.clone());
    }
    let traffic = service["spec"]["traffic"].as_array().into_iter().flatten();
    let mut pinned = traffic.filter_map(|entry| entry["revisionName"].as_str());
    let name = pinned.next().or_else(|| latest(service))?.to_owned();
    let mut desired = service.clone();
    set(
        &mut desired,
        &["metadata", "annotations", PRIMARY_REVISION],
        name.into(),
    );
    Some(desired)
}

/// The Service whose primary is the latest revision.
pub(super) fn promoted(target: &Value, service: &Value) -> Value {
    let mut desired = service.clone();
    if let Some(name) = latest(target) {
        set(
            &mut desired,
            &["metadata", "annotations", PRIMARY_REVISION],
            name.into(),
        );
    }
    desired
}

/// The Service without a canary. Traffic follows the latest revision again, unless that one never got ready (WL-18: the peer leaves the
/// traffic pinned for ever).
pub fn released(service: &Value, is_ready: bool) -> Value {
    let mut desired = service.clone();
    if let Some(annotations) = desired["metadata"]["annotations"].as_object_mut() {
        annotations.remove(PRIMARY_REVISION);
    }
    if is_ready {
        let traffic = json!([{"latestRevision": true, "percent": 100}]);
        set(&mut desired, &["spec", "traffic"], traffic);
    }
    desired
}
