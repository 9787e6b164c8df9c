//! The canary's share in a run: the status has it, the route shows it, and pods are needed for it. Where these differ, this decides.

use crds::{Phase, analysis::Strategy};

use super::{
    Cx,
    ensure::Release,
    pods,
    strategy::{self, Move},
};
use crate::routes::Split;

/// The split that the run has. `seen` is what the route shows; `None`: it is missing, or our backends in it are, and the run's own split
/// is put back (W-8).
///
/// A run by steps keeps its weight in the status. The route may be one step ahead, when the run was interrupted between the two writes,
/// or at 0, when it was in a rollback or before a restart. Anything else is somebody else's and taken back.
pub(super) fn of_run(cx: &Cx<'_>, release: &Release, seen: Option<Split>) -> Split {
    let own = stored(cx);
    let Some(seen) = seen else { return lit(release, own) };
    if cx.phase != Phase::Progressing || !is_by_steps(cx, release) {
        return seen;
    }
    let (analysis, can) = (cx.analysis(), release.provider.capabilities);
    let is_next = [own, own.mirrored()].into_iter().any(|from| {
        strategy::next(&analysis, can, from, cx.status().iterations) == Move::Shift { canary: seen.canary }
    });
    if seen.canary == 0 || seen.canary == own.canary || is_next {
        return seen;
    }
    lit(release, own)
}

/// Whether the run goes by weights, so that its status knows them.
pub(super) fn is_by_steps(cx: &Cx<'_>, release: &Release) -> bool {
    let can = release.provider.capabilities;
    can.weights && cx.analysis().strategy() == Strategy::Canary && !cx.canary.spec.skips_analysis()
}

/// What the status tells, so that a deleted route does not throw the run back.
fn stored(cx: &Cx<'_>) -> Split {
    let (status, analysis) = (cx.status(), cx.analysis());
    let counts = matches!(cx.phase, Phase::Progressing | Phase::WaitingPromotion);
    // Runs that count rounds keep no weight in the status: the round tells.
    let has_all = match analysis.strategy() {
        Strategy::Canary => false,
        Strategy::AbTesting => counts && status.iterations > 0,
        Strategy::BlueGreen => counts && status.iterations > analysis.iterations(),
    };
    if has_all {
        return Split::CANARY;
    }
    let keeps = counts || matches!(cx.phase, Phase::Waiting | Phase::Promoting | Phase::Failed);
    Split::of(if keeps { status.canary_weight.clamp(0, 100) } else { 0 })
}

/// The split, unless it would give traffic to a version without available pods while the other one has some (S1).
fn lit(release: &Release, wanted: Split) -> Split {
    match (
        pods::available(&release.primary) > 0,
        pods::available(&release.target.object) > 0,
    ) {
        (true, false) => Split::PRIMARY,
        (false, true) => Split::CANARY,
        _ => wanted,
    }
}
