//! A route of the user's own, named by `spec.routeRef`: only the weights of our two Services are written into it, everything else is the
//! user's (RM-18, RM-23).
//!
//! A rule that leads to the apex, or to both sides, shares its traffic by weight; with `routeRef.sectionName` the rule of that name alone. An
//! apex becomes both sides, each with all that the user wrote beside the name (port, filters). What stood there before is kept in an
//! annotation, rule by rule, for the deletion with `revertOnDeletion`; several canaries of one route keep theirs side by side.

#[cfg(test)]
mod tests;

use crds::Canary;
use serde_json::{Map, Value, json};

use super::rules::{self, backends};
use crate::{
    ObjectRef, json as tree,
    objects::Kind,
    routes::{Capabilities, Context, Refused, Split, Unready},
};

/// Holds, by name of the Canary, a list of rules and of the backends that they had.
const ORIGINALS: &str = "aviary/original-backends";
/// Kinds of routes that have weights of ours inside.
const KINDS: [&str; 3] = ["HTTPRoute", "GRPCRoute", "TCPRoute"];

/// The user's route, where the Canary names one of this kind. A reference of another provider's (ApisixRoute) counts as none.
pub(super) fn reference(canary: &Canary, kind: Kind) -> Option<ObjectRef> {
    let given = canary.spec.route_ref.as_ref()?;
    let is_meant = given.kind == kind.kind && !given.name.is_empty();
    is_meant.then(|| kind.named(canary.namespace(), &given.name))
}

/// A reference to a route that this provider does not write.
pub(super) fn refuse_other_kind(canary: &Canary, kind: Kind) -> Result<(), Refused> {
    let given = canary.spec.route_ref.as_ref().map(|given| given.kind.as_str());
    match given {
        Some(other) if other != kind.kind && KINDS.contains(&other) => Err(Refused::field(
            "routeRef.kind",
            format!("the provider writes a {}; name one, or another provider", kind.kind),
        )),
        _ => Ok(()),
    }
}

/// What of `spec.service` says nothing to a route that is the user's own.
pub(super) fn without_effect(canary: &Canary) -> Vec<&'static str> {
    let Some(service) = &canary.spec.service else {
        return Vec::new();
    };
    let given = [
        ("service.gatewayRefs", !service.gateway_refs.is_empty()),
        ("service.hosts", !service.hosts.is_empty()),
        ("service.match", !service.matches.is_empty()),
        ("service.rewrite", service.rewrite.is_some()),
        ("service.mirror", !service.mirror.is_empty()),
        ("service.headers", service.headers.is_some()),
        ("service.timeout", service.timeout.is_some()),
        ("service.backendTimeout", service.backend_timeout.is_some()),
        ("service.corsPolicy", service.cors_policy.is_some()),
    ];
    let idle = given.into_iter().filter(|(_, is_given)| *is_given);
    idle.map(|(path, _)| path).collect()
}

pub(super) fn desired(context: &Context<'_>, at: &ObjectRef, split: Split) -> Result<Value, Refused> {
    let canary = context.canary;
    // Chosen requests, copies and cookies need rules and filters of our own, and those here are the user's.
    let why = "only weights are written into the route of spec.routeRef; remove it, or the reference";
    Capabilities::only_weights(canary, why)?;
    let Some(current) = context.at(0) else {
        return Err(Refused::Source(missing(at)));
    };
    let places = places(current, canary, at).map_err(Refused::Source)?;
    let mut route = current.clone();
    let mut originals = Originals::of(current, canary);
    let identities = identities(current);
    let mut kept = Vec::new();
    for place in places {
        let Some(identity) = identities.get(place) else {
            continue;
        };
        let Some(rule) = route.pointer_mut(&format!("/spec/rules/{place}")) else {
            continue;
        };
        let sides = Sides::of(rule, canary);
        let shared = sides.shared(canary, split);
        let known = originals.find(identity, &identities).filter(|_| sides.apex.is_none());
        let before = known.cloned().unwrap_or_else(|| rule["backendRefs"].clone());
        kept.push((identity.clone(), before));
        rule["backendRefs"] = json!(shared);
    }
    originals.replace(&kept, current);
    originals.store(&mut route);
    Ok(route)
}

pub(super) fn observed(context: &Context<'_>, at: &ObjectRef) -> Result<Split, Unready> {
    let route = context.at(0).ok_or_else(|| Unready::Absent(at.to_string()))?;
    let canary = context.canary;
    let places = places(route, canary, at).map_err(|_| Unready::NoSplit(at.to_string()))?;
    let rules = rules::of(route);
    let mut found = places.iter().rev().filter_map(|place| rules.get(*place));
    let shares = found.find_map(|rule| rules::shares(rule, canary));
    shares
        .and_then(|(primary, canary)| Split::of_shares(primary, canary))
        .ok_or_else(|| Unready::NoSplit(at.to_string()))
}

