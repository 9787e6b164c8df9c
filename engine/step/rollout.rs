//! One check of a run: wait for its time, wait for the pods, look at hooks and metrics, and make one move.

use crds::{Condition, Phase, analysis::Strategy};

use super::{
    Cx, Flow, addresses, analysis, begin,
    ensure::Release,
    gates, outage, pods, promote, rollback, route, share,
    strategy::{self, Move},
    texts,
};
use crate::{
    hooks::Kind,
    readiness::Readiness,
    routes::{Capabilities, Split},
    seam::{Done, Measure},
    status::{Draft, GATEWAY_NOT_ACCEPTED, HELD},
};

/// Reason of condition `Held` while confirm-traffic-increase is closed.
const TRAFFIC_GATE: &str = "TrafficIncreaseGate";

/// Progressing and WaitingPromotion.
pub(super) fn advance(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    begin::restart_on_change(cx, release)?;
    if is_copied(cx, release) {
        return Ok(promote::resume(cx));
    }
    if cx.status().failed_checks >= cx.analysis().threshold() && !cx.canary.spec.skips_analysis() {
        return rollback::on_threshold(cx, release);
    }
    if let Some(done) = catch_up(cx, release) {
        return Ok(done);
    }
    if cx.now < cx.due() {
        return Ok(begin::wait_until_due(cx, "the next check is not due yet"));
    }
    if cx.canary.spec.skips_analysis() {
        return promote::without_analysis(cx, release);
    }
    if let Some(done) = wait_for_pods(cx, release)? {
        return Ok(done);
    }
    if release.split.canary == 0 {
        addresses::of_canary(cx, &release.target.object)?;
    }
    if is_dark(release) {
        return light(cx, release);
    }
    if let Err(unready) = route::accepted(cx, release)? {
        return hold_for_gateway(cx, unready);
    }
    cx.checked();
    cx.measure(Measure::Status(cx.phase));
    if gates::rollback_wanted(cx)? {
        return rollback::run(cx, release);
    }
    if let Some(failed) = analysis::run(cx, release)? {
        return Ok(failed);
    }
    make(cx, release)
}

/// The route is ahead of the status when a step ended between its two writes. Its weight counts as reached now and stays for an
/// interval: the status' time is that of the weight before, so the next step would follow at once.
fn catch_up(cx: &mut Cx<'_>, release: &Release) -> Option<Done> {
    let canary = share::of_run(cx, release, Some(release.split)).canary;
    if !share::is_by_steps(cx, release) || canary <= cx.status().canary_weight {
        return None;
    }
    cx.say(texts::advance_weight(&cx.canary_name(), canary));
    cx.measure(Measure::Weight {
        primary: 100 - canary,
        canary,
    });
    let draft = cx.draft().with(|status| status.canary_weight = canary);
    Some(cx.save("catch-up", format!("weight {canary}"), draft, cx.in_an_interval()))
}

/// Users are led to a primary that no node runs.
fn is_dark(release: &Release) -> bool {
    release.provider.capabilities.weights && release.split.primary > 0 && pods::has_no_node(&release.primary)
}

/// The primary has no node to run on, and this release has pods: all users go there at once, and it is judged with them.
fn light(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    let primary = promote::primary_name(cx);
    cx.warn(format!("{primary} has no node to run on: the canary gets all users"));
    shift(cx, release, 100)
}

/// Whether a promotion was interrupted after its copy and before its status. The primary has the revision then, so a check that fails
/// now must not end in a rollback to what is no longer there. An id alone does not tell: an earlier, failed promotion of the same
/// revision leaves it, too, and so does a config that was set back. The run must also have reached its promotion.
fn is_copied(cx: &Cx<'_>, release: &Release) -> bool {
    if cx.canary.spec.skips_analysis() || !promote::has_revision(cx, release) {
        return false;
    }
    let can = release.provider.capabilities;
    strategy::next(&cx.analysis(), can, release.split, cx.status().iterations) == Move::Promote
}

