//! What k6's exit code and its summary say (K6-12): a crossed threshold is the canary's fault, anything else the test's.

use serde::Serialize;
use serde_json::{Map, Value};

/// k6's exit code for crossed thresholds.
pub(super) const THRESHOLDS: i32 = 99;
/// A longer summary is not kept: a hundred runs at most 6 MiB.
const SUMMARY_BYTES_MAX: usize = 64 * 1024;
/// Thresholds that are named in an answer.
const NAMED_MAX: usize = 10;

/// k6's other exit codes.
const CODES: [(i32, &str); 13] = [
    (97, "the cloud ended the test"),
    (98, "the cloud's progress cannot be read"),
    (100, "setup took too long"),
    (101, "teardown took too long"),
    (102, "timeout"),
    (103, "stopped through k6's API"),
    (104, "the options are not valid"),
    (105, "stopped from outside"),
    (106, "k6's API could not be started"),
    (107, "the script threw an exception"),
    (108, "the script aborted the test"),
    (109, "k6 panicked"),
    (110, "the script marked the test as failed"),
];

/// The end-of-test summary (`--summary-export`), as far as it is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Summary {
    /// All metrics, as k6 wrote them; empty if they are too many.
    pub(super) metrics: Map<String, Value>,
    /// Crossed thresholds: `http_req_duration p(95)<50`.
    pub(super) crossed: Vec<String>,
}

// === impl Summary ===

impl Summary {
    /// Read k6's file; an empty summary where it is not what it should be.
    pub(super) fn read(text: &str) -> Self {
        let whole: Value = serde_json::from_str(text).unwrap_or_default();
        let metrics = whole["metrics"].as_object().cloned().unwrap_or_default();
        let mut crossed = Vec::new();
        for (name, metric) in &metrics {
            let thresholds = metric["thresholds"].as_object().into_iter().flatten();
            // Here `true` says that it was crossed.
            let broken = thresholds.filter(|(_, is_crossed)| **is_crossed == true);
            crossed.extend(broken.map(|(threshold, _)| format!("{name} {threshold}")));
        }
        let metrics = if text.len() <= SUMMARY_BYTES_MAX {
            metrics
        } else {
            Map::new()
        };
        Self { metrics, crossed }
    }
}

/// What an exit code means, for the end of `failed to run: exit status N`; empty where there is nothing to add.
pub(super) fn explain(code: Option<i32>, summary: &Summary) -> String {
    let Some(code) = code else { return String::new() };
    if code == THRESHOLDS {
        let named: Vec<&str> = summary.crossed.iter().take(NAMED_MAX).map(String::as_str).collect();
        return match named.as_slice() {
            [] => "thresholds have been crossed".to_owned(),
            named => format!("thresholds have been crossed: {}", named.join(", ")),
        };
    }
    let known = CODES.iter().find(|(known, _)| *known == code);
    known.map(|(_, text)| (*text).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
