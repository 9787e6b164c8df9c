//! Copies of a model, for those who try several things from one point (`step/tests/explore.rs`).

use crate::{
    ObjectRef,
    model::{Model, answer, vector},
};
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
            now: self.now,
            settings: self.settings.clone(),
            canary_at: self.canary_at.clone(),
            hooks: Box::new(|_, _| Ok(answer(200, ""))),
            queries: Box::new(|_, _| Ok(answer(200, &vector("100")))),
            fault: Box::new(|_| Ok(())),
            last_check: self.last_check,
            writes: 0,
            stop_after: None,
            events: Vec::new(),
            alerts: Vec::new(),
            trajectory: Vec::new(),
            decisions: Vec::new(),
            violations: Vec::new(),
            keeps_trajectory: false,
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
