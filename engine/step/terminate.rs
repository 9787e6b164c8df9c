//! Deletion with `revertOnDeletion`: put back what was there before, in bounded time, then let the object go (W-43, W-44, WL-28).

use crds::Phase;
use jiff::Timestamp;
use std::time::Duration;

use super::{
    Cx, Flow,
    context::{Pause, after},
    pods, prepare, scaler, texts,
};
use crate::{
    objects::kinds,
    readiness::Readiness,
    routes::{self, Context, Flags},
    seam::{Done, Event, Seen, Write},
    services::{self, Role},
    status::PROMOTED,
    workloads::{self, Workload, knative},
};

/// A target that is not ready after this long no longer holds up the deletion. The peer tries for at most 21 s; a minute covers a slow image pull.
const PATIENCE: Duration = Duration::from_mins(1);

/// Message of the condition while the Canary is being deleted; the phase before follows.
const DELETED_IN: &str = "The canary is being deleted and its changes are being reverted; its phase was ";

/// End the step when the Canary is being deleted.
pub(super) fn when_deleted(cx: &mut Cx<'_>) -> Flow<()> {
    if cx.canary.metadata.deletion_timestamp.is_none() {
        return Ok(());
    }
    let ours = cx
        .canary
        .metadata
        .finalizers
        .iter()
        .flatten()
        .any(|name| name == prepare::FINALIZER);
    let done = match (ours, cx.phase) {
        (false, _) => cx.idle("the canary is being deleted"),
        (true, Phase::Terminating) => revert(cx)?,
        (true, _) => announce(cx),
    };
    Err(Pause::end(done))
}

fn announce(cx: &mut Cx<'_>) -> Done {
    cx.say(texts::terminating(&cx.canary_name()));
    let note = format!("{DELETED_IN}{}", cx.phase);
    let draft = cx
        .draft()
        .phase(Phase::Terminating, cx.kind(), Some(note))
        .with(|status| {
            status.canary_weight = 0;
            status.iterations = 0;
        });
    cx.save("terminate", "the canary is being deleted", draft, cx.now)
}

/// Target first, then the apex, then the route, then the finalizer. What is missing counts as done.
fn revert(cx: &mut Cx<'_>) -> Flow<Done> {
    let namespace = cx.canary.namespace();
    let workload = cx.workload();
    let at = workload.kind().named(namespace, &cx.canary.spec.target_ref.name);
    if let Seen::Present(target) = cx.object(&at) {
        let primary = cx.object(
            &workload
                .kind()
                .named(namespace, &workload.primary_name(&cx.canary.spec)),
        );
        let primary = primary.present().map(|object| &**object);
        let serving = primary.map_or(0, |primary| workload.replicas(primary));
        let replicas = match serving.max(workload.replicas(&target)) {
            0 => workloads::replicas_anew(&target, scaler::minimum(cx)),
            some => some,
        };
        for write in pods::scaling(cx, &at, &target, replicas) {
            attempt(cx, write)?;
        }
        let is_ready = wait_for_target(cx, &target)?;
        if workload == Workload::Knative {
            let at = workload.kind().named(namespace, &cx.canary.spec.target_ref.name);
            let write = Write::towards(at, Some(&target), knative::released(&target, is_ready));
            attempt(cx, write)?;
        }
        if workload.has_pods() {
            revert_apex(cx, &target)?;
        }
    }
    revert_route(cx)?;
    let release = prepare::finalizer_write(cx, false);
    cx.write([release])?;
    cx.event(Event::normal(phase_before(cx), texts::terminated(&cx.canary_name())));
    Ok(cx.idle("the canary is gone"))
}

/// The phase in which the Canary was deleted: the events of its deletion carry it (observed `delete-revert`).
fn phase_before(cx: &Cx<'_>) -> Phase {
    let status = cx.status();
    let message = status
        .condition(PROMOTED)
        .and_then(|condition| condition.message.as_deref());
    message
        .and_then(|message| message.strip_prefix(DELETED_IN))
        .and_then(|phase| serde_json::from_value(phase.into()).ok())
        .unwrap_or(cx.phase)
}

/// A write that is refused holds up the deletion as long as a target that is not ready, and then no longer. One that met a newer version
/// or no answer is tried again, however late it is: to go on without it would leave users on Services whose pods go with the Canary (SV-14).
fn attempt(cx: &mut Cx<'_>, write: Option<Write>) -> Flow<()> {
    match cx.write([write]) {
        Err(Pause::End(_)) if cx.was_refused && cx.now >= patience_ends(cx) => Ok(()),
        Err(pause) => Err(pause),
        Ok(_) => Ok(()),
    }
}

fn patience_ends(cx: &Cx<'_>) -> Timestamp {
    after(cx.status().last_transition_time.unwrap_or(cx.now), PATIENCE)
}

/// Whether the target got ready in time.
fn wait_for_target(cx: &mut Cx<'_>, target: &serde_json::Value) -> Flow<bool> {
    let patience_ends = patience_ends(cx);
    match pods::canary_readiness(cx, target) {
        Readiness::Ready => Ok(true),
        Readiness::NotReady { message, .. } if cx.now >= patience_ends => {
            cx.warn(format!("{message}; the deletion goes on without waiting any longer"));
            Ok(false)
        }
        Readiness::NotReady { message, .. } => {
            let mut done = cx.idle(message);
            done.wake = Some(patience_ends);
            Err(Pause::end(done))
        }
    }
}

fn revert_apex(cx: &mut Cx<'_>, target: &serde_json::Value) -> Flow<()> {
    let at = kinds::SERVICE.named(cx.canary.namespace(), &services::name(cx.canary, Role::Apex));
    let Seen::Present(apex) = cx.object(&at) else {
        return Ok(());
    };
    let Ok(selector) = services::selector(target, &cx.settings.selector_labels) else {
        return Ok(());
    };
    let write = services::reverted_apex(&selector, &apex).and_then(|desired| Write::towards(at, Some(&apex), desired));
    attempt(cx, write)
}

/// A route that was there before the Canary gets back what it said (routers-mesh.md 3.6).
fn revert_route(cx: &mut Cx<'_>) -> Flow<()> {
    let name = cx.canary.spec.provider.as_deref().unwrap_or(&cx.settings.mesh_provider);
    let Some(provider) = routes::provider(name) else {
        return Ok(());
    };
    let seen: Vec<Seen> = provider.objects(cx.canary).iter().map(|at| cx.object(at)).collect();
    let context = Context {
        canary: cx.canary,
        current: seen.iter().map(|seen| seen.present().map(|object| &**object)).collect(),
        selector_key: None,
        selector_value: None,
        entropy: cx.entropy,
        flags: Flags::of(cx.settings),
    };
    for write in provider.reverts(&context) {
        attempt(cx, Some(write))?;
    }
    Ok(())
}
