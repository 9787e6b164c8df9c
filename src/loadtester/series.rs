//! `/metrics` of the load tester (LT-17). `aviary_load_*` are written while a load runs, so that a MetricTemplate can judge it.

use actors::catalogue::Catalogue;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, process_collector::ProcessCollector};
use std::{collections::BTreeSet, time::Duration};

use super::task::Canary;

/// Bounds of latencies in seconds, from half a millisecond: a canary beside its tester answers that fast.
const LATENCIES: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Bounds of tasks in seconds, up to the usual limit of an hour.
const TASKS: [f64; 9] = [0.1, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0];
/// Canaries with series of their own: 20 series each. Later ones are counted together, under empty names.
const CANARIES_MAX: usize = 500;

/// All series.
pub(super) struct Series {
    catalogue: Catalogue,
    /// Tasks by type and result.
    pub(super) tasks: IntCounterVec,
    /// Requests that were refused, by status.
    pub(super) refused: IntCounterVec,
    /// How long tasks took, by type.
    pub(super) durations: HistogramVec,
    /// Tasks that wait or run, by type and state.
    pub(super) active: IntGaugeVec,
    requests: IntCounterVec,
    latencies: HistogramVec,
    canaries: parking_lot::Mutex<BTreeSet<Canary>>,
}

// === impl Series ===

impl Series {
    /// Register everything.
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let canary = ["namespace", "name"];
        let series = Self {
            catalogue: Catalogue::default(),
            tasks: IntCounterVec::new(
                Opts::new("aviary_loadtester_tasks_total", "Tasks that ended, by type and result."),
                &["type", "result"],
            )?,
            refused: IntCounterVec::new(
                Opts::new(
                    "aviary_loadtester_refused_total",
                    "Requests that were refused, by HTTP status.",
                ),
                &["code"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "aviary_loadtester_task_duration_seconds",
                    "How long tasks took, by type.",
                )
                .buckets(TASKS.to_vec()),
                &["type"],
            )?,
            active: IntGaugeVec::new(
                Opts::new("aviary_loadtester_tasks", "Tasks that wait or run, by type and state."),
                &["type", "state"],
            )?,
            requests: IntCounterVec::new(
                Opts::new(
                    "aviary_load_requests_total",
                    "Requests of our own generator, by canary and code; `error` is no answer.",
                ),
                &[&canary[..], &["code"]].concat(),
            )?,
            latencies: HistogramVec::new(
                HistogramOpts::new(
                    "aviary_load_request_duration_seconds",
                    "Latencies of answers to our own generator, by canary.",
                )
                .buckets(LATENCIES.to_vec()),
                &canary,
            )?,
            canaries: parking_lot::Mutex::default(),
        };
        for collector in [
            Box::new(series.tasks.clone()) as Box<dyn prometheus::core::Collector>,
            Box::new(series.refused.clone()),
            Box::new(series.durations.clone()),
            Box::new(series.active.clone()),
            Box::new(series.requests.clone()),
            Box::new(series.latencies.clone()),
            Box::new(ProcessCollector::for_self()),
        ] {
            series.catalogue.keep(collector)?;
        }
        Ok(series)
    }

    /// What a load of this canary is told to. Series are looked up once for each code.
    pub(super) fn observer(&self, canary: &Canary) -> impl Fn(&str, Duration) + Send + Sync + 'static {
        let mut known = self.canaries.lock();
        let is_kept = known.len() < CANARIES_MAX || known.contains(canary);
        let (namespace, name) = if is_kept {
            known.insert(canary.clone());
            (canary.namespace.clone(), canary.name.clone())
        } else {
            (String::new(), String::new())
        };
        drop(known);
        let requests = self.requests.clone();
        let latency = self.latencies.with_label_values(&[&namespace, &name]);
        move |code: &str, took: Duration| {
            requests
                .with_label_values(&[namespace.as_str(), name.as_str(), code])
                .inc();
            if code != "error" {
                latency.observe(took.as_secs_f64());
            }
        }
    }

    /// The text of `/metrics`.
    pub(super) fn render(&self) -> String {
        self.catalogue.text()
    }
}

#[cfg(test)]
mod tests;
