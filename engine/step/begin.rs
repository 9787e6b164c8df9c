//! From nothing to a run: initialisation, the idle phases, the confirm-rollout gate, the start, and starting again.

use crds::Phase;

use super::{
    Cx, Flow,
    context::Pause,
    ensure::{self, Release},
    gates, pods, prepare, providers, rollback, route, scaler,
    strategy::KUBERNETES_ITERATIONS,
    texts,
};
use crate::{
    alerts::texts as alert,
    configs,
    hooks::Kind,
    readiness::{self, Readiness},
    revision,
    routes::Split,
    seam::{Done, Event, Measure, Write},
    status::HELD,
    workloads::{self, Workload},
};

/// The primary is ready and has the traffic: scale the target down and call it initialised.
pub(super) fn initialized(cx: &mut Cx<'_>, release: &Release) -> Flow<Done> {
    providers::probe(cx)?;
    pods::scale_target(cx, release, 0)?;
    let phase = Phase::Initialized;
    cx.event(Event::normal(phase, texts::initialized(&cx.canary_name())));
    cx.alert(alert::initialized(cx.kind()));
    cx.measure(Measure::Status(phase));
    cx.measure(Measure::Weight {
        primary: 100,
        canary: 0,
    });
    let draft = cx.draft().phase(phase, cx.kind(), None).with(|status| {
        status.canary_weight = 0;
        status.failed_checks = 0;
        status.iterations = 0;
        status.last_applied_spec = Some(release.revision.clone());
        status.last_promoted_spec = Some(release.revision.clone());
        status.tracked_configs.clone_from(&release.configs.checksums);
    });
    Ok(cx.save("initialize", "the primary is ready", draft, cx.now))
}

/// Nothing runs: watch for a change of the target or of its configs.
pub(super) fn idle(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    cx.measure(Measure::Status(cx.phase));
    cx.measure(Measure::Weight {
        primary: release.split.primary,
        canary: release.split.canary,
    });
    take_over(cx, release)?;
    if !changed(cx, release) {
        return Ok(follow(cx, release));
    }
    require_primary(cx, release)?;
    gate(cx, release)
}

/// A confirm-rollout gate holds the run: ask again, once per interval. Rollback hooks are asked too, as documented (W-24).
pub(super) fn waiting(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    if cx.now < cx.due() {
        return Ok(wait_until_due(cx, "the gate is asked once per interval"));
    }
    cx.measure(Measure::Status(cx.phase));
    require_primary(cx, release)?;
    if gates::rollback_wanted(cx)? {
        return rollback::run(cx, release);
    }
    gate(cx, release)
}

pub(super) fn wait_until_due(cx: &Cx<'_>, why: &str) -> Done {
    let mut done = cx.idle(why);
    done.wake = Some(cx.due());
    done.decision.verb = "wait";
    done
}

/// A run is not started on a primary that is not ready, unless the canary is what serves (W-1, W-3). The revision stays unseen until then.
fn require_primary(cx: &mut Cx<'_>, release: &Release) -> Flow<()> {
    let is_idle = is_at_zero(release) || pods::has_no_node(&release.primary);
    if cx.canary.spec.skips_analysis() || release.split.canary > 0 || is_idle {
        return Ok(());
    }
    match pods::primary_readiness(cx, &release.primary) {
        Readiness::Ready => Ok(()),
        // Whoever changed the primary did so this very moment: what its pods do about it is news, not that nobody has looked yet.
        Readiness::NotReady { message, .. } if !readiness::is_observed(&release.primary) => {
            Err(Pause::end(cx.wake_in("wait", message, cx.interval())))
        }
        Readiness::NotReady { message, .. } => Err(cx.blocked(message)),
    }
}

/// Whether somebody has scaled the primary to zero. A DaemonSet's primary has no such number.
fn is_at_zero(release: &Release) -> bool {
    release.target.workload == Workload::Deployment && workloads::replicas(&release.primary) == 0
}

/// A primary at zero is no reason to wait for ever: nobody but its owner would bring it back, and this release is what the owner wants
/// now. It gets its pods first, so that there is a version to compare with and to go back to.
fn raise_primary(cx: &mut Cx<'_>, release: &Release) -> Flow<Done> {
    let least = scaler::floor(cx).or(scaler::minimum(cx));
    let pods = workloads::replicas_anew(&release.target.object, least);
    let desired = workloads::scaled(&release.primary, pods);
    let write = Write::towards(release.primary_at.clone(), Some(&release.primary), desired);
    cx.write([write])?;
    let primary = super::promote::primary_name(cx);
    cx.warn(format!(
        "{primary} was scaled to zero, and a release needs it: it is scaled to {pods} first"
    ));
    Ok(cx.wake_in("wait", format!("{primary} gets its pods back"), cx.interval()))
}

