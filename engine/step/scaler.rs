//! The autoscaler of the target and its copy for the primary: when which of them is written (workloads.md 14).

use super::{Cx, Flow, outage};
use crate::{
    objects::is_controlled_by,
    scalers::Scaler,
    seam::{Seen, Write},
};

/// Make the primary's copy where it is missing, also one that was lost.
pub(super) fn ensure(cx: &mut Cx<'_>) -> Flow<()> {
    write(cx, false)
}

/// Bring the primary's copy to the target's scaler, with a promotion only (document 004).
pub(super) fn sync(cx: &mut Cx<'_>) -> Flow<()> {
    write(cx, true)
}

/// A copy that this Canary does not control is a scaler of the user's own for the primary: it is never written (document 004).
fn write(cx: &mut Cx<'_>, sync: bool) -> Flow<()> {
    let Some((scaler, given)) = Scaler::of(cx.canary) else {
        return Ok(());
    };
    let kind = scaler.kind();
    let source_at = kind.named(cx.canary.namespace(), &given.name);
    let primary_at = kind.named(cx.canary.namespace(), &format!("{}-primary", given.name));
    let source = match cx.object(&source_at) {
        Seen::Present(source) => source,
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
    if current.is_some_and(|current| !sync || !is_controlled_by(current, cx.canary)) {
        return Ok(());
    }
    let desired = scaler.primary(cx.canary, given, &source, current);
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
