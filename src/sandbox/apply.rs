//! Server-side apply, and who owns which field: `metadata.managedFields`.

#[cfg(test)]
mod tests;

use super::{
    failure::{Cause, Failure},
    fields::{Fields, element},
    kinds::Resource,
    lists::{Merging, Site},
    metadata,
};
use serde_json::{Map, Value, json};

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Author<'a> {
    pub(super) manager: &'a str,
    /// Empty for the main resource.
    pub(super) subresource: &'a str,
    /// Time as text.
    pub(super) time: &'a str,
}

/// One entry of managedFields.
#[derive(Clone, Debug, PartialEq)]
struct Owner {
    /// The entry without its fields and time.
    identity: Value,
    time: Value,
    fields: Fields,
}

/// kubectl's own manager, and the annotation in which its older way of applying remembers what was applied. While both are in use the
/// server keeps the annotation up to date.
const KUBECTL: &str = "kubectl";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const UPDATE: &str = "Update";
const APPLY: &str = "Apply";

/// The managedFields after an update by `author`, from those before it.
pub(super) fn after_update(
    resource: &Resource,
    before: &Value,
    after: &Value,
    entries: &[Value],
    author: Author<'_>,
) -> Vec<Value> {
    let site = Site::root(resource);
    let (changed, removed) = Fields::compare(&unmanaged(before), &unmanaged(after), site);
    let (main, status) = author.reach(resource);
    let (changed, removed) = (changed.owned(main, status), removed.owned(main, status));
    let identity = author.identity(resource, UPDATE);
    let touched = changed.union(&removed);
    let mut owners: Vec<Owner> = entries.iter().map(Owner::read).collect();
    if !touched.is_empty() {
        for owner in &mut owners {
            owner.fields = owner.fields.minus(&touched);
        }
    }
    if !changed.is_empty() {
        let known = owners.iter().position(|owner| owner.identity == identity);
        let mut own = match known {
            Some(at) => owners.remove(at),
            None => Owner::new(identity),
        };
        own.fields = own.fields.union(&changed);
        own.time = json!(author.time);
        owners.push(own);
    }
    written(owners)
}

/// What applying `config` makes of the live object, with managedFields.
pub(super) fn merged(
    resource: &Resource,
    live: &Value,
    config: &Value,
    author: Author<'_>,
    force: bool,
) -> Result<Value, Failure> {
    if config["metadata"]["managedFields"]
        .as_array()
        .is_some_and(|list| !list.is_empty())
    {
        return Err(Failure::BadRequest("metadata.managedFields must be nil".to_owned()));
    }
    let site = Site::root(resource);
    let (main, status) = author.reach(resource);
    let wanted = Fields::of(config, site).owned(main, status);
    let mut owners = owners_of(resource, live);
    let identity = author.identity(resource, APPLY);
    let old = owners.iter().position(|owner| owner.identity == identity);
    let old = old.map(|at| owners.remove(at));

    let live = unmanaged(live);
    let mut object = live.clone();
    overlay(&mut object, config, site);
    let (changed, _) = Fields::compare(&live, &object, site);
    let changed = changed.both(&wanted);
    let causes = conflicts(&owners, &changed);
    if !causes.is_empty() && !force {
        return Err(Failure::Owned { causes });
    }
    for owner in &mut owners {
        owner.fields = owner.fields.minus(&changed);
    }
    let others = owners
        .iter()
        .fold(Fields::default(), |all, owner| all.union(&owner.fields));
    let dropped = old.as_ref().map(|old| old.fields.minus(&wanted).minus(&others));
    if let Some(dropped) = dropped {
        dropped.remove_from(&mut object, site);
    }
    let annotations = object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut);
    if let Some(annotation) = annotations.and_then(|all| all.get_mut(LAST_APPLIED))
        && author.manager == KUBECTL
    {
        *annotation = json!(format!("{config}\n"));
    }
    metadata::drop_nulls(&mut object);
    let time = match old {
        Some(old) if old.fields == wanted && object == live => old.time,
        _ => json!(author.time),
    };
    owners.push(Owner {
        identity,
        time,
        fields: wanted,
    });
    object["metadata"]["managedFields"] = json!(written(owners));
    Ok(object)
}

