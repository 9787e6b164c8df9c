use super::*;
use serde_json::json;

const NAME: &str = "app-primary.shop";
const DEADLINE: i64 = 600;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    time("2026-01-01T12:00:00Z")
}

/// `spec.replicas`, `updatedReplicas`, `replicas`, `availableReplicas`.
fn workload(desired: i64, updated: i64, total: i64, available: i64) -> Value {
    json!({
        "metadata": {"name": "app-primary", "generation": 3},
        "spec": {"replicas": desired},
        "status": {"observedGeneration": 3, "updatedReplicas": updated, "replicas": total, "availableReplicas": available,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]}
    })
}

fn unavailable_since(mut workload: Value, time: &str) -> Value {
    workload["status"]["conditions"].as_array_mut().unwrap().push(
        json!({"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "lastUpdateTime": time}),
    );
    workload
}

fn terms(threshold_percent: i64) -> Terms<'static> {
    Terms {
        name: NAME,
        noun: "deployment",
        threshold_percent,
        deadline_seconds: DEADLINE,
        since: start(),
        now: start(),
        side: Side::Primary,
    }
}

fn check(workload: &Value, threshold: i64) -> Readiness {
    deployment(Some(workload), &terms(threshold))
}

fn waiting(cause: &str) -> Readiness {
    Readiness::NotReady {
        message: format!("{NAME} not ready: {cause}"),
        final_: false,
        deadline: None,
    }
}

#[test]
fn enough_updated_pods_must_be_available() {
    let rollout = |text: &str| waiting(&format!("waiting for rollout to finish: {text}"));
    for (counts, threshold, expected) in [
        ((4, 4, 4, 2), 50, Readiness::Ready),
        (
            (4, 4, 4, 1),
            50,
            rollout("1 of 4 (readyThreshold 50%) updated replicas are available"),
        ),
        // Rounded up, where the peer rounds down (W-13).
        (
            (3, 3, 3, 1),
            60,
            rollout("1 of 3 (readyThreshold 60%) updated replicas are available"),
        ),
        ((3, 3, 3, 2), 60, Readiness::Ready),
        (
            (1, 1, 1, 0),
            99,
            rollout("0 of 1 (readyThreshold 99%) updated replicas are available"),
        ),
        (
            (1, 1, 1, 0),
            0,
            rollout("0 of 1 (readyThreshold 0%) updated replicas are available"),
        ),
        (
            (75, 75, 75, 62),
            84,
            rollout("62 of 75 (readyThreshold 84%) updated replicas are available"),
        ),
        ((75, 75, 75, 63), 84, Readiness::Ready),
        ((2, 2, 2, 2), 250, Readiness::Ready),
        // Zero is not ready (W-12).
        (
            (0, 0, 0, 0),
            100,
            waiting("deployment \"app-primary\" is scaled to zero"),
        ),
        (
            (0, 1, 1, 1),
            100,
            waiting("deployment \"app-primary\" is scaled to zero"),
        ),
        ((4, 3, 4, 4), 50, rollout("3 of 4 new replicas updated so far")),
        ((4, 4, 5, 4), 50, rollout("1 old replicas are pending termination")),
        ((1, 1, 1, 1), 100, Readiness::Ready),
        (
            (1, 1, 1, 0),
            100,
            rollout("0 of 1 (readyThreshold 100%) updated replicas are available"),
        ),
    ] {
        let (desired, updated, total, available) = counts;
        assert_eq!(
            check(&workload(desired, updated, total, available), threshold),
            expected,
            "{counts:?} at {threshold}%"
        );
    }
}

#[test]
fn nothing_there_and_nothing_seen_yet_is_waited_for() {
    let missing = deployment(None, &terms(100));
    assert_eq!(missing, waiting("deployment \"app-primary\" not found"));

    let mut stale = unavailable_since(workload(1, 1, 1, 1), "2026-01-01T09:00:00Z");
    stale["status"]["observedGeneration"] = json!(2);
    stale["status"]["conditions"][0]["reason"] = json!("ProgressDeadlineExceeded");
    let expected = waiting("waiting for rollout to finish: the latest spec has not been observed yet");
    assert_eq!(
        check(&stale, 100),
        expected,
        "old conditions say nothing about a new spec"
    );

    let mut unset = workload(1, 0, 0, 0);
    unset["spec"] = json!({});
    unset["status"] = json!({});
    unset["metadata"] = json!({});
    assert_eq!(
        check(&unset, 100),
        waiting("waiting for rollout to finish: 0 of 1 new replicas updated so far")
    );
}

#[test]
fn the_deployments_own_deadline_is_final() {
    let mut exceeded = workload(1, 1, 2, 1);
    exceeded["status"]["conditions"][0]["reason"] = json!("ProgressDeadlineExceeded");
    let expected = Readiness::NotReady {
        message: "app-primary.shop not ready: deployment \"app-primary\" exceeded its progress deadline".into(),
        final_: true,
        deadline: None,
    };
    assert_eq!(check(&exceeded, 100), expected);
}

#[test]
fn the_canarys_deadline_counts_from_the_later_of_wait_and_loss() {
    let lost = "2026-01-01T12:01:00Z";
    // Loss of availability, now, final, deadline.
    for (lost, now, is_final, deadline) in [
        (lost, "2026-01-01T12:01:00Z", false, "2026-01-01T12:01:30Z"),
        (lost, "2026-01-01T12:01:29Z", false, "2026-01-01T12:01:30Z"),
        (lost, "2026-01-01T12:01:30Z", true, "2026-01-01T12:01:30Z"),
        (lost, "2026-01-01T15:00:00Z", true, "2026-01-01T12:01:30Z"),
        // A condition of yesterday: the fix that was pushed just now has its full time (W-15).
        (
            "2025-12-31T12:00:00Z",
            "2026-01-01T12:00:20Z",
            false,
            "2026-01-01T12:00:30Z",
        ),
        (
            "2025-12-31T12:00:00Z",
            "2026-01-01T12:00:40Z",
            true,
            "2026-01-01T12:00:30Z",
        ),
        ("unreadable", "2026-01-01T12:00:40Z", true, "2026-01-01T12:00:30Z"),
    ] {
        let target = unavailable_since(workload(1, 1, 1, 0), lost);
        let terms = Terms {
            name: "app.shop",
            deadline_seconds: 30,
            now: time(now),
            side: Side::Canary,
            ..terms(100)
        };
        let readiness = deployment(Some(&target), &terms);
        let text = "canary deployment app.shop not ready: waiting for rollout to finish: \
                    0 of 1 (readyThreshold 100%) updated replicas are available";
        let reason = if is_final {
            "; exceeded its progressDeadlineSeconds: 30"
        } else {
            ""
        };
        let expected = Readiness::NotReady {
            message: format!("{text}{reason}"),
            final_: is_final,
            deadline: Some(time(deadline)),
        };
        assert_eq!(readiness, expected, "lost {lost}, now {now}");
    }
}

#[test]
fn no_deadline_counts_while_old_pods_serve() {
    let late = time("2026-02-01T00:00:00Z");
    let mut rolling = workload(4, 2, 5, 3);
    for (status, reason) in [
        ("True", "MinimumReplicasAvailable"),
        ("False", "Other"),
        ("Unknown", "MinimumReplicasUnavailable"),
    ] {
        let available =
            json!({"type": "Available", "status": status, "reason": reason, "lastUpdateTime": "2026-01-01T12:00:00Z"});
        rolling["status"]["conditions"] = json!([available]);
        let terms = Terms {
            now: late,
            ..terms(100)
        };
        let readiness = deployment(Some(&rolling), &terms);
        assert_eq!(
            readiness,
            waiting("waiting for rollout to finish: 2 of 4 new replicas updated so far")
        );
    }
    let unavailable = unavailable_since(workload(4, 4, 4, 0), "2026-01-01T12:00:00Z");
    let patient = Terms {
        now: late,
        deadline_seconds: i64::MAX,
        ..terms(100)
    };
    let endless = deployment(Some(&unavailable), &patient);
    assert!(matches!(
        endless,
        Readiness::NotReady {
            final_: false,
            deadline: None,
            ..
        }
    ));
    let ready = unavailable_since(workload(1, 1, 1, 1), "2025-01-01T12:00:00Z");
    assert!(check(&ready, 100).is_ready(), "what is there counts, not a condition");
}

/// `desiredNumberScheduled`, `updatedNumberScheduled`, `numberAvailable`.
fn daemons(desired: i64, updated: i64, available: i64) -> Value {
    json!({
        "kind": "DaemonSet", "metadata": {"name": "app-primary", "generation": 3}, "spec": {"template": {"spec": {}}},
        "status": {"observedGeneration": 3, "desiredNumberScheduled": desired, "updatedNumberScheduled": updated,
            "numberAvailable": available},
    })
}

#[test]
fn enough_daemons_must_be_available() {
    for (counts, threshold, expected) in [
        ((3, 3, 3), 100, None),
        ((3, 3, 2), 50, None),
        (
            (3, 3, 1),
            50,
            Some("waiting for rollout to finish: 1 of 3 (readyThreshold 50%) updated pods are available"),
        ),
        (
            (3, 2, 3),
            50,
            Some("waiting for rollout to finish: 2 of 3 nodes have the new pod so far"),
        ),
        (
            (1, 1, 0),
            0,
            Some("waiting for rollout to finish: 0 of 1 (readyThreshold 0%) updated pods are available"),
        ),
        // No pods are not ready (WL-4), where the peer says that they are.
        ((0, 0, 0), 100, Some("daemonset \"app-primary\" has no node to run on")),
    ] {
        let (desired, updated, available) = counts;
        let readiness = daemon_set(&daemons(desired, updated, available), &terms(threshold));
        let cause = match &readiness {
            Readiness::Ready => None,
            Readiness::NotReady {
                message, final_: false, ..
            } => message.strip_prefix("app-primary.shop not ready: "),
            Readiness::NotReady { message, .. } => panic!("final: {message}"),
        };
        assert_eq!(cause, expected, "{counts:?} at {threshold}%");
    }
    let mut zero = daemons(0, 0, 0);
    zero["spec"]["template"]["spec"]["nodeSelector"] = json!({"flagger.app/scale-to-zero": "true"});
    assert_eq!(
        daemon_set(&zero, &terms(100)),
        waiting("daemonset \"app-primary\" is scaled to zero")
    );
    let mut stale = daemons(1, 1, 1);
    stale["status"]["observedGeneration"] = json!(2);
    assert!(!daemon_set(&stale, &terms(100)).is_ready());
}

/// WL-9: not from the last status write, which may be days old, but from the start of this wait.
#[test]
fn the_daemons_deadline_counts_from_the_start_of_the_wait() {
    for (now, is_final) in [("2026-01-01T12:09:59Z", false), ("2026-01-01T12:10:00Z", true)] {
        let terms = Terms {
            now: time(now),
            ..terms(100)
        };
        let Readiness::NotReady {
            message,
            final_,
            deadline,
        } = daemon_set(&daemons(2, 2, 1), &terms)
        else {
            panic!("not ready");
        };
        assert_eq!(
            (final_, deadline),
            (is_final, Some(time("2026-01-01T12:10:00Z"))),
            "{now}"
        );
        assert_eq!(
            message.ends_with("; exceeded its progressDeadlineSeconds: 600"),
            is_final,
            "{message}"
        );
    }
}
