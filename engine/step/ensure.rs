//! The objects that must be there in every phase: Services, primary, apex, route. Repaired when they differ, never touched otherwise.

use crds::{Phase, analysis::Strategy};
use jiff::Timestamp;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Cx, Flow,
    configs::{self, Configs},
    context::{Pause, after},
    outage, prepare, promote, strategy,
};
use crate::{
    ObjectRef,
    objects::kinds,
    readiness::{self, Readiness, Side},
    revision,
    routes::{self, Context, Provider, Split},
    seam::{Seen, Write},
    services::{self, Port, Role, Selector},
    workloads,
};

/// The target as it was found.
pub(super) struct Target {
    pub(super) at: ObjectRef,
    pub(super) object: Arc<Value>,
    pub(super) selector: Selector,
    pub(super) ports: Vec<Port>,
}

/// Everything a phase needs to know about the release.
pub(super) struct Release {
    pub(super) target: Target,
    pub(super) primary_at: ObjectRef,
    pub(super) primary: Arc<Value>,
    /// Hash of the target's revision.
    pub(super) revision: String,
    pub(super) configs: Configs,
    pub(super) provider: &'static Provider,
    /// Weights as the route has them now.
    pub(super) split: Split,
    /// Route objects as this step has written them: the view still shows the older ones.
    written: BTreeMap<ObjectRef, Arc<Value>>,
}

/// Route objects as they are; `None` where there is none.
type Current = Vec<Option<Arc<Value>>>;

/// Find the target, its selector and its ports.
pub(super) fn target(cx: &mut Cx<'_>) -> Flow<Target> {
    let at = kinds::DEPLOYMENT.named(cx.canary.namespace(), &cx.canary.spec.target_ref.name);
    let Seen::Present(object) = cx.object(&at) else {
        let message = format!("{at} is not there; create it, or correct spec.targetRef");
        if outage::ends_runs(cx.phase) || cx.phase == Phase::Finalising {
            return Err(outage::without_target(cx, &message));
        }
        return Err(prepare::refuse(cx, prepare::NO_TARGET, message));
    };
    prepare::take_back(cx, prepare::NO_TARGET)?;
    let selector = match services::selector(&object, &cx.settings.selector_labels) {
        Ok(selector) => selector,
        Err(error) => return Err(cx.blocked(format!("{at}: {error}"))),
    };
    let (ports, notes) = services::discovered_ports(cx.canary, &object);
    if cx.phase.is_initializing() {
        for note in notes {
            cx.warn(note);
        }
    }
    Ok(Target {
        at,
        object,
        selector,
        ports,
    })
}

/// Make or repair all generated objects, in the order that keeps traffic flowing: a Service before what it selects, the primary
/// ready before the apex points at it, the route last.
pub(super) fn objects(cx: &mut Cx<'_>, target: Target) -> Flow<Release> {
    let writes = [Role::Canary, Role::Primary].map(|role| service(cx, role, &target));
    cx.write(writes)?;
    let configs = configs::of(cx, &target.object["spec"]["template"])?;
    let primary_at = kinds::DEPLOYMENT.named(cx.canary.namespace(), &cx.canary.spec.primary_name());
    let primary = match cx.object(&primary_at) {
        Seen::Present(primary) => primary,
        Seen::Absent | Seen::NoSuchKind => promote::create_primary(cx, &target, &primary_at, &configs)?,
    };
    if cx.phase.is_initializing() {
        wait_for_first_primary(cx, &primary)?;
    }
    promote::ensure_scaler(cx)?;
    let apex = service(cx, Role::Apex, &target);
    cx.write([apex])?;

    let name = cx.canary.spec.provider.as_deref().unwrap_or(&cx.settings.mesh_provider);
    let Some(provider) = routes::provider(name) else {
        return Err(cx.blocked(format!("spec.provider: {}", routes::hint(name))));
    };
    let revision = revision::of_deployment(&target.object);
    let mut release = Release {
        target,
        primary_at,
        primary,
        revision,
        configs,
        provider,
        split: Split::PRIMARY,
        written: BTreeMap::new(),
    };
    keep_route(cx, &mut release)?;
    Ok(release)
}

/// The target is not scaled down, nor the apex moved, before the first primary is ready; also without analysis (W-16, W-17).
fn wait_for_first_primary(cx: &mut Cx<'_>, primary: &Value) -> Flow<()> {
    match primary_readiness(cx, primary) {
        Readiness::Ready => Ok(()),
        Readiness::NotReady { message, .. } if cx.now >= cx.due() => Err(cx.blocked(message)),
        // Pods need a moment; that is nothing to warn of before an interval has passed.
        Readiness::NotReady { message, .. } => {
            let mut done = cx.idle(message);
            done.wake = Some(cx.due());
            Err(Pause::end(done))
        }
    }
}

fn service(cx: &Cx<'_>, role: Role, target: &Target) -> Option<Write> {
    let at = kinds::SERVICE.named(cx.canary.namespace(), &services::name(cx.canary, role));
    let seen = cx.object(&at);
    let current = seen.present().map(|object| &**object);
    let desired = services::desired(cx.canary, role, &target.selector, &target.ports, current);
    Write::towards(at, current, desired)
}

