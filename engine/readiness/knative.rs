//! Readiness of Knative revisions (workloads.md 13.4).

use jiff::SignedDuration;
use serde_json::Value;

use super::{Readiness, Terms, condition, is_observed};

/// Readiness of a revision: seen by its controller, and `Ready`. Other than with the peer, waiting ends with the deadline (WL-18).
pub fn revision(revision: Option<&Value>, name: &str, terms: &Terms<'_>) -> Readiness {
    let Some(revision) = revision else {
        return terms.not_ready(&format!("revision \"{name}\" not found"), false, None);
    };
    let ready = condition(revision, "Ready");
    if is_observed(revision) && ready.is_some_and(|ready| ready["status"] == "True") {
        return Readiness::Ready;
    }
    let cause = ready.and_then(|ready| ready["message"].as_str()).unwrap_or_default();
    let shortfall = match cause {
        "" => format!("revision \"{name}\" is not ready yet"),
        cause => format!("revision \"{name}\" is not ready: {cause}"),
    };
    // A deadline beyond the end of the calendar is none.
    let deadline = terms
        .since
        .checked_add(SignedDuration::from_secs(terms.deadline_seconds));
    terms.until(&shortfall, deadline.ok())
}