fn conflicts(owners: &[Owner], changed: &Fields) -> Vec<Cause> {
    let mut causes: Vec<Cause> = owners
        .iter()
        .flat_map(|owner| {
            let paths = owner.fields.both(changed).paths();
            paths.into_iter().map(|path| Cause::new(path, owner.shown()))
        })
        .collect();
    causes.sort_by(|one, other| one.why.cmp(&other.why));
    causes
}

/// The owners of a live object. Whose fields nobody tracked, they all belong to one that was there before.
fn owners_of(resource: &Resource, live: &Value) -> Vec<Owner> {
    let entries = live["metadata"]["managedFields"].as_array();
    if let Some(entries) = entries.filter(|entries| !entries.is_empty()) {
        return entries.iter().map(Owner::read).collect();
    }
    if live.is_null() {
        return Vec::new();
    }
    let author = Author {
        manager: "before-first-apply",
        subresource: "",
        time: "",
    };
    let fields = Fields::of(live, Site::root(resource)).owned(true, !resource.has_status);
    let mut owner = Owner::new(author.identity(resource, UPDATE));
    owner.fields = fields;
    vec![owner]
}

/// Put what is applied over what is there.
fn overlay(target: &mut Value, config: &Value, site: Site<'_>) {
    match config {
        Value::Object(fields) if !site.is_whole() => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            for (name, value) in fields {
                overlay(&mut target[name.as_str()], value, site.field(name));
            }
        }
        Value::Array(items) => {
            let merging = site.merging();
            let present = match target.take() {
                Value::Array(present) if merging != Merging::Atomic => present,
                _ => Vec::new(),
            };
            *target = Value::Array(overlay_items(present, items, &merging, site.item()));
        }
        scalar => *target = scalar.clone(),
    }
}

fn overlay_items(mut present: Vec<Value>, items: &[Value], merging: &Merging, site: Site<'_>) -> Vec<Value> {
    for item in items {
        let name = element(item, merging);
        let at = name.and_then(|name| {
            present
                .iter()
                .position(|known| element(known, merging).as_ref() == Some(&name))
        });
        match at.and_then(|at| present.get_mut(at)) {
            Some(known) => overlay(known, item, site),
            None => present.push(item.clone()),
        }
    }
    present
}

fn unmanaged(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

fn written(owners: Vec<Owner>) -> Vec<Value> {
    let owning = owners.into_iter().filter(|owner| !owner.fields.is_empty());
    let mut entries: Vec<Value> = owning.map(Owner::write).collect();
    let order = |entry: &Value| ["operation", "time", "manager"].map(|field| entry[field].as_str().map(str::to_owned));
    entries.sort_by_key(order);
    entries
}

// === impl Author ===

impl Author<'_> {
    /// Whether fields outside and inside of status can be owned by this write.
    fn reach(&self, resource: &Resource) -> (bool, bool) {
        let is_status = self.subresource == "status";
        (!is_status, is_status || !resource.has_status)
    }

    fn identity(&self, resource: &Resource, operation: &str) -> Value {
        let mut identity = json!({
            "manager": self.manager, "operation": operation, "apiVersion": resource.api_version(),
            "fieldsType": "FieldsV1",
        });
        if !self.subresource.is_empty() {
            identity["subresource"] = json!(self.subresource);
        }
        identity
    }
}

// === impl Owner ===

impl Owner {
    fn new(identity: Value) -> Self {
        Self {
            identity,
            time: Value::Null,
            fields: Fields::default(),
        }
    }

    fn read(entry: &Value) -> Self {
        let mut identity = entry.clone();
        if let Some(fields) = identity.as_object_mut() {
            fields.remove("fieldsV1");
            fields.remove("time");
        }
        Self {
            identity,
            time: entry["time"].clone(),
            fields: Fields::from_json(&entry["fieldsV1"]),
        }
    }

    fn write(self) -> Value {
        let mut entry = self.identity;
        entry["fieldsV1"] = self.fields.to_json();
        if !self.time.is_null() {
            entry["time"] = self.time;
        }
        entry
    }

    /// As messages about conflicts name it.
    fn shown(&self) -> String {
        let text = |field: &str| self.identity[field].as_str().unwrap_or_default();
        let mut shown = format!("\"{}\"", text("manager"));
        if !text("subresource").is_empty() {
            shown = format!("{shown} with subresource \"{}\"", text("subresource"));
        }
        if text("operation") == UPDATE {
            shown = format!("{shown} using {}", text("apiVersion"));
        }
        shown
    }
}
