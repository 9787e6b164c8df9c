//! Numbers: percentiles of samples and of Prometheus histograms, medians of runs, and how they are shown.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Figures of one run, in the order in which they were taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(Vec<(String, f64)>);

/// A histogram as `/metrics` shows it: upper bounds with cumulative counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram(Vec<(f64, f64)>);

/// Counts of requests by verb.
pub(crate) type Counts = BTreeMap<String, u64>;

// === impl Figures ===

impl Figures {
    /// Add a figure; the name carries the unit.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64) {
        self.0.push((name.into(), value));
    }

    /// Add a figure that may be missing.
    pub(crate) fn add_some(&mut self, name: impl Into<String>, value: Option<f64>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// Add counts as rates per second, all together and by verb.
    pub(crate) fn add_rates(&mut self, what: &str, counts: &Counts, seconds: f64) {
        self.add(format!("{what}: API requests/s"), total(counts) as f64 / seconds);
        for (verb, count) in counts {
            self.add(format!("{what}: {verb}/s"), *count as f64 / seconds);
        }
    }

    /// Figures so far.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// A line for each figure from this place on.
    pub(crate) fn lines_from(&self, place: usize) -> String {
        let lines = self.iter().skip(place);
        let lines = lines.map(|(name, value)| format!("\n             {name}: {}", short(value)));
        lines.collect::<Vec<_>>().concat()
    }

    /// Add all figures of another part.
    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

// === impl Histogram ===

impl Histogram {
    /// The histogram of this name in the text of `/metrics`. `None` if it is not there.
    pub(crate) fn parse(text: &str, name: &str) -> Option<Self> {
        let prefix = format!("{name}_bucket{{le=\"");
        let buckets = text.lines().filter_map(|line| {
            let (bound, count) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().ok()?
            };
            Some((bound, count.trim().parse().ok()?))
        });
        let buckets: Vec<_> = buckets.collect();
        (!buckets.is_empty()).then_some(Self(buckets))
    }

    /// What was added since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        // The bounds are a program's constants: those of both are the same, in the same order.
        let earlier = before.0.iter().map(|(_, count)| *count).chain(std::iter::repeat(0.0));
        let buckets = self.0.iter().zip(earlier);
        Self(
            buckets
                .map(|((bound, count), earlier)| (*bound, count - earlier))
                .collect(),
        )
    }

    /// Observations.
    pub(crate) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// The value below which this share of the observations lies, evenly spread within a bucket. `None` without observations; the
    /// highest finite bound if it lies above.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = self.count() * share;
        if self.count() <= 0.0 {
            return None;
        }
        let (mut low, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= wanted && *count > below {
                let part = (wanted - below) / (count - below);
                return Some(if bound.is_finite() {
                    low + (bound - low) * part
                } else {
                    low
                });
            }
            (low, below) = (*bound, *count);
        }
        None
    }
}

/// All requests.
pub(crate) fn total(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// What was counted since `before`.
pub(crate) fn since(now: &Counts, before: &Counts) -> Counts {
    let more = now
        .iter()
        .map(|(verb, count)| (verb.clone(), count - before.get(verb).copied().unwrap_or(0)));
    more.filter(|(_, count)| *count > 0).collect()
}

/// The sample below which this share of the samples lies (nearest rank). `None` without samples.
pub(crate) fn quantile(samples: &mut [f64], share: f64) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let rank = (samples.len() as f64 * share).ceil() as usize;
    samples.get(rank.clamp(1, samples.len().max(1)) - 1).copied()
}

/// Middle value; of an even number the mean of the two in the middle.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let high = values.get(middle).copied()?;
    if values.len() % 2 == 1 {
        return Some(high);
    }
    values.get(middle.checked_sub(1)?).map(|low| f64::midpoint(*low, high))
}

/// Names in the order of the first run that has them.
fn names(runs: &[Figures]) -> Vec<&str> {
    let mut names = Vec::new();
    for (name, _) in runs.iter().flat_map(Figures::iter) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A line for each figure: minimum, median, maximum.
pub(crate) fn table(runs: &[Figures]) -> String {
    let mut lines = vec![format!("{:<58} {:>10} {:>10} {:>10}", "", "min", "median", "max")];
    for name in names(runs) {
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run.get(name)).collect();
        let Some(middle) = median(&mut values) else { continue };
        let ends = (
            values.first().copied().unwrap_or(middle),
            values.last().copied().unwrap_or(middle),
        );
        let (low, middle, high) = (short(ends.0), short(middle), short(ends.1));
        lines.push(format!("{name:<58} {low:>10} {middle:>10} {high:>10}"));
    }
    lines.join("\n") + "\n"
}

/// Four digits are more than such a measurement is good for.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Everything, for other programs.
pub(crate) fn document(about: &Value, runs: &[Figures]) -> Value {
    let object = |pairs: Vec<(&str, f64)>| -> Value {
        Value::Object(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect::<Map<_, _>>(),
        )
    };
    let medians = names(runs).into_iter().filter_map(|name| {
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run.get(name)).collect();
        median(&mut values).map(|value| (name, value))
    });
    json!({
        "about": about,
        "median": object(medians.collect()),
        "runs": runs.iter().map(|run| object(run.iter().collect())).collect::<Vec<_>>(),
    })
}
