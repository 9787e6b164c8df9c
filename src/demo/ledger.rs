//! What the application's servers have seen: counted where the requests arrive, not where they are sent from.

use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

use super::{
    cast::NAMESPACE,
    promql::store::{Labels, Sample, Store},
};

/// Upper bounds of the histogram, in seconds.
const BOUNDS: [f64; 8] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
/// The answers of an application.
const CODES: [u16; 2] = [200, 500];
/// Weights that are remembered per server: a release has some seven, so these are the last forty.
const WINDOWS_MAX: usize = 256;

/// One version of one workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pod {
    /// Name of the Deployment.
    pub(super) workload: String,
    /// What it runs.
    pub(super) image: String,
}

/// Requests that one server has answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// One for each of [`CODES`].
    codes: [Histogram; CODES.len()],
    /// Requests by the number of the weights that they were routed under.
    windows: BTreeMap<u64, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    /// Not cumulative; the last one is beyond all bounds.
    buckets: [u64; BOUNDS.len() + 1],
}

/// All counts. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<BTreeMap<Pod, Tally>>>);

// === impl Ledger ===

impl Ledger {
    /// Open a page for a server, so that its counters are there, at zero, before the first request.
    pub(super) fn open(&self, pod: &Pod) {
        self.0.lock().entry(pod.clone()).or_default();
    }

    /// Count one request, answered with 200 or not.
    pub(super) fn count(&self, pod: &Pod, window: Option<u64>, succeeded: bool, seconds: f64) {
        let mut pages = self.0.lock();
        let tally = pages.entry(pod.clone()).or_default();
        tally.codes[usize::from(!succeeded)].observe(seconds);
        let Some(window) = window else { return };
        *tally.windows.entry(window).or_default() += 1;
        if tally.windows.len() > WINDOWS_MAX {
            tally.windows.pop_first();
        }
    }

    /// Requests to all versions of a workload that were routed under these weights.
    pub(super) fn routed(&self, workload: &str, window: u64) -> u64 {
        let pages = self.0.lock();
        let own = pages.iter().filter(|(pod, _)| pod.workload == workload);
        own.filter_map(|(_, tally)| tally.windows.get(&window)).sum()
    }

    /// The counts of one server: all requests, and those that failed.
    pub(super) fn seen(&self, pod: &Pod) -> (u64, u64) {
        let pages = self.0.lock();
        let Some(tally) = pages.get(pod) else { return (0, 0) };
        let [good, bad] = tally.codes.map(|histogram| histogram.count());
        (good + bad, bad)
    }

    /// All servers that ever were.
    pub(super) fn pods(&self) -> Vec<Pod> {
        self.0.lock().keys().cloned().collect()
    }

    /// Take a sample of the counters of these servers, as a scraper would. `at`: milliseconds.
    pub(super) fn scrape(&self, pods: &[Pod], store: &mut Store, at: i64) {
        let pages = self.0.lock();
        for (pod, tally) in pods.iter().filter_map(|pod| Some((pod, pages.get(pod)?))) {
            for (code, histogram) in CODES.iter().zip(&tally.codes) {
                let labels = |name: &str| labels(name, pod, *code);
                let value = histogram.count() as f64;
                store.push(labels("http_request_duration_seconds_count"), Sample { at, value });
                for (bound, value) in histogram.cumulative() {
                    let mut labels = labels("http_request_duration_seconds_bucket");
                    labels.insert("le".to_owned(), bound);
                    store.push(labels, Sample { at, value });
                }
            }
        }
    }
}

// === impl Pod ===

impl Pod {
    /// A name as Kubernetes makes it: the workload's, a hash of the template, and five letters of its own.
    pub(super) fn name(&self) -> String {
        let hash = self.image.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let digits = format!("{hash:016x}");
        let (template, rest) = digits.split_at(10);
        format!("{}-{template}-{}", self.workload, &rest[..5])
    }

    /// The image's tag.
    pub(super) fn version(&self) -> &str {
        self.image.rsplit(':').next().unwrap_or_default()
    }
}

// === impl Histogram ===

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let at = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.buckets[at.unwrap_or(BOUNDS.len())] += 1;
    }

    fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn cumulative(&self) -> impl Iterator<Item = (String, f64)> {
        let names = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        names.zip(self.buckets).scan(0, |sum, (name, count)| {
            *sum += count;
            Some((name, *sum as f64))
        })
    }
}

fn labels(name: &str, pod: &Pod, code: u16) -> Labels {
    let pairs = [
        ("__name__", name.to_owned()),
        ("kubernetes_namespace", NAMESPACE.to_owned()),
        ("kubernetes_pod_name", pod.name()),
        ("status", code.to_string()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

#[cfg(test)]
mod tests;
