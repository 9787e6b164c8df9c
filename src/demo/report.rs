//! What was measured, and whether it is what it should be.

use serde::Serialize;

use super::{cast::Role, chronicle::Story, gateway::Gateway, ledger::Ledger};

/// A measured share may be so many points away from its weight.
const POINTS_MAX: f64 = 5.0;
/// Fewer requests cannot show that: the split is off by up to one request, which is 5 points of 20.
const REQUESTS_MIN: u64 = 20;

/// The file of `--report`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Whether everything is as it should be.
    pub(super) passed: bool,
    /// What is not.
    pub(super) problems: Vec<String>,
    /// Between two checks.
    pub(super) interval_seconds: f64,
    /// From the start to the last measurement.
    pub(super) seconds: f64,
    /// One for each application.
    pub(super) canaries: Vec<Ending>,
}

/// What became of one application.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ending {
    /// Its name.
    pub(super) name: String,
    /// Phase in which it should end.
    pub(super) expected_phase: String,
    /// All phases, in order.
    pub(super) phases: Vec<String>,
    /// All weights of the canary in percent, in order.
    pub(super) weights: Vec<i64>,
    /// What was measured at each of them.
    pub(super) shares: Vec<Share>,
    /// Image that the primary should run.
    pub(super) expected_image: String,
    /// Image that it runs.
    pub(super) primary_image: String,
    /// Requests by server.
    pub(super) servers: Vec<Seen>,
    /// Requests that the gateway could not deliver.
    pub(super) lost: u64,
}

/// The requests of a time with the same weights, as the servers counted them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Share {
    /// The canary's weight in percent.
    pub(super) weight: i64,
    /// Requests that the primary got.
    pub(super) primary: u64,
    /// Requests that the canary got.
    pub(super) canary: u64,
    /// The canary's share in percent; absent without requests.
    pub(super) measured: Option<f64>,
}

/// What one server has seen.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    /// Name of the Deployment.
    pub(super) workload: String,
    /// What it ran.
    pub(super) version: String,
    /// All requests.
    pub(super) requests: u64,
    /// Those that failed.
    pub(super) failed: u64,
}

// === impl Report ===

impl Report {
    /// Judge the endings.
    pub(super) fn new(interval_seconds: f64, seconds: f64, canaries: Vec<Ending>) -> Self {
        let problems: Vec<String> = canaries.iter().flat_map(Ending::problems).collect();
        Self {
            passed: problems.is_empty(),
            problems,
            interval_seconds,
            seconds,
            canaries,
        }
    }

    /// One more problem.
    pub(super) fn add(&mut self, problem: String) {
        self.passed = false;
        self.problems.push(problem);
    }
}

// === impl Ending ===

impl Ending {
    /// What is known of an application now.
    pub(super) fn of(role: &Role, story: &Story, gateway: &Gateway, ledger: &Ledger) -> Self {
        let primary = role.primary();
        let service = format!("{}-canary", role.name);
        let share = |window: &super::gateway::Window| {
            Share::new(
                window.share_of(&service),
                ledger.routed(&primary, window.number),
                ledger.routed(role.name, window.number),
            )
        };
        let own = ledger.pods().into_iter();
        let own = own.filter(|pod| pod.workload == role.name || pod.workload == primary);
        let servers = own.map(|pod| {
            let (requests, failed) = ledger.seen(&pod);
            let version = pod.version().to_owned();
            Seen {
                workload: pod.workload,
                version,
                requests,
                failed,
            }
        });
        Self {
            name: role.name.to_owned(),
            expected_phase: role.end.to_owned(),
            phases: story.phases.clone(),
            weights: story.weights.clone(),
            shares: gateway.windows(role.name).iter().map(share).collect(),
            expected_image: role.wanted_image(),
            primary_image: story.primary_image.clone(),
            servers: servers.collect(),
            lost: gateway.lost(&role.host()),
        }
    }

    /// What is not as it should be.
    fn problems(&self) -> Vec<String> {
        let name = &self.name;
        let mut problems = Vec::new();
        let phase = self.phases.last().map_or("no phase", String::as_str);
        if phase != self.expected_phase {
            problems.push(format!("{name} ended in {phase}, not in {}", self.expected_phase));
        }
        if self.primary_image != self.expected_image {
            let (is, wanted) = (&self.primary_image, &self.expected_image);
            problems.push(format!("the primary of {name} runs {is}, not {wanted}"));
        }
        if self.weights.last() != Some(&0) {
            problems.push(format!("{name} does not end with all traffic on its primary"));
        }
        if !self.weights.iter().any(|weight| *weight > 0) {
            problems.push(format!("the new version of {name} never had traffic"));
        }
        let measured: Vec<i64> = self.shares.iter().map(|share| share.weight).collect();
        if measured != self.weights {
            problems.push(format!(
                "{name} had the weights {:?}, measured were {measured:?}",
                self.weights
            ));
        }
        let shares = self.shares.iter().filter_map(Share::problem);
        problems.extend(shares.map(|problem| format!("{name} {problem}")));
        problems
    }
}

// === impl Share ===

impl Share {
    fn new(weight: i64, primary: u64, canary: u64) -> Self {
        let all = primary + canary;
        Self {
            weight,
            primary,
            canary,
            measured: (all > 0).then(|| canary as f64 * 100.0 / all as f64),
        }
    }

    fn problem(&self) -> Option<String> {
        let (weight, all) = (self.weight, self.primary + self.canary);
        let measured = self.measured.filter(|_| all >= REQUESTS_MIN);
        let Some(measured) = measured else {
            return Some(format!(
                "at weight {weight}: {all} requests are too few to measure a share"
            ));
        };
        let off = (measured - weight as f64).abs() > POINTS_MAX;
        off.then(|| format!("at weight {weight}: the canary got {measured:.1} % of the requests"))
    }
}

#[cfg(test)]
mod tests;
