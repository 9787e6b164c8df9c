//! Texts of the state machine's events and alerts. Quoted ones stand in the user documents (controller.md 3.10) and must stay.

pub(super) const SUSPENDED: &str = "skipping canary run as object is suspended";
pub(super) const ALL_TO_PRIMARY: &str = "Routing all traffic to primary";
pub(super) const ALL_TO_CANARY: &str = "Routing all traffic to canary";
pub(super) const MIRROR_STOPPED: &str = "Stop traffic mirroring and route all traffic to canary";

pub(super) fn initialized(canary: &str) -> String {
    format!("Initialization done! {canary}")
}

pub(super) fn new_revision(target: &str) -> String {
    format!("New revision detected! Scaling up {target}")
}

pub(super) fn restart(target: &str) -> String {
    format!("New revision detected! Restarting analysis for {target}")
}

pub(super) fn set_back(target: &str) -> String {
    format!("{target} was set back to the promoted revision, the run ends here")
}

pub(super) fn starting(target: &str) -> String {
    format!("Starting canary analysis for {target}")
}

pub(super) fn advance_weight(canary: &str, weight: i64) -> String {
    format!("Advance {canary} canary weight {weight}")
}

pub(super) fn advance_primary(canary: &str, weight: i64) -> String {
    format!("Advance {canary} primary weight {weight}")
}

pub(super) fn advance_iteration(canary: &str, iteration: i64, of: i64) -> String {
    format!("Advance {canary} canary iteration {iteration}/{of}")
}

pub(super) fn copying(target: &str, primary: &str) -> String {
    format!("Copying {target} template spec to {primary}")
}

pub(super) fn completed(target: &str) -> String {
    format!("Promotion completed! Scaling down {target}")
}

pub(super) fn completed_skipped(target: &str) -> String {
    format!("Promotion completed! Canary analysis was skipped for {target}")
}

pub(super) fn threshold_reached(canary: &str, failed: i64) -> String {
    format!("Rolling back {canary} failed checks threshold reached {failed}")
}

pub(super) fn failed(canary: &str) -> String {
    format!("Canary failed! Scaling down {canary}")
}

pub(super) fn kept(canary: &str) -> String {
    format!("Canary {canary} failed, but it is the only version with ready pods: it keeps all traffic")
}

pub(super) fn promotion_failed(target: &str, cause: &str) -> String {
    format!("Promotion of {target} failed, primary not ready: {cause}")
}

pub(super) fn terminating(canary: &str) -> String {
    format!("Terminating canary {canary}")
}

pub(super) fn terminated(canary: &str) -> String {
    format!("Terminated canary {canary}")
}
