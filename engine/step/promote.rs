//! The primary takes over the analysed revision, then the traffic, then the target is scaled down.

use crds::Phase;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

use super::{
    Cx, Flow,
    begin::{self, wait_until_due},
    configs::{self, Configs},
    context::after,
    ensure::{Release, Target},
    pods, rollback, rollout, route, scaler, texts,
};
use crate::{
    ObjectRef,
    alerts::texts as alert,
    configs::{copy, digest},
    readiness::Readiness,
    routes::Split,
    seam::{Done, Ending, Measure, Write},
    status::HELD,
    workloads::{self, Projection},
};

/// How long a ready primary waits for its scaler to bring it to the floor: four periods of Kubernetes' HPA controller (15 s each).
const SCALER_PATIENCE: Duration = Duration::from_mins(1);

/// Make the primary with the copies of its configs.
pub(super) fn create_primary(cx: &mut Cx<'_>, target: &Target, at: &ObjectRef, configs: &Configs) -> Flow<Arc<Value>> {
    let mut writes = config_copies(cx, configs)?;
    let primary = projected(cx, target, configs).new_primary(&target.object);
    writes.push(Write::towards(at.clone(), None, primary));
    let mut written = cx.write(writes)?;
    match written.pop() {
        Some(primary) => Ok(primary),
        None => Err(cx.blocked(format!("{at} could not be made"))),
    }
}

/// Bring a first primary that never became ready to what the target is now: its owner has mended something.
pub(super) fn renew_first(cx: &mut Cx<'_>, target: &Target, configs: &Configs, primary: &Arc<Value>) -> Flow<()> {
    let projection = projected(cx, target, configs);
    if projection.is_promoted(&target.object, primary) {
        return Ok(());
    }
    let desired = projection.promoted(&target.object, primary);
    let at = target
        .workload
        .kind()
        .named(cx.canary.namespace(), &cx.canary.spec.primary_name());
    let mut writes = config_copies(cx, configs)?;
    writes.push(Write::towards(at, Some(primary), desired));
    cx.write(writes).map(drop)
}

/// Copy the analysed revision and its configs to the primary. What is copied is what this step saw, and its hash is the one that was
/// analysed (W-5): `restart_on_change` ran on the same view.
pub(super) fn begin(cx: &mut Cx<'_>, release: &Release) -> Flow<Done> {
    cx.say(texts::copying(&cx.target_name(), &primary_name(cx)));
    if release.split.canary > 0 {
        let served = release.target.workload.replicas(&release.target.object);
        let floor = scaler::raise(cx, served);
        cx.write([floor])?;
    }
    copy_to_primary(cx, release)?;
    Ok(enter(cx, "the analysis is complete"))
}

/// Go on with a promotion whose copy is made and whose status is not: its event was not told either.
pub(super) fn resume(cx: &mut Cx<'_>) -> Done {
    cx.say(texts::copying(&cx.target_name(), &primary_name(cx)));
    enter(cx, "the copy was made before an interruption")
}

fn enter(cx: &Cx<'_>, why: &str) -> Done {
    let draft = cx.draft().phase(Phase::Promoting, cx.kind(), None).without(HELD);
    cx.save("promote", why, draft, cx.in_an_interval())
}

/// Whether the primary has been given this revision with these configs.
pub(super) fn has_revision(cx: &Cx<'_>, release: &Release) -> bool {
    projection(cx, release).is_promoted(&release.target.object, &release.primary)
}

pub(super) fn primary_name(cx: &Cx<'_>) -> String {
    format!("{}.{}", cx.canary.spec.primary_name(), cx.canary.namespace())
}

fn copy_to_primary(cx: &mut Cx<'_>, release: &Release) -> Flow<()> {
    let mut writes = config_copies(cx, &release.configs)?;
    let desired = projection(cx, release).promoted(&release.target.object, &release.primary);
    writes.push(Write::towards(
        release.primary_at.clone(),
        Some(&release.primary),
        desired,
    ));
    cx.write(writes).map(drop)
}

