//! Something that a run cannot do without is gone in the middle of it: its target, a mandatory config, the referenced scaler.

use crds::Phase;
use jiff::Timestamp;

use super::{Cx, Flow, Pause, context::after, ensure::Target, pods, prepare, promote, rollback};
use crate::{
    ObjectRef,
    alerts::texts as alert,
    routes::{self, Context, Flags, Split},
    seam::{Done, Measure, Seen},
    status::{GATEWAY_NOT_ACCEPTED, HELD},
};

/// Whether there is a run that must come to an end (L2). Idle phases wait for what is missing, as long as it takes.
pub(super) fn ends_runs(phase: Phase) -> bool {
    matches!(phase, Phase::Progressing | Phase::WaitingPromotion | Phase::Promoting)
}

/// Whether the phase must come to an end.
pub(super) fn is_on_its_way(phase: Phase) -> bool {
    ends_runs(phase) || matches!(phase, Phase::Initializing | Phase::Finalising)
}

/// The target is gone, and all canary pods with it: the run ends at once, or traffic would stay on pods that do not exist.
pub(super) fn without_target(cx: &mut Cx<'_>, cause: &str) -> Pause {
    if cx.phase == Phase::Finalising {
        // The primary has the revision and the traffic; all that was left was to scale the target down.
        cx.warn(cause.to_owned());
        return Pause::end(promote::succeeded(cx, false));
    }
    ended(end_run(cx, cause))
}

/// The primary is gone and cannot be made again: the run ends at once, and the target, if it has pods, gets all traffic.
pub(super) fn without_primary(cx: &mut Cx<'_>, cause: &str) -> Pause {
    ended(end_run(cx, cause))
}

/// Send users to the target if it has pods, now that there is no primary.
pub(super) fn light(cx: &mut Cx<'_>, target: &Target) -> Flow<()> {
    if pods::available(&target.object) == 0 {
        return Ok(());
    }
    route(cx, Split::CANARY)
}

/// The first primary has not become ready in time. The target serves on, untouched; the canary is initialised as soon as the primary is
/// ready, and what its owner mends in the target reaches the primary (W-16).
pub(super) fn without_first_primary(cx: &mut Cx<'_>, cause: &str) -> Pause {
    cx.alert(alert::deadline_exceeded(cause));
    cx.measure(Measure::Status(Phase::Failed));
    let note = format!("Initialization failed: {cause}. {} keeps serving.", cx.target_name());
    let draft = cx.draft().phase(Phase::Failed, cx.kind(), Some(note));
    Pause::end(cx.save("fail", "the first primary is not ready", draft, cx.in_an_interval()))
}

/// Whether the phase has lasted so long behind an obstacle that it must end (L2). Ends that know more about their phase come first,
/// at the deadline itself; this one is for what nobody foresaw, an interval later.
pub(super) fn is_stuck(cx: &Cx<'_>) -> bool {
    end_of_obstacle(cx).is_some_and(|end| cx.now >= end)
}

/// When a phase must end that stands before an obstacle. `None` for those that may last: idle ones, and those that a person holds.
pub(super) fn end_of_obstacle(cx: &Cx<'_>) -> Option<Timestamp> {
    let is_bounded = matches!(
        cx.phase,
        Phase::Initializing | Phase::Progressing | Phase::Promoting | Phase::Finalising
    );
    let held = cx.status().condition(HELD).map(|held| held.reason.clone());
    let waits_for_a_person = held.is_some_and(|reason| reason != GATEWAY_NOT_ACCEPTED);
    let lasts = !is_bounded || waits_for_a_person || cx.canary.spec.suspend == Some(true);
    (!lasts).then(|| after(pods::end_of_patience(cx), cx.interval()))
}

/// End a phase that cannot be ended properly, because what stands in the way also stands in the way of the traffic. Both versions keep
/// their pods and their shares: that is safe, and the status says so.
pub(super) fn stuck(cx: &mut Cx<'_>, cause: &str) -> Pause {
    if cx.phase == Phase::Initializing {
        return without_first_primary(cx, cause);
    }
    let seconds = cx.canary.spec.progress_deadline_seconds();
    let cause = format!("{cause}; exceeded its progressDeadlineSeconds: {seconds}");
    cx.alert(alert::deadline_exceeded(&cause));
    let note = format!("Canary analysis failed: {cause}. Pods and weights are left as they are.");
    let canary = cx.status().canary_weight;
    Pause::end(rollback::fail(cx, canary, Some(note)))
}

/// The route cannot be made, as something of the user's or a kind is missing. Whoever waits for nothing else is told once, by a condition, too.
pub(super) fn without_source(cx: &mut Cx<'_>, cause: String) -> Pause {
    if is_on_its_way(cx.phase) && cx.phase != Phase::Initializing {
        return cx.blocked(cause);
    }
    prepare::refuse(cx, prepare::NO_SOURCE, cause)
}

