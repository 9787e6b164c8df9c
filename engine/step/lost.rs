//! A primary that has gone is made again from what was promoted, not from what nobody has reviewed (WL-7). Where the cluster does not know
//! that any more, the next release starts anew, as the first one did.

use crds::Phase;
use serde_json::Value;
use std::sync::Arc;

use super::{
    Cx, Flow,
    configs::{self, Configs},
    context::Pause,
    ensure::Target,
    outage, prepare, promote, scaler,
};
use crate::{
    ObjectRef,
    configs::{copy, digest, key},
    hooks::{self, Kind},
    json::set,
    seam::{Outcome, Write},
    workloads::{self, Workload, history},
};

/// Make the primary that is not there: the first one from the target, which serves; a later one from the revision that it had.
pub(super) fn primary(cx: &mut Cx<'_>, target: &Target, at: &ObjectRef, configs: &Configs) -> Flow<Arc<Value>> {
    let promoted = promoted(cx);
    if cx.is_bootstrapping() || promoted.is_empty() {
        return promote::create_primary(cx, target, at, configs);
    }
    if target.workload.revision(&target.object) == promoted || cx.canary.spec.skips_analysis() {
        return make_again(cx, target, at);
    }
    match earlier(cx, target, &promoted)? {
        Some(object) => make_again(cx, &target.with(object), at),
        None if is_next_release(cx, target) => make_anew(cx, target, at, configs),
        None => Err(hold(cx, target, at)),
    }
}

/// Whether the owner has pushed something since the last release that was looked at: it is all there is to serve users with, and what
/// is pushed next may be the cure. Whoever approves releases by hand decides this one by hand, too.
fn is_next_release(cx: &Cx<'_>, target: &Target) -> bool {
    let rests = matches!(cx.phase, Phase::Initialized | Phase::Succeeded | Phase::Failed);
    let seen = cx.status().last_applied_spec;
    rests && !is_approved_by_hand(cx) && seen.as_deref() != Some(&target.workload.revision(&target.object))
}

fn is_approved_by_hand(cx: &Cx<'_>) -> bool {
    let gates = [
        Kind::ConfirmRollout,
        Kind::ConfirmTrafficIncrease,
        Kind::ConfirmPromotion,
    ];
    gates
        .into_iter()
        .any(|kind| !hooks::of_kind(cx.canary, kind).is_empty())
}

/// As at the first initialisation: the target is copied, and its analysis compares the release with itself.
fn make_anew(cx: &mut Cx<'_>, target: &Target, at: &ObjectRef, configs: &Configs) -> Flow<Arc<Value>> {
    let mut writes = promote::config_copies(cx, configs)?;
    writes.push(Write::towards(at.clone(), None, new_primary(cx, target, configs)));
    let made = cx.write(writes)?.pop();
    cx.warn(format!(
        "{at} was gone, and what was promoted is not known any more: it is made anew from the release that {} has now",
        target.at
    ));
    made.ok_or_else(|| cx.blocked(format!("{at} could not be made")))
}

/// The primary with the pods that it needs: those of the target, its scaler or its manifest.
fn new_primary(cx: &Cx<'_>, target: &Target, configs: &Configs) -> Value {
    let mut primary = promote::projected(cx, target, configs).new_primary(&target.object);
    if target.workload == Workload::Deployment {
        let pods = workloads::replicas_anew(&target.object, scaler::floor(cx).or(scaler::minimum(cx)));
        set(&mut primary, &["spec", "replicas"], pods.into());
    }
    primary
}

/// The revision that the primary had, or was getting.
fn promoted(cx: &Cx<'_>) -> String {
    let status = cx.status();
    let revision = match cx.phase {
        Phase::Promoting | Phase::Finalising => status.last_applied_spec,
        _ => status.last_promoted_spec,
    };
    revision.unwrap_or_default()
}

/// The target as it was in this revision, as far as its controller keeps a history.
fn earlier(cx: &mut Cx<'_>, target: &Target, revision: &str) -> Flow<Option<Value>> {
    let Some(question) = history::question(&target.object) else {
        return Ok(None);
    };
    match cx.ask(vec![question.ask()])?.pop() {
        Some(Outcome::Answer(Ok(answer))) => Ok(history::target_of(revision, &target.object, &answer)),
        Some(Outcome::Answer(Err(trouble))) => Err(cx.troubled(&target.at, &trouble)),
        _ => Ok(None),
    }
}

/// Copies of configs outlive the primary and hold what was promoted: they are used as they are, and only lost ones are made again.
fn make_again(cx: &mut Cx<'_>, target: &Target, at: &ObjectRef) -> Flow<Arc<Value>> {
    let mut configs = configs::of(cx, target)?;
    let pairs = configs::pairs(cx, &configs.tracked)?;
    let mut writes = Vec::new();
    for pair in pairs {
        match (&pair.copy, &mut configs.checksums) {
            // The id of the primary tells what it runs with, or a later promotion would be taken for this one.
            (Some(copy), Some(checksums)) => {
                checksums.insert(key(&pair.source_ref), digest(copy).checksum);
            }
            (Some(_), None) => {}
            (None, _) => {
                let desired = copy(cx.canary, &pair.source, None, &cx.settings.include_label_prefixes);
                writes.push(Write::towards(pair.copy_ref, None, desired));
            }
        }
    }
    writes.push(Write::towards(at.clone(), None, new_primary(cx, target, &configs)));
    let made = cx.write(writes)?.pop();
    cx.warn(format!(
        "{at} was gone and is made again from the revision that was promoted"
    ));
    made.ok_or_else(|| cx.blocked(format!("{at} could not be made")))
}

/// Nothing reviewed is left. A run ends, and what is ready gets the traffic; whoever rests waits for the owner.
fn hold(cx: &mut Cx<'_>, target: &Target, at: &ObjectRef) -> Pause {
    let next = if is_approved_by_hand(cx) {
        ""
    } else {
        "push the next release, "
    };
    let cause = format!(
        "{at} is gone, what was promoted is not known any more, and {} has not been analysed; set it back to the promoted revision, \
         {next}make the primary again, or set spec.skipAnalysis",
        target.at
    );
    if outage::ends_runs(cx.phase) {
        return outage::without_primary(cx, &cause);
    }
    if let Err(pause) = outage::light(cx, target) {
        return pause;
    }
    prepare::refuse(cx, prepare::NO_PRIMARY, cause)
}
