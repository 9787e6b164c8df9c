//! Hooks that can hold or end a run.

use crds::{Phase, analysis::Webhook};

use super::{Cx, Flow};
use crate::{
    alerts::texts as alert,
    hooks::{self, Kind, report},
    seam::{Ask, Outcome, Trouble},
};

/// The hook that keeps a gate closed, and what it said.
pub(super) struct Closed {
    pub(super) name: String,
    kind: Kind,
    cause: String,
    muted: bool,
}

/// Ask a gate's hooks in order, up to the first that refuses.
pub(super) fn confirm(cx: &mut Cx<'_>, kind: Kind, phase: Phase) -> Flow<Result<(), Closed>> {
    for hook in hooks::of_kind(cx.canary, kind) {
        let outcome = call(cx, hook, phase)?;
        match outcome {
            Ok(()) => tell_outcome(cx, kind, hook, &outcome),
            Err(cause) => {
                let muted = hook.mute_alert == Some(true);
                return Ok(Err(Closed {
                    name: hook.name.clone(),
                    kind,
                    cause,
                    muted,
                }));
            }
        }
    }
    Ok(Ok(()))
}

/// Event and alert for a gate that has just been found closed.
pub(super) fn tell(cx: &mut Cx<'_>, closed: &Closed) {
    let outcome = Err(closed.cause.clone());
    if let Some(event) = report(closed.kind, cx.canary, &closed.name, &outcome, cx.phase) {
        cx.event(event);
    }
    if closed.muted {
        return;
    }
    cx.alert(match closed.kind {
        Kind::ConfirmTrafficIncrease => alert::waiting_traffic_increase(),
        Kind::ConfirmPromotion => alert::waiting_promotion(),
        _ => alert::waiting_rollout(),
    });
}

/// Ask the rollback hooks; the first that answers 2xx asks for a rollback.
pub(super) fn rollback_wanted(cx: &mut Cx<'_>) -> Flow<bool> {
    for hook in hooks::of_kind(cx.canary, Kind::Rollback) {
        let outcome = call(cx, hook, cx.phase)?;
        tell_outcome(cx, Kind::Rollback, hook, &outcome);
        if outcome.is_ok() {
            cx.warn(hooks::texts::manual_rollback(cx.canary));
            cx.alert(alert::manual_rollback());
            return Ok(true);
        }
    }
    Ok(false)
}

fn tell_outcome(cx: &mut Cx<'_>, kind: Kind, hook: &Webhook, outcome: &Result<(), String>) {
    if let Some(event) = report(kind, cx.canary, &hook.name, outcome, cx.phase) {
        cx.event(event);
    }
}

/// Call one hook: `Ok` when it passed, else the cause.
pub(super) fn call(cx: &mut Cx<'_>, hook: &Webhook, phase: Phase) -> Flow<Result<(), String>> {
    let call = match hooks::call(cx.canary, hook, phase) {
        Ok(call) => call,
        Err(bad) => return Ok(Err(bad.to_string())),
    };
    match cx.ask(vec![Ask::Hook(call)])?.pop() {
        Some(Outcome::Answer(answer)) => Ok(hooks::verdict(&answer)),
        _ => Ok(Err(Trouble::Skipped.to_string())),
    }
}
