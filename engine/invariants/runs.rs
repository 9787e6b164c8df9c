//! What must hold of whole runs, of several replicas and of several canaries. No single step can show these, so whoever sees the whole
//! (the search, the crash tests, the simulation) hands over what it saw.

use crds::Phase;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use super::{Violation, workload};
use crate::{
    retry::Policy,
    revision,
    seam::{Done, Seen},
    step::Input,
    workloads::FLAGGER_ID,
};

/// At most one replica writes at any time (W-48).
pub const ONE_WRITER: &str = "S4";
/// A new controller starts no run for an idle canary whose primary runs what its target says.
pub const UPGRADE_RESTS: &str = "S6";
/// With a spec that stays and a cluster that works, a run ends, and its end stays.
pub const CONVERGES: &str = "L1";
/// What failed is tried again after pauses that grow up to a bound, and not for ever.
pub const BACKS_OFF: &str = "L3";
/// A run that was interrupted anywhere ends as one that was not.
pub const CRASH_PROOF: &str = "L4";
/// What one canary waits for makes no other one late.
pub const PUNCTUAL: &str = "L5";

/// How late the step of a canary may be: a tenth of the shortest interval that production allows (10 s).
pub const LATEST: Duration = Duration::from_secs(1);

/// Phases in which a canary may rest when nothing is in its way.
const ENDS: [Phase; 3] = [Phase::Initialized, Phase::Succeeded, Phase::Failed];
/// What the primary's copies of names end in.
const PRIMARY_SUFFIX: &str = "-primary";
/// Share of a pause that chance may take away: a pause is at least half of what it should be.
const LEAST_SHARE: u32 = 2;

/// S4: of writes in order of time, with who made each. A replica that another one has followed writes again only after that one has
/// been silent for the length of the lease.
pub fn one_writer(writes: &[(Timestamp, &str)], lease: Duration) -> Option<Violation> {
    let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
    let mut followed: BTreeSet<&str> = BTreeSet::new();
    for pair in writes.windows(2) {
        let [(before, one), (after, other)] = pair else {
            continue;
        };
        if one == other {
            continue;
        }
        followed.insert(one);
        if followed.contains(other) && after.duration_since(*before) < lease {
            return Some(Violation {
                id: ONE_WRITER,
                what: format!("{other} writes at {after}, {one} wrote at {before}"),
            });
        }
    }
    None
}

/// S6: of the end of a step. The hash that another implementation stored says nothing; the pods of both sides do.
pub(super) fn upgrade_rests(input: &Input<'_>, done: &Done) -> Option<Violation> {
    let before = input.canary.status.as_ref()?;
    let next = done.status.as_ref()?;
    let starts = ENDS.contains(&before.phase) && matches!(next.phase, Phase::Waiting | Phase::Progressing);
    let is_peers = before.last_applied_spec.as_deref().is_some_and(revision::is_peers);
    if !starts || !is_peers {
        return None;
    }
    let (spec, workload) = (&input.canary.spec, workload(input));
    let pods = |name: &str| -> Option<Value> {
        let seen = input
            .view
            .object(&workload.kind().named(input.canary.namespace(), name));
        let Seen::Present(object) = seen else { return None };
        Some(pods_of(&object))
    };
    let (target, primary) = (pods(&spec.target_ref.name)?, pods(&workload.primary_name(spec))?);
    (target == primary && !target.is_null()).then(|| Violation {
        id: UPGRADE_RESTS,
        what: format!("a run starts in {} for what the primary runs", before.phase),
    })
}

/// What a workload's pods run, with the names that the primary has its own copies of as the target has them.
fn pods_of(workload: &Value) -> Value {
    let template = &workload["spec"]["template"];
    if template["spec"].is_null() {
        return Value::Null;
    }
    let mut annotations = template["metadata"]["annotations"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    annotations.remove(FLAGGER_ID);
    let mut pods = serde_json::json!({ "spec": template["spec"], "annotations": annotations });
    as_target(&mut pods);
    pods
}

fn as_target(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_suffix(PRIMARY_SUFFIX) {
                *text = name.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(as_target),
        Value::Object(fields) => fields.values_mut().for_each(as_target),
        _ => {}
    }
}

/// L1: of the phase that a canary was left in by a cluster that works and people who leave it alone.
pub fn came_to_an_end(phase: Phase) -> Option<Violation> {
    (!ENDS.contains(&phase)).then(|| Violation {
        id: CONVERGES,
        what: format!("it rests in {phase}"),
    })
}

/// L1: of something that went on and on.
pub fn endless(what: &str) -> Violation {
    Violation {
        id: CONVERGES,
        what: format!("{what} does not come to an end"),
    }
}

/// L3: of the pauses between the attempts at one operation.
pub fn backs_off(pauses: &[Duration], policy: &Policy) -> Option<Violation> {
    let mut full = policy.first;
    for (number, pause) in pauses.iter().enumerate() {
        let is_last = u32::try_from(number).unwrap_or(u32::MAX) >= policy.attempts.saturating_sub(1);
        if is_last || *pause > policy.longest || *pause < full / LEAST_SHARE {
            return Some(Violation {
                id: BACKS_OFF,
                what: format!("pause {number} of {} is {pause:?}, of {policy:?}", pauses.len()),
            });
        }
        full = full.saturating_mul(2).min(policy.longest);
    }
    None
}

/// L4: of the end of a run that was interrupted, and the ends of those that were not.
pub fn ends_alike<End: PartialEq + Debug>(end: &End, undisturbed: &[End]) -> Option<Violation> {
    (!undisturbed.contains(end)).then(|| Violation {
        id: CRASH_PROOF,
        what: format!("{end:?} is none of {undisturbed:?}"),
    })
}

/// L5: of the greatest lateness of canaries beside one that waits for something that never comes.
pub fn punctual(lateness: Duration) -> Option<Violation> {
    (lateness > LATEST).then(|| Violation {
        id: PUNCTUAL,
        what: format!("{lateness:?} late beside a canary that waits"),
    })
}

#[cfg(test)]
mod tests;
