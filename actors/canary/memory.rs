//! What a canary actor remembers between steps. All of it may be lost: the status and the cluster are the truth.

use engine::{
    Done, Event,
    seam::{EventType, Reason, Verdict},
};
use jiff::Timestamp;
use std::{collections::BTreeSet, sync::Arc};

use super::{owed::Owed, secrets::Secrets};
use crate::caches::{Digests, Overlay};

/// Texts that are remembered between two status writes; a check says at most one per hook and metric.
const TOLD_MAX: usize = 64;

/// The decision of a check that failed.
const HALT: &str = "halt";
/// Complaints of one check that are kept: receivers show 500 characters of them.
const COMPLAINTS_MAX: usize = 10;

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
    /// Alerts that are not delivered yet.
    pub(super) owed: Owed,
    /// What was said since the last status write.
    told: BTreeSet<(bool, String)>,
    /// What the last failed check complained about.
    complaints: Vec<String>,
}

// === impl Memory ===

impl Memory {
    /// A memory of nothing. `ring` is called when an alert is delivered.
    pub(super) fn new(born: Timestamp, ring: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            born,
            overlay: Overlay::default(),
            digests: Digests::default(),
            secrets: Secrets::default(),
            last_check: None,
            owed: Owed::new(ring),
            told: BTreeSet::new(),
            complaints: Vec::new(),
        }
    }

    /// The events that have not been said since the status last changed: a canary that waits does not repeat itself (W-59).
    pub(super) fn unsaid(&mut self, events: Vec<Event>) -> Vec<Event> {
        events.into_iter().filter(|event| self.is_new(event)).collect()
    }

    /// Remember what a failed check complained about, and give it to the alerts that ask for it (AN-32). It is lost with the actor: an
    /// alert after a crash has its sentence alone.
    pub(super) fn explain(&mut self, done: &mut Done) {
        if done.decision.verb == HALT {
            let warnings = done.events.iter().filter(|event| event.severity == EventType::Warning);
            let failed = done
                .decision
                .checks
                .iter()
                .filter(|check| check.verdict != Verdict::Pass);
            let said = warnings
                .map(|event| &event.message)
                .chain(failed.map(|check| &check.why));
            self.complaints.clear();
            for text in said {
                if !text.is_empty() && !self.complaints.contains(text) && self.complaints.len() < COMPLAINTS_MAX {
                    self.complaints.push(text.clone());
                }
            }
        }
        for alert in &mut done.alerts {
            if alert.reason == Reason::LastCheck && !self.complaints.is_empty() {
                alert.reason = Reason::Named(self.complaints.join("\n"));
            }
        }
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
