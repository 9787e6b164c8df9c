//! Rules of a route of the Gateway API, of whichever kind: their backends, and the shares of our two Services.

use crds::Canary;
use serde_json::{Value, json};

use super::filters;
use crate::{
    ObjectRef,
    routes::{Context, Refused, Split, Unready},
    services,
};

/// Weight of a backend that has none, as the schema says.
const WEIGHT_DEFAULT: i64 = 1;

/// The rules of a route.
pub(super) fn of(route: &Value) -> &[Value] {
    route["spec"]["rules"].as_array().map_or(&[][..], Vec::as_slice)
}

/// The backends of a rule.
pub(super) fn backends(rule: &Value) -> &[Value] {
    rule["backendRefs"].as_array().map_or(&[][..], Vec::as_slice)
}

/// Both sides of a split, as the API server stores them.
pub(super) fn both(canary: &Canary, split: Split) -> Result<[Value; 2], Refused> {
    let port = services::port(canary)?;
    let backend = |name: String, weight: i64| json!({"group": "", "kind": "Service", "name": name, "port": port, "weight": weight});
    Ok([
        backend(canary.spec.primary_service_name(), split.primary),
        backend(canary.spec.canary_service_name(), split.canary),
    ])
}

/// Whether one of its backends is our primary.
pub(super) fn leads_to_primary(rule: &Value, canary: &Canary) -> bool {
    let primary = canary.spec.primary_service_name();
    backends(rule).iter().any(|backend| backend["name"] == *primary)
}

/// Weights of primary and canary; `None` where a rule does not share between just the two.
pub(super) fn shares(rule: &Value, canary: &Canary) -> Option<(i64, i64)> {
    let backends = backends(rule);
    let weight = |name: String| {
        let backend = backends.iter().find(|backend| backend["name"] == *name)?;
        Some(backend["weight"].as_i64().unwrap_or(WEIGHT_DEFAULT).max(0))
    };
    let primary = weight(canary.spec.primary_service_name())?;
    let share = weight(canary.spec.canary_service_name())?;
    (backends.len() == 2).then_some((primary, share))
}

/// The split of the last rule with exactly two backends, primary and canary (routers-mesh.md 4.3).
pub(super) fn observed(context: &Context<'_>, at: &ObjectRef) -> Result<Split, Unready> {
    let canary = context.canary;
    let route = context.at(0).ok_or_else(|| Unready::Absent(at.to_string()))?;
    let rules = of(route);
    let shares = rules.iter().rev().find_map(|rule| shares(rule, canary));
    let split = shares.and_then(|(primary, canary)| Split::of_shares(primary, canary));
    let split = split.ok_or_else(|| Unready::NoSplit(at.to_string()))?;
    let target = canary.spec.canary_service_name();
    let mirrored = rules.iter().any(|rule| filters::mirrors_to(rule, &target));
    Ok(Split { mirrored, ..split })
}
