//! Metadata of an object that is made after one of the user's: what its controller reads follows the original, for as long as both are
//! there (RI-16). What says whose the original is does not: a copy that a GitOps tool or a certificate manager takes for its own is
//! pruned, or gets a second certificate.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::{
    json as tree,
    objects::{self, TOOLKIT_MARKER},
    services,
};

/// Keys that begin like this say who manages the original, or have somebody make things for it.
const OF_THE_ORIGINAL: [&str; 11] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "flagger.kubernetes.io/original-configuration",
    "argocd.argoproj.io/",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "helm.sh/",
    "meta.helm.sh/",
    "cert-manager.io/",
    "acme.cert-manager.io/",
    "kubernetes.io/tls-acme",
    "external-dns.alpha.kubernetes.io/",
];

/// Bring the labels and annotations of `copy` up to those of `original`. Annotations that begin with one of `read` are those of the original
/// and no others; all further ones, which somebody may have put on the copy, are kept.
pub(super) fn follow(copy: &mut Value, original: &Value, read: &[&str]) {
    let mut labels = objects::metadata_map(copy, "labels");
    labels.extend(passed_on(original, "labels"));
    if !labels.is_empty() {
        tree::set(copy, &["metadata", "labels"], json!(labels));
    }
    let mut annotations = objects::metadata_map(copy, "annotations");
    annotations.retain(|key, _| !read.iter().any(|prefix| key.starts_with(prefix)));
    annotations.extend(passed_on(original, "annotations"));
    tree::set(
        copy,
        &["metadata", "annotations"],
        json!(services::with_gitops(annotations)),
    );
}

fn passed_on(original: &Value, field: &str) -> BTreeMap<String, String> {
    let mut all = objects::metadata_map(original, field);
    all.retain(|key, _| {
        let is_its_own = OF_THE_ORIGINAL.iter().any(|prefix| key.starts_with(prefix));
        !is_its_own && !key.contains(TOOLKIT_MARKER)
    });
    all
}
