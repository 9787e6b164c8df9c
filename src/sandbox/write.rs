//! The rules of create, update and delete that hold for every kind.

use super::{
    apply::{self, Author},
    defaults,
    failure::Failure,
    history::Verb,
    kinds::Resource,
    metadata,
    store::{Id, Store, place_of},
    validate,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Letters of generated name suffixes, as the API server's: no vowels, no look-alikes.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Letters in a suffix: 27^5 = 14 million names.
const SUFFIX: u32 = 5;

/// Which half of an object an update may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but status, where status is a subresource.
    Main,
    /// Status only.
    Status,
}

/// How a write is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode<'a> {
    pub(super) now: Timestamp,
    /// Check and answer, but store nothing.
    pub(super) dry_run: bool,
    /// The sandbox is as strict as a real server.
    pub(super) strict: bool,
    /// Refuse fields that the schema does not know.
    pub(super) exact: bool,
    /// Whose fields those are that change; `None` where the object says it itself.
    pub(super) author: Option<Author<'a>>,
}

/// What a delete asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
    /// Dependents are kept.
    pub(super) orphan: bool,
}

// === impl Store ===

impl Store {
    fn resource(&self, id: &Id) -> Result<Arc<Resource>, Failure> {
        Ok(Arc::clone(&self.topic(&id.topic)?.resource))
    }

    /// Store a new object. `namespace` is that of the URL.
    pub(super) fn create(
        &mut self,
        resource: &Resource,
        namespace: &str,
        body: Value,
        mode: Mode<'_>,
    ) -> Result<Arc<Value>, Failure> {
        let mut object = body;
        metadata::check_envelope(resource, namespace, &mut object)?;
        self.name(resource, &mut object)?;
        let (_, name) = place_of(&object);
        let id = Id::new(resource, namespace, &name);
        if self.topic(&id.topic)?.objects.contains_key(&id.place) {
            return Err(Failure::AlreadyExists {
                resource: resource.qualified(),
                name,
            });
        }
        if !metadata::resource_version(&object).is_empty() {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(Failure::BadRequest(why.to_owned()));
        }
        if mode.strict && resource.namespaced {
            self.check_namespace(namespace)?;
        }
        validate::creation(resource, &object)?;
        let owners = take_owners(&mut object);
        metadata::settle(&mut object);
        if resource.has_status {
            metadata::remove(&mut object, "status");
        }
        validate::fit(resource, &mut object, mode)?;
        defaults::apply(resource, &mut object);
        if resource.plural == "services" {
            defaults::allocate(&mut object, &mut self.addresses);
        }
        if resource.kind == "Namespace" {
            object["status"] = json!({ "phase": "Active" });
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
        }
        validate::object(resource, &object, None)?;
        self.born += 1;
        metadata::stamp_birth(resource, &mut object, self.born, mode.now);
        keep_owners(resource, &Value::Null, &mut object, owners, mode);
        if mode.dry_run {
            return Ok(Arc::new(object));
        }
        self.commit(&id, Verb::Added, object)
    }

    fn check_namespace(&self, namespace: &str) -> Result<(), Failure> {
        let topic = self.topic(&(String::new(), "namespaces".to_owned()))?;
        let found = topic.objects.contains_key(&(String::new(), namespace.to_owned()));
        if found {
            return Ok(());
        }
        Err(Failure::missing(&topic.resource, namespace))
    }

    /// Fill in the name from `generateName`.
    fn name(&mut self, resource: &Resource, object: &mut Value) -> Result<(), Failure> {
        let metadata = &object["metadata"];
        if metadata["name"].as_str().is_some_and(|name| !name.is_empty()) {
            return Ok(());
        }
        let prefix = metadata["generateName"].as_str().unwrap_or_default();
        if prefix.is_empty() {
            let why = "Required value: name or generateName is required";
            return Err(Failure::invalid(resource, "", "metadata.name", why));
        }
        let name = format!("{prefix}{}", suffix(self.born + 1));
        object["metadata"]["name"] = json!(name);
        Ok(())
    }

    /// Replace an object by what `change` makes of it (PUT and all patches).
    pub(super) fn update(
        &mut self,
        id: &Id,
        part: Part,
        mode: Mode<'_>,
        change: impl FnOnce(&Value) -> Result<Value, Failure>,
    ) -> Result<Arc<Value>, Failure> {
        let resource = self.resource(id)?;
        if part == Part::Status && !resource.has_status {
            return Err(Failure::NoPage);
        }
        let before = self.get(id)?;
        let mut object = change(&before)?;
        metadata::check_envelope(&resource, &id.place.0, &mut object)?;
        metadata::check_preconditions(&resource, &id.place.1, &object, &before)?;
        let owners = take_owners(&mut object);
        let mut object = match part {
            Part::Main => object,
            Part::Status => with_status(&before, object),
        };
        metadata::settle(&mut object);
        if part == Part::Main {
            keep_status(&resource, &mut object, &before);
        }
        validate::fit(&resource, &mut object, mode)?;
        if part == Part::Main {
            defaults::inherit(&resource, &mut object, &before);
            defaults::apply(&resource, &mut object);
            validate::object(&resource, &object, Some(&before))?;
        }
        metadata::keep_system_fields(&mut object, &before);
        if part == Part::Main && metadata::bumps_generation(&resource, &object, &before) {
            metadata::bump_generation(&mut object);
        }
        keep_owners(&resource, &before, &mut object, owners, mode);
        if object == *before {
            return Ok(before);
        }
        if mode.dry_run {
            return Ok(Arc::new(object));
        }
        let verb = if metadata::is_released(&object) {
            Verb::Deleted
        } else {
            Verb::Modified
        };
        self.commit(id, verb, object)
    }

