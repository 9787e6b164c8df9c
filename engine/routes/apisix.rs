//! Provider `apisix`: a copy of those rules of the user's ApisixRoute that lead to the apex, which come before them by a priority of one more
//! (routers-ingress.md 6).

mod exprs;
#[cfg(test)]
mod tests;

use crds::Canary;
use serde_json::{Value, json};

use super::{Capabilities, Context, Provider, Refused, Split, Unready, affinity::Rules, conditions::objection, copied};
use crate::{
    ObjectRef, json as tree,
    objects::{self, kinds},
};

/// Places among the objects.
const COPY: usize = 0;
const ORIGINAL: usize = 1;
/// Weight of a backend that has none.
const WEIGHT_DEFAULT: i64 = 100;

/// Kinds of routes that `spec.routeRef` names for other providers.
const KINDS_OF_OTHERS: [&str; 3] = ["HTTPRoute", "GRPCRoute", "TCPRoute"];

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "apisix",
    about: "Apache APISIX",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        revert: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::APISIX_ROUTE],
    notes: "`spec.routeRef` names the ApisixRoute; it is never changed: a copy of its rules that lead to the apex, `<route>-<apex>-canary`, \
            comes before them.",
    claims: |name| name == "apisix",
    objects,
    desired: |context, split, sticky| Ok(vec![desired(context, split, sticky)?]),
    observed,
    accepted,
    // The user's route is never changed, and the copy is collected with the Canary.
    reverted: |_| Vec::new(),
};

/// The copy, then the user's route.
fn objects(canary: &Canary) -> Vec<ObjectRef> {
    let Some(name) = name(canary) else { return Vec::new() };
    let copy = format!("{name}-{}-canary", canary.spec.apex_name());
    [copy, name.to_owned()]
        .map(|name| kinds::APISIX_ROUTE.named(canary.namespace(), &name))
        .into()
}

fn name(canary: &Canary) -> Option<&str> {
    let reference = canary.spec.route_ref.as_ref()?;
    let is_meant = !KINDS_OF_OTHERS.contains(&reference.kind.as_str()) && !reference.name.is_empty();
    is_meant.then_some(reference.name.as_str())
}

fn shown(canary: &Canary, place: usize) -> String {
    let at = objects(canary).into_iter().nth(place);
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Without the user's route the copy stays as it is, but for its weights: a rollback needs no more.
fn desired(context: &Context<'_>, split: Split, _: &Rules) -> Result<Value, Refused> {
    let canary = context.canary;
    let chosen = exprs::chosen(context.chosen())?;
    let copy = objects(canary).into_iter().next();
    let Some(copy) = copy else {
        return Err(Refused::field("routeRef", "it names no ApisixRoute"));
    };
    let current = context.at(COPY);
    if let Some(current) = current.filter(|current| !is_ours(current, canary)) {
        let name = current["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Refused::Source(format!(
            "ApisixRoute {name} is somebody else's; rename it"
        )));
    }
    let mut object = current.cloned().unwrap_or_else(|| context.fresh(&copy));
    match (original(context), current) {
        (Ok((original, rules)), _) => {
            copied::follow(&mut object, original, &["k8s.apisix.apache.org/"]);
            let mut spec = original["spec"].clone();
            if let Some(fields) = spec.as_object_mut() {
                // Streams are ports of their own, which cannot be served twice (RI-21).
                fields.remove("stream");
            }
            let chosen = chosen.iter().filter(|_| split.canary > 0).collect::<Vec<_>>();
            let written = rules.iter().flat_map(|rule| written(rule, canary, split, &chosen));
            spec["http"] = written.collect();
            object["spec"] = spec;
        }
        (Err(why), None) => return Err(Refused::Source(why)),
        (Err(_), Some(_)) => reweigh(&mut object, canary, split),
    }
    Ok(object)
}

fn is_ours(object: &Value, canary: &Canary) -> bool {
    let primary = canary.spec.primary_service_name();
    let leads_there = || rules(object).iter().any(|rule| backend(rule, &primary).is_some());
    objects::is_controlled_by(object, canary) || objects::controller_of(object).is_none() && leads_there()
}

/// The user's route and its rules that lead to the apex, all of them (RI-21).
fn original<'a>(context: &Context<'a>) -> Result<(&'a Value, Vec<&'a Value>), String> {
    let shown = shown(context.canary, ORIGINAL);
    let Some(object) = context.at(ORIGINAL) else {
        return Err(format!("{shown} is not there; create it, or correct spec.routeRef"));
    };
    let apex = context.canary.spec.apex_name();
    let found: Vec<&Value> = rules(object)
        .iter()
        .filter(|rule| backend(rule, apex).is_some())
        .collect();
    if found.is_empty() {
        return Err(format!(
            "{shown} has no http rule that leads to Service {apex}; add one"
        ));
    }
    Ok((object, found))
}

