//! Deletion with `revertOnDeletion`: put back what was there before, in bounded time, then let the object go (W-43, W-44, WL-28).

use crds::Phase;
use std::time::Duration;

use super::{
    Cx, Flow,
    context::{Pause, after},
    ensure, prepare, texts,
};
use crate::{
    objects::kinds,
    readiness::Readiness,
    seam::{Done, Event, Seen, Write},
    services::{self, Role},
    workloads,
};

/// A target that is not ready after this long no longer holds up the deletion. The peer tries for at most 21 s; a minute covers a slow image pull.
const PATIENCE: Duration = Duration::from_mins(1);

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
    let draft = cx.draft().phase(Phase::Terminating, cx.kind(), None).with(|status| {
        status.canary_weight = 0;
        status.iterations = 0;
    });
    cx.save("terminate", "the canary is being deleted", draft, cx.now)
}

/// Target first, then the apex, then the finalizer. What is missing counts as done.
fn revert(cx: &mut Cx<'_>) -> Flow<Done> {
    let namespace = cx.canary.namespace();
    let at = kinds::DEPLOYMENT.named(namespace, &cx.canary.spec.target_ref.name);
    if let Seen::Present(target) = cx.object(&at) {
        let primary = cx.object(&kinds::DEPLOYMENT.named(namespace, &cx.canary.spec.primary_name()));
        let primary = primary.present().map(|object| &**object);
        let replicas = primary
            .map_or(0, workloads::replicas)
            .max(workloads::replicas(&target))
            .max(1);
        let desired = workloads::scaled(&target, replicas);
        let write = Write::towards(at, Some(&target), desired);
        cx.write([write])?;
        wait_for_target(cx, &target)?;
        revert_apex(cx, &target)?;
    }
    let release = prepare::finalizer_write(cx, false);
    cx.write([release])?;
    cx.event(Event::normal(
        stored_or_initialized(cx),
        texts::terminated(&cx.canary_name()),
    ));
    Ok(cx.idle("the canary is gone"))
}

fn stored_or_initialized(cx: &Cx<'_>) -> Phase {
    cx.phase
}

fn wait_for_target(cx: &mut Cx<'_>, target: &serde_json::Value) -> Flow<()> {
    let since = cx.status().last_transition_time.unwrap_or(cx.now);
    let patience_ends = after(since, PATIENCE);
    match ensure::canary_readiness(cx, target) {
        Readiness::Ready => Ok(()),
        Readiness::NotReady { message, .. } if cx.now >= patience_ends => {
            cx.warn(format!("{message}; the deletion goes on without waiting any longer"));
            Ok(())
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
    cx.write([write]).map(drop)
}
