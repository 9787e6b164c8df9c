//! What a canary actor remembers between steps. All of it may be lost: the status and the cluster are the truth.

use engine::{Event, seam::EventType};
use jiff::Timestamp;
use std::collections::BTreeSet;

use super::secrets::Secrets;
use crate::caches::{Digests, Overlay};

/// Texts that are remembered between two status writes; a check says at most one per hook and metric.
const TOLD_MAX: usize = 64;

/// Memory of one canary actor.
pub(super) struct Memory {
    /// Since when this actor has looked after its canary.
    pub(super) born: Timestamp,
    /// Own writes that the caches have not caught up with.
    pub(super) overlay: Overlay,
    /// Checksums of configs by version.
    pub(super) digests: Digests,
    /// Credentials of metric providers.
    pub(super) secrets: Secrets,
    /// When the last check was made.
    pub(super) last_check: Option<Timestamp>,
    /// What was said since the last status write.
    told: BTreeSet<(bool, String)>,
}

// === impl Memory ===

impl Memory {
    pub(super) fn new(born: Timestamp) -> Self {
        Self {
            born,
            overlay: Overlay::default(),
            digests: Digests::default(),
            secrets: Secrets::default(),
            last_check: None,
            told: BTreeSet::new(),
        }
    }

    /// The events that have not been said since the status last changed: a canary that waits does not repeat itself (W-59).
    pub(super) fn unsaid(&mut self, events: Vec<Event>) -> Vec<Event> {
        events.into_iter().filter(|event| self.is_new(event)).collect()
    }

    fn is_new(&mut self, event: &Event) -> bool {
        if self.told.len() >= TOLD_MAX {
            self.told.clear();
        }
        self.told
            .insert((event.severity == EventType::Normal, event.message.clone()))
    }

    /// The status has changed: what is said now is news.
    pub(super) fn forget_told(&mut self) {
        self.told.clear();
    }
}
