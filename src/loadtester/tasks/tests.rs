use super::*;
use crate::{
    companion::{payload::Payload, redaction::Redaction},
    loadtester::order::Reader,
};
use serde_json::json;
use tokio::sync::Semaphore;

fn ask(kind: &str, command: &str) -> Ask {
    let body = json!({"name": "podinfo", "namespace": "test", "metadata": {"type": kind, "cmd": command}});
    let reader = Reader {
        allowed: None,
        servers: None,
        redaction: Redaction::default(),
    };
    reader
        .read(&Payload::read(body.to_string().as_bytes()).unwrap())
        .unwrap()
}

fn start(running: usize, work: Work) -> Tasks {
    let world = World::threads(tokio::runtime::Handle::current(), Vec::new());
    let limits = Limits { running, queued: 100 };
    Tasks::start(&world, limits, work, Arc::new(Series::new().unwrap()))
}

/// Work that ends when it is stopped, or when a permit is given.
fn gated(gate: &Arc<Semaphore>) -> Work {
    let gate = gate.clone();
    Arc::new(move |task| {
        let gate = gate.clone();
        let mut stop = task.stop.clone();
        Box::pin(async move {
            tokio::select! {
                permit = gate.acquire() => { permit.unwrap().forget(); Outcome::succeeded() }
                why = stop.pulled() => Outcome::stopped(why.text()),
            }
        })
    })
}

#[tokio::test(start_paused = true)]
async fn tasks_take_turns() {
    let gate = Arc::new(Semaphore::new(0));
    let tasks = start(1, gated(&gate));
    let first = tasks.submit(ask("bash", "a")).ok().unwrap();
    let second = tasks.submit(ask("bash", "b")).ok().unwrap();
    assert_eq!(tasks.read(|ledger| ledger.count(State::Running, false)), 1);
    gate.add_permits(1);
    assert!(first.task().ended().await.success);
    assert_eq!(
        tasks.read(|ledger| ledger.entry(second.task().id).unwrap().state),
        State::Running
    );
    gate.add_permits(1);
    assert!(second.task().ended().await.success);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_task_only() {
    let tasks = start(
        1,
        Arc::new(|task| {
            Box::pin(async move {
                assert_ne!(task.ask.shown, "bad", "this is the panic of the test");
                Outcome::succeeded()
            })
        }),
    );
    let bad = tasks.submit(ask("bash", "bad")).ok().unwrap();
    assert_eq!(bad.task().ended().await.cause, "the task was lost");
    let good = tasks.submit(ask("bash", "good")).ok().unwrap();
    assert!(good.task().ended().await.success, "its place is free again");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_frees_the_place() {
    let gate = Arc::new(Semaphore::new(0));
    let tasks = start(1, gated(&gate));
    let seat = tasks.submit(ask("bash", "a")).ok().unwrap();
    let task = seat.task().clone();
    drop(seat);
    assert_eq!(task.ended().await.cause, "stopped: the client is gone");
    // A background task does not mind.
    let load = tasks.submit(ask("cmd", "b")).ok().unwrap().task().clone();
    tokio::task::yield_now().await;
    gate.add_permits(1);
    assert!(load.ended().await.success);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_everything() {
    let gate = Arc::new(Semaphore::new(0));
    let tasks = start(1, gated(&gate));
    let running = tasks.submit(ask("cmd", "a")).ok().unwrap();
    let queued = tasks.submit(ask("cmd", "b")).ok().unwrap();
    tasks.close(Duration::from_secs(10)).await;
    for seat in [running, queued] {
        assert_eq!(seat.task().ended().await.cause, "stopped: the server is shutting down");
    }
    assert!(tasks.submit(ask("cmd", "c")).is_err());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_leave_a_bounded_ledger() {
    let gate = Arc::new(Semaphore::new(0));
    let tasks = start(20, gated(&gate));
    let mut refused = 0;
    for number in 0..10_000 {
        if let Err(after) = tasks.submit(ask("cmd", &format!("hey {}", number % 500))) {
            refused += 1;
            assert!(after >= Duration::from_secs(1));
        }
    }
    let active = tasks.read(Ledger::active);
    assert_eq!(active, 120, "20 run and 100 wait");
    assert_eq!(refused, 10_000 - 120 * 20, "all others were refused, or ran already");
    gate.add_permits(1000);
    tasks.close(Duration::from_secs(10)).await;
    assert_eq!(tasks.read(Ledger::active), 0);
}
