//! What became of the checks of each metric: so that "no data" and "provider down" can be told apart on a dashboard (AN-12, AN-35).

use crds::Canary;
use engine::seam::{Check, Verdict};
use parking_lot::Mutex;
use prometheus::{Error, IntCounterVec, Opts};
use std::collections::{BTreeMap, BTreeSet};

use super::{Catalogue, Series};

/// All values of the label `verdict`.
const VERDICTS: [Verdict; 4] = [Verdict::Pass, Verdict::Fail, Verdict::NotEnough, Verdict::Unavailable];

/// `aviary_metric_checks_total`.
pub(super) struct Checks {
    total: IntCounterVec,
    /// Metrics by namespace and name of the canary.
    known: Mutex<BTreeMap<(String, String), BTreeSet<String>>>,
}

// === impl Series ===

impl Series {
    /// Checks of a canary were judged.
    pub fn judged(&self, canary: &Canary, checks: &[Check]) {
        for check in checks {
            self.aviary.checks.count(canary.namespace(), canary.name(), check);
        }
    }
}

// === impl Checks ===

impl Checks {
    pub(super) fn new(catalogue: &Catalogue) -> Result<Self, Error> {
        let total = Opts::new(
            "aviary_metric_checks_total",
            "Checks of a canary's metric by verdict: pass, fail, no_data, unavailable",
        );
        let labels = ["name", "namespace", "metric", "verdict"];
        Ok(Self {
            total: catalogue.kept(IntCounterVec::new(total, &labels)?)?,
            known: Mutex::default(),
        })
    }

    fn count(&self, namespace: &str, name: &str, check: &Check) {
        let mut known = self.known.lock();
        let metrics = known.entry((namespace.to_owned(), name.to_owned())).or_default();
        if !metrics.contains(&check.name) {
            metrics.insert(check.name.clone());
            // All verdicts from the start: a rate needs a zero to begin with.
            for verdict in VERDICTS {
                self.total
                    .with_label_values(&[name, namespace, &check.name, word(verdict)]);
            }
        }
        let labels = [name, namespace, &check.name, word(check.verdict)];
        self.total.with_label_values(&labels).inc();
    }

    /// The canary is gone.
    pub(super) fn hide(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let metrics = self.known.lock().remove(&key).unwrap_or_default();
        for (metric, verdict) in metrics
            .iter()
            .flat_map(|metric| VERDICTS.map(|verdict| (metric, verdict)))
        {
            let labels = [name, namespace, metric, word(verdict)];
            drop(self.total.remove_label_values(&labels)); // fails only when it was never shown
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NotEnough => "no_data",
        Verdict::Unavailable => "unavailable",
    }
}
