//! Two replicas with leader election: at any time at most one writes (W-48).

use actors::election::{Election, Ended, LEASE_DURATION, RENEW_DEADLINE};
use engine::invariants::runs::one_writer;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use parking_lot::Mutex;
use serde_json::json;
use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tower::{BoxError, ServiceExt};

use super::stage::{End, Life, Stage, simulate, watched_step};

/// A replica, which may wait for the lease, and what it wrote.
struct Replica {
    /// Times of its writes, those of the lease aside, that reached the API server.
    writes: Arc<Mutex<Vec<Timestamp>>>,
    /// Its connections are broken.
    cut: Arc<AtomicBool>,
    /// How its election ended.
    ended: Rc<Cell<Option<Ended>>>,
    task: JoinHandle<()>,
}

// === impl Replica ===

impl Replica {
    fn start(stage: &Stage, name: &'static str) -> Self {
        let (writes, cut) = (Arc::default(), Arc::default());
        let client = client(stage, &writes, &cut);
        let ended = Rc::new(Cell::new(None));
        let (stage, tell) = (stage.clone(), ended.clone());
        let task = spawn_local(async move {
            let tasks = LocalSet::new();
            let life = async move {
                let (election, claim) = Election::new(stage.world.clone(), client.clone(), "kube-system", name);
                spawn_local(async move { tell.set(Some(election.run(std::future::pending()).await)) });
                let _life: Life = stage.start_with(watched_step, client, claim).await;
                std::future::pending::<()>().await;
            };
            tasks.run_until(life).await;
        });
        Self {
            writes,
            cut,
            ended,
            task,
        }
    }

    fn has_written(&self) -> bool {
        !self.writes.lock().is_empty()
    }

    fn last_write(&self) -> Timestamp {
        self.writes.lock().last().copied().unwrap()
    }

    fn first_write(&self) -> Timestamp {
        self.writes.lock().first().copied().unwrap()
    }
}

fn client(stage: &Stage, writes: &Arc<Mutex<Vec<Timestamp>>>, cut: &Arc<AtomicBool>) -> Client {
    let (writes, cut, world) = (writes.clone(), cut.clone(), stage.world.clone());
    let filter = move |request: http::Request<kube::client::Body>| {
        if cut.load(Ordering::Relaxed) {
            return Err(BoxError::from("the connection is cut"));
        }
        if request.method() != http::Method::GET && !request.uri().path().contains("/leases") {
            writes.lock().push(world.now());
        }
        Ok(request)
    };
    let sandbox = stage.sandbox.clone();
    let service = tower::service_fn(move |request| {
        let passed = filter(request);
        let sandbox = sandbox.clone();
        async move { sandbox.oneshot(passed?).await }
    });
    Client::new(service, "default")
}

/// All writes in the order of time, with who made them.
fn written(first: &Replica, second: &Replica) -> Vec<(Timestamp, &'static str)> {
    let (one, other) = (first.writes.lock(), second.writes.lock());
    let mut all: Vec<_> = one.iter().map(|at| (*at, "first")).collect();
    all.extend(other.iter().map(|at| (*at, "second")));
    all.sort();
    all
}

fn seconds(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap()
}

/// Both run; the first one leads and has a release at 30 %.
async fn led_by_the_first(stage: &Stage) -> (Replica, Replica) {
    let first = Replica::start(stage, "first");
    stage.wait(1).await;
    let second = Replica::start(stage, "second");
    stage.install("podinfo", &json!({}));
    stage.reach("podinfo", &["Initialized"]).await;
    stage.set_version("podinfo", "2");
    stage.until("30 %", || stage.weights("podinfo") == (70, 30)).await;
    assert!(first.has_written() && !second.has_written());
    (first, second)
}

#[test]
fn when_the_leader_is_killed_the_other_takes_over_after_the_lease() {
    simulate(1, |stage| async move {
        let (first, second) = led_by_the_first(&stage).await;
        first.task.abort();
        let killed = stage.world.now();
        stage.until("the second writes", || second.has_written()).await;
        let pause = second.first_write().duration_since(killed);
        let difference = (pause - seconds(LEASE_DURATION)).abs();
        assert!(difference <= seconds(RENEW_DEADLINE), "{pause:?}");
        assert!(first.last_write() <= killed);
        assert_eq!(one_writer(&written(&first, &second), LEASE_DURATION), None);
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
    });
}

#[test]
fn a_leader_that_is_cut_off_writes_nothing_after_the_other_took_over() {
    simulate(1, |stage| async move {
        let (first, second) = led_by_the_first(&stage).await;
        first.cut.store(true, Ordering::Relaxed);
        let cut = stage.world.now();
        stage.until("the second writes", || second.has_written()).await;
        assert_eq!(first.ended.get(), Some(Ended::Lost));
        first.cut.store(false, Ordering::Relaxed); // a process that does not end, as it should, still may not write
        stage.reach("podinfo", &["Succeeded"]).await;
        stage.wait(1200).await;
        assert!(first.last_write() <= cut, "{} > {cut}", first.last_write());
        assert_eq!(one_writer(&written(&first, &second), LEASE_DURATION), None);
        assert_eq!(second.ended.get(), None);
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
    });
}
