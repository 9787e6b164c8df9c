//! What NGINX and Skipper have in common: the user's Ingress stays as it is, and a copy of its paths to the apex carries the canary
//! (routers-ingress.md 1, 2).
//!
//! The copy is `<ingress>-canary`, as with the peer. Where another Canary has that one already, it is `<ingress>-<apex>-canary`, so that
//! several canaries on one Ingress do not overwrite each other (RI-17).

use crds::Canary;
use serde_json::{Value, json};

use super::{Context, Refused, Unready, copied};
use crate::{
    ObjectRef, json as tree,
    objects::{self, kinds},
};

/// Place of the user's Ingress among the objects; before it stand the two copies that may be ours.
const ORIGINAL: usize = 2;
/// Key of the ingress class, which the copy must have in common with the original. The newer `spec.ingressClassName` is part of the spec.
const CLASS: &str = "kubernetes.io/ingress.class";

/// Where a copy is, and what it is made of.
pub(super) struct Copy<'a> {
    /// Its place among the objects.
    place: usize,
    /// It, as it is.
    pub(super) current: Option<&'a Value>,
    /// The user's Ingress with those of its rules and paths that lead to the apex, or why there is none.
    pub(super) original: Result<Value, String>,
}

/// The two names that the copy can have, then the user's Ingress.
pub(super) fn objects(canary: &Canary) -> Vec<ObjectRef> {
    let Some(name) = name(canary) else { return Vec::new() };
    let apex = canary.spec.apex_name();
    [
        format!("{name}-canary"),
        format!("{name}-{apex}-canary"),
        name.to_owned(),
    ]
    .map(|name| kinds::INGRESS.named(canary.namespace(), &name))
    .into()
}

fn name(canary: &Canary) -> Option<&str> {
    let reference = canary.spec.ingress_ref.as_ref()?;
    Some(reference.name.as_str()).filter(|name| !name.is_empty())
}

/// Whether the data plane can make sense of the copy: whether the Ingress beside it is still there.
pub(super) fn accepted(context: &Context<'_>) -> Result<(), Unready> {
    original(context).map(drop).map_err(Unready::Source)
}

/// The copy that is ours, as it is. `is_marked` tells the copies that this provider makes from what a user may have made under that name.
pub(super) fn live<'a>(context: &Context<'a>, is_marked: &dyn Fn(&Value) -> bool) -> Result<&'a Value, Unready> {
    let found = place(context, is_marked).and_then(|place| context.at(place));
    let wanted = || objects(context.canary).first().map(ToString::to_string);
    found.ok_or_else(|| Unready::Absent(wanted().unwrap_or_else(|| "Ingress".to_owned())))
}

/// Where the copy is to be written, and from what.
pub(super) fn copy<'a>(context: &Context<'a>, is_marked: &dyn Fn(&Value) -> bool) -> Result<Copy<'a>, Refused> {
    if name(context.canary).is_none() {
        return Err(Refused::field("ingressRef", "it names no Ingress"));
    }
    let Some(place) = place(context, is_marked) else {
        let names: Vec<String> = objects(context.canary)
            .iter()
            .take(ORIGINAL)
            .map(ToString::to_string)
            .collect();
        return Err(Refused::Source(format!(
            "{} are both somebody else's; rename one of them",
            names.join(" and ")
        )));
    };
    let copy = Copy {
        place,
        current: context.at(place),
        original: original(context),
    };
    match &copy.original {
        Err(why) if copy.current.is_none() => Err(Refused::Source(why.clone())),
        _ => Ok(copy),
    }
}

/// The place of our copy, or of the first that is free. One of another Canary, or that a user made, is left alone.
fn place(context: &Context<'_>, is_marked: &dyn Fn(&Value) -> bool) -> Option<usize> {
    let is_ours = |place: &usize| {
        context
            .at(*place)
            .is_some_and(|object| is_ours(object, context.canary, is_marked))
    };
    let is_free = |place: &usize| context.at(*place).is_none();
    let mut places = 0..ORIGINAL;
    places.clone().find(is_ours).or_else(|| places.find(is_free))
}

