//! `/metrics`: the series that dashboards and alert rules of the peer know (controller.md 8), and our own, which say more (W-61).

use crds::{Canary, Phase, analysis::Strategy};
use engine::seam::Measure;
use parking_lot::Mutex;
use prometheus::{
    Error, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, process_collector::ProcessCollector,
};
use std::collections::{BTreeMap, BTreeSet};

mod calls;
mod checks;
mod labels;
mod lateness;
mod queues;
#[cfg(test)]
mod tests;

use crate::catalogue::Catalogue;
use checks::Checks;

/// Buckets of `aviary_step_duration_seconds`: steps take from half a millisecond (idle, from caches) up to a hook's minutes.
const STEP_BUCKETS: [f64; 12] = [0.0005, 0.002, 0.01, 0.05, 0.2, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// All series of the process.
pub struct Series {
    catalogue: Catalogue,
    flagger: Flagger,
    aviary: Aviary,
    calls: calls::Calls,
    queues: queues::Queues,
    lateness: lateness::Lateness,
    known: Mutex<Known>,
}

/// Names, types, labels and values as the peer has them. `name` is the target's name.
struct Flagger {
    info: IntGaugeVec,
    total: IntGaugeVec,
    status: GaugeVec,
    weight: GaugeVec,
    metric_analysis: GaugeVec,
    duration: HistogramVec,
    successes: IntCounterVec,
    failures: IntCounterVec,
}

struct Aviary {
    checks: Checks,
    canaries: IntGaugeVec,
    accepted: IntGaugeVec,
    restarts: IntCounterVec,
    api_requests: IntCounterVec,
    step_duration: HistogramVec,
    dropped: IntCounterVec,
    undelivered: IntCounterVec,
    violations: IntCounterVec,
}

/// What is needed to take series away again.
#[derive(Default)]
struct Known {
    /// By namespace and name of the canary.
    canaries: BTreeMap<(String, String), Shown>,
    /// Namespaces in `flagger_canary_total`, with whether their zero waits for being shown once.
    namespaces: BTreeMap<String, bool>,
}

#[derive(Default)]
struct Shown {
    target: String,
    phase: Option<Phase>,
    metrics: BTreeSet<String>,
}

// === impl Series ===

impl Series {
    /// All series, in a registry of their own. `version` is this program's, `mesh_provider` the flag's value.
    pub fn new(version: &str, mesh_provider: &str) -> Result<Self, Error> {
        let catalogue = Catalogue::default();
        catalogue.keep(Box::new(ProcessCollector::for_self()))?;
        let flagger = Flagger::new(&catalogue)?;
        let aviary = Aviary::new(&catalogue)?;
        let calls = calls::Calls::new(&catalogue)?;
        let queues = queues::Queues::new(&catalogue)?;
        let lateness = lateness::Lateness::new(&catalogue)?;
        flagger.info.with_label_values(&[version, mesh_provider]).set(1);
        Ok(Self {
            catalogue,
            flagger,
            aviary,
            calls,
            queues,
            lateness,
            known: Mutex::default(),
        })
    }

    /// Show a figure of a canary.
    pub fn apply(&self, canary: &Canary, measure: &Measure) {
        let mut known = self.known.lock();
        let shown = self.shown(&mut known, canary);
        let (name, namespace) = (canary.spec.target_ref.name.as_str(), canary.namespace());
        match measure {
            Measure::Status(phase) => {
                let value = Measure::status_value(*phase);
                self.flagger.status.with_label_values(&[name, namespace]).set(value);
                self.aviary.move_phase(shown.phase.replace(*phase), Some(*phase));
            }
            Measure::Weight { primary, canary } => self.flagger.show_weights(name, namespace, *primary, *canary),
            Measure::Metric { name: metric, value } => {
                let labels = [name, namespace, metric];
                self.flagger.metric_analysis.with_label_values(&labels).set(*value);
                shown.metrics.insert(metric.clone());
            }
            Measure::Accepted(accepted) => {
                let labels = [canary.name(), namespace];
                self.aviary.accepted.with_label_values(&labels).set((*accepted).into());
            }
            Measure::Ended { promoted, skipped } => self.flagger.count_end(canary, *promoted, *skipped),
        }
    }

    /// A check of a canary took this many seconds: `flagger_canary_duration_seconds`.
    pub fn checked(&self, canary: &Canary, seconds: f64) {
        self.shown(&mut self.known.lock(), canary);
        let labels = [canary.spec.target_ref.name.as_str(), canary.namespace()];
        self.flagger.duration.with_label_values(&labels).observe(seconds);
    }

    /// The canary is gone, and so are its series, unless another canary of the namespace has a target of the same name.
    pub fn remove(&self, namespace: &str, name: &str) {
        self.aviary.checks.hide(namespace, name);
        let mut known = self.known.lock();
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(shown) = known.canaries.remove(&key) {
            drop(self.aviary.accepted.remove_label_values(&[name, namespace])); // fails only when it was never shown
            self.aviary.move_phase(shown.phase, None);
            self.hide(&mut known, namespace, shown);
        }
    }

    /// Number of canaries of every namespace that has any. A namespace that has none any more shows 0 in the next
    /// [`Series::render`], then nothing.
    pub fn count_canaries(&self, by_namespace: &BTreeMap<String, i64>) {
        let mut known = self.known.lock();
        for (namespace, ends) in &mut known.namespaces {
            if !by_namespace.contains_key(namespace) {
                *ends = true;
                self.flagger.total.with_label_values(&[namespace.as_str()]).set(0);
            }
        }
        for (namespace, count) in by_namespace {
            known.namespaces.insert(namespace.clone(), false);
            self.flagger.total.with_label_values(&[namespace.as_str()]).set(*count);
        }
    }

    /// An actor of this kind was made anew.
    pub fn restarted(&self, actor: &str) {
        self.aviary.restarts.with_label_values(&[actor]).inc();
    }

    /// A request to the Kubernetes API ended: `verb` such as `patch`, `result` such as `ok` or `conflict`.
    pub fn requested(&self, verb: &str, result: &str) {
        self.aviary.api_requests.with_label_values(&[verb, result]).inc();
    }

    /// A step with this verb took this many seconds, questions and writes included.
    pub fn stepped(&self, verb: &str, seconds: f64) {
        self.aviary.step_duration.with_label_values(&[verb]).observe(seconds);
    }

    /// A notice of this lane was given up.
    pub fn dropped(&self, lane: &str) {
        self.aviary.dropped.with_label_values(&[lane]).inc();
    }

    /// A notice of this lane could not be delivered.
    pub fn undelivered(&self, lane: &str) {
        self.aviary.undelivered.with_label_values(&[lane]).inc();
    }

    /// An invariant of the engine was broken; `id` as in `engine::invariants`.
    pub fn violated(&self, id: &str) {
        self.aviary.violations.with_label_values(&[id]).inc();
    }

    /// Everything in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        self.queues.read();
        let text = self.catalogue.text();
        let mut known = self.known.lock();
        known.namespaces.retain(|namespace, ends| {
            if *ends {
                drop(self.flagger.total.remove_label_values(&[namespace.as_str()])); // fails only when it is gone already
            }
            !*ends
        });
        text
    }

    /// The entry of a canary. If its target has changed, the old target's series go.
    fn shown<'a>(&self, known: &'a mut Known, canary: &Canary) -> &'a mut Shown {
        let key = (canary.namespace().to_owned(), canary.name().to_owned());
        let target = &canary.spec.target_ref.name;
        let is_moved = known.canaries.get(&key).is_some_and(|shown| shown.target != *target);
        if is_moved && let Some(old) = known.canaries.remove(&key) {
            let phase = old.phase;
            self.hide(known, canary.namespace(), old);
            known.canaries.insert(
                key.clone(),
                Shown {
                    phase,
                    ..Shown::default()
                },
            );
        }
        let shown = known.canaries.entry(key).or_default();
        shown.target.clone_from(target);
        shown
    }

    /// All series as a table of Markdown.
    pub fn table(&self) -> String {
        self.catalogue.table()
    }

    /// Take away a target's series, or leave them to another canary that has a target of this name.
    fn hide(&self, known: &mut Known, namespace: &str, shown: Shown) {
        let mut others = known.canaries.iter_mut().filter(|((at, _), _)| at == namespace);
        match others.find(|(_, other)| other.target == shown.target) {
            Some((_, heir)) => heir.metrics.extend(shown.metrics),
            None => self.flagger.hide(&shown.target, namespace, &shown.metrics),
        }
    }
}

