//! Readiness of DaemonSets (workloads.md 13.2).

use jiff::SignedDuration;
use serde_json::Value;

use super::{Readiness, Terms, is_observed, share};
use crate::workloads::Workload;

/// Readiness of a DaemonSet: the new pods are on all nodes that it selects, and enough of them are available.
///
/// A DaemonSet has no conditions, so the deadline counts from the start of this wait, not from the last status write, which may be
/// days old (WL-9, W-14). Where no node is selected there are no pods, and no pods are not ready (WL-4).
pub fn daemon_set(workload: &Value, terms: &Terms<'_>) -> Readiness {
    let waiting = |cause: String| terms.not_ready(&cause, false, None);
    let name = terms.short_name();
    if Workload::DaemonSet.replicas(workload) < 1 {
        return waiting(format!("daemonset \"{name}\" is scaled to zero"));
    }
    if !is_observed(workload) {
        return waiting("waiting for rollout to finish: the latest spec has not been observed yet".into());
    }
    let count = |field: &str| workload["status"][field].as_i64().unwrap_or(0);
    let (desired, updated, available) = (
        count("desiredNumberScheduled"),
        count("updatedNumberScheduled"),
        count("numberAvailable"),
    );
    if desired < 1 {
        return waiting(format!("daemonset \"{name}\" has no node to run on"));
    }
    let need = share(desired, terms.threshold_percent);
    let shortfall = if updated < desired {
        format!("{updated} of {desired} nodes have the new pod so far")
    } else if available < need {
        let threshold = terms.threshold_percent;
        format!("{available} of {desired} (readyThreshold {threshold}%) updated pods are available")
    } else {
        return Readiness::Ready;
    };
    // A deadline beyond the end of the calendar is none.
    let deadline = terms
        .since
        .checked_add(SignedDuration::from_secs(terms.deadline_seconds));
    terms.until(&shortfall, deadline.ok())
}