fn gate(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    cx.checked();
    match gates::confirm(cx, Kind::ConfirmRollout, cx.phase)? {
        Ok(()) => start(cx, release),
        Err(_) if cx.phase == Phase::Waiting => Ok(cx.wake_in("hold", "confirm-rollout is closed", cx.interval())),
        Err(closed) => {
            gates::tell(cx, &closed);
            let note = format!("Waiting for approval of the rollout by gate {}.", closed.name);
            let draft = cx.draft().phase(Phase::Waiting, cx.kind(), Some(note));
            Ok(cx.save("hold", "confirm-rollout is closed", draft, cx.in_an_interval()))
        }
    }
}

/// Start a run from an explicit 100/0 (W-2), or from where the canary is the only one that serves.
fn start(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    if release.split.canary == 0 && is_at_zero(release) && !cx.canary.spec.skips_analysis() {
        return raise_primary(cx, release);
    }
    if pods::available(&release.primary) > 0 {
        route::shift(cx, release, Split::PRIMARY)?;
    }
    let target = &release.target.object;
    let replicas = workloads::replicas_from_zero(target, Some(&release.primary), scaler::minimum(cx));
    pods::scale_target(cx, release, replicas)?;
    tell_limits(cx, release);
    ensure::tell_unapplied(cx, release);
    cx.event(Event::normal(
        Phase::Progressing,
        texts::new_revision(&cx.target_name()),
    ));
    cx.alert(alert::started());
    cx.measure(Measure::Status(Phase::Progressing));
    Ok(progress(cx, release, "start", "the target has a new revision"))
}

/// What the Canary asks for and its provider leaves out is said once, at the start of each run. Plain Kubernetes cannot share traffic: there
/// it is the analysis, too (controller.md 3.1 step 26; the peer repeats it at every check, and says nothing of the rest).
fn tell_limits(cx: &mut Cx<'_>, release: &Release) {
    let idle = release.provider.without_effect(cx.canary);
    if !idle.is_empty() {
        let paths: Vec<String> = idle.into_iter().map(|path| format!("spec.{path}")).collect();
        cx.warn(format!(
            "Without effect with the provider {}: {}",
            release.provider.name,
            paths.join(", ")
        ));
    }
    if release.provider.capabilities.weights || cx.canary.spec.skips_analysis() {
        return;
    }
    if cx.analysis().iterations() == 0 {
        cx.warn(format!(
            "Progressive traffic is not supported with the kubernetes provider, {KUBERNETES_ITERATIONS} iterations are run"
        ));
    }
}

/// Enter Progressing with fresh counters and the revision that is now under analysis.
fn progress(cx: &Cx<'_>, release: &Release, verb: &'static str, why: &str) -> Done {
    let draft = cx
        .draft()
        .phase(Phase::Progressing, cx.kind(), None)
        .without(HELD)
        .with(|status| {
            status.canary_weight = release.split.canary;
            status.failed_checks = 0;
            status.iterations = 0;
            status.last_applied_spec = Some(release.revision.clone());
            status.tracked_configs.clone_from(&release.configs.checksums);
        });
    cx.save(verb, why, draft, cx.in_an_interval())
}

/// In a run: a further revision starts the analysis again at once, without waiting for the interval (W-33's window is as short as the watch).
pub(super) fn restart_on_change(cx: &mut Cx<'_>, release: &mut Release) -> Flow<()> {
    let status = cx.status();
    let spec_changed = status.last_applied_spec.as_deref() != Some(release.revision.as_str());
    let taken_over = status.last_applied_spec.as_deref().is_some_and(revision::is_peers);
    let configs_changed = configs_changed(cx, release);
    if taken_over && !configs_changed {
        return Err(Pause::end(adopt(cx, release)));
    }
    if !configs_changed && !spec_changed {
        return Ok(());
    }
    // A primary without pods gets nothing: the run starts again where it is, and the deadline judges (S1, L2).
    if pods::available(&release.primary) > 0 {
        if spec_changed && !taken_over && set_back(cx, release)? {
            return Err(Pause::end(end_set_back(cx, release)?));
        }
        route::shift(cx, release, Split::PRIMARY)?;
    }
    cx.say(texts::restart(&cx.target_name()));
    cx.measure(Measure::Weight {
        primary: release.split.primary,
        canary: release.split.canary,
    });
    Err(Pause::end(progress(
        cx,
        release,
        "restart",
        "the target has a further revision",
    )))
}

/// Whether the target's revision is not the one of this run. A hash of the peer's tells nothing.
pub(super) fn has_moved_on(cx: &Cx<'_>, release: &Release) -> bool {
    let status = cx.status();
    let applied = status.last_applied_spec.as_deref().unwrap_or_default();
    !applied.is_empty() && !revision::is_peers(applied) && applied != release.revision
}

