//! Providers of the Gateway API: one route with the name of the apex (routers-mesh.md 4), or a route of the user's own.
//!
//! The desired object is written as the API server stores it, defaults included, with everything that has no order sorted by name; so it
//! equals the live object unless someone changed something (RM-5, RM-6, observed.md A19).

mod filters;
pub(super) mod grpc;
mod matches;
mod own;
mod parents;
mod rules;
pub(super) mod tcp;
#[cfg(test)]
mod tests;

use crds::{Canary, analysis::Analysis, service::Service};
use serde_json::{Map, Value, json};

use super::{
    Capabilities, Context, Provider, Refused, Split, Unready, adoption,
    affinity::Rules,
    kept::{Shape, keeping_unknown},
    order, put_or_remove,
};
use crate::{
    ObjectRef, json as tree,
    objects::{Kind, kinds},
    services,
};
use rules::both;

const HTTP: Form = Form {
    kind: kinds::HTTP_ROUTE,
    fields: &["matches", "filters", "timeouts", "backendRefs"],
    has_hosts: true,
    rules: http_rules,
};
const HTTP_V1BETA1: Form = Form {
    kind: kinds::HTTP_ROUTE_V1BETA1,
    ..HTTP
};

/// The provider.
pub(super) const V1: Provider = Provider {
    name: "gatewayapi:v1",
    about: "Gateway API: gateways, and meshes with a Service as parent (Linkerd, Istio)",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        mirror: true,
        mirror_percentage: true,
        affinity: true,
        headers: true,
        timeouts: true,
        cors: true,
        revert: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::HTTP_ROUTE],
    notes: "Needs `service.gatewayRefs`, or a route of your own: [gateway-api.md](gateway-api.md). `mirrorWeight` needs Gateway API 1.3.",
    // Any suffix goes (routers-mesh.md 0.3), but the others of this group are providers of their own.
    claims: |name| name.starts_with("gatewayapi:v1") && !is_of_another_form(name),
    objects: |canary| objects(canary, HTTP.kind),
    desired: |context, split, sticky| desired(context, split, sticky, &HTTP),
    observed: |context| observed(context, HTTP.kind),
    accepted: |context| accepted(context, HTTP.kind),
    reverted: |context| reverted(context, HTTP.kind),
};

/// The same under the name that clusters before Gateway API 1.0 know, and that the peer's Linkerd guide uses. The schemas are one and the
/// same since 1.0, so nothing is left out: the peer drops timeouts, cross-origin policy and the primary's cookie here (routers-mesh.md 5).
pub(super) const V1BETA1: Provider = Provider {
    name: "gatewayapi:v1beta1",
    about: "the same, in clusters that serve no v1; Linkerd as in Flagger's guide",
    kinds: &[kinds::HTTP_ROUTE_V1BETA1],
    notes: "The same code as v1. Before Gateway API 1.0 the server drops timeouts and the cross-origin policy.",
    claims: |name| name.starts_with("gatewayapi:v1beta1"),
    objects: |canary| objects(canary, HTTP_V1BETA1.kind),
    desired: |context, split, sticky| desired(context, split, sticky, &HTTP_V1BETA1),
    observed: |context| observed(context, HTTP_V1BETA1.kind),
    accepted: |context| accepted(context, HTTP_V1BETA1.kind),
    reverted: |context| reverted(context, HTTP_V1BETA1.kind),
    ..V1
};

/// A kind of route.
struct Form {
    kind: Kind,
    /// Fields of a rule that are written here; all others of the same rule are kept.
    fields: &'static [&'static str],
    has_hosts: bool,
    rules: Writer,
}

