//! Copies of a model, for those who try several things from one point (`step/tests/explore.rs`).

use crate::{ObjectRef, model::Model};
use serde_json::Value;
use std::sync::Arc;

// === impl Model ===

impl Model {
    /// The same cluster and the same memory; the log is empty, no trajectory is kept, and hooks, queries and faults are those of [`Model::new`].
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            objects: self.objects.clone(),
            version: self.version,
            settings: self.settings.clone(),
            last_check: self.last_check,
            watched_since: self.watched_since,
            uninstalled: self.uninstalled.clone(),
            keeps_trajectory: false,
            ..Self::empty(self.now, self.canary_at.clone())
        }
    }

    /// All objects, by reference.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectRef, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Number of the last change.
    pub fn version(&self) -> u64 {
        self.version
    }
}