fn rules(object: &Value) -> &[Value] {
    object["spec"]["http"].as_array().map_or(&[][..], Vec::as_slice)
}

fn backends(rule: &Value) -> &[Value] {
    rule["backends"].as_array().map_or(&[][..], Vec::as_slice)
}

fn backend<'a>(rule: &'a Value, service: &str) -> Option<&'a Value> {
    backends(rule).iter().find(|backend| backend["serviceName"] == service)
}

fn weight(backend: &Value) -> i64 {
    backend["weight"].as_i64().unwrap_or(WEIGHT_DEFAULT).max(0)
}

/// The rule with both sides in the place of the apex, and before the original. With chosen requests one for each alternative: everybody else
/// takes the original, over the apex to the primary.
fn written(rule: &Value, canary: &Canary, split: Split, chosen: &[&Vec<Value>]) -> Vec<Value> {
    let mut rule = rule.clone();
    let before = rule["priority"].as_i64().unwrap_or(0);
    rule["priority"] = json!(before.saturating_add(1));
    rule["backends"] = json!(both(backends(&rule), canary, split));
    if chosen.is_empty() {
        return vec![rule];
    }
    let alternatives = chosen.iter().enumerate().map(|(place, exprs)| {
        let mut rule = rule.clone();
        let mut all = rule["match"]["exprs"].as_array().cloned().unwrap_or_default();
        all.extend((*exprs).clone());
        tree::set(&mut rule, &["match", "exprs"], json!(all));
        if place > 0 {
            let name = rule["name"].as_str().unwrap_or_default();
            rule["name"] = json!(format!("{name}-match-{place}"));
        }
        rule
    });
    alternatives.collect()
}

/// Where the apex is one of several backends, its share is what is shared.
fn both(given: &[Value], canary: &Canary, split: Split) -> Vec<Value> {
    let apex = canary.spec.apex_name();
    let is_alone = given.len() == 1;
    let mut all = Vec::new();
    for backend in given {
        let own = if is_alone { 1 } else { weight(backend) };
        let mut with = |name: Option<String>, weight: i64| {
            let mut backend = backend.clone();
            backend["weight"] = json!(weight);
            if let Some(name) = name {
                backend["serviceName"] = json!(name);
            }
            all.push(backend);
        };
        if backend["serviceName"] == apex {
            with(
                Some(canary.spec.primary_service_name()),
                own.saturating_mul(split.primary),
            );
            with(
                Some(canary.spec.canary_service_name()),
                own.saturating_mul(split.canary),
            );
        } else {
            with(None, own.saturating_mul(100));
        }
    }
    all
}

/// The sides of each rule share what they have together.
fn reweigh(object: &mut Value, canary: &Canary, split: Split) {
    let (primary, target) = (canary.spec.primary_service_name(), canary.spec.canary_service_name());
    for rule in object["spec"]["http"].as_array_mut().into_iter().flatten() {
        let of = |name: &str| backend(rule, name).map_or(0, weight);
        let total = of(&primary).saturating_add(of(&target)).max(100);
        for backend in rule["backends"].as_array_mut().into_iter().flatten() {
            let share = if backend["serviceName"] == primary {
                split.primary
            } else if backend["serviceName"] == target {
                split.canary
            } else {
                continue;
            };
            backend["weight"] = json!(total / 100 * share);
        }
    }
}

fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let canary = context.canary;
    let object = context.at(COPY).ok_or_else(|| Unready::Absent(shown(canary, COPY)))?;
    let shares = |rule: &Value| {
        let primary = backend(rule, &canary.spec.primary_service_name())?;
        let target = backend(rule, &canary.spec.canary_service_name())?;
        Split::of_shares(weight(primary), weight(target))
    };
    let split = rules(object).iter().find_map(shares);
    split.ok_or_else(|| Unready::NoSplit(shown(canary, COPY)))
}

/// Whether the copy still has an original, and the controller has nothing against it.
fn accepted(context: &Context<'_>) -> Result<(), Unready> {
    original(context).map(drop).map_err(Unready::Source)?;
    let Some(object) = context.at(COPY) else { return Ok(()) };
    let kinds = ["Accepted", "ResourcesAvailable"];
    match kinds.into_iter().find_map(|kind| objection(object, kind)) {
        None => Ok(()),
        Some(why) => Err(Unready::NotAccepted {
            route: shown(context.canary, COPY),
            parent: "apisix".to_owned(),
            why,
        }),
    }
}
