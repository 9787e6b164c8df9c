//! Pauses of a failing watch: doubling, bounded, jittered by the World. kube's own backoff draws chance that no seed reaches, and
//! forgets its failures at the start of every list.

use std::time::Duration;
use tokio::time::Instant;

use crate::world::World;

const FIRST: Duration = Duration::from_millis(500);
/// Reached after 6 failures in a row: 0.5 s * 2^6 = 32 s.
const LONGEST: Duration = Duration::from_secs(30);
/// After this long without a failure the next pause is the first one again.
const FORGET: Duration = Duration::from_mins(2);

#[derive(Default)]
pub(super) struct Pace {
    failures: u32,
    last: Option<Instant>,
}

// === impl Pace ===

impl Pace {
    /// Something failed: how long to wait before the next attempt. Between half of the pause and the whole.
    pub(super) fn next(&mut self, world: &World) -> Duration {
        let now = world.instant();
        if self.last.is_some_and(|last| now.duration_since(last) > FORGET) {
            self.failures = 0;
        }
        self.last = Some(now);
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.5 + world.fraction() / 2.0)
    }

    /// Whether this failure is worth a line in the log: the 1st, 2nd, 4th, 8th, … in a row.
    pub(super) fn is_notable(&self) -> bool {
        self.failures.is_power_of_two()
    }
}
