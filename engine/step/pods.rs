//! The pods of both versions: whether they are ready, how long they are waited for, and how the target is scaled.

use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

use super::{Cx, Flow, context::after, ensure::Release, scaler};
use crate::{
    ObjectRef,
    objects::kinds,
    readiness::{self, Readiness, Side, Terms},
    seam::Write,
    workloads::{Workload, knative},
};

/// Pods of a workload that are available.
pub(super) fn available(workload: &Value) -> i64 {
    Workload::of_object(workload).available(workload)
}

pub(super) fn primary_readiness(cx: &Cx<'_>, primary: &Value) -> Readiness {
    readiness(cx, primary, Side::Primary, cx.analysis().primary_ready_threshold())
}

pub(super) fn canary_readiness(cx: &Cx<'_>, target: &Value) -> Readiness {
    readiness(cx, target, Side::Canary, cx.analysis().canary_ready_threshold())
}

/// The wait counts from the last status write (entering the phase, the last step, the end of a suspension) or the last check, which
/// found all pods ready: behind a gate that is closed for an hour a moment without pods is not an hour's wait. Nor does the time count
/// in which no controller was there.
pub(super) fn waiting_since(cx: &Cx<'_>) -> Timestamp {
    let written = cx.status().last_transition_time;
    written.max(cx.last_check).max(cx.watched_since).unwrap_or(cx.now)
}

fn readiness(cx: &Cx<'_>, object: &Value, side: Side, threshold_percent: i64) -> Readiness {
    let workload = Workload::of_object(object);
    let name = match side {
        Side::Primary => format!("{}.{}", cx.canary.spec.primary_name(), cx.canary.namespace()),
        Side::Canary => cx.target_name(),
    };
    let terms = Terms {
        name: &name,
        noun: &workload.kind().kind.to_lowercase(),
        threshold_percent,
        deadline_seconds: cx.canary.spec.progress_deadline_seconds(),
        since: waiting_since(cx),
        now: cx.now,
        side,
    };
    if workload != Workload::Knative {
        return workload.readiness(object, &terms);
    }
    let revision = match side {
        Side::Primary => knative::primary(object),
        Side::Canary => knative::latest(object),
    };
    let revision = revision.unwrap_or_default();
    let seen = cx.object(&kinds::KNATIVE_REVISION.named(cx.canary.namespace(), revision));
    readiness::revision(seen.present().map(|object| &**object), revision, &terms)
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
    end_of_patience_since(cx, Some(waiting_since(cx)))
}

/// When waiting ends that began at `start`, `progressDeadlineSeconds` later. What nobody looked at does not count.
pub(super) fn end_of_patience_since(cx: &Cx<'_>, start: Option<Timestamp>) -> Timestamp {
    let seconds = cx.canary.spec.progress_deadline_seconds();
    let patience = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    after(start.max(cx.watched_since).unwrap_or(cx.now), patience)
}

/// Whether `progressDeadlineSeconds` have passed since the last status write or check.
pub(super) fn is_overdue(cx: &Cx<'_>) -> bool {
    cx.now >= end_of_patience(cx)
}

/// Whether it is a DaemonSet whose pods no node may take. It will not become ready by waiting, only by another template.
pub(super) fn has_no_node(workload: &Value) -> bool {
    let is_daemon_set = Workload::of_object(workload) == Workload::DaemonSet;
    is_daemon_set && readiness::is_observed(workload) && workload["status"]["desiredNumberScheduled"] == 0
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
    let writes = scaling(cx, &target.at, &target.object, replicas);
    cx.write(writes).map(drop)
}

/// The writes that scale the target and hold or release its scaler, which would undo it.
pub(super) fn scaling(cx: &Cx<'_>, at: &ObjectRef, target: &Value, replicas: i64) -> [Option<Write>; 2] {
    let desired = Workload::of_object(target).scaled(target, replicas);
    [
        scaler::hold(cx, replicas == 0),
        Write::towards(at.clone(), Some(target), desired),
    ]
}
