//! Provider `gatewayapi:v1`: one HTTPRoute with the name of the apex (routers-mesh.md 4).
//!
//! The desired object is written as the API server stores it, defaults included, with everything that has no order sorted by name; so it
//! equals the live object unless someone changed something (RM-5, RM-6, observed.md A19).

mod filters;
mod matches;
#[cfg(test)]
mod tests;

use crds::{
    Canary,
    analysis::Analysis,
    service::{GatewayRef, Service},
};
use serde_json::{Map, Value, json};

use super::{
    Capabilities, Context, Provider, Refused, Split, Unready, adoption,
    affinity::Rules,
    kept::{Shape, keeping_unknown},
    order, put_or_remove,
};
use crate::{ObjectRef, json as tree, objects::kinds, services};

/// Fields of a rule that are written here; all others of the same rule are kept.
const RULE_FIELDS: [&str; 4] = ["matches", "filters", "timeouts", "backendRefs"];

/// Weight of a backend that has none, as the schema says.
const WEIGHT_DEFAULT: i64 = 1;

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
    notes: "Needs `service.gatewayRefs`. `mirrorWeight` needs Gateway API 1.3.",
    // Any suffix goes (routers-mesh.md 0.3), but v1beta1 is a provider of its own: it has fewer fields and no readiness gate.
    claims: |name| name.starts_with("gatewayapi:v1") && !name.starts_with("gatewayapi:v1beta1"),
    objects: |canary| vec![reference(canary)],
    desired: |context, split, sticky| Ok(vec![desired(context, split, sticky)?]),
    observed,
    accepted,
    // The peer leaves an adopted route as it is, without Services to lead to (RM-21).
    reverted: |context| {
        let route = context.at(0);
        vec![route.and_then(|route| adoption::restored(route, context.canary))]
    },
};

/// The same under the name that clusters before Gateway API 1.0 know, and that the peer's Linkerd guide uses. The schemas are one and the
/// same since 1.0, so nothing is left out: the peer drops timeouts, cross-origin policy and the primary's cookie here (routers-mesh.md 5).
pub(super) const V1BETA1: Provider = Provider {
    name: "gatewayapi:v1beta1",
    about: "the same, in clusters that serve no v1; Linkerd as in Flagger's guide",
    kinds: &[kinds::HTTP_ROUTE_V1BETA1],
    notes: "The same code as v1. Before Gateway API 1.0 the server drops timeouts and the cross-origin policy.",
    claims: |name| name.starts_with("gatewayapi:v1beta1"),
    objects: |canary| vec![kinds::HTTP_ROUTE_V1BETA1.named(canary.namespace(), canary.spec.apex_name())],
    desired: |context, split, sticky| {
        let mut route = desired(context, split, sticky)?;
        route["apiVersion"] = json!(kinds::HTTP_ROUTE_V1BETA1.api_version());
        Ok(vec![route])
    },
    ..V1
};

fn reference(canary: &Canary) -> ObjectRef {
    kinds::HTTP_ROUTE.named(canary.namespace(), canary.spec.apex_name())
}

fn desired(context: &Context<'_>, split: Split, sticky: &Rules) -> Result<Value, Refused> {
    let service = context.service()?;
    if service.gateway_refs.is_empty() {
        return Err(Refused::field(
            "service.gatewayRefs",
            "the route needs at least one parent",
        ));
    }
    let current = context.at(0);
    let live = current.map_or(&Value::Null, |route| &route["spec"]);
    let shape = Shape {
        fields: &RULE_FIELDS,
        is_weighted: &|rule| shares(rule, context.canary).is_some(),
        is_ours: &|rule| leads_to_primary(rule, context.canary),
    };
    let rules = keeping_unknown(rules(context, service, split, sticky)?, &live["rules"], &shape);
    let parents: Vec<Value> = service.gateway_refs.iter().map(parent).collect();

    let base = current
        .cloned()
        .unwrap_or_else(|| context.fresh(&reference(context.canary)));
    let mut route = context.dressed(base, service);
    if let Some(current) = current {
        let ours = rules_of(current)
            .iter()
            .any(|rule| leads_to_primary(rule, context.canary));
        adoption::remember(&mut route, current, context.canary, ours);
    }
    tree::set(&mut route, &["spec", "parentRefs"], json!(parents));
    let hosts = json!(service.hosts);
    put_or_remove(&mut route["spec"], "hostnames", !service.hosts.is_empty(), hosts);
    tree::set(&mut route, &["spec", "rules"], json!(rules));
    route["spec"] = order::settled(route["spec"].take(), live);
    Ok(route)
}

