//! The pause after a failure (`min_failure_delay`), keyed by namespace, name and phase as document 002 says. It does not slide, and a
//! new checksum ends it, so that a mended revision is tested (K6-7).

use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

use super::request::Order;

/// Failures that are remembered: some 200 bytes each.
const FAILURES_MAX: usize = 10_000;

/// Apart, so that `a-b` and `c` are not `a` and `b-c`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    name: String,
    phase: String,
}

struct Failure {
    at: Instant,
    checksum: String,
}

/// The failures.
#[derive(Default)]
pub(super) struct Pauses(BTreeMap<Key, Failure>);

// === impl Pauses ===

impl Pauses {
    /// Whether a test must wait.
    pub(super) fn holds(&mut self, order: &Order, now: Instant) -> bool {
        let key = Key::of(order);
        let Some(failure) = self.0.get(&key) else { return false };
        let is_new = !order.checksum.is_empty() && order.checksum != failure.checksum;
        if is_new {
            self.0.remove(&key);
            return false;
        }
        now - failure.at < order.failure_delay
    }

    /// A test has failed.
    pub(super) fn failed(&mut self, order: &Order, now: Instant) {
        // Without a pause there is nothing to remember, except for a later request that has one.
        let failure = Failure {
            at: now,
            checksum: order.checksum.clone(),
        };
        self.0.insert(Key::of(order), failure);
        if self.0.len() > FAILURES_MAX {
            let oldest = self.0.iter().min_by_key(|(_, failure)| failure.at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
    }

    /// How long ago the last failure is remembered for this order; tests look.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

// === impl Key ===

impl Key {
    fn of(order: &Order) -> Self {
        Self {
            namespace: order.namespace.clone(),
            name: order.name.clone(),
            phase: order.phase.clone(),
        }
    }
}

/// Seconds for `Retry-After`: the median of late durations, at least 1, at most 5 minutes, and a minute while nothing is known (K6-8).
pub(super) fn retry_after_secs(durations: impl Iterator<Item = Duration>) -> u64 {
    let mut known: Vec<Duration> = durations.collect();
    known.sort();
    let median = known.get(known.len() / 2).map_or(60, Duration::as_secs);
    median.clamp(1, 300)
}

#[cfg(test)]
mod tests;