/// Whether the route still has a place for the weights. What its parents say counts as for one of our own.
pub(super) fn accepted(context: &Context<'_>, at: &ObjectRef) -> Result<(), Unready> {
    let route = context.at(0).ok_or_else(|| Unready::Source(missing(at)))?;
    places(route, context.canary, at).map(drop).map_err(Unready::Source)?;
    super::parents::accepted(context, at)
}

/// The route with the backends that its rules had. A rule that leads elsewhere by now has the user's word and is left alone; one whose
/// backends nobody remembers leads to the apex again, as the Services of the sides go with the Canary.
pub(super) fn reverted(context: &Context<'_>, at: &ObjectRef) -> Option<Value> {
    let canary = context.canary;
    let current = context.at(0)?;
    let mut route = current.clone();
    let mut originals = Originals::of(current, canary);
    let meant = places(current, canary, at).unwrap_or_default();
    let identities = identities(current);
    for (place, identity) in identities.iter().enumerate() {
        let Some(rule) = route.pointer_mut(&format!("/spec/rules/{place}")) else {
            continue;
        };
        let sides = Sides::of(rule, canary);
        let is_ours = meant.contains(&place) || originals.knows(identity) && sides.is_any();
        if !is_ours || sides.other.is_some() {
            continue;
        }
        let before = originals.find(identity, &identities).cloned();
        let before = before.or_else(|| sides.apex.is_none().then(|| json!([sides.whole(canary)])));
        if let Some(before) = before {
            rule["backendRefs"] = before;
        }
    }
    originals.entries.clear();
    originals.store(&mut route);
    Some(route)
}

fn missing(at: &ObjectRef) -> String {
    format!("{at} is not there; create it, or correct spec.routeRef")
}

/// The rules that carry the weights.
fn places(route: &Value, canary: &Canary, at: &ObjectRef) -> Result<Vec<usize>, String> {
    let given = canary.spec.route_ref.as_ref();
    let named = given.and_then(|given| given.section_name.as_deref());
    let named = named.filter(|name| !name.is_empty());
    let originals = Originals::of(route, canary);
    let apex = canary.spec.apex_name();
    let is_named = |rule: &Value| named.is_none_or(|name| rule["name"] == *name);
    let identities = identities(route);
    let all = rules::of(route).iter().enumerate().filter(|(_, rule)| is_named(rule));
    let mut all = all.peekable();
    if let (Some(name), None) = (named, all.peek()) {
        return Err(format!("{at} has no rule with the name {name}; correct spec.routeRef"));
    }
    let mut found = Vec::new();
    for (place, rule) in all {
        let sides = Sides::of(rule, canary);
        let is_known = named.is_some() || identities.get(place).is_some_and(|identity| originals.knows(identity));
        if !(sides.is_shared() || is_known && sides.is_any()) {
            continue;
        }
        if let Some(other) = sides.other {
            let other = other["name"].as_str().unwrap_or_default();
            return Err(format!(
                "rule {place} of {at} leads to {other}, too, whose weight is not ours to change; give it a rule of its own"
            ));
        }
        found.push(place);
    }
    if found.is_empty() {
        let which = named.map_or_else(|| "no rule".to_owned(), |name| format!("no rule {name}"));
        return Err(format!("{at} has {which} that leads to Service {apex}; add one"));
    }
    Ok(found)
}

/// What tells each rule from its neighbours, also when they change places: its name, else what it matches, and the how manieth of its like.
fn identities(route: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for rule in rules::of(route) {
        let alike = match rule["name"].as_str() {
            Some(name) => json!({ "name": name }),
            None => json!({"matches": rule["matches"]}),
        };
        let before = all.iter().filter(|known| known["rule"] == alike).count();
        all.push(json!({"rule": alike, "nth": before}));
    }
    all
}

/// The backends of a rule.
struct Sides<'r> {
    apex: Option<&'r Value>,
    primary: Option<&'r Value>,
    canary: Option<&'r Value>,
    /// One that is none of ours.
    other: Option<&'r Value>,
    /// Whether the canary stands in front of the primary.
    is_reversed: bool,
}

/// What rules led to, before.
struct Originals {
    /// Those of other canaries.
    others: Map<String, Value>,
    canary: String,
    /// Names of the Services of both sides.
    sides: [String; 2],
    /// Identity of the rule, and its backends.
    entries: Vec<(Value, Value)>,
}

// === impl Sides ===

