//! Alerts of a real run: each arrives, in order, whatever crashes (AN-31), and says why (AN-32).

use aviary::sandbox::Fault;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    manifests::{CANARIES, NAMESPACE},
    stage::{Stage, simulate},
};

const CHAT: &str = "http://chat.test/";
/// How often the run is looked at.
const POLL: Duration = Duration::from_millis(500);
/// More polls than any run takes: 15 minutes of simulated time.
const POLLS_MAX: u32 = 1800;
/// What a run that fails tells.
const TOLD: [&str; 3] = [
    "New Deployment detected, initialization completed.",
    "New revision detected, progressing canary analysis.",
    "Failed checks threshold reached 2",
];

fn spec() -> Value {
    let alerts = json!([{"name": "all", "severity": "info", "providerRef": {"name": "chat"}}]);
    json!({"analysis": {"stepWeight": 25, "maxWeight": 50, "threshold": 2, "alerts": alerts}})
}

fn install(stage: &Stage) {
    let provider = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider",
        "metadata": {"name": "chat", "namespace": NAMESPACE}, "spec": {"type": "slack", "address": CHAT},
    });
    stage.sandbox.create(provider).unwrap();
    stage.outside.set_success("podinfo", "87.5");
    stage.install("podinfo", &spec());
}

/// The attachments that the chat was sent.
fn told(stage: &Stage) -> Vec<Value> {
    let bodies = stage.outside.bodies(CHAT);
    let read = |body: &String| serde_json::from_str::<Value>(body).unwrap()["attachments"][0].clone();
    bodies.iter().map(read).collect()
}

fn texts(stage: &Stage) -> Vec<String> {
    let text = |attachment: &Value| attachment["text"].as_str().unwrap().to_owned();
    told(stage).iter().map(text).collect()
}

fn is_pending(stage: &Stage) -> bool {
    let canary = stage.sandbox.get(CANARIES, NAMESPACE, "podinfo").unwrap();
    canary["status"]["conditions"].to_string().contains("AlertsPending")
}

#[test]
fn a_failed_run_says_why_and_owes_nothing_at_its_end() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        install(&stage);
        stage.release("podinfo").await;
        stage.wait(60).await;
        assert_eq!(texts(&stage), TOLD);
        let reason = &told(&stage)[2]["fields"][0];
        assert_eq!(reason["title"], "Reason");
        let why = "Halt podinfo.test advancement success rate 87.50% &lt; 99%";
        assert_eq!(reason["value"], why);
        assert!(!is_pending(&stage), "all is delivered");
        life.stop().await;
    });
}

#[test]
fn a_chat_that_is_down_is_given_up_and_holds_up_nothing() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.outside.set_hook(CHAT, 500);
        install(&stage);
        stage.release("podinfo").await;
        assert_eq!(stage.phase("podinfo"), "Failed");
        stage.wait(60).await;
        let mut texts = texts(&stage);
        assert_eq!(texts.len(), 3 * TOLD.len(), "three tries each");
        texts.dedup();
        assert_eq!(texts, TOLD);
        assert!(!is_pending(&stage), "given up");
        life.stop().await;
    });
}

/// Play a run with a crash at the n-th write, before it is done or just after; gives what the chat was told, and the number of writes.
fn play(crash_at: Option<u64>, is_done: bool) -> (Vec<String>, u64) {
    simulate(1, |stage| async move {
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = stopped.clone();
        stage.sandbox.set_faults(Some(Arc::new(move |entry| {
            if flag.load(Ordering::Relaxed) {
                return Fault::Stop; // it cannot even see what became of its write
            }
            if !entry.is_write() || Some(entry.writes) != crash_at {
                return Fault::None;
            }
            flag.store(true, Ordering::Relaxed);
            if is_done {
                Fault::DropAnswerAfterWrite
            } else {
                Fault::Stop
            }
        })));
        install(&stage);
        let mut life = stage.start().await;
        let (mut is_released, mut rest) = (false, 120);
        for _ in 0..POLLS_MAX {
            if stopped.load(Ordering::Relaxed) {
                life.kill().await;
                stopped.store(false, Ordering::Relaxed);
                stage.sandbox.restart();
                life = stage.start().await;
            }
            match stage.phase("podinfo").as_str() {
                "Initialized" if !is_released => {
                    is_released = true;
                    stage.set_version("podinfo", "2");
                }
                "Failed" if is_released => rest -= 1, // a minute for what comes after
                _ => {}
            }
            if rest == 0 {
                break;
            }
            stage.world.sleep(POLL).await;
        }
        assert_eq!(stage.phase("podinfo"), "Failed");
        assert!(!is_pending(&stage), "crash at {crash_at:?}");
        let writes = stage.sandbox.journal().iter().map(|entry| entry.writes).max();
        let told = texts(&stage);
        life.stop().await;
        (told, writes.unwrap_or_default())
    })
}

#[test]
fn a_crash_at_any_write_costs_no_alert_and_repeats_one_at_most() {
    let (undisturbed, writes) = play(None, false);
    assert_eq!(undisturbed, TOLD);
    let mut repeated = 0;
    for (crash_at, is_done) in (1..=writes).flat_map(|at| [(at, false), (at, true)]) {
        let (mut told, _) = play(Some(crash_at), is_done);
        assert!(
            told.len() <= TOLD.len() + 1,
            "crash at {crash_at} ({is_done}): {told:#?}"
        );
        repeated += told.len() - TOLD.len().min(told.len());
        told.dedup();
        assert_eq!(told, TOLD, "crash at {crash_at} ({is_done}): each, in order");
    }
    assert!(repeated > 0, "no crash fell between a delivery and its receipt");
}