/// Repair the route without losing its weights (W-8), and hold an idle canary's at 100/0 (W-11).
fn keep_route(cx: &mut Cx<'_>, release: &mut Release) -> Flow<()> {
    let observed = observed(cx, release)?;
    release.split = observed.unwrap_or_else(|| lit(release, from_status(cx)));
    let wanted = if rests_on_primary(cx, release) {
        Split::PRIMARY
    } else {
        let mirrored = keeps_mirror(cx, release);
        Split {
            mirrored,
            ..release.split
        }
    };
    shift(cx, release, wanted)
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

/// Weights of a route that is missing: those of the run, so that a deleted route does not throw the run back.
fn from_status(cx: &Cx<'_>) -> Split {
    let (status, analysis) = (cx.status(), cx.analysis());
    let counts = matches!(cx.phase, Phase::Progressing | Phase::WaitingPromotion);
    // Runs that count rounds keep no weight in the status: the round tells.
    let has_all = match analysis.strategy() {
        Strategy::Canary => false,
        Strategy::AbTesting => counts && status.iterations > 0,
        Strategy::BlueGreen => counts && status.iterations > analysis.iterations(),
    };
    if has_all {
        return Split::CANARY;
    }
    let keeps = counts || matches!(cx.phase, Phase::Waiting | Phase::Promoting | Phase::Failed);
    Split::of(if keeps { status.canary_weight.clamp(0, 100) } else { 0 })
}

/// The split, unless it would give traffic to a version without available pods while the other one has some (S1).
fn lit(release: &Release, wanted: Split) -> Split {
    match (available(&release.primary) > 0, available(&release.target.object) > 0) {
        (true, false) => Split::PRIMARY,
        (false, true) => Split::CANARY,
        _ => wanted,
    }
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
        Err(refused) => return Err(cx.blocked(refused.to_string())),
    }
    release.split = wanted;
    Ok(())
}

fn goes_dark(release: &Release, wanted: Split) -> bool {
    let (primary, canary) = (available(&release.primary), available(&release.target.object));
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
            Seen::NoSuchKind => return Err(not_installed(cx, &at)),
        }
    }
    Ok(current)
}

fn not_installed(cx: &mut Cx<'_>, at: &ObjectRef) -> Pause {
    let kind = at.kind;
    cx.blocked(format!(
        "{} {} is not installed in this cluster; install its CRD to go on",
        kind.kind,
        kind.api_version()
    ))
}

fn context<'c>(cx: &Cx<'c>, release: &'c Release, current: &'c [Option<Arc<Value>>]) -> Context<'c> {
    Context {
        canary: cx.canary,
        current: current.iter().map(|object| object.as_deref()).collect(),
        selector_key: Some(&release.target.selector.key),
        entropy: cx.entropy,
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

/// Pods of a workload that are available.
pub(super) fn available(workload: &Value) -> i64 {
    workload["status"]["availableReplicas"].as_i64().unwrap_or(0)
}

pub(super) fn primary_readiness(cx: &Cx<'_>, primary: &Value) -> Readiness {
    readiness(cx, primary, Side::Primary, cx.analysis().primary_ready_threshold())
}

pub(super) fn canary_readiness(cx: &Cx<'_>, target: &Value) -> Readiness {
    readiness(cx, target, Side::Canary, cx.analysis().canary_ready_threshold())
}

/// The wait counts from the last status write (entering the phase, the last step, the end of a suspension) or the last check, which
/// found all pods ready: behind a gate that is closed for an hour a moment without pods is not an hour's wait.
fn waiting_since(cx: &Cx<'_>) -> Timestamp {
    cx.status().last_transition_time.max(cx.last_check).unwrap_or(cx.now)
}

fn readiness(cx: &Cx<'_>, workload: &Value, side: Side, threshold_percent: i64) -> Readiness {
    let name = match side {
        Side::Primary => format!("{}.{}", cx.canary.spec.primary_name(), cx.canary.namespace()),
        Side::Canary => cx.target_name(),
    };
    let seconds = cx.canary.spec.progress_deadline_seconds();
    let since = waiting_since(cx);
    readiness::deployment(Some(workload), &name, threshold_percent, seconds, since, cx.now, side)
}

/// As [`readiness`], in a run: whatever the cause is, waiting ends with the deadline, so that no phase lasts for ever (L2).
pub(super) fn in_time(cx: &Cx<'_>, readiness: Readiness) -> Readiness {
    let (seconds, end) = (cx.canary.spec.progress_deadline_seconds(), end_of_patience(cx));
    match readiness {
        Readiness::NotReady {
            message,
            final_: false,
            deadline,
        } if cx.now >= end => {
            let message = format!("{message}; exceeded its progressDeadlineSeconds: {seconds}");
            Readiness::NotReady {
                message,
                final_: true,
                deadline,
            }
        }
        Readiness::NotReady {
            message,
            final_,
            deadline,
        } => Readiness::NotReady {
            message,
            final_,
            deadline: Some(deadline.map_or(end, |deadline| deadline.min(end))),
        },
        Readiness::Ready => Readiness::Ready,
    }
}

/// When waiting ends: `progressDeadlineSeconds` after the last status write or check.
pub(super) fn end_of_patience(cx: &Cx<'_>) -> Timestamp {
    let seconds = cx.canary.spec.progress_deadline_seconds();
    let patience = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    after(waiting_since(cx), patience)
}

/// Whether `progressDeadlineSeconds` have passed since the last status write or check.
pub(super) fn is_overdue(cx: &Cx<'_>) -> bool {
    cx.now >= end_of_patience(cx)
}

/// Only the target has available pods.
pub(super) fn only_canary_serves(release: &Release) -> bool {
    available(&release.primary) == 0 && available(&release.target.object) > 0
}

/// The write that scales the target. Never to zero while it is the only version with available pods (S2).
pub(super) fn scale_target(cx: &mut Cx<'_>, release: &Release, replicas: i64) -> Flow<()> {
    let target = &release.target;
    if replicas == 0 && only_canary_serves(release) {
        return Err(cx.blocked(format!(
            "not scaling down {}: the primary has no available pods",
            cx.target_name()
        )));
    }
    let desired = workloads::scaled(&target.object, replicas);
    let write = Write::towards(target.at.clone(), Some(&target.object), desired);
    cx.write([write]).map(drop)
}