impl<'r> Sides<'r> {
    fn of(rule: &'r Value, canary: &Canary) -> Self {
        let list = backends(rule);
        let is = |backend: &Value, name: &str| {
            let is_home = backend["namespace"].as_str().is_none_or(|of| of == canary.namespace());
            let is_service = backend["kind"].as_str().is_none_or(|kind| kind == "Service")
                && backend["group"].as_str().unwrap_or_default().is_empty();
            is_home && is_service && backend["name"] == *name
        };
        let names = [
            canary.spec.apex_name().to_owned(),
            canary.spec.primary_service_name(),
            canary.spec.canary_service_name(),
        ];
        let [apex, primary, target] = names
            .each_ref()
            .map(|name| list.iter().position(|backend| is(backend, name)));
        let other = list.iter().find(|backend| !names.iter().any(|name| is(backend, name)));
        let get = |place: Option<usize>| place.and_then(|place| list.get(place));
        Self {
            apex: get(apex),
            primary: get(primary),
            canary: get(target),
            other,
            is_reversed: target.zip(primary).is_some_and(|(target, primary)| target < primary),
        }
    }

    /// Whether the user wants its traffic shared. A rule with one side alone is pinned to it: testers reach the canary so.
    const fn is_shared(&self) -> bool {
        self.apex.is_some() || self.primary.is_some() && self.canary.is_some()
    }

    const fn is_any(&self) -> bool {
        self.apex.is_some() || self.primary.is_some() || self.canary.is_some()
    }

    /// Both sides with their weights, and with what the user wrote beside them.
    fn shared(&self, canary: &Canary, split: Split) -> [Value; 2] {
        let dressed = |from: Option<&Value>, name: String, weight: i64| {
            let mut backend = from.cloned().unwrap_or_else(|| json!({}));
            backend["name"] = json!(name);
            backend["weight"] = json!(weight);
            backend
        };
        let primary = self.primary.or(self.apex).or(self.canary);
        let target = self.canary.or(self.apex).or(self.primary);
        let primary = dressed(primary, canary.spec.primary_service_name(), split.primary);
        let target = dressed(target, canary.spec.canary_service_name(), split.canary);
        if self.is_reversed {
            [target, primary]
        } else {
            [primary, target]
        }
    }

    /// The apex in the place of both sides.
    fn whole(&self, canary: &Canary) -> Value {
        let from = self.apex.or(self.primary).or(self.canary);
        let mut backend = from.cloned().unwrap_or_else(|| json!({}));
        backend["name"] = json!(canary.spec.apex_name());
        if let Some(fields) = backend.as_object_mut() {
            fields.remove("weight");
        }
        backend
    }
}

// === impl Originals ===

impl Originals {
    /// What a foreign hand has made unreadable counts as nothing.
    fn of(route: &Value, canary: &Canary) -> Self {
        let text = route["metadata"]["annotations"][ORIGINALS].as_str();
        let stored = text.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        let mut others = stored.unwrap_or_default();
        let own = others.remove(canary.name()).unwrap_or_default();
        let entry = |entry: &Value| {
            Some((entry["rule"].clone(), entry["backendRefs"].clone())).filter(|(_, list)| list.is_array())
        };
        Self {
            others,
            canary: canary.name().to_owned(),
            sides: [canary.spec.primary_service_name(), canary.spec.canary_service_name()],
            entries: own.as_array().into_iter().flatten().filter_map(entry).collect(),
        }
    }

    /// Take over what is known of the rules that are shared now. Of a rule that was shared before `sectionName` named another one it stays.
    fn replace(&mut self, now: &[(Value, Value)], route: &Value) {
        let is_known = |identity: &Value| now.iter().any(|(known, _)| known == identity);
        let identities = identities(route);
        let led = |identity: &Value| identities.iter().position(|known| known == identity);
        let is_left = |identity: &Value| {
            let rule = led(identity).and_then(|place| rules::of(route).get(place));
            rule.is_some_and(|rule| {
                backends(rule)
                    .iter()
                    .any(|backend| self.sides.iter().any(|name| backend["name"] == *name))
            })
        };
        let older = self
            .entries
            .iter()
            .filter(|(identity, _)| !is_known(identity) && is_left(identity));
        self.entries = older.cloned().chain(now.iter().cloned()).collect();
    }

    fn knows(&self, identity: &Value) -> bool {
        self.entries.iter().any(|(known, _)| known == identity)
    }

    /// What the rule led to. One that nobody knows, while a known one is gone, is that one with other matches.
    fn find(&self, identity: &Value, all: &[Value]) -> Option<&Value> {
        let exact = self.entries.iter().find(|(known, _)| known == identity);
        let renamed = || self.entries.iter().find(|(known, _)| !all.contains(known));
        exact.or_else(renamed).map(|(_, backends)| backends)
    }

    fn store(self, route: &mut Value) {
        let mut all = self.others;
        if !self.entries.is_empty() {
            let entries = self.entries.into_iter();
            let entries: Vec<Value> = entries
                .map(|(rule, backends)| json!({"rule": rule, "backendRefs": backends}))
                .collect();
            all.insert(self.canary, json!(entries));
        }
        if !all.is_empty() {
            tree::set(
                route,
                &["metadata", "annotations", ORIGINALS],
                json!(Value::Object(all).to_string()),
            );
        } else if let Some(annotations) = route["metadata"]["annotations"].as_object_mut() {
            annotations.remove(ORIGINALS);
        }
    }
}
