//! The raw weights of a route object, in any provider's form: `observed` reads weights as shares, and those of one rule only.

#[cfg(test)]
mod tests;

use crds::Canary;
use serde_json::Value;
use std::collections::BTreeMap;

/// Lists of rules below `spec`: Gateway API, Istio, Contour, Gloo and App Mesh.
const RULES: [&str; 4] = ["rules", "http", "tcp", "routes"];
/// Lists of backends of a rule: Gateway API, Istio, Contour, APISIX.
const BACKENDS: [&str; 4] = ["backendRefs", "route", "services", "backends"];
/// Forms of a route of App Mesh, in both versions.
const MESH_ROUTES: [&str; 8] = [
    "http",
    "http2",
    "tcp",
    "grpc",
    "httpRoute",
    "http2Route",
    "tcpRoute",
    "grpcRoute",
];
/// Tag by which Kuma knows a Service.
const KUMA_SERVICE: &str = "kuma.io/service";

/// Whether the weights of each rule that leads to our two sides, and nowhere else, sum to 100. Where the user's own backends have a share,
/// too, the sum is theirs.
pub(super) fn sum_to_100(route: &Value, canary: &Canary) -> bool {
    let (primary, target) = (primary_names(canary), canary_names(canary));
    let is_ours = |name: &&str| primary.iter().chain(&target).any(|own| own == *name);
    let mut ours = shared(route, canary).filter(|weights| weights.keys().all(&is_ours));
    ours.all(|weights| weights.values().sum::<i64>() == 100)
}

/// Whether a rule that leads to both sides gives the canary a share. One of the user's own that leads to the canary without the primary is
/// the user's word; App Mesh has a router of its own for those who call the canary by its name.
pub(super) fn leak(route: &Value, canary: &Canary) -> bool {
    let name = route["metadata"]["name"].as_str().unwrap_or_default();
    if name.split('.').next() == Some(canary.spec.canary_service_name().as_str()) {
        return false;
    }
    let (primary, target) = (primary_names(canary), canary_names(canary));
    shared(route, canary).any(|weights| {
        let weight = |names: &[String; 3]| names.iter().find_map(|name| weights.get(name.as_str()));
        weight(&primary).is_some() && weight(&target).is_some_and(|weight| *weight > 0)
    })
}

/// What rules call the primary: its Service, with Gloo an Upstream, with Kuma a tag.
fn primary_names(canary: &Canary) -> [String; 3] {
    names(canary, &canary.spec.primary_service_name(), "primary")
}

/// The same of the canary.
fn canary_names(canary: &Canary) -> [String; 3] {
    names(canary, &canary.spec.canary_service_name(), "canary")
}

fn names(canary: &Canary, service: &str, side: &str) -> [String; 3] {
    let port = crate::services::port(canary).unwrap_or_default();
    let (namespace, apex) = (canary.namespace(), canary.spec.apex_name());
    let upstream = format!("{namespace}-{apex}-{side}upstream-{port}");
    [
        service.to_owned(),
        upstream,
        format!("{service}_{namespace}_svc_{port}"),
    ]
}

/// The weights of every rule with several backends, by backend. Of a route of the user's own with a named rule, that rule alone.
fn shared<'r>(route: &'r Value, canary: &'r Canary) -> impl Iterator<Item = BTreeMap<&'r str, i64>> {
    let named = canary
        .spec
        .route_ref
        .as_ref()
        .and_then(|given| given.section_name.as_deref());
    let named = named.filter(|name| !name.is_empty());
    let spec = &route["spec"];
    let lists = RULES.map(|list| spec[list].as_array());
    let rules = lists.into_iter().flatten().flatten();
    let rules = rules.filter(move |rule| named.is_none_or(|name| rule["name"] == *name));
    // Traefik, SMI and Kuma have one list for the whole object.
    let whole = [&spec["weighted"]["services"], &spec["backends"], &spec["conf"]["split"]];
    rules
        .filter_map(backends)
        .chain(whole.into_iter().filter_map(Value::as_array))
        .filter(|backends| backends.len() > 1)
        .map(|backends| backends.iter().filter_map(share).collect())
}

fn backends(rule: &Value) -> Option<&Vec<Value>> {
    let lists = BACKENDS.map(|list| rule[list].as_array());
    let multi = rule["routeAction"]["multi"]["destinations"].as_array();
    let mesh = MESH_ROUTES.map(|form| rule[form]["action"]["weightedTargets"].as_array());
    lists.into_iter().chain(mesh).flatten().next().or(multi)
}

/// Name and weight of a backend; copies of requests are no share.
fn share(backend: &Value) -> Option<(&str, i64)> {
    if backend["mirror"] == true {
        return None;
    }
    let named = [
        &backend["name"],
        &backend["destination"]["host"],
        &backend["serviceName"],
        &backend["destination"]["upstream"]["name"],
        &backend["service"],
        &backend["destination"][KUMA_SERVICE],
        &backend["virtualNodeRef"]["name"],
        &backend["virtualNodeName"],
    ];
    let name = named.into_iter().find_map(Value::as_str)?;
    // The weights of SMI's first version are texts.
    let text = || backend["weight"].as_str().and_then(|text| text.parse().ok());
    Some((name, backend["weight"].as_i64().or_else(text).unwrap_or(1)))
}