/// The writes that bring the `-primary` copies of all tracked configs up to date. A config that changed since it was looked at ends the
/// step: the change starts the analysis again.
pub(super) fn config_copies(cx: &mut Cx<'_>, configs: &Configs) -> Flow<Vec<Option<Write>>> {
    let pairs = configs::pairs(cx, &configs.tracked)?;
    let mut writes = Vec::new();
    for pair in pairs {
        let key = crate::configs::key(&pair.source_ref);
        let seen = configs.checksums.as_ref().and_then(|checksums| checksums.get(&key));
        if seen != Some(&digest(&pair.source).checksum) {
            return Err(cx.blocked(format!("{key} changed a moment ago")));
        }
        let desired = copy(
            cx.canary,
            &pair.source,
            pair.copy.as_deref(),
            &cx.settings.include_label_prefixes,
        );
        writes.push(Write::towards(pair.copy_ref, pair.copy.as_deref(), desired));
    }
    Ok(writes)
}

pub(super) fn projection<'p>(cx: &Cx<'p>, release: &'p Release) -> Projection<'p> {
    projected(cx, &release.target, &release.configs)
}

pub(super) fn projected<'p>(cx: &Cx<'p>, target: &'p Target, configs: &'p Configs) -> Projection<'p> {
    let revision = target.workload.revision(&target.object);
    let checksums = configs.checksums.clone().unwrap_or_default();
    Projection {
        canary: cx.canary,
        selector_key: &target.selector.key,
        selector_value: &target.selector.value,
        settings: cx.settings,
        tracked: &configs.tracked,
        flagger_id: workloads::flagger_id(&revision, &checksums),
    }
}

/// The primary rolls. When it is ready it gets its traffic back, at once or in steps. At once, too, when the target has moved on: its
/// pods roll to what nobody has analysed (W-6). The further revision gets its own run after this one.
pub(super) fn promoting(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    let has_moved_on = begin::has_moved_on(cx, release);
    if cx.now < cx.due() && !has_moved_on {
        return Ok(wait_until_due(cx, "the primary gets an interval to roll"));
    }
    if let Some(done) = wait_for_primary(cx, release)? {
        return Ok(done);
    }
    scaler::sync_raised(cx)?;
    if let Some(done) = wait_for_capacity(cx, release) {
        return Ok(done);
    }
    cx.checked();
    cx.measure(Measure::Status(cx.phase));
    if !release.provider.capabilities.weights || release.split.canary == 0 {
        return Ok(finalise(cx, "all traffic is on the primary"));
    }
    let step = cx
        .analysis()
        .step_weight_promotion
        .and_then(crds::Number::whole)
        .filter(|step| *step > 0 && !has_moved_on);
    let primary = step.map_or(100, |step| (release.split.primary + step).min(100));
    let canary = 100 - primary;
    if step.is_none() {
        cx.say(texts::ALL_TO_PRIMARY.to_owned());
    }
    route::shift(cx, release, Split::of(canary))?;
    cx.measure(Measure::Weight { primary, canary });
    if step.is_some() {
        cx.say(texts::advance_primary(&cx.canary_name(), primary));
    }
    if primary == 100 {
        return Ok(finalise(cx, "all traffic is on the primary"));
    }
    let draft = cx.draft().with(|status| status.canary_weight = canary);
    Ok(cx.save(
        "give-back",
        format!("primary weight {primary}"),
        draft,
        cx.in_an_interval(),
    ))
}

/// The primary's scaler has a floor that it may not have reached yet: a scaler acts within its period. One that does not act at all
/// holds up nothing for long, as there is a ready primary.
fn wait_for_capacity(cx: &Cx<'_>, release: &Release) -> Option<Done> {
    let floor = scaler::floor(cx).filter(|_| release.split.canary > 0)?;
    let has = release.target.workload.replicas(&release.primary);
    let entered = cx.status().last_transition_time.max(cx.watched_since);
    let end = after(entered.unwrap_or(cx.now), SCALER_PATIENCE);
    if has >= floor || cx.now >= end {
        return None;
    }
    let why = format!(
        "{} has {has} of the {floor} pods of its scaler's floor",
        primary_name(cx)
    );
    let mut done = cx.wake_in("wait", why, cx.interval());
    done.wake = done.wake.map(|wake| wake.min(end));
    Some(done)
}

