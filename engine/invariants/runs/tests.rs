//! Each property meets what breaks it: a check that never complains proves nothing.

use super::*;
use crate::{
    ObjectRef, Settings,
    seam::{Step, View},
};
use crds::Canary;
use serde_json::json;
use std::sync::Arc;

const LEASE: Duration = Duration::from_secs(15);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn a_replica_that_writes_beside_its_follower_is_found() {
    let cases = [
        (vec![(0, "a"), (1, "a"), (20, "b"), (21, "b")], true),
        (vec![(0, "a"), (20, "b"), (21, "a")], false),
        // Given back at once, on a shutdown: nobody writes after having been followed.
        (vec![(0, "a"), (1, "b"), (2, "b")], true),
        (vec![(0, "a"), (20, "b"), (36, "a"), (60, "b")], true),
        (vec![(0, "a"), (20, "b"), (36, "a"), (37, "b")], false),
    ];
    for (writes, holds) in cases {
        let writes: Vec<_> = writes.into_iter().map(|(second, by)| (at(second), by)).collect();
        let found = one_writer(&writes, LEASE);
        assert_eq!(found.is_none(), holds, "{writes:?}: {found:?}");
        assert!(found.is_none_or(|violation| violation.id == ONE_WRITER));
    }
}

#[test]
fn pauses_that_do_not_grow_or_do_not_end_are_found() {
    let policy = Policy {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(4),
        attempts: 5,
    };
    let cases = [
        (vec![1.0, 2.0, 4.0, 4.0], true),
        (vec![0.8, 1.6, 3.1, 4.0], true),
        (vec![1.0, 1.0, 1.0, 1.0], false),
        (vec![1.0, 2.0, 4.0, 8.0], false),
        (vec![1.0, 2.0, 4.0, 4.0, 4.0], false),
    ];
    for (seconds, holds) in cases {
        let pauses: Vec<_> = seconds
            .iter()
            .map(|seconds| Duration::from_secs_f64(*seconds))
            .collect();
        assert_eq!(backs_off(&pauses, &policy).is_none(), holds, "{pauses:?}");
    }
}

#[test]
fn an_end_that_is_none_and_a_late_step_are_found() {
    assert_eq!(came_to_an_end(Phase::Succeeded), None);
    assert_eq!(came_to_an_end(Phase::Promoting).map(|found| found.id), Some(CONVERGES));
    assert_eq!(ends_alike(&1, &[2, 1]), None);
    assert_eq!(ends_alike(&3, &[2, 1]).map(|found| found.id), Some(CRASH_PROOF));
    assert_eq!(punctual(LATEST), None);
    assert_eq!(punctual(LATEST * 2).map(|found| found.id), Some(PUNCTUAL));
}

/// A target and its primary.
struct Pair(Value, Value);

impl View for Pair {
    fn object(&self, of: &ObjectRef) -> Seen {
        let (name, Self(target, primary)) = (of.name.as_str(), self);
        let object = if name.ends_with(PRIMARY_SUFFIX) {
            primary
        } else {
            target
        };
        Seen::Present(Arc::new(object.clone()))
    }

    fn digest(&self, _: &ObjectRef, _: &str) -> Option<crate::configs::Digest> {
        None
    }
}

fn deployment(image: &str, config: &str, annotations: &Value) -> Value {
    json!({"kind": "Deployment", "spec": {"template": {
        "metadata": {"labels": {"app": "x"}, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": image, "envFrom": [{"configMapRef": {"name": config}}]}]},
    }}})
}

/// What is found when an idle canary with this hash starts a run on such a target; the primary runs `app:1`.
fn started(target: Value, hash: &str) -> Vec<&'static str> {
    let canary: Canary = serde_json::from_value(json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "app", "namespace": "test"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "app"}},
        "status": {"phase": "Succeeded", "lastAppliedSpec": hash},
    }))
    .unwrap();
    let primary = deployment("app:1", "settings-primary", &json!({ FLAGGER_ID: "1234" }));
    let view = Pair(target, primary);
    let settings = Settings::default();
    let input = Input {
        canary: &canary,
        legacy: &[],
        view: &view,
        settings: &settings,
        evidence: &[],
        last_check: None,
        watched_since: None,
        now: at(0),
        entropy: 0,
    };
    let mut status = canary.status.clone().unwrap();
    status.phase = Phase::Progressing;
    let done = Done {
        status: Some(status),
        ..Done::default()
    };
    let found = crate::invariants::check(&input, &Step::Done(Box::new(done)));
    found.into_iter().map(|violation| violation.id).collect()
}

#[test]
fn a_run_that_only_a_new_controller_sees_a_reason_for_is_found() {
    let (peers, ours) = ("5fc94b7ccf", "sha256-ours-never-looks-like-that");
    let same = deployment("app:1", "settings", &json!(null));
    assert_eq!(started(same.clone(), peers), [UPGRADE_RESTS]);
    let nothing: [&str; 0] = [];
    assert_eq!(started(same, ours), nothing, "a tracked config has changed");
    assert_eq!(started(deployment("app:2", "settings", &json!(null)), peers), nothing);
    let restarted = json!({"kubectl.kubernetes.io/restartedAt": "now"});
    assert_eq!(started(deployment("app:1", "settings", &restarted), peers), nothing);
}