/// Makes the rules of a route.
type Writer = fn(&Context<'_>, &Service, Split, &Rules) -> Result<Vec<Value>, Refused>;

fn is_of_another_form(name: &str) -> bool {
    name.starts_with("gatewayapi:v1beta1") || name.ends_with(":grpc") || name.ends_with(":tcp")
}

/// What of `spec.service` has no effect, `idle` by the capabilities: all of it but names and ports, with a route of the user's own.
pub(super) fn without_effect(canary: &Canary, kinds: &[Kind], mut idle: Vec<&'static str>) -> Vec<&'static str> {
    if kinds.iter().any(|kind| own::reference(canary, *kind).is_some()) {
        let known = idle.clone();
        let further = own::without_effect(canary).into_iter();
        idle.extend(further.filter(|path| !known.contains(path)));
    }
    idle
}

fn reference(canary: &Canary, kind: Kind) -> ObjectRef {
    own::reference(canary, kind).unwrap_or_else(|| kind.named(canary.namespace(), canary.spec.apex_name()))
}

fn objects(canary: &Canary, kind: Kind) -> Vec<ObjectRef> {
    vec![reference(canary, kind)]
}

fn desired(context: &Context<'_>, split: Split, sticky: &Rules, form: &Form) -> Result<Vec<Value>, Refused> {
    own::refuse_other_kind(context.canary, form.kind)?;
    let route = match own::reference(context.canary, form.kind) {
        Some(at) => own::desired(context, &at, split)?,
        None => generated(context, split, sticky, form)?,
    };
    Ok(vec![route])
}

fn observed(context: &Context<'_>, kind: Kind) -> Result<Split, Unready> {
    match own::reference(context.canary, kind) {
        Some(at) => own::observed(context, &at),
        None => rules::observed(context, &reference(context.canary, kind)),
    }
}

fn accepted(context: &Context<'_>, kind: Kind) -> Result<(), Unready> {
    match own::reference(context.canary, kind) {
        Some(at) => own::accepted(context, &at),
        None => parents::accepted(context, &reference(context.canary, kind)),
    }
}

/// The peer leaves an adopted route as it is, without Services to lead to (RM-21).
fn reverted(context: &Context<'_>, kind: Kind) -> Vec<Option<Value>> {
    let route = match own::reference(context.canary, kind) {
        Some(at) => own::reverted(context, &at),
        None => context
            .at(0)
            .and_then(|route| adoption::restored(route, context.canary)),
    };
    vec![route]
}

/// The route that is all ours.
fn generated(context: &Context<'_>, split: Split, sticky: &Rules, form: &Form) -> Result<Value, Refused> {
    let service = context.service()?;
    let parents = parents::stored(&service.gateway_refs)?;
    let canary = context.canary;
    let current = context.at(0);
    let live = current.map_or(&Value::Null, |route| &route["spec"]);
    let shape = Shape {
        fields: form.fields,
        is_weighted: &|rule| rules::shares(rule, canary).is_some(),
        is_ours: &|rule| rules::leads_to_primary(rule, canary),
    };
    let written = (form.rules)(context, service, split, sticky)?;
    let written = keeping_unknown(written, &live["rules"], &shape);

    let base = current
        .cloned()
        .unwrap_or_else(|| context.fresh(&reference(canary, form.kind)));
    let mut route = context.dressed(base, service);
    if let Some(current) = current {
        let ours = rules::of(current)
            .iter()
            .any(|rule| rules::leads_to_primary(rule, canary));
        adoption::remember(&mut route, current, canary, ours);
    }
    route["apiVersion"] = json!(form.kind.api_version());
    tree::set(&mut route, &["spec", "parentRefs"], json!(parents));
    if form.has_hosts {
        let hosts = json!(service.hosts);
        put_or_remove(&mut route["spec"], "hostnames", !service.hosts.is_empty(), hosts);
    }
    tree::set(&mut route, &["spec", "rules"], json!(written));
    route["spec"] = order::settled(route["spec"].take(), live);
    Ok(route)
}

/// The weighted rule. In front of it those for cookies (routers-mesh.md 0.9). With `analysis.match` another one behind it, for everybody
/// else: only matched requests can reach the canary (routers-mesh.md 4.1).
fn http_rules(context: &Context<'_>, service: &Service, split: Split, sticky: &Rules) -> Result<Vec<Value>, Refused> {
    let canary = context.canary;
    let port = services::port(canary)?;
    let analysis = canary.spec.analysis.as_ref();

    let plain = filters::of_service(service)?;
    let mut weighted = plain.clone();
    if split.mirrored {
        let percent = analysis.and_then(Analysis::mirror_percent);
        weighted.push(filters::mirror(&canary.spec.canary_service_name(), port, percent));
    }
    let timeouts = timeouts(service);
    let served = matches::served(&service.matches)?;
    let tested = context.chosen();
    let reached = if tested.is_empty() {
        served.clone()
    } else {
        matches::tested(tested, &served)?
    };

    let mut rules = Vec::new();
    for sticky in &sticky.sticky {
        let filters = filters::setting_cookie(weighted.clone(), sticky.set_cookie.as_deref());
        let matches = matches::stored(&matches::with_cookie(&reached, &sticky.regex));
        rules.push(rule(&matches, &filters, &timeouts, &json!(both(canary, sticky.split)?)));
    }
    let mut shared = both(canary, split)?;
    for (backend, text) in shared.iter_mut().zip([&sticky.on_primary, &sticky.on_canary]) {
        let filters = filters::setting_cookie(Vec::new(), text.as_deref());
        put_or_remove(backend, "filters", !filters.is_empty(), json!(filters));
    }
    rules.push(rule(&matches::stored(&reached), &weighted, &timeouts, &json!(shared)));
    if !tested.is_empty() {
        let [primary, _] = both(canary, Split::PRIMARY)?;
        let all = json!([primary]);
        rules.push(rule(&matches::stored(&served), &plain, &timeouts, &all));
    }
    Ok(rules)
}

fn rule(matches: &[Value], filters: &[Value], timeouts: &Map<String, Value>, backends: &Value) -> Value {
    let mut rule = json!({"matches": matches, "backendRefs": backends});
    put_or_remove(&mut rule, "filters", !filters.is_empty(), json!(filters));
    put_or_remove(&mut rule, "timeouts", !timeouts.is_empty(), json!(timeouts));
    rule
}

fn timeouts(service: &Service) -> Map<String, Value> {
    let given = [
        ("request", &service.timeout),
        ("backendRequest", &service.backend_timeout),
    ];
    let present = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    given
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), json!(present(value)?))))
        .collect()
}
