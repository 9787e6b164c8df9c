//! A VirtualService that was there before the Canary: what it said is kept in an annotation, for the deletion with `revertOnDeletion`
//! (routers-mesh.md 3.3, 3.6).

use crds::Canary;
use serde_json::{Value, json};

use super::{VIRTUAL_SERVICE, virtual_service};
use crate::{json as tree, objects, routes::Context};

/// The whole object as `kubectl apply` left it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The spec as it was found. The peer's name, so that either may revert what the other adopted.
const ORIGINAL: &str = "flagger.kubernetes.io/original-configuration";

/// Remember the spec of `current` in `object`, which is about to replace it: once, and never a spec of our own (RM-20, W-36).
pub(super) fn remember(object: &mut Value, current: &Value, canary: &Canary) {
    let annotations = &current["metadata"]["annotations"];
    let is_known = !annotations[LAST_APPLIED].is_null() || !annotations[ORIGINAL].is_null();
    let routes = virtual_service::routes(&current["spec"]);
    let is_ours = routes
        .iter()
        .any(|route| virtual_service::shares(route, canary).is_some());
    if is_known || is_ours || objects::is_controlled_by(current, canary) {
        return;
    }
    let original = current["spec"].to_string();
    tree::set(object, &["metadata", "annotations", ORIGINAL], json!(original));
}

/// The objects as they were before the Canary; `None` for one that stays as it is. What the Canary owns is collected with it.
pub(super) fn reverted(context: &Context<'_>) -> Vec<Option<Value>> {
    let mut reverted = vec![None; VIRTUAL_SERVICE];
    reverted.push(
        context
            .at(VIRTUAL_SERVICE)
            .and_then(|current| restored(current, context.canary)),
    );
    reverted
}

fn restored(current: &Value, canary: &Canary) -> Option<Value> {
    if objects::is_controlled_by(current, canary) {
        return None;
    }
    let annotations = &current["metadata"]["annotations"];
    let read = |key: &str| -> Option<Value> { serde_json::from_str(annotations[key].as_str()?).ok() };
    let applied = read(LAST_APPLIED).map(|manifest| manifest["spec"].clone());
    let mut spec = applied.or_else(|| read(ORIGINAL)).filter(Value::is_object)?;
    for list in ["http", "tcp", "tls"] {
        let routes = spec.get_mut(list).and_then(Value::as_array_mut);
        routes.into_iter().flatten().for_each(whole_if_alone);
    }
    let mut object = current.clone();
    object["spec"] = spec;
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(ORIGINAL);
    }
    Some(object)
}

/// A single destination gets everything; the peer's copy says 0, which some readers believe (observed.md A15).
fn whole_if_alone(route: &mut Value) {
    let Some([destination]) = route["route"].as_array_mut().map(Vec::as_mut_slice) else {
        return;
    };
    if let Some(fields) = destination
        .as_object_mut()
        .filter(|fields| fields.get("weight") == Some(&json!(0)))
    {
        fields.remove("weight");
    }
}