    /// Delete an object, or mark it when finalizers hold it. True when it is gone.
    pub(super) fn delete(&mut self, id: &Id, terms: &Terms, mode: Mode<'_>) -> Result<(Arc<Value>, bool), Failure> {
        let resource = self.resource(id)?;
        let before = self.get(id)?;
        terms.check(&resource, &id.place.1, &before)?;
        let held = metadata::is_held(&before);
        if mode.dry_run || (held && metadata::is_dying(&before)) {
            return Ok((before, !held));
        }
        if terms.orphan {
            let uid = before["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            self.orphan(&uid)?;
        }
        let mut object = Value::clone(&before);
        if !held {
            return Ok((self.commit(id, Verb::Deleted, object)?, true));
        }
        object["metadata"]["deletionTimestamp"] = json!(metadata::time(mode.now));
        object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        metadata::bump_generation(&mut object);
        Ok((self.commit(id, Verb::Modified, object)?, false))
    }
}

// === impl Terms ===

impl Terms {
    /// Read a `DeleteOptions` body; an empty one asks for nothing special. Foreground deletion is treated as background: the
    /// dependents are gone in the same instant either way.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let options: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::BadRequest(format!("cannot read DeleteOptions: {error}")))?;
        let precondition = |name: &str| options["preconditions"][name].as_str().map(str::to_owned);
        Ok(Self {
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            orphan: options["propagationPolicy"] == "Orphan" || options["orphanDependents"] == true,
        })
    }

    fn check(&self, resource: &Resource, name: &str, object: &Value) -> Result<(), Failure> {
        let fields = [
            ("UID", "uid", &self.uid),
            ("ResourceVersion", "resourceVersion", &self.resource_version),
        ];
        for (label, field, wanted) in fields {
            let found = object["metadata"][field].as_str().unwrap_or_default();
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
                return Err(Failure::precondition(resource, name, label, wanted, found));
            }
        }
        Ok(())
    }
}

/// Take the managedFields that were sent; `None` where none were.
fn take_owners(object: &mut Value) -> Option<Vec<Value>> {
    let metadata = object["metadata"].as_object_mut()?;
    match metadata.remove("managedFields")? {
        // One empty entry is how clients ask for a fresh start.
        Value::Array(entries) if entries.iter().all(|entry| entry["manager"].is_string()) => Some(entries),
        Value::Array(_) => Some(Vec::new()),
        _ => None,
    }
}

/// Write down who owns which field, where that is tracked: in strict sandboxes, and for objects that were applied.
fn keep_owners(resource: &Resource, before: &Value, object: &mut Value, sent: Option<Vec<Value>>, mode: Mode<'_>) {
    let known = before["metadata"]["managedFields"].as_array();
    let entries = match mode.author {
        Some(_) if !mode.strict && known.is_none() => return,
        Some(author) => {
            let entries = sent.or_else(|| known.cloned()).unwrap_or_default();
            apply::after_update(resource, before, object, &entries, author)
        }
        None => sent.or_else(|| known.cloned()).unwrap_or_default(),
    };
    if !entries.is_empty() {
        object["metadata"]["managedFields"] = Value::Array(entries);
    }
}

/// The stored object with the status of the sent one.
fn with_status(before: &Value, mut sent: Value) -> Value {
    let mut object = before.clone();
    match sent["status"].take() {
        Value::Null => metadata::remove(&mut object, "status"),
        status => object["status"] = status,
    }
    object
}

/// The main resource cannot change the status of kinds that have the subresource.
fn keep_status(resource: &Resource, object: &mut Value, before: &Value) {
    if !resource.has_status {
        return;
    }
    match before.get("status") {
        Some(status) => object["status"] = status.clone(),
        None => metadata::remove(object, "status"),
    }
}

/// A suffix that differs for every number.
fn suffix(number: u64) -> String {
    let base = LETTERS.len() as u64;
    // 7_368_787 shares no factor with 27^5, so neighbours look different and none repeats in a round.
    let mut rest = number.wrapping_mul(7_368_787) % base.pow(SUFFIX);
    let letters = (0..SUFFIX).map(|_| {
        let letter = LETTERS.get((rest % base) as usize).copied().unwrap_or(b'x');
        rest /= base;
        char::from(letter)
    });
    letters.collect()
}