/// Ours by its owner, or, where it lost its owner, by what it says: the peer leaves out the owner in some installations (RI-24).
fn is_ours(object: &Value, canary: &Canary, is_marked: &dyn Fn(&Value) -> bool) -> bool {
    if objects::is_controlled_by(object, canary) {
        return true;
    }
    let target = canary.spec.canary_service_name();
    objects::controller_of(object).is_none() && is_marked(object) && paths(object).any(|path| leads_to(path, &target))
}

fn paths(object: &Value) -> impl Iterator<Item = &Value> {
    let rules = object["spec"]["rules"].as_array().into_iter().flatten();
    rules.filter_map(|rule| rule["http"]["paths"].as_array()).flatten()
}

fn leads_to(path: &Value, service: &str) -> bool {
    path["backend"]["service"]["name"] == service
}

/// The user's Ingress with those of its rules and paths that lead to the apex. Rules without `http`, and no rules at all, are nothing
/// to fall over (RI-8).
fn original(context: &Context<'_>) -> Result<Value, String> {
    let canary = context.canary;
    let at = objects(canary).into_iter().nth(ORIGINAL);
    let shown = at.map(|at| at.to_string()).unwrap_or_default();
    let Some(object) = context.at(ORIGINAL) else {
        return Err(format!("{shown} is not there; create it, or correct spec.ingressRef"));
    };
    let apex = canary.spec.apex_name();
    let mut rules = Vec::new();
    for rule in object["spec"]["rules"].as_array().into_iter().flatten() {
        let paths = rule["http"]["paths"].as_array().into_iter().flatten();
        let matched: Vec<&Value> = paths.filter(|path| leads_to(path, apex)).collect();
        if !matched.is_empty() {
            let mut rule = rule.clone();
            tree::set(&mut rule, &["http", "paths"], json!(matched));
            rules.push(rule);
        }
    }
    if rules.is_empty() {
        return Err(format!("{shown} has no path that leads to Service {apex}; add one"));
    }
    let mut object = object.clone();
    tree::set(&mut object, &["spec", "rules"], json!(rules));
    if let Some(spec) = object["spec"].as_object_mut() {
        // What matches no path is nobody's canary.
        spec.remove("defaultBackend");
    }
    Ok(object)
}

// === impl Copy ===

impl Copy<'_> {
    /// The copy with the original's metadata and spec, where there is an original; without one it stays as it was made. `rewrite` makes the
    /// paths of a rule from those that lead to the apex; annotations that begin with `prefix` are the original's.
    pub(super) fn renewed(
        &self,
        context: &Context<'_>,
        prefix: &str,
        rewrite: &dyn Fn(Vec<Value>) -> Vec<Value>,
    ) -> Value {
        let objects = objects(context.canary);
        let fresh = || objects.get(self.place).map(|at| context.fresh(at));
        let current = self.current.cloned();
        let mut object = current.or_else(fresh).unwrap_or_default();
        let Ok(original) = &self.original else { return object };
        copied::follow(&mut object, original, &[prefix, CLASS]);
        object["spec"] = original["spec"].clone();
        for rule in object["spec"]["rules"].as_array_mut().into_iter().flatten() {
            let paths = rule["http"]["paths"].as_array().cloned().unwrap_or_default();
            tree::set(rule, &["http", "paths"], json!(rewrite(paths)));
        }
        object
    }

    /// The objects to write: this one at its place, and nothing before it.
    pub(super) fn alone(&self, object: Value) -> Vec<Value> {
        let mut desired = vec![Value::Null; self.place];
        desired.push(object);
        desired
    }
}

/// The path with another Service.
pub(super) fn towards(mut path: Value, service: &str) -> Value {
    tree::set(&mut path, &["backend", "service", "name"], json!(service));
    path
}
