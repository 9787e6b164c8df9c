//! The objects that must be there in every phase: Services, primary, apex, route. Repaired when they differ, never touched otherwise.

use crds::{Phase, analysis::Strategy};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

use super::{
    Cx, Flow,
    configs::{self, Configs},
    context::Pause,
    outage, pods, prepare, promote, scaler, strategy,
};
use crate::{
    ObjectRef,
    objects::{self, kinds},
    readiness::Readiness,
    routes::{self, Context, Flags, Provider, Refused, Split, Unready},
    seam::{Seen, Write},
    services::{self, Port, Role, Selector},
    workloads::{self, Workload, knative},
};

/// The target as it was found.
pub(super) struct Target {
    pub(super) workload: Workload,
    pub(super) at: ObjectRef,
    pub(super) object: Arc<Value>,
    /// Empty for a target without pods.
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
    let workload = cx.workload();
    let at = workload
        .kind()
        .named(cx.canary.namespace(), &cx.canary.spec.target_ref.name);
    let Seen::Present(object) = cx.object(&at) else {
        let message = format!("{at} is not there; create it, or correct spec.targetRef");
        if outage::ends_runs(cx.phase) || cx.phase == Phase::Finalising {
            return Err(outage::without_target(cx, &message));
        }
        return Err(prepare::refuse(cx, prepare::NO_TARGET, message));
    };
    prepare::take_back(cx, prepare::NO_TARGET)?;
    if let Some(cause) = workload.impediment(&object) {
        return Err(outage::without_part(cx, format!("{at}: {cause}")));
    }
    let selector = match services::selector(&object, &cx.settings.selector_labels) {
        Ok(selector) => selector,
        Err(_) if !workload.has_pods() => Selector::default(),
        Err(error) => return Err(cx.blocked(format!("{at}: {error}"))),
    };
    let (ports, mut notes) = services::discovered_ports(cx.canary, &object);
    notes.extend(workload.warnings(&object));
    if cx.phase.is_initializing() {
        for note in notes {
            cx.warn(note);
        }
    }
    Ok(Target {
        workload,
        at,
        object,
        selector,
        ports,
    })
}

/// Make or repair all generated objects, in the order that keeps traffic flowing: a Service before what it selects, the primary
/// ready before the apex points at it, the route last.
pub(super) fn objects(cx: &mut Cx<'_>, target: Target) -> Flow<Release> {
    let writes = match target.workload {
        Workload::Deployment | Workload::DaemonSet => [
            service(cx, Role::Canary, &target)?,
            service(cx, Role::Primary, &target)?,
        ],
        Workload::Service => [canary_copy(cx, &target), None],
        Workload::Knative => [None, None],
    };
    cx.write(writes)?;
    let configs = configs::of(cx, &target)?;
    let workload = target.workload;
    let primary_at = workload
        .kind()
        .named(cx.canary.namespace(), &workload.primary_name(&cx.canary.spec));
    let primary = match cx.object(&primary_at) {
        Seen::Present(service) if workload == Workload::Knative => adopt(cx, &primary_at, service)?,
        Seen::Present(primary) => {
            refuse_foreign(cx, &primary_at, &primary)?;
            primary
        }
        Seen::Absent | Seen::NoSuchKind => promote::create_primary(cx, &target, &primary_at, &configs)?,
    };
    if cx.is_bootstrapping() {
        wait_for_first_primary(cx, &target, &configs, &primary)?;
    }
    scaler::ensure(cx)?;
    if target.workload.has_pods() {
        let apex = service(cx, Role::Apex, &target)?;
        cx.write([apex])?;
    }

    let name = cx.canary.spec.provider.as_deref().unwrap_or(&cx.settings.mesh_provider);
    let Some(provider) = routes::provider(name) else {
        return Err(cx.blocked(format!("spec.provider: {}", routes::hint(name))));
    };
    let revision = target.workload.revision(&target.object);
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
    if workload == Workload::Knative {
        // Primary, target and route are one object, and this step may have written it.
        let (at, service) = (release.primary_at.clone(), release.primary.clone());
        release.written.insert(at, service);
    }
    keep_route(cx, &mut release)?;
    Ok(release)
}

/// The target is not scaled down, nor the apex moved, before the first primary is ready; also without analysis (W-16, W-17). What is
/// mended in the target meanwhile is mended in the primary, too.
fn wait_for_first_primary(cx: &mut Cx<'_>, target: &Target, configs: &Configs, primary: &Arc<Value>) -> Flow<()> {
    let readiness = pods::primary_readiness(cx, primary);
    if !readiness.is_ready() && pods::available(primary) == 0 && pods::available(&target.object) > 0 {
        promote::renew_first(cx, target, configs, primary)?;
    }
    if cx.phase == Phase::Failed {
        return match readiness {
            Readiness::Ready => Ok(()),
            Readiness::NotReady { message, .. } => Err(Pause::end(cx.idle(message))),
        };
    }
    match pods::in_time(cx, readiness) {
        Readiness::Ready => Ok(()),
        Readiness::NotReady {
            message, final_: true, ..
        } if pods::is_overdue(cx) => {
            cx.warn(message.clone());
            Err(outage::without_first_primary(cx, &message))
        }
        Readiness::NotReady { message, .. } if cx.now >= cx.due() => Err(cx.blocked(message)),
        // Pods need a moment; that is nothing to warn of before an interval has passed.
        Readiness::NotReady { message, .. } => {
            let mut done = cx.idle(message);
            done.wake = Some(cx.due());
            Err(Pause::end(done))
        }
    }
}

