//! What the miniature API server does with writes, and what may go wrong with them.

use serde_json::Value;
use std::sync::Arc;

use crate::{
    json::{merge, set},
    model::Model,
    objects::{controller_of, resource_version},
    seam::{Act, Outcome, Trouble, Write},
};

// === impl Model ===

impl Model {
    /// Outcomes of the writes, or `None` when the controller stops in the middle.
    pub(super) fn apply(&mut self, writes: &[Write]) -> Option<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        let mut failed = false;
        for write in writes {
            if failed {
                outcomes.push(Outcome::Wrote(Err(Trouble::Skipped)));
                continue;
            }
            if self.is_stopped() {
                return None;
            }
            let result = (self.fault)(write).and_then(|()| self.store(write));
            if result.is_ok() {
                self.writes += 1;
                self.written.push(write.clone());
            }
            let result = result.and_then(|object| (self.answer_fault)(write).map(|()| object));
            failed = result.is_err();
            outcomes.push(Outcome::Wrote(result));
            self.note();
        }
        Some(outcomes)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop_after.is_some_and(|limit| self.writes >= limit)
    }

    fn store(&mut self, write: &Write) -> Result<Arc<Value>, Trouble> {
        let current = self.get(&write.object);
        let next = match (&write.act, current) {
            (Act::Create(_), Some(_)) => return Err(Trouble::Conflict(format!("{} exists", write.object))),
            (Act::Create(object), None) => object.clone(),
            (Act::Merge { .. } | Act::Delete { .. }, None) => {
                return Err(Trouble::NotFound(format!("{} not found", write.object)));
            }
            (
                Act::Merge {
                    patch,
                    resource_version: wanted,
                    ..
                },
                Some(current),
            ) => {
                if !wanted.is_empty() && resource_version(&current) != wanted {
                    return Err(Trouble::Conflict(format!("{} has changed", write.object)));
                }
                let mut next = (*current).clone();
                merge(&mut next, patch);
                if next["spec"] != current["spec"] {
                    let generation = current["metadata"]["generation"].as_i64().unwrap_or(1) + 1;
                    set(&mut next, &["metadata", "generation"], generation.into());
                }
                next
            }
            (Act::Delete { .. }, Some(current)) => {
                self.remove(&write.object);
                return Ok(current);
            }
        };
        let is_gone = next["metadata"]["deletionTimestamp"].is_string() && has_no_finalizers(&next);
        self.put(write.object.clone(), next);
        let stored = self.get(&write.object).ok_or(Trouble::Skipped);
        if is_gone {
            self.remove(&write.object);
            self.collect_garbage();
        }
        stored
    }

    /// Play the garbage collector: what the Canary controls goes after it.
    pub fn collect_garbage(&mut self) {
        if self.get(&self.canary_at).is_some() {
            return;
        }
        let (name, version) = (self.canary_at.name.clone(), self.version);
        self.objects.retain(|_, object| {
            let owner = controller_of(object);
            !owner.is_some_and(|owner| owner["kind"] == "Canary" && owner["name"] == *name)
        });
        self.version = version + 1;
    }
}

/// Whether nothing holds the object back that is being deleted.
fn has_no_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}