/// A run that the peer began goes on under our hash, so that a further revision is seen (controller.md 1.7).
fn adopt(cx: &Cx<'_>, release: &Release) -> Done {
    let draft = cx
        .draft()
        .with(|status| status.last_applied_spec = Some(release.revision.clone()));
    cx.save(
        "take-over",
        "the hash of another implementation is replaced",
        draft,
        cx.in_an_interval(),
    )
}

/// Whether the target is again exactly what the primary runs: nothing is left to release (W-7).
fn set_back(cx: &mut Cx<'_>, release: &Release) -> Flow<bool> {
    // The peer's hash of what was promoted cannot be compared, but the primary can.
    let promoted = if promoted_is_peers(cx) {
        runs_target(cx, release)
    } else {
        cx.status().last_promoted_spec.as_deref() == Some(release.revision.as_str())
    };
    if !promoted {
        return Ok(false);
    }
    let pairs = super::configs::pairs(cx, &release.configs.tracked)?;
    Ok(pairs.iter().all(|pair| {
        pair.copy
            .as_ref()
            .is_some_and(|copy| configs::digest(copy).checksum == configs::digest(&pair.source).checksum)
    }))
}

fn end_set_back(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    route::shift(cx, release, Split::PRIMARY)?;
    pods::scale_target(cx, release, 0)?;
    cx.say(texts::set_back(&cx.target_name()));
    cx.measure(Measure::Status(Phase::Succeeded));
    cx.measure(Measure::Weight {
        primary: 100,
        canary: 0,
    });
    let note = format!("{} was set back to the promoted revision.", cx.kind());
    let draft = cx
        .draft()
        .phase(Phase::Succeeded, cx.kind(), Some(note))
        .without(HELD)
        .with(|status| {
            status.canary_weight = 0;
            status.iterations = 0;
            status.failed_checks = 0;
            status.last_applied_spec = Some(release.revision.clone());
            status.last_promoted_spec = Some(release.revision.clone());
            status.tracked_configs.clone_from(&release.configs.checksums);
        });
    Ok(cx.save("set-back", "the target is what the primary runs", draft, cx.now))
}

/// Whether the target or a config differs from what the last run took into account (controller.md 1.7).
fn changed(cx: &Cx<'_>, release: &Release) -> bool {
    revision::changed(&cx.status(), &release.revision) || configs_changed(cx, release)
}

fn configs_changed(cx: &Cx<'_>, release: &Release) -> bool {
    let stored = cx.status().tracked_configs;
    release
        .configs
        .checksums
        .as_ref()
        .is_some_and(|now| configs::changed(stored.as_ref(), now))
}

/// In Failed the stored hash follows a target that was set back, so that the bad revision counts as new when it comes again.
fn follow(cx: &Cx<'_>, release: &Release) -> Done {
    let behind = cx.status().last_applied_spec.as_deref() != Some(release.revision.as_str());
    if cx.phase != Phase::Failed || !behind {
        if cx.is_outdated() {
            return prepare::observe(cx, "the Canary was edited, nothing else has changed");
        }
        return cx.idle("nothing has changed");
    }
    let draft = cx
        .draft()
        .with(|status| status.last_applied_spec = Some(release.revision.clone()));
    cx.save(
        "follow",
        "the target was set back to the promoted revision",
        draft,
        cx.now,
    )
}

/// Hashes that the peer stored cannot be compared with ours. An idle canary whose primary runs what the target says is adopted silently
/// (controller.md 1.7, S6); after a failure the present target is what failed.
fn take_over(cx: &mut Cx<'_>, release: &Release) -> Flow<()> {
    let status = cx.status();
    let applied = status.last_applied_spec.as_deref();
    let applied_is_peers = applied.is_some_and(revision::is_peers);
    // After a run that was taken over and failed, only the promoted hash is the peer's. A target that is still the failed one, or a
    // further one, is no matter of that.
    let set_back = promoted_is_peers(cx) && applied != Some(release.revision.as_str());
    if !applied_is_peers && !set_back {
        return Ok(());
    }
    let same = runs_target(cx, release);
    let judged = applied_is_peers && cx.phase == Phase::Failed;
    if !same && !judged {
        return Ok(());
    }
    let draft = cx.draft().with(|status| {
        status.last_applied_spec = Some(release.revision.clone());
        if same {
            status.last_promoted_spec = Some(release.revision.clone());
        }
    });
    Err(Pause::end(cx.save(
        "take-over",
        "hashes of another implementation are replaced",
        draft,
        cx.now,
    )))
}

fn promoted_is_peers(cx: &Cx<'_>) -> bool {
    let status = cx.status();
    status.last_promoted_spec.as_deref().is_some_and(revision::is_peers)
}

/// Whether the primary runs what a promotion of the target would give it.
fn runs_target(cx: &Cx<'_>, release: &Release) -> bool {
    let expected = super::promote::projection(cx, release).promoted(&release.target.object, &release.primary);
    release.target.workload.runs_same(&release.primary, &expected)
}