fn finalise(cx: &Cx<'_>, why: &str) -> Done {
    let draft = cx.draft().phase(Phase::Finalising, cx.kind(), None).with(|status| {
        status.canary_weight = 0;
        status.iterations = 0;
    });
    cx.save("finalise", why, draft, cx.in_an_interval())
}

fn wait_for_primary(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Option<Done>> {
    match pods::in_time(cx, pods::primary_readiness(cx, &release.primary)) {
        Readiness::Ready => Ok(None),
        Readiness::NotReady {
            message, final_: true, ..
        } => {
            cx.warn(message.clone());
            rollback::promotion_failed(cx, release, &message).map(Some)
        }
        Readiness::NotReady { message, deadline, .. } => {
            cx.warn(message.clone());
            let mut done = cx.wake_in("blocked", message, cx.interval());
            done.wake = deadline.into_iter().chain(done.wake).min();
            Ok(Some(done))
        }
    }
}

/// The traffic has been on the primary for an interval: scale the target down.
pub(super) fn finalising(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    if cx.now < cx.due() {
        return Ok(wait_until_due(
            cx,
            "routes get an interval to settle before the target is scaled down",
        ));
    }
    if let Some(done) = wait_for_primary(cx, release)? {
        return Ok(done);
    }
    if release.split.canary > 0 {
        // Someone gave the target traffic again: take it back, and let that settle, before its pods go.
        route::shift(cx, release, Split::PRIMARY)?;
        cx.checked();
        return Ok(cx.wake_in("finalise", "foreign weights are taken back", cx.interval()));
    }
    scaler::sync(cx)?;
    succeed(cx, release, false)
}

/// `skipAnalysis`: promote as soon as the target is ready, wait for the primary, then scale down.
pub(super) fn without_analysis(cx: &mut Cx<'_>, release: &mut Release) -> Flow<Done> {
    if release.split.canary > 0 && pods::available(&release.primary) > 0 {
        route::shift(cx, release, Split::PRIMARY)?;
    }
    // A primary that has the revision already is from an attempt that was interrupted: the target may be at zero by now.
    if !has_revision(cx, release) {
        if let Some(done) = rollout::wait_for_pods(cx, release)? {
            return Ok(done);
        }
        copy_to_primary(cx, release)?;
        cx.say(texts::copying(&cx.target_name(), &primary_name(cx)));
        return Ok(cx.wake_in("promote", "the analysis is skipped", cx.interval()));
    }
    match pods::in_time(cx, pods::primary_readiness(cx, &release.primary)) {
        Readiness::Ready => {
            scaler::sync(cx)?;
            succeed(cx, release, true)
        }
        Readiness::NotReady {
            message, final_: true, ..
        } => rollback::promotion_failed(cx, release, &message),
        Readiness::NotReady { message, .. } => Ok(cx.wake_in("blocked", message, cx.interval())),
    }
}

fn succeed(cx: &mut Cx<'_>, release: &Release, skipped: bool) -> Flow<Done> {
    pods::scale_target(cx, release, 0)?;
    Ok(succeeded(cx, skipped))
}

/// The end of a run that is promoted, once nothing of the target is left to scale down.
pub(super) fn succeeded(cx: &mut Cx<'_>, skipped: bool) -> Done {
    let phase = Phase::Succeeded;
    cx.alert(if skipped {
        alert::promoted_unjudged()
    } else {
        alert::promoted()
    });
    cx.measure(Measure::Status(phase));
    cx.measure(Measure::Weight {
        primary: 100,
        canary: 0,
    });
    cx.measure(Measure::Ended {
        promoted: true,
        skipped,
    });
    let draft = cx.draft().phase(phase, cx.kind(), None).without(HELD).with(|status| {
        status.canary_weight = 0;
        status.iterations = 0;
        status.last_promoted_spec.clone_from(&status.last_applied_spec);
    });
    let mut done = cx.save("succeed", "the primary runs the new revision", draft, cx.now);
    done.aftermath = Some(if skipped { Ending::Skipped } else { Ending::Promoted });
    done
}
