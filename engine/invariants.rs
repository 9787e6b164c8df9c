//! What must hold, written once with ids (peers.md 5.2). S1, S2, S3, S5, S6, S7 and L2 are about a step: checked by the model after
//! every call of `step`, by the tests that explore it, and in production as a counter. S4, L1, L3, L4 and L5 are about whole runs
//! ([`runs`]) and asked by the search, the crash tests and the simulation.

use crds::{Canary, CanaryStatus, Phase};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

use crate::{
    json::merge,
    metrics::policy::{self, Policy},
    objects::{self, kinds},
    routes::{self, Context, Flags, Split},
    seam::{Act, Check, Seen, Step, Write},
    settings::INTERVAL_FLOOR,
    status::{GATEWAY_NOT_ACCEPTED, HELD},
    step::Input,
    workloads::{
        Workload,
        knative::{PRIMARY_REVISION, latest},
    },
};

pub mod runs;
mod shares;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Its id, such as `S1`.
    pub id: &'static str,
    /// What happened.
    pub what: String,
}

/// Weights of every route write sum to 100.
pub const WEIGHTS_SUM: &str = "S1-sum";
/// Where the canary has no share, no rule leads to it: no cookie keeps a user on a version that was rolled back.
pub const NO_LEAK: &str = "S1-leak";
/// No write raises the share of a version that has no available pods while the other one has some.
pub const NEVER_DARK: &str = "S1-dark";
/// The only version with available pods is never scaled down.
pub const LAST_STANDING: &str = "S2";
/// Only a revision that was analysed, whose last check passed in the very step that copies it, with failed checks below the threshold,
/// reaches the primary; or one whose analysis the user skips; or, before there ever was a ready primary, the one that serves.
pub const ANALYSED_ONLY: &str = "S3";
/// A step writes only inside its canary's namespace.
pub const OWN_NAMESPACE: &str = "S5";
/// No write without a difference.
pub const NO_IDLE_WRITE: &str = "S7";
/// Nothing is written for a suspended canary, unless it is being deleted.
pub const SUSPENDED_RESTS: &str = "S7-suspended";
/// Every phase of a run ends by its deadline, except under a closed gate or a suspension, which the status names.
pub const IN_TIME: &str = "L2";

/// What a step may take beyond the deadline: a check whose hooks and queries are answered at the last moment, and a rollback whose
/// first writes fail and are tried again.
const SLACK: Duration = Duration::from_mins(1);

/// Check one answer of `step` against what it was told.
pub fn check(input: &Input<'_>, step: &Step) -> Vec<Violation> {
    let (writes, checks) = match step {
        Step::Do { writes, checks } => (writes, checks),
        Step::Done(done) => return runs::upgrade_rests(input, done).into_iter().collect(),
        Step::Ask(_) => return Vec::new(),
    };
    let mut found = Vec::new();
    rests_while_suspended(input, writes, &mut found);
    for write in writes {
        changes_something(input, write, &mut found);
        stays_at_home(input, write, &mut found);
        keeps_traffic_lit(input, write, &mut found);
        keeps_last_standing(input, write, &mut found);
        promotes_analysed_only(input, write, checks, &mut found);
    }
    found
}

/// The phase of a run that has lasted longer than it may (L2). A status is written whenever a run moves, so its age is the time that
/// nothing has moved: at most until the next check, then until the deadline for pods. Phases that wait for a person by name are
/// exempt: a gate, a suspension.
pub fn overdue(canary: &Canary, watched_since: Option<Timestamp>, now: Timestamp) -> Option<Violation> {
    let status = canary.status.as_ref()?;
    let runs = matches!(
        status.phase,
        Phase::Initializing | Phase::Progressing | Phase::Promoting | Phase::Finalising | Phase::Terminating
    );
    let held = status.condition(HELD);
    let waits_for_a_person = held.is_some_and(|held| held.reason != GATEWAY_NOT_ACCEPTED);
    if !runs || waits_for_a_person || canary.spec.suspend == Some(true) {
        return None;
    }
    let since = status
        .last_transition_time?
        .max(watched_since.unwrap_or(Timestamp::MIN));
    let interval = canary
        .spec
        .analysis
        .clone()
        .unwrap_or_default()
        .interval(INTERVAL_FLOOR);
    let deadline = Duration::from_secs(u64::try_from(canary.spec.progress_deadline_seconds()).unwrap_or(0));
    // The check that is due, the wait for pods, the check that finds it over.
    let longest = interval
        .saturating_mul(2)
        .saturating_add(deadline)
        .saturating_add(SLACK);
    let age = now.duration_since(since);
    let is_late = age > SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX);
    is_late.then(|| Violation {
        id: IN_TIME,
        what: format!("{} has lasted {} s without a move", status.phase, age.as_secs()),
    })
}

