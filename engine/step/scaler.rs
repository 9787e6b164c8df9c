//! The autoscaler of the target and its copy for the primary: when which of them is written (workloads.md 14).

use serde_json::Value;

use super::{Cx, Flow, outage};

use crate::{
    ObjectRef,
    objects::is_controlled_by,
    scalers::Scaler,
    seam::{Seen, Write},
};

/// When the primary's copy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// It is missing.
    Missing,
    /// With a promotion: the source's state, but a floor that was raised for it stays.
    Promotion,
    /// The promotion is over: the source's state.
    End,
}

/// Make the primary's copy where it is missing, also one that was lost.
pub(super) fn ensure(cx: &mut Cx<'_>) -> Flow<()> {
    write(cx, Occasion::Missing)
}

/// Bring the primary's copy to the target's scaler, with a promotion only (document 004), above the floor that [`raise`] gave it.
pub(super) fn sync_raised(cx: &mut Cx<'_>) -> Flow<()> {
    write(cx, Occasion::Promotion)
}

/// Bring the primary's copy to the target's scaler, floor included.
pub(super) fn sync(cx: &mut Cx<'_>) -> Flow<()> {
    write(cx, Occasion::End)
}

/// The write that gives the primary at least as many pods as have served, before it gets their traffic (WL-42): while it had none, its
/// own scaler has let it shrink. [`sync`] hands the floor back.
pub(super) fn raise(cx: &Cx<'_>, served: i64) -> Option<Write> {
    let (scaler, at) = copy_at(cx)?;
    let seen = cx.object(&at);
    let current = seen.present().filter(|current| is_controlled_by(current, cx.canary))?;
    Write::towards(at, Some(current), scaler.raised(current, served))
}

/// The pods that the primary's scaler keeps at least; `None` without one.
pub(super) fn floor(cx: &Cx<'_>) -> Option<i64> {
    let (scaler, at) = copy_at(cx)?;
    let seen = cx.object(&at);
    seen.present().map(|copy| scaler.minimum(copy))
}

fn copy_at(cx: &Cx<'_>) -> Option<(Scaler, ObjectRef)> {
    let (scaler, given) = Scaler::of(cx.canary)?;
    let name = format!("{}-primary", given.name);
    Some((scaler, scaler.kind().named(cx.canary.namespace(), &name)))
}

/// A copy that this Canary does not control is a scaler of the user's own for the primary: it is never written (document 004).
fn write(cx: &mut Cx<'_>, occasion: Occasion) -> Flow<()> {
    let Some((scaler, given)) = Scaler::of(cx.canary) else {
        return Ok(());
    };
    let kind = scaler.kind();
    let source_at = kind.named(cx.canary.namespace(), &given.name);
    let primary_at = kind.named(cx.canary.namespace(), &format!("{}-primary", given.name));
    let source = match cx.object(&source_at) {
        Seen::Present(source) => source,
        // What is left of the run needs no scaler.
        _ if occasion == Occasion::End => return Ok(()),
        Seen::Absent => {
            let cause = format!("{source_at} is not there; create it, or remove spec.autoscalerRef");
            return Err(outage::without_part(cx, cause));
        }
        Seen::NoSuchKind => {
            let (kind, version) = (kind.kind, kind.api_version());
            let cause = format!("{kind} {version} is not installed in this cluster; install its CRD to go on");
            return Err(outage::without_part(cx, cause));
        }
    };
    let seen = cx.object(&primary_at);
    let current = seen.present().map(|object| &**object);
    let is_kept = |current: &Value| occasion == Occasion::Missing || !is_controlled_by(current, cx.canary);
    if current.is_some_and(is_kept) {
        return Ok(());
    }
    let mut desired = scaler.primary(cx.canary, given, &source, current);
    if let (Occasion::Promotion, Some(current)) = (occasion, current) {
        desired = scaler.raised(&desired, scaler.minimum(current));
    }
    let write = Write::towards(primary_at, current, desired);
    cx.write([write]).map(drop)
}

/// The write that keeps the target's scaler from scaling it up again, or lets it go. None where it is not there, or needs none.
pub(super) fn hold(cx: &Cx<'_>, held: bool) -> Option<Write> {
    let (scaler, given) = Scaler::of(cx.canary)?;
    let at = scaler.kind().named(cx.canary.namespace(), &given.name);
    let seen = cx.object(&at);
    let source = seen.present()?;
    let desired = scaler.held(source, held);
    Write::towards(at, Some(source), desired)
}

/// The least number of pods that the target's scaler asks for; `None` without one.
pub(super) fn minimum(cx: &Cx<'_>) -> Option<i64> {
    let (scaler, given) = Scaler::of(cx.canary)?;
    let seen = cx.object(&scaler.kind().named(cx.canary.namespace(), &given.name));
    let source = seen.present();
    Some(source.map_or(1, |source| scaler.minimum(source)))
}
