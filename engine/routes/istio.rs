//! Provider `istio`: a DestinationRule for each side and one VirtualService with the name of the apex (routers-mesh.md 3).
//!
//! Everything is rebuilt from the Canary for the split that is asked for, sticky and mirror rules included, so a foreign edit is repaired
//! where the run stands (RM-1). What the Canary does not describe is kept.

mod adoption;
mod matches;
#[cfg(test)]
mod tests;
mod virtual_service;

use crds::Canary;
use serde_json::{Value, json};

use super::{Capabilities, Context, Provider, Refused, Split, Unready, affinity::Rules, order, put_or_remove};
use crate::{ObjectRef, json as tree, objects::kinds};

/// Place of the VirtualService among the objects.
const VIRTUAL_SERVICE: usize = 2;

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "istio",
    about: "Istio, sidecars and gateways",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        mirror: true,
        mirror_percentage: true,
        affinity: true,
        headers: true,
        retries: true,
        timeouts: true,
        cors: true,
        delegation: true,
        revert: true,
        grpc: true,
        tcp: true,
    },
    kinds: &[kinds::VIRTUAL_SERVICE, kinds::DESTINATION_RULE],
    notes: "With `service.appProtocol: tcp` only weights are there; what needs HTTP is refused.",
    claims: |name| name == "istio",
    objects: |canary| {
        let rule = |name: &str| kinds::DESTINATION_RULE.named(canary.namespace(), name);
        vec![
            rule(&canary.spec.canary_service_name()),
            rule(&canary.spec.primary_service_name()),
            reference(canary),
        ]
    },
    desired,
    observed,
    // Istio reports nothing that a run could wait for: proxies take a route over on their own.
    accepted: |_| Ok(()),
    reverted: adoption::reverted,
};

fn reference(canary: &Canary) -> ObjectRef {
    kinds::VIRTUAL_SERVICE.named(canary.namespace(), canary.spec.apex_name())
}

fn desired(context: &Context<'_>, split: Split, sticky: &Rules) -> Result<Vec<Value>, Refused> {
    let spec = &context.canary.spec;
    Ok(vec![
        destination_rule(context, 0, &spec.canary_service_name())?,
        destination_rule(context, 1, &spec.primary_service_name())?,
        virtual_service::desired(context, split, sticky)?,
    ])
}

/// The traffic policy for one side. Labels, annotations, subsets and whatever else is somebody's own.
fn destination_rule(context: &Context<'_>, place: usize, name: &str) -> Result<Value, Refused> {
    let service = context.service()?;
    let current = context.at(place);
    let at = kinds::DESTINATION_RULE.named(context.canary.namespace(), name);
    let mut rule = current.cloned().unwrap_or_else(|| context.fresh(&at));
    tree::set(&mut rule, &["spec", "host"], json!(name));
    let policy = service.traffic_policy.clone();
    put_or_remove(&mut rule["spec"], "trafficPolicy", policy.is_some(), json!(policy));
    if let Some(current) = current {
        rule["spec"] = order::settled(rule["spec"].take(), &current["spec"]);
    }
    Ok(rule)
}

/// The split of the last route that leads to both sides (routers-mesh.md 3.4): those for cookies stand in front of it.
fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let canary = context.canary;
    let at = reference(canary);
    let object = context
        .at(VIRTUAL_SERVICE)
        .ok_or_else(|| Unready::Absent(at.to_string()))?;
    let routes = virtual_service::routes(&object["spec"]);
    let shares = routes
        .iter()
        .rev()
        .find_map(|route| virtual_service::shares(route, canary));
    let (primary, share) = shares.ok_or_else(|| Unready::NoSplit(at.to_string()))?;
    let split = Split::of_shares(primary, share).ok_or_else(|| Unready::NoSplit(at.to_string()))?;
    let target = canary.spec.canary_service_name();
    let mirrored = routes.iter().any(|route| virtual_service::mirrors_to(route, &target));
    Ok(Split { mirrored, ..split })
}
