//! Provider `gatewayapi:v1:grpc`: one GRPCRoute with the name of the apex (RM-26).
//!
//! Where the Canary speaks of paths, gRPC has services and methods: `uri: {prefix: /shop.Cart/}` is all of a service, `uri: {exact:
//! /shop.Cart/Add}` one method. What a GRPCRoute has no words for is refused: to leave a condition out would serve other calls.

#[cfg(test)]
mod tests;

use crds::{
    analysis::Analysis,
    service::{HttpMatch, Service, StringMatch},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::{
    Form, accepted, desired, filters, matches,
    matches::{Pair, pairs},
    objects, observed, reverted, rule,
    rules::both,
};
use crate::{
    objects::kinds,
    routes::{Capabilities, Context, Provider, Refused, Split, affinity::Rules},
};

const FORM: Form = Form {
    kind: kinds::GRPC_ROUTE,
    fields: &["matches", "filters", "backendRefs"],
    has_hosts: true,
    rules,
};

/// The provider.
pub(in crate::routes) const PROVIDER: Provider = Provider {
    name: "gatewayapi:v1:grpc",
    about: "the same with GRPCRoutes",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        mirror: true,
        mirror_percentage: true,
        headers: true,
        revert: true,
        grpc: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::GRPC_ROUTE],
    notes: "`service.match` and `analysis.match` compare headers; `uri` names a service (`prefix: /shop.Cart/`) or a method \
            (`exact: /shop.Cart/Add`). The builtin checks ask for figures of HTTP: give metrics of your own.",
    claims: |name| name == "gatewayapi:v1:grpc",
    objects: |canary| objects(canary, FORM.kind),
    desired: |context, split, sticky| desired(context, split, sticky, &FORM),
    observed: |context| observed(context, FORM.kind),
    accepted: |context| accepted(context, FORM.kind),
    reverted: |context| reverted(context, FORM.kind),
};

/// One match: which calls, and which headers they have.
#[derive(Clone, Debug, Default, PartialEq)]
struct Call {
    /// Service, and method of it.
    method: Option<(String, Option<String>)>,
    headers: BTreeMap<String, Pair>,
}

/// The weighted rule; with `analysis.match` another one behind it, for everybody else.
fn rules(context: &Context<'_>, service: &Service, split: Split, _: &Rules) -> Result<Vec<Value>, Refused> {
    let canary = context.canary;
    if service.rewrite.is_some() {
        return Err(Refused::field("service.rewrite", "a GRPCRoute cannot rewrite"));
    }
    let mut plain = filters::of_service(service)?;
    plain.retain(|filter| filter["type"] != filters::CORS);
    let mut weighted = plain.clone();
    if split.mirrored {
        let percent = canary.spec.analysis.as_ref().and_then(Analysis::mirror_percent);
        let port = crate::services::port(canary)?;
        weighted.push(filters::mirror(&canary.spec.canary_service_name(), port, percent));
    }
    let served = served(&service.matches)?;
    let chosen = context.chosen();
    let write = |calls: &[Call], filters: &[Value], backends: &Value| {
        let mut rule = rule(&stored(calls), filters, &Map::new(), backends);
        // Without a match every call matches; the API server keeps no empty list.
        if rule["matches"].as_array().is_some_and(Vec::is_empty)
            && let Some(fields) = rule.as_object_mut()
        {
            fields.remove("matches");
        }
        rule
    };
    if chosen.is_empty() {
        return Ok(vec![write(&served, &weighted, &json!(both(canary, split)?))]);
    }
    let [primary, _] = both(canary, Split::PRIMARY)?;
    Ok(vec![
        write(&tested(chosen, &served)?, &weighted, &json!(both(canary, split)?)),
        write(&served, &plain, &json!([primary])),
    ])
}

fn served(given: &[HttpMatch]) -> Result<Vec<Call>, Refused> {
    let read = |(place, entry): (usize, &HttpMatch)| Call::read(entry, &format!("service.match[{place}]"));
    given.iter().enumerate().map(read).collect()
}

