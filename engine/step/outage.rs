//! Something that a run cannot do without is gone in the middle of it: its target, a mandatory config, the referenced scaler.

use crds::Phase;

use super::{Cx, Flow, Pause, ensure, promote, rollback};
use crate::{
    ObjectRef,
    alerts::texts as alert,
    routes::{self, Context, Split},
    seam::{Done, Seen},
};

/// Whether there is a run that must come to an end (L2). Idle phases wait for what is missing, as long as it takes.
pub(super) fn ends_runs(phase: Phase) -> bool {
    matches!(phase, Phase::Progressing | Phase::WaitingPromotion | Phase::Promoting)
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

/// Something else is gone: it may come back until the deadline, then the run ends.
pub(super) fn without_part(cx: &mut Cx<'_>, cause: String) -> Pause {
    if !ends_runs(cx.phase) {
        return cx.blocked(cause);
    }
    if ensure::is_overdue(cx) {
        let seconds = cx.canary.spec.progress_deadline_seconds();
        let cause = format!("{cause}; exceeded its progressDeadlineSeconds: {seconds}");
        return ended(end_run(cx, &cause));
    }
    cx.warn(cause.clone());
    let mut done = cx.wake_in("blocked", cause, cx.interval());
    done.wake = done.wake.map(|wake| wake.min(ensure::end_of_patience(cx)));
    Pause::end(done)
}

fn ended(end: Flow<Done>) -> Pause {
    match end {
        Ok(done) => Pause::end(done),
        Err(pause) => pause,
    }
}

/// All traffic to the primary, unless only the canary has pods (S1, S2). Made from what is left: there is no release to speak of.
fn end_run(cx: &mut Cx<'_>, cause: &str) -> Flow<Done> {
    let (workload, namespace) = (cx.workload(), cx.canary.namespace());
    let target_at = workload.kind().named(namespace, &cx.canary.spec.target_ref.name);
    let primary_at = workload
        .kind()
        .named(namespace, &workload.primary_name(&cx.canary.spec));
    let (target, primary) = (cx.object(&target_at), cx.object(&primary_at));
    let has_pods = |seen: &Seen| seen.present().is_some_and(|workload| ensure::available(workload) > 0);
    cx.warn(cause.to_owned());
    cx.alert(alert::deadline_exceeded(cause));
    if has_pods(&target) && !has_pods(&primary) {
        route(cx, Split::CANARY)?;
        return Ok(rollback::kept(cx));
    }
    route(cx, Split::PRIMARY)?;
    if let (Seen::Present(target), true) = (&target, has_pods(&primary)) {
        rollback::tell_failed(cx);
        let writes = ensure::scaling(cx, &target_at, target, 0);
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
    };
    match provider.writes(&context, wanted) {
        Ok(writes) => cx.write(writes.into_iter().map(Some)).map(drop),
        Err(refused) => Err(cx.blocked(refused.to_string())),
    }
}
