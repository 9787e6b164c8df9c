//! What was asked of others: queries of metrics servers, calls of hooks.

use engine::{
    http::Response,
    seam::{Ask, Trouble},
};
use prometheus::{Error, Histogram, HistogramOpts, IntCounterVec, Opts};

use super::{Catalogue, Series};

/// From what a close Prometheus takes to the time limits: 5 s of a query, minutes of a hook with its retries.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 300.0];
/// All values of the label `result`.
const RESULTS: [&str; 6] = ["2xx", "3xx", "4xx", "5xx", "unavailable", "refused"];

/// `aviary_queries_*` and `aviary_hook_*`.
pub(super) struct Calls {
    queries: IntCounterVec,
    query_duration: Histogram,
    hooks: IntCounterVec,
    hook_duration: Histogram,
}

// === impl Series ===

impl Series {
    /// A canary's question to a metrics server or a hook ended after this many seconds. Others are not counted here.
    pub fn asked(&self, ask: &Ask, answer: &Result<Response, Trouble>, seconds: f64) {
        let (counter, duration) = match ask {
            Ask::Read(_) => return,
            Ask::Hook(_) => (&self.calls.hooks, &self.calls.hook_duration),
            Ask::Query(_) | Ask::Inquire(_) => (&self.calls.queries, &self.calls.query_duration),
        };
        counter.with_label_values(&[word(answer)]).inc();
        duration.observe(seconds);
    }
}

// === impl Calls ===

impl Calls {
    pub(super) fn new(catalogue: &Catalogue) -> Result<Self, Error> {
        let counter = |name, help| catalogue.kept(IntCounterVec::new(Opts::new(name, help), &["result"])?);
        let duration = |name, help| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            catalogue.kept(Histogram::with_opts(options)?)
        };
        let calls = Self {
            queries: counter(
                "aviary_queries_total",
                "Questions of canaries to metrics servers, by how they ended: a class of status, unavailable (no answer, or the \
                 server rests after failures), refused (bad address or certificate); canaries that ask the same at a time share one request",
            )?,
            query_duration: duration(
                "aviary_query_duration_seconds",
                "Seconds until a question to a metrics server was answered or given up, waiting for a turn included",
            )?,
            hooks: counter(
                "aviary_hook_calls_total",
                "Hooks that canaries called, by how they ended, after their retries: a class of status, unavailable, refused",
            )?,
            hook_duration: duration(
                "aviary_hook_duration_seconds",
                "Seconds until a hook answered or was given up, with all retries",
            )?,
        };
        // All results from the start: a rate needs a zero to begin with.
        for result in RESULTS {
            calls.queries.with_label_values(&[result]);
            calls.hooks.with_label_values(&[result]);
        }
        Ok(calls)
    }
}

fn word(answer: &Result<Response, Trouble>) -> &'static str {
    match answer.as_ref().map(|response| response.status) {
        Ok(..=299) => "2xx",
        Ok(300..=399) => "3xx",
        Ok(400..=499) => "4xx",
        Ok(_) => "5xx",
        Err(Trouble::Unavailable(_)) => "unavailable",
        Err(_) => "refused",
    }
}
