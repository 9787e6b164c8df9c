//! `/metrics` of the k6 webhook: the peer's names (k6-webhook.md 8), and ours for results.

use actors::catalogue::Catalogue;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, process_collector::ProcessCollector,
};
use std::time::Duration;

use super::runs::{Fate, Verdict};

/// Bounds of tests in seconds.
const TESTS: [f64; 8] = [1.0, 5.0, 15.0, 30.0, 60.0, 180.0, 600.0, 3600.0];

/// All series.
pub(super) struct Series {
    catalogue: Catalogue,
    /// Answers of `/launch-test`.
    pub(super) answers: IntCounterVec,
    max: IntGauge,
    free: IntGauge,
    runs: IntCounterVec,
    durations: HistogramVec,
}

// === impl Series ===

impl Series {
    /// Register everything.
    pub(super) fn new(max: usize) -> Result<Self, prometheus::Error> {
        let series = Self {
            catalogue: Catalogue::default(),
            answers: IntCounterVec::new(
                Opts::new("launch_requests_total", "Answers of /launch-test, by code."),
                &["code"],
            )?,
            max: IntGauge::new("launch_max_concurrent_tests", "Slots for tests.")?,
            free: IntGauge::new("launch_available_concurrent_tests", "Free slots.")?,
            runs: IntCounterVec::new(
                Opts::new("aviary_k6_tests_total", "Tests that ended, by result."),
                &["result"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new("aviary_k6_test_duration_seconds", "How long tests took, by result.")
                    .buckets(TESTS.to_vec()),
                &["result"],
            )?,
        };
        let labels = ["version", "revision", "branch", "goversion", "goos", "goarch", "tags"];
        let build = IntGaugeVec::new(Opts::new("flagger_k6_webhook_build_info", "What runs here."), &labels)?;
        build
            .with_label_values(&[
                env!("CARGO_PKG_VERSION"),
                "",
                "",
                "",
                "linux",
                std::env::consts::ARCH,
                "aviary",
            ])
            .set(1);
        series.max.set(i64::try_from(max).unwrap_or(i64::MAX));
        for collector in [
            Box::new(series.answers.clone()) as Box<dyn prometheus::core::Collector>,
            Box::new(series.max.clone()),
            Box::new(series.free.clone()),
            Box::new(series.runs.clone()),
            Box::new(series.durations.clone()),
            Box::new(build),
            Box::new(ProcessCollector::for_self()),
        ] {
            series.catalogue.keep(collector)?;
        }
        Ok(series)
    }

    /// A test has ended.
    pub(super) fn ended(&self, verdict: &Verdict, took: Duration) {
        let result = match verdict.fate {
            Fate::Passed => "passed",
            Fate::ThresholdsCrossed => "thresholds-crossed",
            Fate::TestError => "test-error",
            Fate::NotStarted => "not-started",
            Fate::Stopped => "stopped",
        };
        self.runs.with_label_values(&[result]).inc();
        self.durations.with_label_values(&[result]).observe(took.as_secs_f64());
    }

    /// The text of `/metrics`.
    pub(super) fn render(&self, free: usize) -> String {
        self.free.set(i64::try_from(free).unwrap_or(i64::MAX));
        self.catalogue.text()
    }
}

#[cfg(test)]
mod tests;
