//! Providers `gatewayapi:v1:tcp` and `gatewayapi:v1alpha2:tcp`: one TCPRoute with the name of the apex (RM-27).
//!
//! A connection has no requests: there are weights and nothing else. What the Canary says of requests is refused, or told to have no effect.

#[cfg(test)]
mod tests;

use crds::service::Service;
use serde_json::{Value, json};

use super::{Form, accepted, desired, objects, observed, reverted, rules::both};
use crate::{
    objects::kinds,
    routes::{Capabilities, Context, Provider, Refused, Split, affinity::Rules},
};

const FORM: Form = Form {
    kind: kinds::TCP_ROUTE,
    fields: &["backendRefs"],
    has_hosts: false,
    rules,
};
const FORM_V1ALPHA2: Form = Form {
    kind: kinds::TCP_ROUTE_V1ALPHA2,
    ..FORM
};

/// TCPRoutes as Gateway API 1.6 serves them.
pub(in crate::routes) const V1: Provider = Provider {
    name: "gatewayapi:v1:tcp",
    about: "the same with TCPRoutes, since Gateway API 1.6",
    capabilities: Capabilities {
        weights: true,
        revert: true,
        tcp: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::TCP_ROUTE],
    notes: "Shares connections: what is open stays where it is. The builtin checks ask for figures of HTTP: give metrics of your own.",
    claims: |name| name == "gatewayapi:v1:tcp",
    objects: |canary| objects(canary, FORM.kind),
    desired: |context, split, sticky| desired(context, split, sticky, &FORM),
    observed: |context| observed(context, FORM.kind),
    accepted: |context| accepted(context, FORM.kind),
    reverted: |context| reverted(context, FORM.kind),
};

/// The same as the experimental channel has it up to Gateway API 1.5.
pub(in crate::routes) const V1ALPHA2: Provider = Provider {
    name: "gatewayapi:v1alpha2:tcp",
    about: "the same with TCPRoutes of the experimental channel, before Gateway API 1.6",
    kinds: &[kinds::TCP_ROUTE_V1ALPHA2],
    claims: |name| name == "gatewayapi:v1alpha2:tcp",
    objects: |canary| objects(canary, FORM_V1ALPHA2.kind),
    desired: |context, split, sticky| desired(context, split, sticky, &FORM_V1ALPHA2),
    observed: |context| observed(context, FORM_V1ALPHA2.kind),
    accepted: |context| accepted(context, FORM_V1ALPHA2.kind),
    reverted: |context| reverted(context, FORM_V1ALPHA2.kind),
    ..V1
};

fn rules(context: &Context<'_>, service: &Service, split: Split, _: &Rules) -> Result<Vec<Value>, Refused> {
    let asked = [
        ("service.match", !service.matches.is_empty()),
        ("service.rewrite", service.rewrite.is_some()),
        ("service.mirror", !service.mirror.is_empty()),
    ];
    if let Some((path, _)) = asked.into_iter().find(|(_, is_asked)| *is_asked) {
        return Err(Refused::field(path, "a TCPRoute knows connections, not requests"));
    }
    Ok(vec![json!({"backendRefs": both(context.canary, split)?})])
}
