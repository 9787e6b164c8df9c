//! What stands in the way stands in the status, too: Events pass, and who looks later must find the reason in a condition.

use crds::CanaryStatus;
use std::time::Duration;

use super::{Cx, context::after, outage, pods};
use crate::{
    seam::{Done, Event},
    status::{BLOCKED, HELD},
};

/// An obstacle of a run is written down when it was met twice and for so long: in a fleet that is released all at once pods take their
/// time, and a thousand statuses that say so make them take longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a step that ends in this way has met.
enum Met<'d> {
    /// This; it will not pass by itself within this step's pause.
    Obstacle(&'d str),
    /// None.
    Nothing,
    /// It has not come so far as to tell.
    Unknown,
}

/// The status of a step that would write none: with the obstacle that it has met, or without one that is gone. `None` where the stored
/// one says so already. Nothing has moved by it, so no deadline starts anew.
pub(super) fn status(cx: &Cx<'_>, done: &Done) -> Option<CanaryStatus> {
    let stored = cx.canary.status.as_ref()?;
    if done.status.is_some() || cx.canary.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let told = stored.condition(BLOCKED).and_then(|told| told.message.as_deref());
    match met(cx, done) {
        Met::Obstacle(met) if told != Some(met) && lasts(cx) => {
            Some(cx.draft().unmoved().blocked(met.to_owned()).finish())
        }
        Met::Nothing if told.is_some() => Some(cx.draft().unmoved().finish()),
        _ => None,
    }
}

/// Whether it has lasted long enough to be written down, in a phase that is on its way. The Event tells of the first time.
fn lasts(cx: &Cx<'_>) -> bool {
    let told = cx.status().condition(BLOCKED).is_some();
    let patience = cx.interval().saturating_mul(2).max(PATIENCE);
    told || !outage::is_on_its_way(cx.phase) || cx.now >= after(pods::waiting_since(cx), patience)
}

/// Whether the Event only repeats what the condition has told within this interval. The status write itself wakes the canary, and what has
/// not changed by it is no news.
pub(super) fn is_repeated(cx: &Cx<'_>, event: &Event) -> bool {
    let status = cx.status();
    let told = status.condition(BLOCKED);
    told.is_some_and(|told| {
        let since = told.last_update_time.unwrap_or(cx.now);
        told.message.as_deref() == Some(event.message.as_str()) && cx.now < after(since, cx.interval())
    })
}

fn met<'d>(cx: &Cx<'_>, done: &'d Done) -> Met<'d> {
    let is_held = cx.status().condition(HELD).is_some();
    match done.decision.verb {
        // Who holds the run is named by its own condition.
        "blocked" if is_held => Met::Nothing,
        "blocked" => Met::Obstacle(&done.decision.why),
        "retry" if cx.was_refused => Met::Obstacle(&done.decision.why),
        "retry" | "wait" => Met::Unknown,
        _ => Met::Nothing,
    }
}