/// A Service of another Canary is left to it: two Canaries with one `service.name` would undo each other's writes for ever (SV-6).
fn service(cx: &mut Cx<'_>, role: Role, target: &Target) -> Flow<Option<Write>> {
    let at = services::reference(cx.canary, role);
    let seen = cx.object(&at);
    let current = seen.present().map(|object| &**object);
    if let Some(other) = current.and_then(|current| services::other_canary(cx.canary, current)) {
        let cause = format!("{at} belongs to Canary {other}; give one of them another spec.service.name");
        return Err(outage::without_part(cx, cause));
    }
    let desired = services::desired(cx.canary, role, &target.selector, &target.ports, current);
    Ok(Write::towards(at, current, desired))
}

/// Say what the Canary asks for and the Services that are there cannot be given (SV-4).
pub(super) fn tell_unapplied(cx: &mut Cx<'_>, release: &Release) {
    let roles = Role::ALL.into_iter().filter(|_| release.target.workload.has_pods());
    let seen: Vec<Seen> = roles
        .map(|role| cx.object(&services::reference(cx.canary, role)))
        .collect();
    for service in seen.iter().filter_map(Seen::present) {
        if let Some(note) = services::unapplied(cx.canary, service) {
            cx.warn(note);
        }
    }
}

/// The copy of a target Service that stands for its present state; written only where it differs (SV-17).
fn canary_copy(cx: &Cx<'_>, target: &Target) -> Option<Write> {
    use workloads::service;
    let name = service::name(cx.canary, service::Role::Canary);
    let at = kinds::SERVICE.named(cx.canary.namespace(), &name);
    let seen = cx.object(&at);
    let current = seen.present().map(|object| &**object);
    let desired = service::copy(cx.canary, cx.settings, &target.object, service::Role::Canary, current);
    Write::towards(at, current, desired)
}

/// Name the stable revision of a Knative Service that has none.
fn adopt(cx: &mut Cx<'_>, at: &ObjectRef, service: Arc<Value>) -> Flow<Arc<Value>> {
    let Some(desired) = knative::adopted(&service) else {
        return Err(cx.blocked(format!("{at} has no revision yet")));
    };
    let write = Write::towards(at.clone(), Some(&service), desired);
    Ok(cx.write([write])?.pop().unwrap_or(service))
}

/// A primary that something else controls is not ours to overwrite (WL-16). One that nobody controls is taken over, as after a
/// deletion that orphaned it.
fn refuse_foreign(cx: &mut Cx<'_>, at: &ObjectRef, primary: &Value) -> Flow<()> {
    let Some(owner) = objects::controller_of(primary) else {
        return Ok(());
    };
    if owner["kind"] == "Canary" && owner["name"] == cx.canary.name() {
        return Ok(());
    }
    let text = |field: &str| owner[field].as_str().unwrap_or_default();
    let cause = format!(
        "{at} belongs to {} {}; rename it, or the target",
        text("kind"),
        text("name")
    );
    Err(outage::without_part(cx, cause))
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
    shift(cx, release, wanted)?;
    tell_lost_source(cx, release)
}

/// What the route was made from may go, or lose the place for it, while nothing runs. A run is held by `accepted`.
fn tell_lost_source(cx: &mut Cx<'_>, release: &Release) -> Flow<()> {
    let current = route_objects(cx, release)?;
    let Err(Unready::Source(lost)) = release.provider.accepted(&context(cx, release, &current)) else {
        return prepare::take_back(cx, prepare::NO_SOURCE);
    };
    if outage::is_on_its_way(cx.phase) {
        return Ok(());
    }
    Err(prepare::refuse(cx, prepare::NO_SOURCE, lost))
}

/// The route cannot be made, as something of the user's or a kind is missing. Whoever waits for nothing else is told once, by a condition, too.
fn without_source(cx: &mut Cx<'_>, cause: String) -> Pause {
    if outage::is_on_its_way(cx.phase) && cx.phase != Phase::Initializing {
        return cx.blocked(cause);
    }
    prepare::refuse(cx, prepare::NO_SOURCE, cause)
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
    match (
        pods::available(&release.primary) > 0,
        pods::available(&release.target.object) > 0,
    ) {
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
        Err(Refused::Source(cause)) => return Err(without_source(cx, cause)),
        Err(refused) => return Err(cx.blocked(refused.to_string())),
    }
    release.split = wanted;
    Ok(())
}

fn goes_dark(release: &Release, wanted: Split) -> bool {
    let (primary, canary) = (
        pods::available(&release.primary),
        pods::available(&release.target.object),
    );
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
    let cause = format!(
        "{} {} is not installed in this cluster; install its CRD to go on",
        kind.kind,
        kind.api_version()
    );
    without_source(cx, cause)
}

fn context<'c>(cx: &Cx<'c>, release: &'c Release, current: &'c [Option<Arc<Value>>]) -> Context<'c> {
    Context {
        canary: cx.canary,
        current: current.iter().map(|object| object.as_deref()).collect(),
        selector_key: Some(release.target.selector.key.as_str()).filter(|key| !key.is_empty()),
        selector_value: Some(release.target.selector.value.as_str()).filter(|value| !value.is_empty()),
        entropy: cx.entropy,
        flags: Flags::of(cx.settings),
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
