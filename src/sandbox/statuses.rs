//! Status of Deployments and DaemonSets as their controllers write it. Pure: numbers and the last status in, the new status out.

use super::pods::Pods;
use serde_json::{Map, Value, json};

const AVAILABLE: &str = "NewReplicaSetAvailable";
const EXCEEDED: &str = "ProgressDeadlineExceeded";

/// What a Deployment's status depends on besides its pods.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub(super) generation: i64,
    pub(super) name: &'a str,
    pub(super) replicas: i64,
    /// Pods that may be missing while it still counts as available.
    pub(super) spare: i64,
    /// Whether the progress deadline has passed.
    pub(super) late: bool,
    /// Time as text.
    pub(super) now: &'a str,
}

/// Status and whether the rollout moved on.
pub(super) fn deployment(facts: &Facts<'_>, pods: &Pods, last: &Value) -> (Value, bool) {
    let mut status = counts(&[
        ("observedGeneration", facts.generation),
        ("replicas", pods.total()),
        ("updatedReplicas", pods.updated),
        ("readyReplicas", pods.ready()),
        ("availableReplicas", pods.ready()),
        (
            "unavailableReplicas",
            (pods.total().max(facts.replicas) - pods.ready()).max(0),
        ),
    ]);
    let moved = pods.fresh || has_moved(&status, last);
    let mut conditions = last["conditions"].as_array().cloned().unwrap_or_default();
    set(&mut conditions, &available(facts, pods), facts.now, false);
    if let Some(progressing) = progressing(facts, pods, last, moved) {
        set(&mut conditions, &progressing, facts.now, moved);
    }
    status["conditions"] = Value::Array(conditions);
    (status, moved)
}

/// Whether the deadline still matters: it does until the new pods have been available once, or were found late.
pub(super) fn is_timed(status: &Value) -> bool {
    let reason = reason(status, "Progressing");
    reason != AVAILABLE && reason != EXCEEDED
}

/// Status of a DaemonSet that should run `facts.replicas` pods. The first four numbers are always there.
pub(super) fn daemon_set(facts: &Facts<'_>, pods: &Pods) -> Value {
    let mut status = counts(&[
        ("observedGeneration", facts.generation),
        ("updatedNumberScheduled", pods.updated),
        ("numberAvailable", pods.ready()),
        ("numberUnavailable", (facts.replicas - pods.ready()).max(0)),
    ]);
    status["desiredNumberScheduled"] = json!(facts.replicas);
    status["currentNumberScheduled"] = json!(pods.total());
    status["numberReady"] = json!(pods.ready());
    status["numberMisscheduled"] = json!(0);
    status
}

/// Numbers as Go writes them: zeros are left out.
fn counts(fields: &[(&str, i64)]) -> Value {
    let fields = fields.iter().filter(|(_, number)| *number != 0);
    Value::Object(
        fields
            .map(|(name, number)| ((*name).to_owned(), json!(number)))
            .collect::<Map<_, _>>(),
    )
}

/// More new pods, more ready ones or fewer old ones than in the last status.
fn has_moved(status: &Value, last: &Value) -> bool {
    let count = |status: &Value, field: &str| status[field].as_i64().unwrap_or_default();
    let old = |status: &Value| count(status, "replicas") - count(status, "updatedReplicas");
    count(status, "updatedReplicas") > count(last, "updatedReplicas")
        || count(status, "availableReplicas") > count(last, "availableReplicas")
        || old(status) < old(last)
}

fn available(facts: &Facts<'_>, pods: &Pods) -> Value {
    if pods.ready() >= facts.replicas - facts.spare {
        return condition(
            "Available",
            true,
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        );
    }
    condition(
        "Available",
        false,
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )
}

/// The new Progressing condition, or `None` where it stays: scaling a finished rollout is no rollout (observed.md, stale deadline).
fn progressing(facts: &Facts<'_>, pods: &Pods, last: &Value, moved: bool) -> Option<Value> {
    let last_reason = reason(last, "Progressing");
    if !pods.fresh && pods.old == 0 && last_reason == AVAILABLE {
        return None;
    }
    let set = format!("ReplicaSet \"{}-{:x}\"", facts.name, pods.template >> 24);
    let complete = pods.updated == facts.replicas && pods.old == 0 && pods.ready() == facts.replicas;
    if complete {
        return Some(condition(
            "Progressing",
            true,
            AVAILABLE,
            &format!("{set} has successfully progressed."),
        ));
    }
    if pods.fresh {
        let text = format!("Created new replica set \"{}-{:x}\"", facts.name, pods.template >> 24);
        return Some(condition("Progressing", true, "NewReplicaSetCreated", &text));
    }
    if moved {
        return Some(condition(
            "Progressing",
            true,
            "ReplicaSetUpdated",
            &format!("{set} is progressing."),
        ));
    }
    let times_out = facts.late || last_reason == EXCEEDED;
    times_out.then(|| {
        condition(
            "Progressing",
            false,
            EXCEEDED,
            &format!("{set} has timed out progressing."),
        )
    })
}

fn condition(kind: &str, holds: bool, reason: &str, message: &str) -> Value {
    json!({ "type": kind, "status": if holds { "True" } else { "False" }, "reason": reason, "message": message })
}

fn reason<'a>(status: &'a Value, kind: &str) -> &'a str {
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == kind);
    found
        .and_then(|condition| condition["reason"].as_str())
        .unwrap_or_default()
}

/// Set a condition. The same status and reason change nothing unless `refresh`; the same status keeps the transition time.
fn set(conditions: &mut Vec<Value>, new: &Value, now: &str, refresh: bool) {
    let last = conditions.iter().find(|condition| condition["type"] == new["type"]);
    let same = last.is_some_and(|last| last["status"] == new["status"] && last["reason"] == new["reason"]);
    if same && !refresh {
        return;
    }
    let kept = last
        .filter(|last| last["status"] == new["status"])
        .map(|last| last["lastTransitionTime"].clone());
    let mut new = new.clone();
    new["lastUpdateTime"] = json!(now);
    new["lastTransitionTime"] = kept.unwrap_or_else(|| json!(now));
    conditions.retain(|condition| condition["type"] != new["type"]);
    conditions.push(new);
}