fn rests_while_suspended(input: &Input<'_>, writes: &[Write], found: &mut Vec<Violation>) {
    let suspended = input.canary.spec.suspend == Some(true) && input.canary.metadata.deletion_timestamp.is_none();
    // The finalizer promises a revert, and whoever suspends a canary may delete it next.
    let mut others = writes.iter().filter(|write| write.object.kind != kinds::CANARY);
    if let (true, Some(first)) = (suspended, others.next()) {
        found.push(Violation {
            id: SUSPENDED_RESTS,
            what: format!("{} is written", first.object),
        });
    }
}

fn changes_something(input: &Input<'_>, write: &Write, found: &mut Vec<Violation>) {
    let (Act::Merge { resource_version, .. }, Seen::Present(before)) = (&write.act, input.view.object(&write.object))
    else {
        return;
    };
    // Made for what an earlier write of this step has left, which the view does not show.
    if resource_version != objects::resource_version(&before) {
        return;
    }
    if write.object.kind != kinds::CANARY && *before == after(write, Some(&before)) {
        found.push(Violation {
            id: NO_IDLE_WRITE,
            what: format!("{} is written without a difference", write.object),
        });
    }
}

fn stays_at_home(input: &Input<'_>, write: &Write, found: &mut Vec<Violation>) {
    // A kind without namespaces has its route's name to itself.
    if write.object.kind.is_namespaced() && write.object.namespace != input.canary.namespace() {
        found.push(Violation {
            id: OWN_NAMESPACE,
            what: format!("{} is outside the namespace", write.object),
        });
    }
}

fn keeps_traffic_lit(input: &Input<'_>, write: &Write, found: &mut Vec<Violation>) {
    let name = input
        .canary
        .spec
        .provider
        .as_deref()
        .unwrap_or(&input.settings.mesh_provider);
    let Some(provider) = routes::provider(name) else { return };
    let objects = provider.objects(input.canary);
    let Some(place) = objects.iter().position(|at| *at == write.object) else {
        return;
    };
    let seen: Vec<Seen> = objects.iter().map(|at| input.view.object(at)).collect();
    let before: Vec<Option<&Value>> = seen.iter().map(|seen| seen.present().map(|object| &**object)).collect();
    let written = after(write, before.get(place).copied().flatten());
    let mut next = before.clone();
    if let Some(object) = next.get_mut(place) {
        *object = Some(&written);
    }
    let split = |current: Vec<Option<&Value>>| {
        let context = Context {
            canary: input.canary,
            current,
            selector_key: None,
            selector_value: None,
            entropy: 0,
            flags: Flags::of(input.settings),
        };
        provider.observed(&context).ok()
    };
    let Some(wanted) = split(next) else { return };
    if wanted.primary + wanted.canary != 100 || !shares::sum_to_100(&written, input.canary) {
        found.push(Violation {
            id: WEIGHTS_SUM,
            what: format!("{} gets {}/{}", write.object, wanted.primary, wanted.canary),
        });
    }
    if wanted.canary == 0 && shares::leak(&written, input.canary) {
        found.push(Violation {
            id: NO_LEAK,
            what: format!("{} has a rule that leads to the canary at 100/0", write.object),
        });
    }
    let was = split(before).unwrap_or(Split::PRIMARY);
    let (primary, canary) = available(input);
    let dark = (wanted.primary > was.primary && primary == 0 && canary > 0)
        || (wanted.canary > was.canary && canary == 0 && primary > 0);
    if dark {
        let what = format!(
            "{} goes to {}/{} with {primary}/{canary} available",
            write.object, wanted.primary, wanted.canary
        );
        found.push(Violation { id: NEVER_DARK, what });
    }
}

