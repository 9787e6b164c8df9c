//! Provider `nginx`: a copy of the user's Ingress whose annotations say how much of its traffic goes to the canary (routers-ingress.md 1).

mod matches;
#[cfg(test)]
mod tests;

use crds::{Canary, analysis::Strategy};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Capabilities, Context, Provider, Refused, Split, Unready, affinity::Rules, ingress};
use crate::{json as tree, objects, objects::kinds};
use matches::Chosen;

/// Share of the chosen requests, beside `canary-by-header`: the controller has no word for it, it knows all or none (W-22).
const SHARE: &str = "aviary/canary-share";

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "nginx",
    about: "the NGINX Ingress controller",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        revert: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::INGRESS],
    notes: "`spec.ingressRef` names the Ingress; it is never changed: a copy of its paths to the apex, `<ingress>-canary`, carries the \
            canary's annotations, whose prefix is the flag `-ingress-annotations-prefix`. A/B testing knows one header and one cookie (by \
            its name; its value must be `always`), either of which is enough; of several Canaries on one Ingress the later ones have copies \
            `<ingress>-<apex>-canary`.",
    claims: |name| name == "nginx",
    objects: ingress::objects,
    desired,
    observed,
    accepted: ingress::accepted,
    // The user's Ingress is never changed, and the copy is collected with the Canary.
    reverted: |_| Vec::new(),
};

/// Names of the annotations.
struct Keys<'a> {
    prefix: &'a str,
}

/// The copy stays marked as a canary at weight 0, too: with another mark the controller's webhook would refuse the user's own edits of
/// the original, as both would claim the same paths.
fn desired(context: &Context<'_>, split: Split, _: &Rules) -> Result<Vec<Value>, Refused> {
    let chosen = Chosen::of(context.chosen())?;
    let keys = Keys::of(context);
    let copy = ingress::copy(context, &|object| keys.are_on(object))?;
    let target = context.canary.spec.canary_service_name();
    let mut object = copy.renewed(context, &keys.all(), &|paths| {
        let towards = paths.into_iter().map(|path| ingress::towards(path, &target));
        towards.collect()
    });
    let mut annotations = objects::metadata_map(&object, "annotations");
    // All that others may have said about the canary, such as another total of the weights, goes.
    annotations.retain(|key, _| !key.starts_with(&keys.of_canary("")) && key != SHARE);
    annotations.extend(keys.written(context.canary, &chosen, split));
    tree::set(&mut object, &["metadata", "annotations"], json!(annotations));
    Ok(copy.alone(object))
}

fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let keys = Keys::of(context);
    let object = ingress::live(context, &|object| keys.are_on(object))?;
    let annotations = objects::metadata_map(object, "annotations");
    let read = |key: &str| annotations.get(key).map(|text| text.parse::<i64>());
    let unreadable = || {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        Unready::NoSplit(kinds::INGRESS.named(context.canary.namespace(), name).to_string())
    };
    let by = ["-by-header", "-by-cookie"].map(|key| keys.of_canary(key));
    let is_testing = is_ab(context.canary) && by.iter().any(|key| annotations.contains_key(key));
    let share = if is_testing {
        read(SHARE).unwrap_or(Ok(100))
    } else {
        read(&keys.of_canary("-weight")).unwrap_or(Ok(0))
    };
    let share = share.ok().filter(|share| (0..=100).contains(share));
    share.map(Split::of).ok_or_else(unreadable)
}

fn is_ab(canary: &Canary) -> bool {
    let analysis = canary.spec.analysis.as_ref();
    analysis.is_some_and(|analysis| analysis.strategy() == Strategy::AbTesting)
}

// === impl Keys ===

impl<'a> Keys<'a> {
    fn of(context: &Context<'a>) -> Self {
        Self {
            prefix: context.flags.annotations_prefix,
        }
    }

    fn all(&self) -> String {
        format!("{}/", self.prefix)
    }

    fn of_canary(&self, rest: &str) -> String {
        format!("{}/canary{rest}", self.prefix)
    }

    fn are_on(&self, object: &Value) -> bool {
        object["metadata"]["annotations"][self.of_canary("")] == "true"
    }

    /// In an A/B test the chosen requests go to the canary, and no others: the weight is that of the others (RI-4). With steps of weights
    /// they go there besides (RI-15). At 0 nobody does, and nothing of the choice is left.
    fn written(&self, canary: &Canary, chosen: &Chosen, split: Split) -> BTreeMap<String, String> {
        let is_testing = is_ab(canary) && !chosen.is_empty();
        let weight = if is_testing { 0 } else { split.canary };
        let mut written = BTreeMap::from([
            (self.of_canary(""), "true".to_owned()),
            (self.of_canary("-weight"), weight.to_string()),
        ]);
        if split.canary > 0 {
            let choice = chosen.written().into_iter();
            written.extend(choice.map(|(key, text)| (self.of_canary(key), text)));
        }
        if is_testing && (1..100).contains(&split.canary) {
            written.insert(SHARE.to_owned(), split.canary.to_string());
        }
        written
    }
}
