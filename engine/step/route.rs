//! The route of a release: repaired at the weights of the run, moved by one function, and never towards a version without pods.

use crds::Phase;
use serde_json::Value;
use std::sync::Arc;

use super::{Cx, Flow, addresses, ensure::Release, outage, pods, prepare, share, strategy};
use crate::{
    ObjectRef,
    routes::{Context, Flags, Refused, Split, Unready},
    seam::Seen,
};

/// Route objects as they are; `None` where there is none.
type Current = Vec<Option<Arc<Value>>>;

/// Repair the route without losing its weights (W-8), and hold an idle canary's at 100/0 (W-11).
pub(super) fn keep(cx: &mut Cx<'_>, release: &mut Release) -> Flow<()> {
    let observed = observed(cx, release)?;
    release.split = observed.unwrap_or_else(|| share::of_run(cx, release, None));
    let wanted = if rests_on_primary(cx, release) {
        Split::PRIMARY
    } else {
        let mirrored = keeps_mirror(cx, release);
        Split {
            mirrored,
            ..share::of_run(cx, release, observed)
        }
    };
    if is_newly_lit(release, wanted) {
        addresses::of_primary(cx, &release.primary)?;
    }
    shift(cx, release, wanted)?;
    tell_lost_source(cx, release)
}

/// Whether the primary, which had no users, gets them back now that it has pods.
fn is_newly_lit(release: &Release, wanted: Split) -> bool {
    release.split.primary == 0 && wanted.primary > 0 && pods::available(&release.primary) > 0
}

/// What the route was made from may go, or lose the place for it, while nothing runs. A run is held by `accepted`.
fn tell_lost_source(cx: &mut Cx<'_>, release: &Release) -> Flow<()> {
    let current = route_objects(cx, release)?;
    let Err(Unready::Source(lost)) = release.provider.accepted(&context(cx, release, &current)) else {
        return prepare::take_back(cx, prepare::NO_SOURCE);
    };
    if outage::is_on_its_way(cx.phase) {
        return Ok(());
    }
    Err(prepare::refuse(cx, prepare::NO_SOURCE, lost))
}

/// Idle, and not left on the canary by a failed promotion.
fn rests_on_primary(cx: &Cx<'_>, release: &Release) -> bool {
    match cx.phase {
        Phase::Initialized | Phase::Succeeded | Phase::New | Phase::Initializing => true,
        Phase::Waiting => release.split.canary < 100,
        Phase::Failed => cx.status().canary_weight == 0,
        _ => false,
    }
}

/// Whether requests are mirrored at this point of a run, whoever has changed the route.
fn keeps_mirror(cx: &Cx<'_>, release: &Release) -> bool {
    let runs = matches!(cx.phase, Phase::Progressing | Phase::WaitingPromotion);
    let can = release.provider.capabilities;
    runs && !cx.canary.spec.skips_analysis()
        && strategy::mirrors(&cx.analysis(), can, release.split, cx.status().iterations)
}

/// Weights as the route has them, `None` where there is no route yet.
fn observed(cx: &mut Cx<'_>, release: &Release) -> Flow<Option<Split>> {
    let current = route_objects(cx, release)?;
    // A foreign edit may have taken the route, or our backends in it, away: the run's own weights are put back (W-8).
    Ok(release.provider.observed(&context(cx, release, &current)).ok())
}

/// Bring the route to `wanted`. Refuses to raise the share of a version without available pods while the other one has some (S1).
pub(super) fn shift(cx: &mut Cx<'_>, release: &mut Release, wanted: Split) -> Flow<()> {
    if goes_dark(release, wanted) {
        return Err(cx.blocked(format!(
            "not moving traffic to {}/{}: the version that would get more has no available pods",
            wanted.primary, wanted.canary
        )));
    }
    let current = route_objects(cx, release)?;
    let context = context(cx, release, &current);
    match release.provider.writes(&context, wanted) {
        Ok(writes) => {
            let cookies = release.provider.cookies(&context, wanted);
            let refs: Vec<ObjectRef> = writes.iter().map(|write| write.object.clone()).collect();
            let written = cx.write(writes.into_iter().map(Some))?;
            cx.give_out(cookies);
            release.written.extend(refs.into_iter().zip(written));
        }
        Err(Refused::Source(cause)) => return Err(outage::without_source(cx, cause)),
        Err(refused) => return Err(cx.blocked(refused.to_string())),
    }
    release.split = wanted;
    Ok(())
}

fn goes_dark(release: &Release, wanted: Split) -> bool {
    let (primary, canary) = (
        pods::available(&release.primary),
        pods::available(&release.target.object),
    );
    let raises_primary = wanted.primary > release.split.primary && primary == 0 && canary > 0;
    let raises_canary = wanted.canary > release.split.canary && canary == 0 && primary > 0;
    raises_primary || raises_canary
}

fn route_objects(cx: &mut Cx<'_>, release: &Release) -> Flow<Current> {
    let mut current = Vec::new();
    for at in release.provider.objects(cx.canary) {
        if let Some(written) = release.written.get(&at) {
            current.push(Some(written.clone()));
            continue;
        }
        match cx.object(&at) {
            Seen::Present(object) => current.push(Some(object)),
            Seen::Absent => current.push(None),
            Seen::NoSuchKind => return Err(outage::without_kind(cx, &at)),
        }
    }
    Ok(current)
}

fn context<'c>(cx: &Cx<'c>, release: &'c Release, current: &'c [Option<Arc<Value>>]) -> Context<'c> {
    Context {
        canary: cx.canary,
        current: current.iter().map(|object| object.as_deref()).collect(),
        selector_key: Some(release.target.selector.key.as_str()).filter(|key| !key.is_empty()),
        selector_value: Some(release.target.selector.value.as_str()).filter(|value| !value.is_empty()),
        entropy: cx.entropy,
        flags: Flags::of(cx.settings),
    }
}

/// Whether the gateway has accepted the route as it is written; it holds the run back, never a rollback (RM-11).
pub(super) fn accepted(cx: &mut Cx<'_>, release: &Release) -> Flow<Result<(), String>> {
    let current = route_objects(cx, release)?;
    Ok(release
        .provider
        .accepted(&context(cx, release, &current))
        .map_err(|unready| unready.to_string()))
}
