//! Discovery documents: which kinds there are, in the old form of one document a group and the new one that has all.

use super::{failure::Failure, kinds::Resource, store::Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// The same for kinds of CRDs, in the order in which real servers name them.
const CUSTOM_VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];
/// Verbs of subresources.
const PART_VERBS: [&str; 3] = ["get", "patch", "update"];
/// Media type of the new form, as clients ask for it and as it is answered.
pub(super) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Whether the caller takes the new form.
pub(super) fn wants_aggregated(accept: &str) -> bool {
    let mut wishes = accept.split(',').map(str::trim);
    wishes.any(|wish| wish.contains("as=APIGroupDiscoveryList") && wish.split(';').any(|part| part.trim() == "v=v2"))
}

/// `/version`: the level of the client library that this is built for.
pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": "v1.36.0+sandbox", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "sandbox",
    })
}

/// `/api`
pub(super) fn core_versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

/// Groups (but the core group) and their versions.
fn versions(store: &Store) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for topic in store.topics.values().filter(|topic| !topic.resource.group.is_empty()) {
        let known = versions.entry(&topic.resource.group).or_default();
        known.insert(&topic.resource.version);
    }
    versions
}

/// `/apis`
pub(super) fn groups(store: &Store) -> Value {
    let versions = versions(store);
    let groups: Vec<Value> = versions
        .iter()
        .map(|(name, versions)| group_entry(name, versions))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/<group>`
pub(super) fn group(store: &Store, name: &str) -> Result<Value, Failure> {
    let versions = versions(store);
    let mut group = group_entry(name, versions.get(name).ok_or(Failure::NoPage)?);
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Ok(group)
}

fn group_entry(name: &str, versions: &BTreeSet<&str>) -> Value {
    let entry = |version: &&str| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    let entries: Vec<Value> = versions.iter().map(entry).collect();
    json!({ "name": name, "versions": entries, "preferredVersion": entries.first() })
}

/// The kinds of a group and version.
pub(super) fn kinds<'a>(store: &'a Store, group: &str, version: &str) -> Vec<&'a Resource> {
    let kinds = store.topics.values().map(|topic| topic.resource.as_ref());
    kinds
        .filter(|kind| kind.group == group && kind.version == version)
        .collect()
}

/// `/api/v1` and `/apis/<group>/<version>`
pub(super) fn resources(store: &Store, group: &str, version: &str) -> Result<Value, Failure> {
    let kinds = kinds(store, group, version);
    let first = kinds.first().ok_or(Failure::NoPage)?;
    let resources: Vec<Value> = kinds.iter().flat_map(|kind| entries(kind)).collect();
    let group_version = first.api_version();
    Ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    }))
}

fn entries(kind: &Resource) -> Vec<Value> {
    let mut main = json!({
        "name": kind.plural, "singularName": kind.singular(), "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": verbs(kind),
    });
    for (field, names) in [("shortNames", kind.short_names()), ("categories", kind.categories())] {
        if !names.is_empty() {
            main[field] = json!(names);
        }
    }
    let mut found = vec![main];
    if kind.has_status {
        found.push(json!({
            "name": format!("{}/status", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": PART_VERBS,
        }));
    }
    if kind.scale().is_some() {
        found.push(json!({
            "name": format!("{}/scale", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": PART_VERBS,
        }));
    }
    found
}

/// `/api` or `/apis` in the new form.
pub(super) fn aggregated(store: &Store, core: bool) -> Value {
    let mut all = versions(store);
    if core {
        all = BTreeMap::from([("", BTreeSet::from(["v1"]))]);
    }
    let items = all.iter().map(|(group, versions)| {
        let versions = versions.iter().map(|version| {
            let resources: Vec<Value> = kinds(store, group, version).into_iter().map(discovered).collect();
            json!({ "version": version, "resources": resources, "freshness": "Current" })
        });
        json!({ "metadata": { "name": group }, "versions": versions.collect::<Vec<_>>() })
    });
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items.collect::<Vec<_>>(),
    })
}

/// What can be done with objects of a kind.
fn verbs(kind: &Resource) -> Vec<&'static str> {
    let all = if kind.custom { CUSTOM_VERBS } else { VERBS };
    let kept = all
        .into_iter()
        .filter(|verb| kind.kind != "Namespace" || *verb != "deletecollection");
    kept.collect()
}

fn discovered(kind: &Resource) -> Value {
    let own = json!({ "group": kind.group, "version": kind.version, "kind": kind.kind });
    let scale = json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" });
    let part = |name: &str, answer: &Value| json!({ "subresource": name, "responseKind": answer, "verbs": PART_VERBS });
    let mut parts = Vec::new();
    if kind.has_status {
        parts.push(part("status", &own));
    }
    if kind.scale().is_some() {
        parts.push(part("scale", &scale));
    }
    json!({
        "resource": kind.plural, "responseKind": own, "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular(), "verbs": verbs(kind), "shortNames": kind.short_names(),
        "categories": kind.categories(), "subresources": parts,
    })
}
