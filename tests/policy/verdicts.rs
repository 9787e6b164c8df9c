//! Paths that the policy names, and those that the controller would name whatever its flags are.

use crds::{Canary, problems};
use std::collections::BTreeSet;

/// One of each kind of what `-mesh-provider` can be.
const FLAGS: [&str; 7] = ["", "kubernetes", "istio", "gatewayapi:v1", "nginx", "appmesh", "apisix"];

/// Paths in the warnings of a policy; whatever is no path, such as an expression that failed, is kept as it is.
pub(crate) fn named(warnings: &[String], policy: &str) -> BTreeSet<String> {
    let binding = format!("with binding '{policy}': ");
    let texts = warnings.iter().filter_map(|text| Some(text.split_once(&binding)?.1));
    let paths = texts.flat_map(|text| {
        let before = [" (", ": "].iter().filter_map(|end| text.find(end)).min();
        text[..before.unwrap_or(text.len())].split(", ")
    });
    paths.map(str::to_owned).collect()
}

/// Paths of the problems that no flag of the controller changes.
pub(crate) fn expected(canary: &Canary) -> BTreeSet<String> {
    let own = canary.spec.provider.as_deref().unwrap_or_default();
    let flags = if own.is_empty() { &FLAGS[..] } else { &[own] };
    let each = flags.iter().map(|provider| {
        let found = problems::problems_with(canary, provider);
        found
            .iter()
            .map(|problem| unnumbered(&problem.path))
            .collect::<BTreeSet<_>>()
    });
    each.reduce(|all, one| &all & &one).unwrap_or_default()
}

/// Where fractions can stand.
pub(crate) fn numbers() -> BTreeSet<String> {
    let analysis = [
        "threshold",
        "iterations",
        "stepWeight",
        "stepWeights[]",
        "maxWeight",
        "stepWeightPromotion",
        "mirrorWeight",
        "primaryReadyThreshold",
        "canaryReadyThreshold",
        "sessionAffinity.maxAge",
        "webhooks[].retries",
    ];
    let paths = analysis.map(|name| format!("spec.analysis.{name}"));
    let more = ["spec.progressDeadlineSeconds", "spec.service.port"].map(str::to_owned);
    paths.into_iter().chain(more).collect()
}

/// `metrics[1]` as `metrics[]`.
fn unnumbered(path: &str) -> String {
    let parts = path.split('[').map(|part| match part.split_once(']') {
        Some((_, rest)) => format!("]{rest}"),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("[")
}