// === impl Flagger ===

impl Flagger {
    fn new(catalogue: &Catalogue) -> Result<Self, Error> {
        let gauge = |name, help, labels: &[&str]| catalogue.kept(GaugeVec::new(Opts::new(name, help), labels)?);
        let whole = |name, help, labels: &[&str]| catalogue.kept(IntGaugeVec::new(Opts::new(name, help), labels)?);
        let count = |name, help, labels: &[&str]| catalogue.kept(IntCounterVec::new(Opts::new(name, help), labels)?);
        let each = ["name", "namespace"];
        let ends = ["name", "namespace", "deployment_strategy", "analysis_status"];
        let duration = HistogramOpts::new(
            "flagger_canary_duration_seconds",
            "Seconds that one check of a canary took",
        );
        Ok(Self {
            info: whole(
                "flagger_info",
                "Version and default provider of the controller",
                &["version", "mesh_provider"],
            )?,
            total: whole(
                "flagger_canary_total",
                "Number of canaries in a namespace",
                &["namespace"],
            )?,
            status: gauge(
                "flagger_canary_status",
                "State of the last run: 0 in progress, 1 successful or at rest, 2 failed",
                &each,
            )?,
            weight: gauge(
                "flagger_canary_weight",
                "Percent of the traffic that a workload gets",
                &["workload", "namespace"],
            )?,
            metric_analysis: gauge(
                "flagger_canary_metric_analysis",
                "Last value measured for a metric of the analysis",
                &["name", "namespace", "metric"],
            )?,
            duration: catalogue.kept(HistogramVec::new(duration, &each)?)?,
            successes: count(
                "flagger_canary_successes_total",
                "Runs that ended with a promotion",
                &ends,
            )?,
            failures: count(
                "flagger_canary_failures_total",
                "Runs that ended without a promotion",
                &ends,
            )?,
        })
    }

