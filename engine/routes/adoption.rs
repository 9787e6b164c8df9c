//! A route that was there before the Canary: what it said is kept in an annotation, for the deletion with `revertOnDeletion`
//! (routers-mesh.md 3.3, 3.6). The peer does it for Istio alone (RM-21).

use crds::Canary;
use serde_json::{Value, json};

use crate::{json as tree, objects};

pub(super) use crate::objects::{LAST_APPLIED, ORIGINAL};

/// Remember the spec of `current` in `object`, which is about to replace it: once, and never a spec of our own (RM-20, W-36). `is_ours`:
/// whether `current` already leads to our Services.
pub(super) fn remember(object: &mut Value, current: &Value, canary: &Canary, is_ours: bool) {
    let annotations = &current["metadata"]["annotations"];
    let is_known = !annotations[LAST_APPLIED].is_null() || !annotations[ORIGINAL].is_null();
    if is_known || is_ours || objects::is_controlled_by(current, canary) {
        return;
    }
    let original = current["spec"].to_string();
    tree::set(object, &["metadata", "annotations", ORIGINAL], json!(original));
}

/// The object as it was before the Canary; `None` where it stays as it is. What the Canary owns is collected with it.
pub(super) fn restored(current: &Value, canary: &Canary) -> Option<Value> {
    if objects::is_controlled_by(current, canary) {
        return None;
    }
    let annotations = &current["metadata"]["annotations"];
    let read = |key: &str| -> Option<Value> { serde_json::from_str(annotations[key].as_str()?).ok() };
    let applied = read(LAST_APPLIED).map(|manifest| manifest["spec"].clone());
    let spec = applied.or_else(|| read(ORIGINAL)).filter(Value::is_object)?;
    let mut object = current.clone();
    object["spec"] = spec;
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(ORIGINAL);
    }
    Some(object)
}
