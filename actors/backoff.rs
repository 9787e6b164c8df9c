//! Pauses between attempts. The only file that names the crate `backoff`: its clock and its chance are replaced by the World's,
//! so that pauses pass in paused time and the same seed gives the same pauses (crates.md 4).

use backoff::{Clock, backoff::Backoff as _, exponential::ExponentialBackoff, exponential::ExponentialBackoffBuilder};
use engine::retry::Policy;
use std::time::{Duration, Instant};

use crate::world::World;

#[cfg(test)]
mod tests;

/// Growth of the pause from one attempt to the next.
const FACTOR: f64 = 2.0;
/// Share of a pause that is left to chance: pauses are between 75% and 100% of the computed length, so never over the policy's longest.
const JITTER: f64 = 0.25;

/// The pauses of one operation: an iterator that ends when the attempts are used up. Also fits kube's watchers.
pub struct Backoff {
    world: World,
    policy: Policy,
    /// Pauses given since the last reset.
    given: u32,
    pauses: ExponentialBackoff<TokioClock>,
}

/// tokio's clock, which tests pause.
#[derive(Default)]
struct TokioClock;

// === impl TokioClock ===

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

// === impl Backoff ===

impl Backoff {
    /// The pauses of this policy. One less than its attempts; `u32::MAX` attempts are as good as endless.
    pub fn new(policy: Policy, world: &World) -> Self {
        let pauses = ExponentialBackoffBuilder::new()
            .with_initial_interval(policy.first)
            .with_max_interval(policy.longest)
            .with_multiplier(FACTOR)
            .with_randomization_factor(0.0)
            .with_max_elapsed_time(None)
            .build();
        Self {
            world: world.clone(),
            policy,
            given: 0,
            pauses,
        }
    }

    /// Start again with the first pause and all attempts.
    pub fn reset(&mut self) {
        self.given = 0;
        self.pauses.reset();
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.given >= self.policy.attempts.saturating_sub(1) {
            return None;
        }
        self.given = self.given.saturating_add(1);
        let pause = self.pauses.next_backoff()?.min(self.policy.longest);
        Some(pause.mul_f64(1.0 - JITTER * self.world.fraction()))
    }
}

impl kube::runtime::utils::Backoff for Backoff {
    fn reset(&mut self) {
        Backoff::reset(self);
    }
}
