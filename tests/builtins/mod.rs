//! The series of every observer, with numbers that only its own queries can give.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// A series that grows with the others.
pub(crate) const BEACON: &str = "builtins_beacon_total";
/// Requests per second of each canary.
const REQUESTS: f64 = 1000.0;

/// A canary, by its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// All requests succeed.
    Good,
    /// Some fail; how many is the observer's own number.
    Bad,
    /// All fail, and no good request ever came (AN-9).
    Dead,
    /// There are series, but no traffic.
    Idle,
    /// There are no series.
    Nothing,
}

/// Labels of a series.
type Labels = BTreeMap<&'static str, String>;

/// How an observer's durations are kept.
#[derive(Clone, Copy)]
pub(crate) enum Durations {
    /// A histogram; bounds in this fraction of a second.
    Buckets { name: &'static str, per_second: f64 },
    /// A sum and a count, in seconds.
    Summary(&'static str),
}

/// What is exported for one observer.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) target: &'static str,
    pub(crate) route: &'static str,
    number: f64,
    counter: &'static str,
    /// Label of the status, its good and its bad value.
    status: (&'static str, &'static str, &'static str),
    durations: Durations,
    /// Labels of the canary in a namespace.
    canary: fn(&str) -> Vec<(&'static str, String)>,
    /// Labels of others that must not be counted: they fail always, and take an hour.
    others: fn(&str) -> Vec<Vec<(&'static str, String)>>,
    /// Labels that only durations have.
    timed: &'static [(&'static str, &'static str)],
}

/// One line of the page: its value grows by so much per second.
pub(crate) struct Series {
    name: String,
    labels: Labels,
    per_second: f64,
}

// === impl Case ===

impl Case {
    pub(crate) const ALL: [Self; 5] = [Self::Good, Self::Bad, Self::Dead, Self::Idle, Self::Nothing];

    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Dead => "dead",
            Self::Idle => "idle",
            Self::Nothing => "nothing",
        }
    }
}

// === impl Row ===

impl Row {
    /// Percent that go well.
    pub(crate) fn success_rate(&self, case: Case) -> Option<f64> {
        match case {
            Case::Good => Some(100.0),
            Case::Bad => Some(90.0 - self.number),
            Case::Dead => Some(0.0),
            Case::Idle | Case::Nothing => None,
        }
    }

    /// Whole milliseconds that requests take.
    pub(crate) fn duration_ms(&self, case: Case) -> Option<f64> {
        match case {
            Case::Good | Case::Bad | Case::Dead => Some(self.floor_ms() + 49.0),
            Case::Idle | Case::Nothing => None,
        }
    }

    /// All requests are counted in the bucket from here to 50 ms more: the 99th percentile is 49.5 ms above. So is the mean.
    fn floor_ms(&self) -> f64 {
        100.0 + 10.0 * self.number
    }

    pub(crate) fn series(&self) -> Vec<Series> {
        let mut all = Vec::new();
        for case in Case::ALL.into_iter().filter(|case| *case != Case::Nothing) {
            let rate = if case == Case::Idle { 0.0 } else { REQUESTS };
            let failed = 1.0 - self.success_rate(case).unwrap_or(100.0) / 100.0;
            self.export(
                &(self.canary)(case.namespace()),
                rate,
                failed,
                self.floor_ms(),
                &mut all,
            );
            for other in (self.others)(case.namespace()) {
                self.export(&other, REQUESTS, 1.0, 3_600_000.0, &mut all);
            }
        }
        all
    }

    fn export(&self, labels: &[(&'static str, String)], rate: f64, failed: f64, floor_ms: f64, all: &mut Vec<Series>) {
        let (label, good, bad) = self.status;
        for (status, share) in [(good, 1.0 - failed), (bad, failed)] {
            if share == 0.0 && rate > 0.0 {
                continue; // a status that never came has no series
            }
            let mut own: Labels = labels.iter().cloned().collect();
            own.insert(label, status.into());
            let mut add = |name: &str, more: &[(&'static str, String)], per_second: f64| {
                let mut labels = own.clone();
                labels.extend(more.iter().cloned());
                all.push(Series {
                    name: name.into(),
                    labels,
                    per_second,
                });
            };
            if self.counter.ends_with("_bucket") && !self.is_own_histogram() {
                add(self.counter, &[("le", "+Inf".into())], rate * share);
            } else if !self.counter.ends_with("_bucket") {
                add(self.counter, &[], rate * share);
            }
            let timed: Vec<(&'static str, String)> = self.timed.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
            match self.durations {
                Durations::Summary(name) => {
                    let seconds = (floor_ms + 49.5) / 1000.0;
                    add(&format!("{name}_sum"), &timed, rate * share * seconds);
                    add(&format!("{name}_count"), &timed, rate * share);
                }
                Durations::Buckets { name, per_second } => {
                    for (bound_ms, part) in [(floor_ms, 0.0), (floor_ms + 50.0, 1.0)] {
                        let bound = (bound_ms / 1000.0 * per_second).to_string();
                        add(
                            name,
                            &[timed.as_slice(), &[("le", bound)]].concat(),
                            rate * share * part,
                        );
                    }
                    add(
                        name,
                        &[timed.as_slice(), &[("le", "+Inf".into())]].concat(),
                        rate * share,
                    );
                }
            }
        }
    }

    /// The counter is the last bucket of the durations' own histogram.
    fn is_own_histogram(&self) -> bool {
        matches!(self.durations, Durations::Buckets { name, .. } if name == self.counter)
    }
}

/// The page, as long after the start.
pub(crate) fn exposition(series: &[Series], since: Duration) -> String {
    let seconds = since.as_secs_f64();
    let mut text = format!("{BEACON} {seconds}\n");
    let mut seen = std::collections::BTreeSet::new();
    for line in series {
        let labels: Vec<String> = line
            .labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let id = format!("{}{{{}}}", line.name, labels.join(","));
        if seen.insert(id.clone()) {
            writeln!(text, "{id} {}", line.per_second * seconds).unwrap();
        }
    }
    text
}

mod table;
pub(crate) use table::rows;
