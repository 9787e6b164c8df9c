//! Alerts that are owed: they stand in the status from the write that they belong to until they are delivered or given up, so that a
//! crash in between loses none (AN-31). Who takes the canary over tells them again: each at least once, and once more per crash at most.
//!
//! The status is the only place that is written together with the phase that the alert speaks of.

use crds::{Canary, CanaryStatus, Condition};
use engine::{Settings, seam::Alert};
use jiff::Timestamp;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::notifier::Receipt;

/// Condition that holds what is owed, as JSON.
pub(super) const ALERTS_PENDING: &str = "AlertsPending";
/// Alerts kept; a step tells one or two, and those of three steps are rarely on their way together. The oldest make room.
const KEPT_MAX: usize = 8;
/// Bytes kept: eight sentences with their causes, of which receivers see 2,000 characters each, and far less than an object may have.
const KEPT_BYTES_MAX: usize = 32 * 1024;

/// What one actor owes.
pub(super) struct Owed {
    /// Called when a receipt comes.
    ring: Arc<dyn Fn() + Send + Sync>,
    /// Whether what the actor before this one owed was looked for.
    is_found: bool,
    on_their_way: Vec<(Vec<Alert>, Arc<AtomicBool>)>,
}

/// Whether anybody would get an alert of this canary; if not, none is owed.
pub(super) fn has_receivers(canary: &Canary, settings: &Settings) -> bool {
    let own = canary
        .spec
        .analysis
        .as_ref()
        .is_some_and(|analysis| !analysis.alerts.is_empty());
    own || settings
        .global_alerts
        .as_ref()
        .is_some_and(|global| !global.url.is_empty())
}

// === impl Owed ===

impl Owed {
    pub(super) fn new(ring: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            ring,
            is_found: false,
            on_their_way: Vec::new(),
        }
    }

    /// What the stored status says is owed; once, for the first step of an actor.
    pub(super) fn found(&mut self, status: Option<&CanaryStatus>) -> Vec<Alert> {
        if std::mem::replace(&mut self.is_found, true) {
            return Vec::new();
        }
        let message = condition(status).and_then(|condition| condition.message.as_deref());
        // What cannot be read was not written by this version; it is taken away like what was told.
        let mut found: Vec<Alert> = message
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        found.truncate(KEPT_MAX);
        found
    }

    /// These alerts are on their way until the receipt is dropped.
    pub(super) fn give(&mut self, alerts: Vec<Alert>) -> Receipt {
        let is_settled = Arc::new(AtomicBool::new(false));
        self.on_their_way.push((alerts, is_settled.clone()));
        let ring = self.ring.clone();
        Receipt::new(move || {
            is_settled.store(true, Ordering::Release);
            ring();
        })
    }

    /// A status that names all that is owed once it is written: what is on its way, and `more`.
    pub(super) fn note(&mut self, status: &mut CanaryStatus, more: &[Alert], now: Timestamp) {
        let mut owed = self.unsettled();
        owed.extend_from_slice(more);
        let message = written(&mut owed);
        if owed.is_empty() {
            status.conditions.retain(|condition| condition.kind != ALERTS_PENDING);
            return;
        }
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let since = condition(Some(status)).and_then(|condition| condition.last_transition_time);
        let condition = Condition {
            kind: ALERTS_PENDING.to_owned(),
            status: "True".to_owned(),
            reason: "OnTheirWay".to_owned(),
            message: Some(message),
            last_transition_time: Some(since.unwrap_or(now)),
            last_update_time: Some(now),
        };
        status.conditions.retain(|condition| condition.kind != ALERTS_PENDING);
        status.conditions.push(condition);
    }

    /// The status without what was owed, when all of it is delivered and the stored one still names it.
    pub(super) fn cleared(&mut self, status: Option<&CanaryStatus>) -> Option<CanaryStatus> {
        condition(status)?;
        if !self.unsettled().is_empty() {
            return None;
        }
        let mut cleared = status.cloned()?;
        cleared.conditions.retain(|condition| condition.kind != ALERTS_PENDING);
        Some(cleared)
    }

    fn unsettled(&mut self) -> Vec<Alert> {
        self.on_their_way
            .retain(|(_, is_settled)| !is_settled.load(Ordering::Acquire));
        let alerts = self.on_their_way.iter().flat_map(|(alerts, _)| alerts);
        alerts.cloned().collect()
    }
}

fn condition(status: Option<&CanaryStatus>) -> Option<&Condition> {
    status?
        .conditions
        .iter()
        .find(|condition| condition.kind == ALERTS_PENDING)
}

/// The alerts as text; the oldest are left out until it is short enough.
fn written(owed: &mut Vec<Alert>) -> String {
    loop {
        let text = serde_json::to_string(owed).unwrap_or_default();
        let is_short = owed.len() <= KEPT_MAX && text.len() <= KEPT_BYTES_MAX;
        if is_short || owed.is_empty() {
            return text;
        }
        owed.remove(0);
    }
}

#[cfg(test)]
mod tests;