/// The weighted rule. In front of it those for cookies (routers-mesh.md 0.9). With `analysis.match` another one behind it, for everybody
/// else: only matched requests can reach the canary (routers-mesh.md 4.1).
fn rules(context: &Context<'_>, service: &Service, split: Split, sticky: &Rules) -> Result<Vec<Value>, Refused> {
    let canary = context.canary;
    let port = services::port(canary)?;
    let analysis = canary.spec.analysis.as_ref();
    let backend = |name: String, weight: i64| json!({"group": "", "kind": "Service", "name": name, "port": port, "weight": weight});
    let primary = |weight| backend(canary.spec.primary_service_name(), weight);
    let both = |split: Split| {
        [
            primary(split.primary),
            backend(canary.spec.canary_service_name(), split.canary),
        ]
    };

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
        rules.push(rule(&matches, &filters, &timeouts, &json!(both(sticky.split))));
    }
    let mut shared = both(split);
    for (backend, text) in shared.iter_mut().zip([&sticky.on_primary, &sticky.on_canary]) {
        let filters = filters::setting_cookie(Vec::new(), text.as_deref());
        put_or_remove(backend, "filters", !filters.is_empty(), json!(filters));
    }
    rules.push(rule(&matches::stored(&reached), &weighted, &timeouts, &json!(shared)));
    if !tested.is_empty() {
        let all = json!([primary(100)]);
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
    given
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), json!(present(value.as_ref())?))))
        .collect()
}

fn parent(given: &GatewayRef) -> Value {
    let mut parent = json!({
        "group": given.group.as_deref().unwrap_or("gateway.networking.k8s.io"),
        "kind": given.kind.as_deref().unwrap_or("Gateway"),
        "name": given.name,
    });
    if let Some(namespace) = present(given.namespace.as_ref()) {
        parent["namespace"] = json!(namespace);
    }
    if let Some(section) = present(given.section_name.as_ref()) {
        parent["sectionName"] = json!(section);
    }
    if let Some(port) = given.port.filter(|port| *port != 0) {
        parent["port"] = json!(port);
    }
    parent
}

fn present(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn leads_to_primary(rule: &Value, canary: &Canary) -> bool {
    let primary = canary.spec.primary_service_name();
    backends(rule).iter().any(|backend| backend["name"] == *primary)
}

fn rules_of(route: &Value) -> &[Value] {
    route["spec"]["rules"].as_array().map_or(&[][..], Vec::as_slice)
}

fn backends(rule: &Value) -> &[Value] {
    rule["backendRefs"].as_array().map_or(&[][..], Vec::as_slice)
}

/// The split of the last rule with exactly two backends, primary and canary (routers-mesh.md 4.3).
fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let canary = context.canary;
    let route = context
        .at(0)
        .ok_or_else(|| Unready::Absent(reference(canary).to_string()))?;
    let rules = rules_of(route);
    let shares = rules.iter().rev().find_map(|rule| shares(rule, canary));
    let (primary, share) = shares.ok_or_else(|| Unready::NoSplit(reference(canary).to_string()))?;
    let split = Split::of_shares(primary, share).ok_or_else(|| Unready::NoSplit(reference(canary).to_string()))?;
    let target = canary.spec.canary_service_name();
    let mirrored = rules.iter().any(|rule| filters::mirrors_to(rule, &target));
    Ok(Split { mirrored, ..split })
}

fn shares(rule: &Value, canary: &Canary) -> Option<(i64, i64)> {
    let backends = backends(rule);
    let weight = |name: String| {
        let backend = backends.iter().find(|backend| backend["name"] == *name)?;
        Some(backend["weight"].as_i64().unwrap_or(WEIGHT_DEFAULT).max(0))
    };
    let primary = weight(canary.spec.primary_service_name())?;
    let share = weight(canary.spec.canary_service_name())?;
    (backends.len() == 2).then_some((primary, share))
}

/// Each parent that reports about the route must have accepted this generation of it; a parent that says nothing has nothing against
/// it (routers-mesh.md 4.3). A condition without `observedGeneration` counts as current: Linkerd reports none (RM-11).
fn accepted(context: &Context<'_>) -> Result<(), Unready> {
    let object = reference(context.canary);
    let route = context.at(0).ok_or_else(|| Unready::Absent(object.to_string()))?;
    let wanted = route["spec"]["parentRefs"].as_array().map_or(&[][..], Vec::as_slice);
    let wanted: Vec<Value> = wanted
        .iter()
        .map(|parent| identity(parent, &object.namespace))
        .collect();
    let generation = route["metadata"]["generation"].as_i64().unwrap_or_default();
    let reports = route["status"]["parents"].as_array().into_iter().flatten();
    for report in reports {
        let parent = identity(&report["parentRef"], &object.namespace);
        if !wanted.contains(&parent) {
            continue;
        }
        if let Some(why) = objection(&report["conditions"], generation) {
            let text = |key: &str| parent[key].as_str().unwrap_or_default().to_owned();
            return Err(Unready::NotAccepted {
                route: object.to_string(),
                parent: format!("{}/{}", text("namespace"), text("name")),
                why,
            });
        }
    }
    Ok(())
}

/// A parent reference with its defaults, so that two ways to write the same one are equal.
fn identity(parent: &Value, namespace: &str) -> Value {
    let mut full = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace});
    tree::merge(&mut full, parent);
    full
}

fn objection(conditions: &Value, generation: i64) -> Option<String> {
    let conditions = conditions.as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "Accepted")?;
    if condition["status"] != "True" {
        let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
        return Some(format!("{}: {}", text("reason"), text("message")));
    }
    let seen = condition["observedGeneration"].as_i64().unwrap_or(generation);
    (seen < generation).then(|| format!("it has seen generation {seen} of {generation}"))
}