fn keeps_last_standing(input: &Input<'_>, write: &Write, found: &mut Vec<Violation>) {
    let spec = &input.canary.spec;
    let workload = workload(input);
    if write.object.kind != workload.kind() || !matches!(write.act, Act::Merge { .. }) {
        return;
    }
    let seen = input.view.object(&write.object);
    let next = after(write, seen.present().map(|object| &**object));
    if workload.replicas(&next) != 0 {
        return;
    }
    let (primary, canary) = available(input);
    let (own, other) = if write.object.name == spec.target_ref.name {
        (canary, primary)
    } else {
        (primary, canary)
    };
    if own > 0 && other == 0 {
        found.push(Violation {
            id: LAST_STANDING,
            what: format!("{} is the only version with pods", write.object),
        });
    }
}

fn promotes_analysed_only(input: &Input<'_>, write: &Write, checks: &[Check], found: &mut Vec<Violation>) {
    let spec = &input.canary.spec;
    let workload = workload(input);
    let is_primary = write.object.kind == workload.kind() && write.object.name == workload.primary_name(spec);
    let (true, Act::Merge { patch, .. }) = (is_primary, &write.act) else {
        return;
    };
    let status = input.canary.status.clone().unwrap_or_default();
    let target = input
        .view
        .object(&workload.kind().named(input.canary.namespace(), &spec.target_ref.name));
    let carries = match workload {
        Workload::Deployment | Workload::DaemonSet => patch["spec"].get("template").is_some(),
        Workload::Service => patch.get("spec").is_some(),
        // A lost annotation that is put back names no other revision than before.
        Workload::Knative => {
            let name = patch["metadata"]["annotations"][PRIMARY_REVISION].as_str();
            let latest = target.present().and_then(|target| latest(target));
            status.phase.is_running() && name.is_some() && name == latest
        }
    };
    if !carries {
        return;
    }
    let revision = target.present().map(|target| workload.revision(target));
    let analysed = revision == status.last_applied_spec;
    let threshold = spec.analysis.as_ref().map_or(1, crds::analysis::Analysis::threshold);
    let in_time = matches!(status.phase, Phase::Progressing | Phase::WaitingPromotion);
    let measured = spec
        .analysis
        .as_ref()
        .is_none_or(|analysis| analysis.metrics.is_empty())
        || !checks.is_empty();
    // What the owner has the run ignore is no failure (AN-12); a verdict that says bad never is.
    let bad = |check: &&Check| policy::of(input.canary, check.verdict) != Policy::Ignore;
    let failing = checks.iter().filter(bad).count();
    let passed = measured && failing == 0;
    let allowed = spec.skips_analysis() || (passed && status.failed_checks < threshold);
    if is_first_primary(input, &status) || (analysed && in_time && allowed) {
        return;
    }
    found.push(Violation {
        id: ANALYSED_ONLY,
        what: format!(
            "{} in {} with {} failed checks before and {failing} of {} now",
            write.object,
            status.phase,
            status.failed_checks,
            checks.len()
        ),
    });
}

/// Initialisation mends a first primary that has no pods: nothing is promoted, the target serves (W-16).
fn is_first_primary(input: &Input<'_>, status: &CanaryStatus) -> bool {
    let promoted = status.last_promoted_spec.as_deref().unwrap_or_default();
    let (primary, canary) = available(input);
    let starts = status.phase.is_initializing() || status.phase == Phase::Failed;
    starts && promoted.is_empty() && primary == 0 && canary > 0
}

/// Available pods of primary and target.
fn available(input: &Input<'_>) -> (i64, i64) {
    let (spec, workload) = (&input.canary.spec, workload(input));
    let of = |name: &str| {
        let seen = input
            .view
            .object(&workload.kind().named(input.canary.namespace(), name));
        seen.present().map_or(0, |object| workload.available(object))
    };
    (of(&workload.primary_name(spec)), of(&spec.target_ref.name))
}

fn workload(input: &Input<'_>) -> Workload {
    Workload::of(&input.canary.spec.target_ref).unwrap_or(Workload::Deployment)
}

/// The object as the write leaves it.
fn after(write: &Write, before: Option<&Value>) -> Value {
    match &write.act {
        Act::Create(object) => object.clone(),
        Act::Merge { patch, .. } => {
            let mut object = before.cloned().unwrap_or_default();
            merge(&mut object, patch);
            object
        }
        Act::Delete { .. } => Value::Null,
    }
}