/// The kind of a route is not installed.
pub(super) fn without_kind(cx: &mut Cx<'_>, at: &ObjectRef) -> Pause {
    let kind = at.kind;
    let cause = format!(
        "{} {} is not installed in this cluster; install its CRD to go on",
        kind.kind,
        kind.api_version()
    );
    without_source(cx, cause)
}

/// Something else is gone: it may come back until the deadline, then the run ends.
pub(super) fn without_part(cx: &mut Cx<'_>, cause: String) -> Pause {
    if !is_on_its_way(cx.phase) {
        return cx.blocked(cause);
    }
    if pods::is_overdue(cx) {
        let seconds = cx.canary.spec.progress_deadline_seconds();
        let cause = format!("{cause}; exceeded its progressDeadlineSeconds: {seconds}");
        return match cx.phase {
            Phase::Initializing => {
                cx.warn(cause.clone());
                without_first_primary(cx, &cause)
            }
            Phase::Finalising => ended(end_finalising(cx, &cause)),
            _ => ended(end_run(cx, &cause)),
        };
    }
    cx.warn(cause.clone());
    let mut done = cx.wake_in("blocked", cause, cx.interval());
    done.wake = done.wake.map(|wake| wake.min(pods::end_of_patience(cx)));
    Pause::end(done)
}

fn ended(end: Flow<Done>) -> Pause {
    match end {
        Ok(done) => Pause::end(done),
        Err(pause) => pause,
    }
}

/// The primary has the revision and the traffic: what is left is to scale the target down, which needs none of the lost parts.
fn end_finalising(cx: &mut Cx<'_>, cause: &str) -> Flow<Done> {
    let kind = cx.workload().kind();
    let target_at = kind.named(cx.canary.namespace(), &cx.canary.spec.target_ref.name);
    let primary_at = kind.named(cx.canary.namespace(), &cx.canary.spec.primary_name());
    let is_dark = |seen: &Seen| seen.present().is_none_or(|workload| pods::available(workload) == 0);
    let target = cx.object(&target_at);
    if is_dark(&cx.object(&primary_at)) && !is_dark(&target) {
        return end_run(cx, cause);
    }
    cx.warn(cause.to_owned());
    route(cx, Split::PRIMARY)?;
    if let Seen::Present(target) = &target {
        let writes = pods::scaling(cx, &target_at, target, 0);
        cx.write(writes)?;
    }
    Ok(promote::succeeded(cx, false))
}

/// All traffic to the primary, unless only the canary has pods (S1, S2). Made from what is left: there is no release to speak of.
fn end_run(cx: &mut Cx<'_>, cause: &str) -> Flow<Done> {
    let (workload, namespace) = (cx.workload(), cx.canary.namespace());
    let target_at = workload.kind().named(namespace, &cx.canary.spec.target_ref.name);
    let primary_at = workload
        .kind()
        .named(namespace, &workload.primary_name(&cx.canary.spec));
    let (target, primary) = (cx.object(&target_at), cx.object(&primary_at));
    let has_pods = |seen: &Seen| seen.present().is_some_and(|workload| pods::available(workload) > 0);
    cx.warn(cause.to_owned());
    cx.alert(alert::deadline_exceeded(cause));
    if has_pods(&target) && !has_pods(&primary) {
        route(cx, Split::CANARY)?;
        return Ok(rollback::kept(cx));
    }
    route(cx, Split::PRIMARY)?;
    if let (Seen::Present(target), true) = (&target, has_pods(&primary)) {
        rollback::tell_failed(cx);
        let writes = pods::scaling(cx, &target_at, target, 0);
        cx.write(writes)?;
    }
    let note = format!("Canary analysis failed: {cause}.");
    Ok(rollback::fail(cx, 0, Some(note)))
}

/// Bring the route to `wanted`. It needs neither the target nor its selector.
fn route(cx: &mut Cx<'_>, wanted: Split) -> Flow<()> {
    let name = cx.canary.spec.provider.as_deref().unwrap_or(&cx.settings.mesh_provider);
    let Some(provider) = routes::provider(name) else {
        return Err(cx.blocked(format!("spec.provider: {}", routes::hint(name))));
    };
    let refs: Vec<ObjectRef> = provider.objects(cx.canary);
    let seen: Vec<Seen> = refs.iter().map(|at| cx.object(at)).collect();
    let context = Context {
        canary: cx.canary,
        current: seen.iter().map(|seen| seen.present().map(|object| &**object)).collect(),
        selector_key: None,
        selector_value: None,
        entropy: cx.entropy,
        flags: Flags::of(cx.settings),
    };
    match provider.writes(&context, wanted) {
        Ok(writes) => {
            let cookies = provider.cookies(&context, wanted);
            cx.write(writes.into_iter().map(Some))?;
            cx.give_out(cookies);
            Ok(())
        }
        Err(refused) => Err(cx.blocked(refused.to_string())),
    }
}
