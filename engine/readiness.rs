//! Whether a workload is ready for users, and when to stop waiting for it (workloads.md 13).
//!
//! Two deadlines act on a Deployment. Its own makes its controller report `ProgressDeadlineExceeded`, but only for a rollout of a
//! new template. The Canary's `progressDeadlineSeconds` counts while too few pods are available, which also covers the scale-up
//! from zero, where the first one never fires (observed A3).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

mod daemon_set;
mod knative;

pub use daemon_set::daemon_set;
pub use knative::revision;

/// Answer of a readiness check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All is up to date and enough of it is available.
    Ready,
    /// Not yet, or never.
    NotReady {
        /// The sentence for the Event.
        message: String,
        /// Whether to give up.
        final_: bool,
        /// When waiting ends at the latest, where a deadline counts; past or present when `final_` is due to it.
        deadline: Option<Timestamp>,
    },
}

/// Which workload of a canary is checked; decides how messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The stable copy: `app-primary.ns not ready: …`.
    Primary,
    /// The target: `canary deployment app.ns not ready: …`.
    Canary,
}

/// What readiness is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// `<name>.<namespace>`, as messages name it.
    pub name: &'a str,
    /// What it is, as messages name it: `deployment`, `daemonset`, …
    pub noun: &'a str,
    /// Share of updated pods that must be available; rounded up, and never less than one pod (W-12, W-13).
    pub threshold_percent: i64,
    /// The Canary's `progressDeadlineSeconds`.
    pub deadline_seconds: i64,
    /// The start of this wait: neither a fix that is pushed late nor an old condition inherits a clock (W-14, W-15).
    pub since: Timestamp,
    /// The time.
    pub now: Timestamp,
    /// Whose pods they are.
    pub side: Side,
}

/// What the Deployment's status tells, in pods.
struct Counts {
    desired: i64,
    updated: i64,
    total: i64,
    available: i64,
}

/// Readiness of a Deployment (workloads.md 13.1). `workload`: `None` when there is none.
///
/// The deadline counts from the start of this wait, or from the loss of availability if that came later.
///
/// Zero desired pods are not ready, but nothing to give up for: someone, or a scaler, may bring them back. A spec that the
/// Deployment controller has not seen yet is not ready either; all other status is older than it, so no deadline is judged.
pub fn deployment(workload: Option<&Value>, terms: &Terms<'_>) -> Readiness {
    let waiting = |cause: String| terms.not_ready(&cause, false, None);
    let short_name = terms.short_name();
    let Some(workload) = workload else {
        return waiting(format!("deployment \"{short_name}\" not found"));
    };
    let counts = Counts::of(workload);
    if counts.desired < 1 {
        return waiting(format!("deployment \"{short_name}\" is scaled to zero"));
    }
    if !is_observed(workload) {
        return waiting("waiting for rollout to finish: the latest spec has not been observed yet".into());
    }
    if condition(workload, "Progressing").is_some_and(|progressing| progressing["reason"] == "ProgressDeadlineExceeded")
    {
        let cause = format!("deployment \"{short_name}\" exceeded its progress deadline");
        return terms.not_ready(&cause, true, None);
    }
    match counts.shortfall(terms.threshold_percent) {
        None => Readiness::Ready,
        Some(shortfall) => {
            let deadline = deadline(workload, terms.deadline_seconds, terms.since);
            terms.until(&shortfall, deadline)
        }
    }
}

/// Whether the workload's controller has seen its present spec. Until then its status speaks of an older one.
pub fn is_observed(workload: &Value) -> bool {
    let generation = workload["metadata"]["generation"].as_i64().unwrap_or(0);
    workload["status"]["observedGeneration"].as_i64().unwrap_or(0) >= generation
}

/// The share of these pods that is needed: rounded up, at least one.
fn share(pods: i64, threshold_percent: i64) -> i64 {
    let threshold = threshold_percent.clamp(0, 100);
    (pods.saturating_mul(threshold).saturating_add(99) / 100).max(1)
}

/// When the Canary's deadline passes; none while enough pods are available for the Deployment's own terms, such as in a rolling
/// update whose old pods still serve. There the Deployment's deadline counts.
fn deadline(workload: &Value, seconds: i64, since: Timestamp) -> Option<Timestamp> {
    let available = condition(workload, "Available")?;
    if available["status"] != "False" || available["reason"] != "MinimumReplicasUnavailable" {
        return None;
    }
    let lost: Option<Timestamp> = available["lastUpdateTime"].as_str().and_then(|text| text.parse().ok());
    let start = lost.map_or(since, |lost| lost.max(since));
    // A deadline beyond the end of the calendar is none.
    start.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// Since when a Deployment has enough available pods, if it has; other kinds do not tell.
pub fn available_since(workload: &Value) -> Option<Timestamp> {
    let available = condition(workload, "Available").filter(|available| available["status"] == "True")?;
    available["lastTransitionTime"].as_str()?.parse().ok()
}

fn condition<'a>(workload: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = workload["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)
}

// === impl Terms ===

impl<'a> Terms<'a> {
    fn short_name(&self) -> &'a str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// A rollout that lacks something, until its deadline.
    fn until(&self, shortfall: &str, deadline: Option<Timestamp>) -> Readiness {
        let is_over = deadline.is_some_and(|deadline| self.now >= deadline);
        // The peer says nothing of the deadline, so that nobody learns why the run ended (observed A4).
        let reason = if is_over {
            format!("; exceeded its progressDeadlineSeconds: {}", self.deadline_seconds)
        } else {
            String::new()
        };
        let cause = format!("waiting for rollout to finish: {shortfall}{reason}");
        self.not_ready(&cause, is_over, deadline)
    }

    fn not_ready(&self, cause: &str, is_final: bool, deadline: Option<Timestamp>) -> Readiness {
        let who = match self.side {
            Side::Primary => String::new(),
            Side::Canary => format!("canary {} ", self.noun),
        };
        Readiness::NotReady {
            message: format!("{who}{} not ready: {cause}", self.name),
            final_: is_final,
            deadline,
        }
    }
}

// === impl Readiness ===

impl Readiness {
    /// Whether users may be sent there.
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }
}

// === impl Counts ===

impl Counts {
    fn of(workload: &Value) -> Self {
        let count = |field: &str| workload["status"][field].as_i64().unwrap_or(0);
        Self {
            desired: crate::workloads::replicas(workload),
            updated: count("updatedReplicas"),
            total: count("replicas"),
            available: count("availableReplicas"),
        }
    }

    /// What is missing, in the order of the rollout.
    fn shortfall(&self, threshold_percent: i64) -> Option<String> {
        let Self {
            desired,
            updated,
            total,
            available,
        } = self;
        let need = share(*updated, threshold_percent);
        if updated < desired {
            return Some(format!("{updated} of {desired} new replicas updated so far"));
        }
        if total > updated {
            return Some(format!("{} old replicas are pending termination", total - updated));
        }
        (*available < need).then(|| {
            format!("{available} of {updated} (readyThreshold {threshold_percent}%) updated replicas are available")
        })
    }
}

#[cfg(test)]
mod tests;
