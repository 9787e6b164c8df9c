//! A VirtualService that was there before the Canary (routers-mesh.md 3.3, 3.6).

use crds::Canary;
use serde_json::{Value, json};

use super::{VIRTUAL_SERVICE, virtual_service};
use crate::routes::{Context, adoption};

/// Remember what `current` says, if it is the user's own.
pub(super) fn remember(object: &mut Value, current: &Value, canary: &Canary) {
    let routes = virtual_service::routes(&current["spec"]);
    let is_ours = routes
        .iter()
        .any(|route| virtual_service::shares(route, canary).is_some());
    adoption::remember(object, current, canary, is_ours);
}

/// The objects as they were before the Canary; `None` for one that stays as it is.
pub(super) fn reverted(context: &Context<'_>) -> Vec<Option<Value>> {
    let mut reverted = vec![None; VIRTUAL_SERVICE];
    let current = context.at(VIRTUAL_SERVICE);
    reverted.push(current.and_then(|current| restored(current, context.canary)));
    reverted
}

fn restored(current: &Value, canary: &Canary) -> Option<Value> {
    let mut object = adoption::restored(current, canary)?;
    for list in ["http", "tcp", "tls"] {
        let routes = object["spec"].get_mut(list).and_then(Value::as_array_mut);
        routes.into_iter().flatten().for_each(whole_if_alone);
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
