//! Every alert that the controller sends, with its severity (analysis.md 5.4). Receivers filter on these sentences.

use crate::seam::{Alert, Reason, Severity};

/// The target was found and its primary stands. `kind` is the target's.
pub fn initialized(kind: &str) -> Alert {
    alert(
        Severity::Info,
        format!("New {kind} detected, initialization completed."),
        true,
    )
}

/// A run starts.
pub fn started() -> Alert {
    alert(
        Severity::Info,
        "New revision detected, progressing canary analysis.",
        true,
    )
}

/// A run ended well.
pub fn promoted() -> Alert {
    alert(
        Severity::Info,
        "Canary analysis completed successfully, promotion finished.",
        false,
    )
}

/// A run ended without having been judged.
pub fn promoted_unjudged() -> Alert {
    alert(
        Severity::Info,
        "Canary analysis was skipped, promotion finished.",
        false,
    )
}

/// A `confirm-rollout` hook holds the run; once. Not sent for a hook with `muteAlert`, as the next two.
pub fn waiting_rollout() -> Alert {
    alert(Severity::Warn, "Canary is waiting for approval.", false)
}

/// A `confirm-promotion` hook holds the run; once.
pub fn waiting_promotion() -> Alert {
    alert(Severity::Warn, "Canary promotion is waiting for approval.", false)
}

/// A `confirm-traffic-increase` hook holds the run. The peer repeats it at every check (W-27).
pub fn waiting_traffic_increase() -> Alert {
    alert(
        Severity::Warn,
        "Canary traffic increase is waiting for approval.",
        false,
    )
}

/// A `rollback` hook asked for a rollback.
pub fn manual_rollback() -> Alert {
    alert(Severity::Warn, "Rolling back manual webhook invoked", false)
}

/// Too many checks failed. The sentence has only their number, so what the last one found comes along (AN-32).
pub fn threshold_reached(failed_checks: i64) -> Alert {
    let text = format!("Failed checks threshold reached {failed_checks}");
    Alert {
        reason: Reason::LastCheck,
        ..alert(Severity::Error, text, false)
    }
}

/// The pods of the canary did not get ready in time. The peer never sends it (AN-29, W-25).
pub fn deadline_exceeded(cause: &str) -> Alert {
    alert(Severity::Error, format!("Progress deadline exceeded {cause}"), false)
}

/// The pods of the primary did not get ready during the promotion.
pub fn promotion_failed(cause: &str) -> Alert {
    alert(
        Severity::Error,
        format!("Promotion failed, primary not ready: {cause}"),
        false,
    )
}

fn alert(severity: Severity, message: impl Into<String>, with_fields: bool) -> Alert {
    Alert {
        severity,
        message: message.into(),
        with_fields,
        reason: Reason::Said,
    }
}
