//! What the bench is doing, for people who wait: on standard error, so that the figures can be piped.

use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// Between two lines of the same count.
const PAUSE: Duration = Duration::from_secs(5);

/// Lines with the time since the start.
pub(crate) struct Progress {
    begun: Instant,
    counted: Cell<Option<Instant>>,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn start() -> Self {
        Self {
            begun: Instant::now(),
            counted: Cell::new(None),
        }
    }

    /// Something else begins.
    pub(crate) fn say(&self, text: &str) {
        self.counted.set(None);
        eprintln!("[{:>6.1} s] {text}", self.begun.elapsed().as_secs_f64());
    }

    /// So many of all are there; not every call makes a line.
    pub(crate) fn count(&self, what: &str, count: usize, all: usize) {
        let is_recent = self.counted.get().is_some_and(|last| last.elapsed() < PAUSE);
        if count < all && is_recent {
            return;
        }
        eprintln!(
            "[{:>6.1} s]   {count} of {all} {what}",
            self.begun.elapsed().as_secs_f64()
        );
        self.counted.set(Some(Instant::now()));
    }
}
