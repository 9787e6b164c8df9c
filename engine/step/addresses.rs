//! Before a version without users gets its first ones: its Service must have published an address.
//!
//! The Deployment calls pods available, another controller publishes their addresses, and where that one is behind, users who are sent
//! there get 404 or 503. So the API server is asked, once in nearly all cases, and only for pods that have just become available.

use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

use super::{
    Cx, Flow, Pause,
    context::{after, since},
    outage, pods,
};
use crate::{
    readiness,
    seam::{Outcome, Trouble},
    services::{self, Role, addresses},
};

/// How long a new primary waits for its addresses. They take well under a second, and seconds where a thousand applications start at
/// once; one whose addresses never come, as where nobody publishes any, is held up this long and no longer.
const PRIMARY_PATIENCE: Duration = Duration::from_secs(30);
/// The same for the canary, which has had an interval (10 s or more) from its scaling up: half of the shortest one.
const CANARY_PATIENCE: Duration = Duration::from_secs(5);
/// Pauses between two questions: as long as it has lasted so far, within these. At most nine questions in [`PRIMARY_PATIENCE`]
/// (after 1, 2, 4, 8, then every 5 s).
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// Wait until the new primary's addresses are there.
pub(super) fn of_primary(cx: &mut Cx<'_>, primary: &Value) -> Flow<()> {
    wait(cx, Role::Primary, primary, PRIMARY_PATIENCE)
}

/// Wait until the canary's addresses are there.
pub(super) fn of_canary(cx: &mut Cx<'_>, target: &Value) -> Flow<()> {
    wait(cx, Role::Canary, target, CANARY_PATIENCE)
}

fn wait(cx: &mut Cx<'_>, role: Role, workload: &Value, patience: Duration) -> Flow<()> {
    let start = available_since(cx, workload);
    let end = after(start, patience);
    // A phase that is over its time (L2) is not held up further.
    let is_over = cx.now >= end || (outage::is_on_its_way(cx.phase) && pods::is_overdue(cx));
    if is_over || !cx.workload().has_pods() {
        return Ok(());
    }
    let at = services::reference(cx.canary, role);
    let is_published = match cx.ask(vec![addresses::question(&at).ask()])?.pop() {
        Some(Outcome::Answer(Ok(answer))) => addresses::any_ready(&answer).unwrap_or(true),
        // Where the API server is too busy to answer, the addresses may well be late, too.
        Some(Outcome::Answer(Err(Trouble::Unavailable(_)))) => false,
        _ => true,
    };
    if is_published {
        return Ok(());
    }
    let message = format!("{at} has no ready address yet");
    let pause = since(start, cx.now).clamp(PAUSES.0, PAUSES.1);
    if after(cx.now, pause) < end {
        return Err(Pause::end(cx.wake_in("wait", message, pause)));
    }
    cx.warn(format!(
        "{message}, {} s after its pods are available; going on",
        since(start, cx.now).as_secs()
    ));
    Ok(())
}

/// Since when there are pods for users. A clock that is ahead of ours does not make the wait longer.
fn available_since(cx: &Cx<'_>, workload: &Value) -> Timestamp {
    let told = readiness::available_since(workload).filter(|told| *told <= cx.now);
    told.unwrap_or_else(|| pods::waiting_since(cx))
}