/// Both sides must be ready; a side that will not become ready any more ends the run.
pub(super) fn wait_for_pods(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Option<Done>> {
    let sides = [
        (!cx.canary.spec.skips_analysis() && release.split.primary > 0 && !pods::has_no_node(&release.primary))
            .then(|| pods::primary_readiness(cx, &release.primary)),
        Some(pods::canary_readiness(cx, &release.target.object)),
    ];
    for side in sides.into_iter().flatten() {
        match pods::in_time(cx, side) {
            Readiness::Ready => {}
            Readiness::NotReady {
                message, final_: true, ..
            } => {
                return rollback::on_deadline(cx, release, &message).map(Some);
            }
            Readiness::NotReady { message, deadline, .. } => {
                cx.warn(message.clone());
                let mut done = cx.wake_in("blocked", message, cx.interval());
                done.wake = deadline.into_iter().chain(done.wake).min();
                return Ok(Some(done));
            }
        }
    }
    Ok(None)
}

/// Ask the gates that guard the move, then make it.
fn make(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    let analysis = cx.analysis();
    let can = release.provider.capabilities;
    let next = strategy::next(&analysis, can, release.split, cx.status().iterations);
    let progressive = can.weights && analysis.strategy() == Strategy::Canary;
    if progressive
        && cx.phase != Phase::WaitingPromotion
        && let Err(closed) = gates::confirm(cx, Kind::ConfirmTrafficIncrease, cx.phase)?
    {
        return Ok(hold_traffic(cx, &closed));
    }
    match next {
        Move::Mirror => mirror(cx, release),
        Move::Shift { canary } => shift(cx, release, canary),
        Move::Iterate { iteration, of, split } => iterate(cx, release, iteration, of, split),
        Move::Promote if is_approved(cx, can) => promote::begin(cx, release),
        Move::Switch { .. } | Move::Promote => match gates::confirm(cx, Kind::ConfirmPromotion, Phase::Progressing)? {
            Err(closed) => Ok(hold_promotion(cx, &closed)),
            Ok(()) => match next {
                Move::Switch { iteration } => switch(cx, release, iteration),
                _ => promote::begin(cx, release),
            },
        },
    }
}

/// Blue/green asks for its approval at the switch, and a run that has switched is in Progressing again (W-23: one approval).
fn is_approved(cx: &Cx<'_>, can: Capabilities) -> bool {
    let counts = !can.weights || cx.analysis().strategy() == Strategy::BlueGreen;
    counts && cx.phase == Phase::Progressing
}

/// The step before the first one: copies of requests, and no user on the canary.
fn mirror(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    route::shift(cx, release, Split::PRIMARY.mirrored())?;
    Ok(advanced(cx, 0))
}

fn shift(cx: &mut Cx<'_>, release: &mut Release, canary: i64) -> Flow<Done> {
    route::shift(cx, release, Split::of(canary))?;
    Ok(advanced(cx, canary))
}

fn advanced(cx: &mut Cx<'_>, canary: i64) -> Done {
    cx.measure(Measure::Weight {
        primary: 100 - canary,
        canary,
    });
    cx.say(texts::advance_weight(&cx.canary_name(), canary));
    let draft = cx.draft().phase(Phase::Progressing, cx.kind(), None).without(HELD);
    let draft = draft.with(|status| status.canary_weight = canary);
    cx.save("advance", format!("weight {canary}"), draft, cx.in_an_interval())
}

fn iterate(cx: &mut Cx<'_>, release: &mut Release, iteration: i64, of: i64, split: Option<Split>) -> Flow<Done> {
    if let Some(split) = split {
        route::shift(cx, release, split)?;
        cx.measure(Measure::Weight {
            primary: split.primary,
            canary: split.canary,
        });
    }
    cx.say(texts::advance_iteration(&cx.canary_name(), iteration, of));
    Ok(count(cx, iteration))
}

fn switch(cx: &mut Cx<'_>, release: &mut Release, iteration: i64) -> Flow<Done> {
    if release.provider.capabilities.weights {
        cx.say(
            if release.split.mirrored {
                texts::MIRROR_STOPPED
            } else {
                texts::ALL_TO_CANARY
            }
            .to_owned(),
        );
        route::shift(cx, release, Split::CANARY)?;
        cx.measure(Measure::Weight {
            primary: 0,
            canary: 100,
        });
    }
    Ok(count(cx, iteration))
}

fn count(cx: &Cx<'_>, iteration: i64) -> Done {
    let draft = accepted_draft(cx)
        .phase(Phase::Progressing, cx.kind(), None)
        .with(|status| status.iterations = iteration);
    cx.save("iterate", format!("iteration {iteration}"), draft, cx.in_an_interval())
}

/// The gateway has not taken the route over: nothing that it would be asked to share can be judged. No reason for a rollback, which
/// it would not take over either (RM-11); after the deadline the run ends where it is. Behind a closed promotion gate it may last.
fn hold_for_gateway(cx: &mut Cx<'_>, unready: String) -> Flow<Done> {
    if let Some(held) = held_by(cx, GATEWAY_NOT_ACCEPTED) {
        let end = pods::end_of_patience_since(cx, held.last_transition_time);
        let is_bounded = cx.phase != Phase::WaitingPromotion;
        cx.warn(unready.clone());
        if is_bounded && cx.now >= end {
            return Err(outage::stuck(cx, &unready));
        }
        // The pods are ready: the time behind a gateway is not a time of waiting for them.
        cx.checked();
        let mut done = cx.wake_in("blocked", unready, cx.interval());
        done.wake = done.wake.map(|wake| if is_bounded { wake.min(end) } else { wake });
        return Ok(done);
    }
    cx.warn(unready.clone());
    let draft = cx
        .draft()
        .without(HELD)
        .condition(HELD, "True", GATEWAY_NOT_ACCEPTED, unready.clone());
    Ok(cx.save("blocked", unready, draft, cx.in_an_interval()))
}

fn held_by(cx: &Cx<'_>, reason: &str) -> Option<Condition> {
    let held = cx.status().condition(HELD).cloned();
    held.filter(|held| held.reason == reason)
}

fn is_held(cx: &Cx<'_>, reason: &str) -> bool {
    held_by(cx, reason).is_some()
}

/// A draft for a run whose route the gateway has taken over.
pub(super) fn accepted_draft(cx: &Cx<'_>) -> Draft {
    if is_held(cx, GATEWAY_NOT_ACCEPTED) {
        return cx.draft().without(HELD);
    }
    cx.draft()
}

/// The weight is held; the status says since when and by whom, and the owner is told once (W-27).
fn hold_traffic(cx: &mut Cx<'_>, closed: &gates::Closed) -> Done {
    if is_held(cx, TRAFFIC_GATE) {
        return cx.wake_in("hold", "confirm-traffic-increase is closed", cx.interval());
    }
    gates::tell(cx, closed);
    let note = format!("Waiting for approval of the traffic increase by gate {}.", closed.name);
    let draft = accepted_draft(cx).condition(HELD, "True", TRAFFIC_GATE, note);
    cx.save("hold", "confirm-traffic-increase is closed", draft, cx.in_an_interval())
}

/// The promotion is held. Weight and iterations stay as they are, so the status tells the truth (W-23).
fn hold_promotion(cx: &mut Cx<'_>, closed: &gates::Closed) -> Done {
    if cx.phase == Phase::WaitingPromotion {
        if is_held(cx, GATEWAY_NOT_ACCEPTED) {
            let draft = accepted_draft(cx);
            return cx.save("hold", "the route is accepted again", draft, cx.in_an_interval());
        }
        return cx.wake_in("hold", "confirm-promotion is closed", cx.interval());
    }
    gates::tell(cx, closed);
    let note = format!("Waiting for approval of the promotion by gate {}.", closed.name);
    let draft = cx
        .draft()
        .phase(Phase::WaitingPromotion, cx.kind(), Some(note))
        .without(HELD);
    cx.save("hold", "confirm-promotion is closed", draft, cx.in_an_interval())
}
