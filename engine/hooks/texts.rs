//! Every sentence that the outcome of a hook puts into an Event (controller.md 3.10; wording as in the documents and recordings).

use crds::{Canary, Phase};

use super::Kind;
use crate::seam::Event;

/// The event about a hook's outcome; `None` where nothing is said: a `rollout` hook that passed, and `event` hooks.
pub fn report(kind: Kind, canary: &Canary, hook: &str, outcome: &Result<(), String>, phase: Phase) -> Option<Event> {
    match outcome {
        Ok(()) => passed(kind, hook, phase),
        Err(cause) => refused(kind, canary, hook, cause, phase),
    }
}

/// Warning once a `rollback` hook asked for it, after that hook's own event.
pub fn manual_rollback(canary: &Canary) -> String {
    format!("Rolling back {} manual webhook invoked", canary.display_name())
}

fn passed(kind: Kind, hook: &str, phase: Phase) -> Option<Event> {
    let subject = match kind {
        Kind::ConfirmRollout => "Confirm-rollout",
        Kind::PreRollout => "Pre-rollout",
        Kind::ConfirmTrafficIncrease => "Confirm-traffic-increase",
        Kind::ConfirmPromotion => "Confirm-promotion",
        Kind::PostRollout => "Post-rollout",
        Kind::Rollback => return Some(Event::warning(phase, format!("Rollback check {hook} passed"))),
        Kind::Rollout | Kind::Event => return None,
    };
    Some(Event::normal(phase, format!("{subject} check {hook} passed")))
}

fn refused(kind: Kind, canary: &Canary, hook: &str, cause: &str, phase: Phase) -> Option<Event> {
    let halt = format!("Halt {} advancement", canary.display_name());
    let message = match kind {
        Kind::ConfirmRollout => format!("{halt} waiting for approval {hook}"),
        Kind::ConfirmTrafficIncrease => format!("{halt} waiting for traffic increase approval {hook}"),
        Kind::ConfirmPromotion => format!("{halt} waiting for promotion approval {hook}"),
        Kind::PreRollout => format!("{halt} pre-rollout check {hook} failed {cause}"),
        Kind::Rollout => format!("{halt} external check {hook} failed {cause}"),
        Kind::PostRollout => format!("Post-rollout hook {hook} failed {cause}"),
        Kind::Rollback => {
            return Some(Event::normal(
                phase,
                format!("Rollback hook {hook} not signaling a rollback"),
            ));
        }
        Kind::Event => return None,
    };
    Some(Event::warning(phase, message))
}
