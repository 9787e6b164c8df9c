//! What the evaluator asks: samples of counters, as a scraper takes them.

use promql_parser::label::Matchers;
use std::collections::{BTreeMap, VecDeque};

/// Labels of a series, its name under `__name__`.
pub(in crate::demo) type Labels = BTreeMap<String, String>;

/// Samples that one series keeps: those of 2 minutes at the shortest pause between two scrapes, 100 ms.
const SAMPLES_MAX: usize = 1_200;
/// Series in all: a server has 2 codes × (count + 9 buckets) = 20, so this is enough for 100 versions.
const SERIES_MAX: usize = 2_000;

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::demo) struct Sample {
    /// Milliseconds.
    pub(in crate::demo) at: i64,
    /// The counter's value.
    pub(in crate::demo) value: f64,
}

/// The samples of all series.
#[derive(Debug, Default)]
pub(in crate::demo) struct Store {
    series: BTreeMap<Labels, VecDeque<Sample>>,
}

// === impl Store ===

impl Store {
    /// Add a sample. Times of one series grow. The oldest sample goes when there are too many, and so does the series that was silent
    /// for longest.
    pub(in crate::demo) fn push(&mut self, labels: Labels, sample: Sample) {
        let samples = self.series.entry(labels).or_default();
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(sample);
        if self.series.len() > SERIES_MAX {
            self.forget_oldest();
        }
    }

    /// All series that fit, each with its samples in `(after, until]`; those without samples there are left out.
    pub(super) fn select(
        &self,
        name: Option<&str>,
        matchers: &Matchers,
        (after, until): (i64, i64),
    ) -> Vec<(&Labels, Vec<Sample>)> {
        let within = |samples: &VecDeque<Sample>| -> Vec<Sample> {
            let fits = samples.iter().filter(|sample| sample.at > after && sample.at <= until);
            fits.copied().collect()
        };
        let fitting = self.series.iter().filter(|(labels, _)| fits(labels, name, matchers));
        let found = fitting.map(|(labels, samples)| (labels, within(samples)));
        found.filter(|(_, samples)| !samples.is_empty()).collect()
    }

    fn forget_oldest(&mut self) {
        let newest = |samples: &VecDeque<Sample>| samples.back().map_or(i64::MIN, |sample| sample.at);
        let oldest = self.series.iter().min_by_key(|(_, samples)| newest(samples));
        if let Some(labels) = oldest.map(|(labels, _)| labels.clone()) {
            self.series.remove(&labels);
        }
    }
}

/// A label that is not there is an empty one.
fn fits(labels: &Labels, name: Option<&str>, matchers: &Matchers) -> bool {
    let value = |name: &str| labels.get(name).map_or("", String::as_str);
    name.is_none_or(|name| value(super::NAME) == name)
        && matchers
            .matchers
            .iter()
            .all(|matcher| matcher.is_match(value(&matcher.name)))
}
