//! What the model notes of a run: one line per change of phase, route or counters, as in the tables of controller.md 4.

use serde_json::Value;
use std::sync::Arc;

use super::Model;
use crate::routes::{Context, Flags, provider};

// === impl Model ===

impl Model {
    pub(super) fn note(&mut self) {
        if !self.keeps_trajectory {
            return;
        }
        let canary = self.canary();
        let status = canary.status.clone().unwrap_or_default();
        let name = canary.spec.provider.as_deref().unwrap_or(&self.settings.mesh_provider);
        let route = provider(name).and_then(|provider| {
            let objects: Vec<Option<Arc<Value>>> = provider.objects(&canary).iter().map(|at| self.get(at)).collect();
            let current = objects.iter().map(Option::as_deref).collect();
            let context = Context {
                canary: &canary,
                current,
                selector_key: None,
                selector_value: None,
                entropy: 0,
                flags: Flags::of(&self.settings),
            };
            provider.observed(&context).ok()
        });
        let route = route.map_or_else(
            || "-".into(),
            |split| {
                format!(
                    "{}/{}{}",
                    split.primary,
                    split.canary,
                    if split.mirrored { "+mirror" } else { "" }
                )
            },
        );
        let line = format!(
            "{} {route} weight={} iterations={} failed={}",
            status.phase, status.canary_weight, status.iterations, status.failed_checks
        );
        if self.trajectory.last() != Some(&line) {
            self.trajectory.push(line);
        }
    }
}
