//! What a load measured.

use hdrhistogram::Histogram;
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::{plan::Limits, request::Answer};
use crate::companion::brake::Why;

/// Three digits: at 1 s a value is off by at most 1 ms.
const DIGITS: u8 = 3;
/// Different codes and errors that are told apart; the rest is added to the last.
const NAMES_MAX: usize = 50;
/// Percentiles of the summary: hey's.
const PERCENTILES: [f64; 7] = [10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0];

/// What was measured.
pub(in super::super) struct Report {
    /// From the first request to the last answer.
    pub(in super::super) took: Duration,
    /// Why it was stopped early.
    pub(in super::super) stopped: Option<Why>,
    /// Latencies of answered requests, in microseconds.
    latencies: Histogram<u64>,
    codes: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    bad_answers: u64,
    bytes: u64,
}

// === impl Report ===

impl Report {
    /// An empty one; no answer takes longer than this.
    pub(super) fn new(timeout: Duration) -> Self {
        // Twice the limit, for what a loaded machine adds; longer ones count as that.
        let most = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX / 4).max(1000) * 2;
        #[expect(clippy::expect_used, reason = "fails only for a range below 2 or more than 5 digits")]
        let latencies = Histogram::new_with_bounds(1, most, DIGITS).expect("the range is above 2 and the digits are 3");
        Self {
            took: Duration::ZERO,
            stopped: None,
            latencies,
            codes: BTreeMap::new(),
            errors: BTreeMap::new(),
            bad_answers: 0,
            bytes: 0,
        }
    }

    /// An answer came.
    pub(super) fn answered(&mut self, answer: &Answer, took: Duration) {
        self.latencies
            .saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
        count(&mut self.codes, &answer.code);
        self.bad_answers += u64::from(answer.is_error);
        self.bytes += answer.bytes;
    }

    /// None came.
    pub(super) fn failed(&mut self, error: impl Into<String>, _: Duration) {
        count(&mut self.errors, &error.into());
    }

    /// Answers that came.
    pub(in super::super) fn answers(&self) -> u64 {
        self.latencies.len()
    }

    /// Answers by code.
    #[cfg(test)]
    pub(in super::super) fn codes(&self) -> &BTreeMap<String, u64> {
        &self.codes
    }

    /// A percentile of the latencies.
    pub(in super::super) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.latencies.value_at_percentile(percent))
    }

    /// Percent of requests without an answer or with a bad one; 100 where there was none at all.
    pub(in super::super) fn error_percent(&self) -> f64 {
        let lost: u64 = self.errors.values().sum();
        let all = self.answers() + lost;
        if all == 0 {
            return 100.0;
        }
        (self.bad_answers + lost) as f64 * 100.0 / all as f64
    }

    /// Limits that are not kept, in words; empty when all are.
    pub(in super::super) fn breaches(&self, limits: &Limits) -> Vec<String> {
        let mut breaches = Vec::new();
        let errors = self.error_percent();
        if let Some(most) = limits.errors_percent.filter(|most| errors > *most) {
            breaches.push(format!("{errors:.2}% of the requests failed, more than {most}%"));
        }
        for (percent, most) in [(95.0, limits.p95), (99.0, limits.p99)] {
            let Some(most) = most else { continue };
            let found = self.percentile(percent);
            if self.answers() == 0 || found > most {
                breaches.push(format!("p{percent} is {found:?}, more than {most:?}"));
            }
        }
        if self.answers() == 0 && self.stopped.is_none() {
            let why = self.errors.keys().next().map_or("", String::as_str);
            breaches.push(format!("no request was answered: {why}"));
        }
        breaches
    }

    /// The summary: the same figures as hey's, in the same units.
    pub(in super::super) fn text(&self) -> String {
        let secs = |micros: f64| micros / 1e6;
        let per_second = match self.took.as_secs_f64() {
            0.0 => 0.0,
            took => self.answers() as f64 / took,
        };
        let mut text = format!(
            "Summary:\n  Total: {:.4} secs\n  Slowest: {:.4} secs\n  Fastest: {:.4} secs\n  Average: {:.4} secs\n  Requests/sec: {per_second:.4}\n  Total data: {} bytes\n",
            self.took.as_secs_f64(),
            secs(self.latencies.max() as f64),
            secs(if self.answers() == 0 {
                0.0
            } else {
                self.latencies.min() as f64
            }),
            secs(self.latencies.mean()),
            self.bytes,
        );
        text.push_str("\nLatency distribution:\n");
        for percent in PERCENTILES {
            // Writing into a String cannot fail.
            writeln!(
                text,
                "  {percent}% in {:.4} secs",
                self.percentile(percent).as_secs_f64()
            )
            .ok();
        }
        for (title, counts) in [
            ("Status code distribution", &self.codes),
            ("Error distribution", &self.errors),
        ] {
            if !counts.is_empty() {
                writeln!(text, "\n{title}:").ok();
            }
            for (name, number) in counts {
                writeln!(text, "  [{name}] {number}").ok();
            }
        }
        text
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(number) = counts.get_mut(name) {
        *number += 1;
        return;
    }
    let name = if counts.len() < NAMES_MAX { name } else { "others" };
    *counts.entry(name.to_owned()).or_default() += 1;
}
