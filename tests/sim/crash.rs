//! A controller that is killed at any write, and an API server that fails at any write: the end is that of an undisturbed run (L4).

use aviary::sandbox::Fault;
use engine::invariants::runs::ends_alike;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::stage::{End, Stage, simulate};

/// How often the run is looked at.
const POLL: Duration = Duration::from_millis(500);
/// More polls than any run takes: 15 minutes of simulated time.
const POLLS_MAX: u32 = 1800;

/// What goes wrong at the n-th write, counted from 1.
type Disturbance = Option<(Fault, u64)>;

/// Two steps, so that there are fewer writes to fail.
fn short() -> Value {
    json!({"analysis": {"stepWeight": 25, "maxWeight": 50, "threshold": 2}})
}

/// Initialise and release; gives the end and the number of writes.
fn play(success: &'static str, spec: &Value, disturbance: Disturbance) -> (End, u64) {
    simulate(1, |stage| async move {
        let stopped = disturb(&stage, disturbance);
        stage.outside.set_success("podinfo", success);
        stage.install("podinfo", spec);
        let mut life = stage.start().await;
        let mut released = false;
        for _ in 0..POLLS_MAX {
            if stopped.swap(false, Ordering::Relaxed) {
                life.kill().await;
                stage.sandbox.restart();
                life = stage.start().await;
            }
            let phase = stage.phase("podinfo");
            if phase == "Initialized" && !released {
                released = true;
                stage.set_version("podinfo", "2");
            }
            if released && ["Succeeded", "Failed"].contains(&phase.as_str()) {
                break;
            }
            stage.world.sleep(POLL).await;
        }
        if stopped.load(Ordering::Relaxed) {
            life.kill().await;
            stage.sandbox.restart();
            life = stage.start().await;
        }
        stage.wait(60).await;
        life.stop().await;
        let writes = stage.sandbox.journal().iter().map(|entry| entry.writes).max();
        (stage.end("podinfo"), writes.unwrap_or_default())
    })
}

/// Arm the fault. The flag is set when the API server has stopped.
fn disturb(stage: &Stage, disturbance: Disturbance) -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    if let Some((fault, at)) = disturbance {
        let flag = stopped.clone();
        stage.sandbox.set_faults(Some(Arc::new(move |entry| {
            if !entry.is_write() || entry.writes != at {
                return Fault::None;
            }
            flag.store(fault == Fault::Stop, Ordering::Relaxed);
            fault
        })));
    }
    stopped
}

/// One run for every write of the undisturbed run, with this fault at that write.
fn every_write_may_meet(fault: Fault, success: &'static str, spec: &Value, expected: &End) {
    let (end, writes) = play(success, spec, None);
    assert_eq!(end, *expected);
    assert!(writes > 15, "{writes} writes");
    for at in 1..=writes {
        let (end, _) = play(success, spec, Some((fault, at)));
        let differs = ends_alike(&end, std::slice::from_ref(expected));
        assert_eq!(differs, None, "{fault:?} at write {at} of {writes}");
    }
}

#[test]
fn a_good_release_survives_a_kill_before_every_write() {
    every_write_may_meet(Fault::Stop, "100", &short(), &End::good("podinfo"));
}

#[test]
fn a_bad_release_survives_a_kill_before_every_write() {
    every_write_may_meet(Fault::Stop, "1", &short(), &End::bad("podinfo"));
}

#[test]
fn a_promotion_in_steps_survives_a_kill_before_every_write() {
    let spec = json!({"analysis": {"stepWeight": 50, "maxWeight": 100, "stepWeightPromotion": 50}});
    every_write_may_meet(Fault::Stop, "100", &spec, &End::good("podinfo"));
}

#[test]
fn a_good_release_survives_a_conflict_at_every_write() {
    every_write_may_meet(Fault::Conflict, "100", &short(), &End::good("podinfo"));
}

#[test]
fn a_bad_release_survives_a_conflict_at_every_write() {
    every_write_may_meet(Fault::Conflict, "1", &short(), &End::bad("podinfo"));
}

#[test]
fn a_good_release_survives_a_refusal_at_every_write() {
    every_write_may_meet(Fault::Unavailable, "100", &short(), &End::good("podinfo"));
}

#[test]
fn a_bad_release_survives_a_refusal_at_every_write() {
    every_write_may_meet(Fault::Unavailable, "1", &short(), &End::bad("podinfo"));
}

#[test]
fn a_good_release_survives_a_lost_answer_at_every_write() {
    every_write_may_meet(Fault::DropAnswerAfterWrite, "100", &short(), &End::good("podinfo"));
}

#[test]
fn a_bad_release_survives_a_lost_answer_at_every_write() {
    every_write_may_meet(Fault::DropAnswerAfterWrite, "1", &short(), &End::bad("podinfo"));
}
