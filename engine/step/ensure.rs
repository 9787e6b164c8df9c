//! The objects that must be there in every phase: Services, primary, apex, route. Repaired when they differ, never touched otherwise.

use crds::Phase;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

use super::{
    Cx, Flow, addresses,
    configs::{self, Configs},
    context::Pause,
    lost, outage, pods, prepare, promote, route, scaler,
};
use crate::{
    ObjectRef,
    objects::{self, kinds},
    readiness::Readiness,
    routes::{self, Provider, Split},
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

// === impl Target ===

impl Target {
    /// The same target in another revision.
    pub(super) fn with(&self, object: Value) -> Self {
        Self {
            workload: self.workload,
            at: self.at.clone(),
            object: Arc::new(object),
            selector: self.selector.clone(),
            ports: self.ports.clone(),
        }
    }
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
    pub(super) written: BTreeMap<ObjectRef, Arc<Value>>,
}

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
        Seen::Absent | Seen::NoSuchKind => lost::primary(cx, &target, &primary_at, &configs)?,
    };
    prepare::take_back(cx, prepare::NO_PRIMARY)?;
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
    route::keep(cx, &mut release)?;
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
            Readiness::Ready => addresses::of_primary(cx, primary),
            Readiness::NotReady { message, .. } => Err(Pause::end(cx.idle(message))),
        };
    }
    match pods::in_time(cx, readiness) {
        Readiness::Ready => addresses::of_primary(cx, primary),
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
