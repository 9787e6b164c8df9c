//! Discovery documents, as much as kube needs to find a kind.

use super::{failure::Failure, kinds::Resource, store::Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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

/// `/apis`
pub(super) fn groups(store: &Store) -> Value {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for topic in store.topics.values().filter(|topic| !topic.resource.group.is_empty()) {
        let known = versions.entry(&topic.resource.group).or_default();
        if !known.contains(&topic.resource.version.as_str()) {
            known.push(&topic.resource.version);
        }
    }
    let groups: Vec<Value> = versions
        .iter()
        .map(|(name, versions)| group_entry(name, versions))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/<group>`
pub(super) fn group(store: &Store, name: &str) -> Result<Value, Failure> {
    let list = groups(store);
    let found = list["groups"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|group| group["name"] == name);
    let mut group = found.cloned().ok_or(Failure::NoPage)?;
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Ok(group)
}

fn group_entry(name: &str, versions: &[&str]) -> Value {
    let entry = |version: &&str| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    let entries: Vec<Value> = versions.iter().map(entry).collect();
    json!({ "name": name, "versions": entries, "preferredVersion": entries.first() })
}

/// `/api/v1` and `/apis/<group>/<version>`
pub(super) fn resources(store: &Store, group: &str, version: &str) -> Result<Value, Failure> {
    let kinds = store.topics.values().map(|topic| topic.resource.as_ref());
    let kinds: Vec<&Resource> = kinds
        .filter(|kind| kind.group == group && kind.version == version)
        .collect();
    let first = kinds.first().ok_or(Failure::NoPage)?;
    let resources: Vec<Value> = kinds.iter().flat_map(|kind| entries(kind)).collect();
    let group_version = first.api_version();
    Ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    }))
}

fn entries(kind: &Resource) -> Vec<Value> {
    let entry = |name: String, verbs: &[&str]| {
        json!({
            "name": name, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": verbs,
        })
    };
    let mut found = vec![entry(kind.plural.clone(), &VERBS)];
    if kind.has_status {
        found.push(entry(format!("{}/status", kind.plural), &["get", "patch", "update"]));
    }
    found
}
