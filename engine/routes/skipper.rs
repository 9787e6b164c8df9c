//! Provider `skipper`: a copy of the user's Ingress whose paths lead to both sides, by weights in an annotation (routers-ingress.md 2).
//!
//! The copy wins over the original as it has a predicate more. At weight 0 that predicate matches nothing: all traffic takes the user's
//! own way, over the apex to the primary.

mod predicates;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Capabilities, Context, Provider, Refused, Split, Unready, affinity::Rules, ingress};
use crate::{json as tree, objects, objects::kinds};

/// Weights by Service, as JSON.
const WEIGHTS: &str = "zalando.org/backend-weights";
/// Predicates that all routes of the Ingress have besides their host and path.
const PREDICATE: &str = "zalando.org/skipper-predicate";
/// What the annotations that Skipper reads begin with.
const READ: &str = "zalando.org/";

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "skipper",
    about: "Skipper",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        revert: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::INGRESS],
    notes: "`spec.ingressRef` names the Ingress; it is never changed: a copy of its paths to the apex carries the weights. In A/B testing \
            all conditions hold together, in one entry of `analysis.match`.",
    claims: |name| name == "skipper",
    objects: ingress::objects,
    desired,
    observed,
    accepted: ingress::accepted,
    // The user's Ingress is never changed, and the copy is collected with the Canary (RI-10).
    reverted: |_| Vec::new(),
};

fn desired(context: &Context<'_>, split: Split, _: &Rules) -> Result<Vec<Value>, Refused> {
    let chosen = predicates::chosen(context.chosen())?;
    let copy = ingress::copy(context, &is_marked)?;
    let spec = &context.canary.spec;
    let (primary, canary) = (spec.primary_service_name(), spec.canary_service_name());
    let mut object = copy.renewed(context, READ, &|paths| {
        let canaries = paths.clone().into_iter().map(|path| ingress::towards(path, &canary));
        let primaries = paths.into_iter().map(|path| ingress::towards(path, &primary));
        primaries.chain(canaries).collect()
    });
    let mut annotations = objects::metadata_map(&object, "annotations");
    let given = annotations.remove(PREDICATE).unwrap_or_default();
    let predicate = if split.canary == 0 {
        predicates::off(&given)
    } else {
        predicates::on(&given, &chosen)
    };
    annotations.insert(PREDICATE.to_owned(), predicate);
    let weights = BTreeMap::from([(canary, split.canary), (primary, split.primary)]);
    annotations.insert(WEIGHTS.to_owned(), json!(weights).to_string());
    tree::set(&mut object, &["metadata", "annotations"], json!(annotations));
    Ok(copy.alone(object))
}

fn is_marked(object: &Value) -> bool {
    !weights(object).is_empty()
}

/// Empty where there are none, or none that can be read.
fn weights(object: &Value) -> BTreeMap<String, i64> {
    let text = object["metadata"]["annotations"][WEIGHTS].as_str();
    let read = text.and_then(|text| serde_json::from_str(text).ok());
    read.unwrap_or_default()
}

fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let object = ingress::live(context, &is_marked)?;
    let spec = &context.canary.spec;
    let weights = weights(object);
    let weight = |name: String| weights.get(&name).copied().filter(|weight| *weight >= 0);
    let predicate = object["metadata"]["annotations"][PREDICATE].as_str();
    if predicate.is_some_and(predicates::is_off) {
        return Ok(Split::PRIMARY);
    }
    let shares = weight(spec.primary_service_name()).zip(weight(spec.canary_service_name()));
    let split = shares.and_then(|(primary, canary)| Split::of_shares(primary, canary));
    split.ok_or_else(|| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        Unready::NoSplit(kinds::INGRESS.named(context.canary.namespace(), name).to_string())
    })
}
