//! Garbage collection: objects whose owners are all gone are deleted, references to a gone owner beside a living one are cut.

use super::{
    failure::Failure,
    history::{Change, Verb},
    metadata,
    store::{Id, Store},
    write::{Mode, Terms},
};
use serde_json::{Value, json};
use std::sync::Arc;

// === impl Store ===

impl Store {
    /// Delete until nothing is left to delete. Every round removes or marks something, so it ends.
    pub(super) fn collect(&mut self, mode: Mode<'_>) -> Result<(), Failure> {
        loop {
            let garbage = self.garbage();
            if garbage.is_empty() {
                return Ok(());
            }
            for (id, wholly) in garbage {
                if wholly {
                    self.delete(&id, &Terms::default(), mode)?;
                } else {
                    self.cut(&id)?;
                }
            }
        }
    }

    /// Delete what was in namespaces that are gone.
    pub(super) fn empty_namespaces(&mut self, touched: &[(Id, Arc<Change>)], mode: Mode<'_>) {
        let gone = touched
            .iter()
            .filter(|(id, change)| id.topic.1 == "namespaces" && change.verb == Verb::Deleted);
        for (namespace, _) in gone {
            let inside: Vec<Id> = self
                .uids
                .values()
                .filter(|id| id.place.0 == namespace.place.1)
                .cloned()
                .collect();
            for id in inside {
                // An object that another deletion took along is the only failure.
                drop(self.delete(&id, &Terms::default(), mode));
            }
        }
    }

    /// Objects with dead owners; true when no owner lives. Objects that are held by finalizers already wait for those.
    fn garbage(&self) -> Vec<(Id, bool)> {
        let mut found = Vec::new();
        for (key, topic) in &self.topics {
            for (place, object) in &topic.objects {
                let owners = owners(object);
                let dead = owners.iter().filter(|owner| !self.lives(owner)).count();
                if dead == 0 || (dead == owners.len() && metadata::is_dying(object)) {
                    continue;
                }
                let id = Id {
                    topic: key.clone(),
                    place: place.clone(),
                };
                found.push((id, dead == owners.len()));
            }
        }
        found
    }

    fn lives(&self, owner: &Value) -> bool {
        owner["uid"].as_str().is_some_and(|uid| self.uids.contains_key(uid))
    }

    fn cut(&mut self, id: &Id) -> Result<(), Failure> {
        let object = self.get(id)?;
        let living: Vec<Value> = owners(&object)
            .iter()
            .filter(|owner| self.lives(owner))
            .cloned()
            .collect();
        self.amend(id, |object| object["metadata"]["ownerReferences"] = json!(living))
    }

    /// Take the references to one owner off all its dependents.
    pub(super) fn orphan(&mut self, uid: &str) -> Result<(), Failure> {
        let mut dependents = Vec::new();
        for (key, topic) in &self.topics {
            let owned = topic
                .objects
                .iter()
                .filter(|(_, object)| owners(object).iter().any(|owner| owner["uid"] == uid));
            dependents.extend(owned.map(|(place, _)| Id {
                topic: key.clone(),
                place: place.clone(),
            }));
        }
        for id in dependents {
            self.amend(&id, |object| {
                if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
                    owners.retain(|owner| owner["uid"] != uid);
                }
                metadata::settle(object);
            })?;
        }
        Ok(())
    }
}

/// The owner references of an object.
pub(super) fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}
