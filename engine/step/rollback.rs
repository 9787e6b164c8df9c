//! The end of a run that is not promoted.

use crds::Phase;

use super::{Cx, Flow, ensure::Release, pods, route, texts};
use crate::{
    alerts::texts as alert,
    routes::Split,
    seam::{Done, Ending, Event, Measure},
    status::HELD,
};

/// Failed checks have reached the threshold.
pub(super) fn on_threshold(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    let failed = cx.status().failed_checks;
    cx.warn(texts::threshold_reached(&cx.canary_name(), failed));
    cx.alert(alert::threshold_reached(failed));
    run(cx, release)
}

/// A side did not become ready in time. The peer sends no alert here (W-25).
pub(super) fn on_deadline(cx: &mut Cx<'_>, release: &mut Release, cause: &str) -> Flow<Done> {
    cx.warn(cause.to_owned());
    cx.alert(alert::deadline_exceeded(cause));
    run(cx, release)
}

/// All traffic to the primary, target to zero, phase Failed. Where only the canary has pods, it keeps everything (W-1, S2).
pub(super) fn run(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    if pods::only_canary_serves(release) {
        cx.warn(texts::kept(&cx.canary_name()));
        return keep_canary(cx, release);
    }
    route::shift(cx, release, Split::PRIMARY)?;
    tell_failed(cx);
    pods::scale_target(cx, release, 0)?;
    Ok(end(cx, release, 0, None))
}

/// Say that the run has failed and its target is scaled down.
pub(super) fn tell_failed(cx: &mut Cx<'_>) {
    cx.event(Event::warning(Phase::Failed, texts::failed(&cx.canary_name())));
}

/// The primary did not become ready while it was being promoted: the canary, which is what works, keeps the traffic.
pub(super) fn promotion_failed(cx: &mut Cx<'_>, release: &mut Release, cause: &str) -> Flow<Done> {
    cx.warn(texts::promotion_failed(&cx.target_name(), cause));
    cx.alert(alert::promotion_failed(cause));
    keep_canary(cx, release)
}

fn keep_canary(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    route::shift(cx, release, Split::CANARY)?;
    let note = kept_note(cx);
    Ok(end(cx, release, 100, Some(note)))
}

fn kept_note(cx: &Cx<'_>) -> String {
    format!("Promotion failed, {} keeps all traffic.", cx.kind())
}

/// Phase Failed for a run whose canary has all traffic already, as the only version with pods.
pub(super) fn kept(cx: &mut Cx<'_>) -> Done {
    cx.warn(texts::kept(&cx.canary_name()));
    let note = kept_note(cx);
    fail(cx, 100, Some(note))
}

/// Phase Failed, with the canary's share of the traffic.
fn end(cx: &mut Cx<'_>, release: &Release, canary: i64, note: Option<String>) -> Done {
    // In a run the stored hash is the analysed one and stays (W-4); in Waiting the refused revision was not stored yet.
    let refused_in_waiting = cx.phase == Phase::Waiting;
    let mut done = fail(cx, canary, note);
    if let Some(status) = done.status.as_mut().filter(|_| refused_in_waiting) {
        status.last_applied_spec = Some(release.revision.clone());
        status.tracked_configs.clone_from(&release.configs.checksums);
    }
    done
}

/// Phase Failed for a run, with the canary's share of the traffic.
pub(super) fn fail(cx: &mut Cx<'_>, canary: i64, note: Option<String>) -> Done {
    cx.measure(Measure::Weight {
        primary: 100 - canary,
        canary,
    });
    cx.measure(Measure::Status(Phase::Failed));
    cx.measure(Measure::Ended {
        promoted: false,
        skipped: false,
    });
    let draft = cx
        .draft()
        .phase(Phase::Failed, cx.kind(), note)
        .without(HELD)
        .with(|status| {
            status.canary_weight = canary;
            status.failed_checks = 0;
            status.iterations = 0;
        });
    let mut done = cx.save("rollback", "the run is not promoted", draft, cx.now);
    done.aftermath = Some(Ending::Failed(cx.phase));
    done
}
