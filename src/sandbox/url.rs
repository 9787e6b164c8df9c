//! Reading URLs: which kind, namespace, name and subresource a path means, and the query parameters.

use super::{
    kinds::Resource,
    store::{Store, TopicKey},
};
use std::{collections::BTreeMap, sync::Arc};

/// What a path means.
#[derive(Debug)]
pub(super) enum Target {
    /// `/healthz` and its relatives.
    Health,
    /// `/version`
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/<group>`
    Group(String),
    /// `/api/v1`, `/apis/<group>/<version>`
    GroupVersion(String, String),
    /// `/openapi/v2`
    OldSchemas,
    /// `/openapi/v3`
    Schemas,
    /// `/openapi/v3/<group and version>`
    Schema(String, String),
    /// Something that real servers have and this does not.
    Lacking(String),
    /// Objects of a kind.
    Objects(Objects),
}

/// Builtin kinds that are not served: nothing runs here, so there is nothing to tell of it.
const LACKING: [&str; 14] = [
    "pods",
    "nodes",
    "endpoints",
    "endpointslices",
    "statefulsets",
    "controllerrevisions",
    "jobs",
    "cronjobs",
    "persistentvolumes",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
];

/// Some objects of a kind.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) key: TopicKey,
    pub(super) resource: Arc<Resource>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

/// Query parameters by name; of repeated ones the last counts.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

/// What the path means among the installed kinds; `None` where nothing is served.
pub(super) fn resolve(store: &Store, path: &str) -> Option<Target> {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(decode)
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => Some(Target::Health),
        ["version"] => Some(Target::Version),
        ["api"] => Some(Target::CoreVersions),
        ["apis"] => Some(Target::Groups),
        ["openapi", "v2"] => Some(Target::OldSchemas),
        ["openapi", "v3"] => Some(Target::Schemas),
        ["openapi", "v3", "api", version] => Some(Target::Schema(String::new(), (*version).to_owned())),
        ["openapi", "v3", "apis", group, version] => Some(Target::Schema((*group).to_owned(), (*version).to_owned())),
        ["apis", group] => Some(Target::Group((*group).to_owned())),
        ["api", version] => Some(Target::GroupVersion(String::new(), (*version).to_owned())),
        ["apis", group, version] => Some(Target::GroupVersion((*group).to_owned(), (*version).to_owned())),
        ["api", version, rest @ ..] => objects(store, "", version, rest),
        ["apis", group, version, rest @ ..] => objects(store, group, version, rest),
        _ => None,
    }
}

fn objects(store: &Store, group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    let (namespace, rest) = match rest {
        // `/namespaces/<name>/status` is about the Namespace itself.
        ["namespaces", namespace, inner @ ..] if !inner.is_empty() && inner != ["status"] => (Some(*namespace), inner),
        _ => (None, rest),
    };
    let (plural, name, subresource) = match *rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some(name), None),
        [plural, name, subresource] => (plural, Some(name), Some(subresource)),
        _ => return None,
    };
    let key = (group.to_owned(), plural.to_owned());
    let Some(topic) = store.topics.get(&key) else {
        let builtin = group.is_empty() || group.ends_with(".k8s.io") || !group.contains('.');
        let why = if plural.starts_with("selfsubject") {
            "everybody may do everything"
        } else {
            "nothing runs in it"
        };
        return (builtin && LACKING.contains(&plural)).then(|| Target::Lacking(format!("{plural}; {why}")));
    };
    let resource = Arc::clone(&topic.resource);
    if resource
        .definition
        .as_ref()
        .is_some_and(|definition| definition.lacks(version))
    {
        let stored = &resource.version;
        return Some(Target::Lacking(format!(
            "convert {plural} to {version}; it serves {stored} only"
        )));
    }
    let misplaced = resource.namespaced != namespace.is_some() && (name.is_some() || !resource.namespaced);
    if resource.version != version || misplaced {
        return None;
    }
    Some(Target::Objects(Objects {
        key,
        resource,
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
    }))
}

// === impl Query ===

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(
            pairs
                .map(|(name, value)| (decode(name), decode(&value.replace('+', " "))))
                .collect(),
        )
    }

    /// The parameter, empty when absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        ["true", "1"].contains(&self.text(name))
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }
}

/// Undo percent-encoding; broken escapes stay as they are.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
