//! Sets of fields, as field managers own them: a tree whose branches are named as in `fieldsV1` of managedFields.

use super::lists::{Merging, Site, key_of};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Some fields of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// This field itself belongs to the set.
    here: bool,
    /// By element: `f:name` of a map, `k:{...}` of a keyed list, `v:...` of a set.
    below: BTreeMap<String, Fields>,
}

/// Fields that nobody owns.
const UNOWNED: [&str; 9] = [
    "f:name",
    "f:namespace",
    "f:creationTimestamp",
    "f:selfLink",
    "f:uid",
    "f:generation",
    "f:managedFields",
    "f:resourceVersion",
    "f:deletionTimestamp",
];

// === impl Fields ===

impl Fields {
    /// All fields of a value.
    pub(super) fn of(value: &Value, site: Site<'_>) -> Self {
        let below: BTreeMap<String, Self> = parts(value, site)
            .into_iter()
            .map(|(name, (inner, at))| {
                let mut fields = Self::of(inner, at);
                fields.here |= !name.starts_with("f:");
                (name, fields)
            })
            .collect();
        Self {
            here: below.is_empty(),
            below,
        }
    }

    /// What differs between two values: fields that are new or have other values, and fields that are gone.
    pub(super) fn compare(before: &Value, after: &Value, site: Site<'_>) -> (Self, Self) {
        if before == after {
            return Default::default();
        }
        let (old, new) = (parts(before, site), parts(after, site));
        if old.is_empty() || new.is_empty() {
            let gone = if before.is_null() {
                Self::default()
            } else {
                Self::of(before, site)
            };
            let come = if after.is_null() {
                Self::default()
            } else {
                Self::of(after, site)
            };
            let gone = gone.minus(&come);
            return (come, gone);
        }
        let (mut changed, mut removed) = (Self::default(), Self::default());
        for (name, (inner, at)) in &new {
            let known = old.get(name);
            let (mut come, gone) = Self::compare(known.map_or(&Value::Null, |known| known.0), inner, *at);
            come.here |= known.is_none() && !name.starts_with("f:");
            changed.put(name, come);
            removed.put(name, gone);
        }
        for (name, (inner, at)) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            let mut gone = Self::of(inner, *at);
            gone.here |= !name.starts_with("f:");
            removed.put(name, gone);
        }
        (changed, removed)
    }

    fn put(&mut self, name: &str, fields: Self) {
        if !fields.is_empty() {
            self.below.insert(name.to_owned(), fields);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.here && self.below.values().all(Self::is_empty)
    }

    /// Fields of either.
    pub(super) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.here |= other.here;
        for (name, fields) in &other.below {
            let merged = all.below.get(name).map_or(fields.clone(), |known| known.union(fields));
            all.below.insert(name.clone(), merged);
        }
        all
    }

    /// Fields of this set that are not in the other.
    pub(super) fn minus(&self, other: &Self) -> Self {
        let mut left = Self {
            here: self.here && !other.here,
            below: BTreeMap::new(),
        };
        for (name, fields) in &self.below {
            left.put(
                name,
                other
                    .below
                    .get(name)
                    .map_or(fields.clone(), |other| fields.minus(other)),
            );
        }
        left
    }

    /// Fields of both.
    pub(super) fn both(&self, other: &Self) -> Self {
        let mut both = Self {
            here: self.here && other.here,
            below: BTreeMap::new(),
        };
        for (name, fields) in &self.below {
            if let Some(other) = other.below.get(name) {
                both.put(name, fields.both(other));
            }
        }
        both
    }

    /// Without what nobody owns, and without the status or with nothing else.
    pub(super) fn owned(mut self, keeps_main: bool, keeps_status: bool) -> Self {
        self.below.retain(|name, _| match name.as_str() {
            "f:apiVersion" | "f:kind" => false,
            "f:status" => keeps_status,
            _ => keeps_main,
        });
        if let Some(metadata) = self.below.get_mut("f:metadata") {
            metadata.here = false;
            metadata.below.retain(|name, _| !UNOWNED.contains(&name.as_str()));
        }
        self.below.retain(|_, fields| !fields.is_empty());
        self.here = false;
        self
    }

    /// Take these fields out of an object.
    pub(super) fn remove_from(&self, object: &mut Value, site: Site<'_>) {
        match object {
            Value::Object(fields) => {
                for (name, gone) in &self.below {
                    let Some(field) = name.strip_prefix("f:") else { continue };
                    let Some(inner) = fields.get_mut(field) else { continue };
                    gone.remove_from(inner, site.field(field));
                    let emptied = is_hollow(inner) && !gone.below.is_empty();
                    if emptied || (gone.here && gone.below.is_empty()) {
                        fields.remove(field);
                    }
                }
            }
            Value::Array(items) => {
                let merging = site.merging();
                items.retain_mut(|item| {
                    let Some(gone) = element(item, &merging).and_then(|name| self.below.get(&name)) else {
                        return true;
                    };
                    if !gone.here {
                        gone.remove_from(item, site.item());
                    }
                    !gone.here
                });
            }
            _ => {}
        }
    }

    /// Paths of the fields, as messages write them.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.walk("", &mut found);
        found
    }

    fn walk(&self, path: &str, found: &mut Vec<String>) {
        if self.here && !path.is_empty() {
            found.push(path.to_owned());
        }
        for (name, fields) in &self.below {
            fields.walk(&format!("{path}{}", shown(name)), found);
        }
    }

    /// `fieldsV1`
    pub(super) fn to_json(&self) -> Value {
        let mut fields: Map<String, Value> = self
            .below
            .iter()
            .map(|(name, fields)| (name.clone(), fields.to_json()))
            .collect();
        if self.here && !fields.is_empty() {
            fields.insert(".".to_owned(), Value::Object(Map::new()));
        }
        Value::Object(fields)
    }

    /// Read `fieldsV1`.
    pub(super) fn from_json(value: &Value) -> Self {
        let fields = value.as_object();
        let below: BTreeMap<String, Self> = fields
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != ".")
            .map(|(name, inner)| (name.clone(), Self::from_json(inner)))
            .collect();
        Self {
            here: below.is_empty() || value.get(".").is_some(),
            below,
        }
    }
}

/// The parts of a value that can be owned one by one; none where it is owned as a whole.
fn parts<'a>(value: &'a Value, site: Site<'a>) -> BTreeMap<String, (&'a Value, Site<'a>)> {
    match value {
        Value::Object(fields) if !site.is_whole() => fields
            .iter()
            .map(|(name, inner)| (format!("f:{name}"), (inner, site.field(name))))
            .collect(),
        Value::Array(items) => {
            let merging = site.merging();
            items
                .iter()
                .filter_map(|item| Some((element(item, &merging)?, (item, site.item()))))
                .collect()
        }
        _ => BTreeMap::new(),
    }
}

/// The name of a list's item; none where the list is one whole.
pub(super) fn element(item: &Value, merging: &Merging) -> Option<String> {
    match merging {
        Merging::Atomic => None,
        Merging::Set => Some(format!("v:{item}")),
        Merging::Map(keys) => Some(format!("k:{}", key_of(item, keys))),
    }
}

fn is_hollow(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

fn shown(name: &str) -> String {
    if let Some(field) = name.strip_prefix("f:") {
        return format!(".{field}");
    }
    if let Some(value) = name.strip_prefix("v:") {
        return format!("[={value}]");
    }
    let key: Value = serde_json::from_str(name.strip_prefix("k:").unwrap_or_default()).unwrap_or_default();
    let pairs = key.as_object().into_iter().flatten();
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    format!("[{}]", pairs.join(","))
}
