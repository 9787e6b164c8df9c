//! What users have seen.

use std::collections::BTreeMap;

/// So many failures are kept word by word.
const FAILURES_SHOWN: usize = 20;

/// Answers by the version that gave them, and what was no answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// A window's requests are those that began in it.
    pub(crate) window: u64,
    answers: BTreeMap<(u64, String), u64>,
    /// Whether a faulty version is out: only then may anybody see an error of podinfo's own.
    pub(crate) may_err: bool,
    /// Those errors, by window.
    own_errors: BTreeMap<u64, u64>,
    /// Failures of which nobody may see any.
    pub(crate) failed: u64,
    pub(crate) failures: Vec<String>,
    pub(crate) sent: u64,
}

// === impl Tally ===

impl Tally {
    pub(crate) fn answered(&mut self, window: u64, version: String) {
        *self.answers.entry((window, version)).or_default() += 1;
    }

    pub(crate) fn erred(&mut self, window: u64) {
        *self.own_errors.entry(window).or_default() += 1;
    }

    pub(crate) fn has_failed(&mut self, why: String) {
        self.failed += 1;
        if self.failures.len() < FAILURES_SHOWN {
            self.failures.push(why);
        }
    }

    /// Answers to the requests of a window.
    pub(crate) fn in_window(&self, window: u64) -> u64 {
        self.of_window(window).map(|(_, count)| count).sum()
    }

    /// Answers of a version to the requests of a window.
    pub(crate) fn by(&self, window: u64, version: &str) -> u64 {
        let mut answers = self.of_window(window);
        answers.find(|(by, _)| *by == version).map_or(0, |(_, count)| count)
    }

    pub(crate) fn own_errors_in(&self, window: u64) -> u64 {
        self.own_errors.get(&window).copied().unwrap_or_default()
    }

    /// Of all windows.
    pub(crate) fn own_errors(&self) -> u64 {
        self.own_errors.values().sum()
    }

    fn of_window(&self, window: u64) -> impl Iterator<Item = (&str, u64)> {
        let answers = self.answers.iter().filter(move |((of, _), _)| *of == window);
        answers.map(|((_, version), count)| (version.as_str(), *count))
    }

    /// Percentages of the answers of a window by version.
    pub(crate) fn shares(&self, window: u64) -> BTreeMap<String, f64> {
        let all = self.in_window(window) as f64;
        let shares = self.of_window(window);
        shares
            .map(|(version, count)| (version.to_owned(), 100.0 * count as f64 / all))
            .collect()
    }
}