    fn show_weights(&self, target: &str, namespace: &str, primary: i64, canary: i64) {
        let workload = format!("{target}-primary");
        self.weight
            .with_label_values(&[workload.as_str(), namespace])
            .set(primary as f64);
        self.weight.with_label_values(&[target, namespace]).set(canary as f64);
    }

    fn count_end(&self, canary: &Canary, promoted: bool, skipped: bool) {
        let counter = if promoted { &self.successes } else { &self.failures };
        let name = canary.spec.target_ref.name.as_str();
        counter
            .with_label_values(&[
                name,
                canary.namespace(),
                labels::strategy(canary),
                labels::status(skipped),
            ])
            .inc();
    }

    /// Take away every series of a target. Each removal fails only when there is no such series.
    fn hide(&self, target: &str, namespace: &str, metrics: &BTreeSet<String>) {
        let primary = format!("{target}-primary");
        drop(self.status.remove_label_values(&[target, namespace]));
        drop(self.duration.remove_label_values(&[target, namespace]));
        for workload in [target, &primary] {
            drop(self.weight.remove_label_values(&[workload, namespace]));
        }
        for metric in metrics {
            drop(self.metric_analysis.remove_label_values(&[target, namespace, metric]));
        }
        for strategy in [Strategy::Canary, Strategy::BlueGreen, Strategy::AbTesting] {
            for status in [labels::status(false), labels::status(true)] {
                let labels = [target, namespace, strategy.as_str(), status];
                drop(self.successes.remove_label_values(&labels));
                drop(self.failures.remove_label_values(&labels));
            }
        }
    }
}

// === impl Aviary ===

impl Aviary {
    fn new(catalogue: &Catalogue) -> Result<Self, Error> {
        let count = |name, help, labels: &[&str]| catalogue.kept(IntCounterVec::new(Opts::new(name, help), labels)?);
        let canaries = Opts::new("aviary_canaries", "Number of canaries in a phase");
        let accepted = Opts::new(
            "aviary_canary_accepted",
            "Whether all that a canary asks for can work: 1 yes, 0 no",
        );
        let steps = HistogramOpts::new(
            "aviary_step_duration_seconds",
            "Seconds that a step took, by what it decided",
        );
        let steps = HistogramVec::new(steps.buckets(STEP_BUCKETS.to_vec()), &["verb"])?;
        Ok(Self {
            checks: Checks::new(catalogue)?,
            canaries: catalogue.kept(IntGaugeVec::new(canaries, &["phase"])?)?,
            accepted: catalogue.kept(IntGaugeVec::new(accepted, &["name", "namespace"])?)?,
            restarts: count(
                "aviary_actor_restarts_total",
                "Actors made anew after a panic",
                &["actor"],
            )?,
            api_requests: count(
                "aviary_api_requests_total",
                "Requests to the Kubernetes API",
                &["verb", "result"],
            )?,
            step_duration: catalogue.kept(steps)?,
            dropped: count(
                "aviary_notices_dropped_total",
                "Notices given up in favour of newer ones",
                &["lane"],
            )?,
            undelivered: count(
                "aviary_notices_failed_total",
                "Notices that could not be delivered",
                &["lane"],
            )?,
            violations: count(
                "aviary_invariant_violations_total",
                "Times that something happened which must never be, by the id of the invariant",
                &["id"],
            )?,
        })
    }

    /// A canary went from one phase (`None`: it is new) to another (`None`: it is gone).
    fn move_phase(&self, from: Option<Phase>, to: Option<Phase>) {
        if let Some(phase) = from {
            self.canaries.with_label_values(&[labels::phase(phase)]).dec();
        }
        if let Some(phase) = to {
            self.canaries.with_label_values(&[labels::phase(phase)]).inc();
        }
    }
}