/// Every entry of `analysis.match` with every one of `service.match`; where both name a header, the analysis decides.
fn tested(analysis: &[HttpMatch], served: &[Call]) -> Result<Vec<Call>, Refused> {
    let everything = [Call::default()];
    let served = if served.is_empty() { &everything } else { served };
    let mut all = Vec::new();
    for (place, entry) in analysis.iter().enumerate() {
        let path = format!("analysis.match[{place}]");
        refuse_unsaid(entry, &path)?;
        let headers = pairs(&entry.headers, &format!("{path}.headers"))?;
        if headers.is_empty() {
            return Err(Refused::field(path, "it would match every call: name a header"));
        }
        all.extend(served.iter().map(|base| base.narrowed(&headers)));
    }
    Ok(all)
}

fn stored(calls: &[Call]) -> Vec<Value> {
    let said = calls.iter().map(Call::stored);
    let mut said: Vec<Value> = said.filter(|call| *call != json!({})).collect();
    if said.len() < calls.len() {
        // One of them matches every call, and so all do together.
        said.clear();
    }
    said
}

/// What gRPC has no words for.
fn refuse_unsaid(entry: &HttpMatch, path: &str) -> Result<(), Refused> {
    let said = [
        ("queryParams", entry.query_params.is_empty()),
        ("sourceLabels", entry.source_labels.is_empty()),
        ("withoutHeaders", entry.without_headers.is_empty()),
        ("method", entry.method.is_none()),
        ("scheme", entry.scheme.is_none()),
        ("authority", entry.authority.is_none()),
    ];
    match said.into_iter().find(|(_, is_absent)| !is_absent) {
        Some((field, _)) => Err(Refused::field(
            format!("{path}.{field}"),
            "a GRPCRoute compares headers, services and methods only",
        )),
        None => Ok(()),
    }
}

/// Service and method of a path.
fn method(uri: &StringMatch, path: &str) -> Result<Option<(String, Option<String>)>, Refused> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let wrong = |why: &str| Refused::field(path, why.to_owned());
    if given(&uri.regex).is_some() {
        return Err(wrong("a GRPCRoute needs the service's name: use exact or prefix"));
    }
    if let Some(exact) = given(&uri.exact) {
        let parts = exact.strip_prefix('/').and_then(|rest| rest.split_once('/'));
        let (service, method) = parts
            .filter(|(service, method)| is_name(service) && is_name(method))
            .ok_or_else(|| wrong("it is no method: write /package.Service/Method"))?;
        return Ok(Some((service.to_owned(), Some(method.to_owned()))));
    }
    let prefix = given(&uri.prefix).ok_or_else(|| wrong("it names no exact or prefix"))?;
    if prefix == "/" {
        return Ok(None);
    }
    // Without the last slash it would be the beginning of other services' names, too.
    let service = prefix.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let service = service
        .filter(|service| is_name(service))
        .ok_or_else(|| wrong("it is no service: write /package.Service/"))?;
    Ok(Some((service.to_owned(), None)))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

// === impl Call ===

impl Call {
    fn read(entry: &HttpMatch, path: &str) -> Result<Self, Refused> {
        refuse_unsaid(entry, path)?;
        let uri = entry.uri.as_ref();
        let method = uri.map(|uri| method(uri, &format!("{path}.uri"))).transpose()?;
        Ok(Self {
            method: method.flatten(),
            headers: pairs(&entry.headers, &format!("{path}.headers"))?,
        })
    }

    fn narrowed(&self, headers: &BTreeMap<String, Pair>) -> Self {
        Self {
            method: self.method.clone(),
            headers: matches::with_headers(&self.headers, headers),
        }
    }

    /// As the API server stores it.
    fn stored(&self) -> Value {
        let mut stored = json!({});
        if let Some((service, method)) = &self.method {
            stored["method"] = json!({"type": "Exact", "service": service});
            if let Some(method) = method {
                stored["method"]["method"] = json!(method);
            }
        }
        if !self.headers.is_empty() {
            stored["headers"] = matches::stored_pairs(&self.headers);
        }
        stored
    }
}
