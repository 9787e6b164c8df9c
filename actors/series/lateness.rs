//! How late steps start: the figure that says whether the process keeps up with its canaries.

use prometheus::{Error, Histogram, HistogramOpts};

use super::{Catalogue, Series};

/// Bounds in seconds, closer together than usual: the whole process has this histogram once, and a percentile that is read from it is
/// off by at most half of a bucket. Timers fire up to a millisecond late; a canary's shortest interval is ten seconds.
const BUCKETS: [f64; 18] = [
    0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// `aviary_step_lateness_seconds`.
pub(super) struct Lateness(Histogram);

// === impl Lateness ===

impl Lateness {
    pub(super) fn new(catalogue: &Catalogue) -> Result<Self, Error> {
        let options = HistogramOpts::new(
            "aviary_step_lateness_seconds",
            "Seconds between the time that a step was due and its start",
        );
        let histogram = Histogram::with_opts(options.buckets(BUCKETS.to_vec()))?;
        catalogue.kept(histogram).map(Self)
    }
}

// === impl Series ===

impl Series {
    /// A step that was due this many seconds ago starts. A step that a change woke before it was due is not counted.
    pub fn late(&self, seconds: f64) {
        self.lateness.0.observe(seconds);
    }
}
