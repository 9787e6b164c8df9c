//! Slots, the pause after a failure, and what runs and ran.
//!
//! A slot is a permit that the run's task owns: it is given back when that task ends, in whatever way, and never twice (K6-3, K6-4).

use actors::world::World;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use super::{
    pause::{Pauses, retry_after_secs},
    request::Order,
    summary::Summary,
};
use crate::companion::{
    brake::{Brake, Stop, Why},
    output::Output,
};

/// Runs that ended are shown until so many later ones ended: at 256 KiB of output each at most 25 MiB.
const KEPT_MAX: usize = 100;
/// Durations that `Retry-After` is made of.
const DURATIONS_MAX: usize = 32;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fate {
    /// Exit code 0.
    Passed,
    /// The canary is too slow, or fails too often.
    ThresholdsCrossed,
    /// The test itself failed.
    TestError,
    /// k6 did not get as far as running it.
    NotStarted,
    /// We stopped it.
    Stopped,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    /// In a word.
    pub(super) fate: Fate,
    /// The answer's first line; empty for a passed one.
    pub(super) text: String,
    /// k6's exit code.
    pub(super) exit_code: Option<i32>,
    /// k6's summary.
    pub(super) summary: Summary,
}

/// A test that runs or ran.
pub(super) struct Run {
    /// Counts up.
    pub(super) id: u64,
    /// What was asked for.
    pub(super) order: Order,
    /// Values of `kubernetes_secrets`.
    pub(super) secrets: BTreeMap<String, String>,
    /// What k6 says.
    pub(super) output: Output,
    /// Stops it.
    pub(super) brake: Brake,
    /// Is stopped.
    pub(super) stop: Stop,
    /// Rings when k6 is up, for who asked for a test in the background.
    pub(super) up: Notify,
    /// Begin.
    pub(super) began: Instant,
    /// Begin and end of the verdict.
    pub(super) verdict: watch::Sender<Option<(Instant, Arc<Verdict>)>>,
    waiters: Mutex<usize>,
}

/// How a run is done: production starts k6, tests play it. The second future is what may go on after the verdict: telling Slack.
pub(super) type Launch = Arc<dyn Fn(Arc<Run>) -> (BoxFuture<'static, Verdict>, BoxFuture<'static, ()>) + Send + Sync>;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Runs(Arc<Inner>);

struct Inner {
    world: World,
    slots: Arc<Semaphore>,
    max: usize,
    launch: Launch,
    book: Mutex<Book>,
    ended: Notify,
}

#[derive(Default)]
struct Book {
    runs: BTreeMap<u64, Arc<Run>>,
    /// Runs whose task has not ended, Slack included.
    busy: usize,
    ended: VecDeque<u64>,
    durations: VecDeque<Duration>,
    pauses: Pauses,
    next: u64,
    closed: bool,
}

/// A place for one run.
pub(super) struct Slot(#[expect(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

/// A client that waits for a run. When the last one goes before the end, the run is stopped.
pub(super) struct Seat(Arc<Run>);

/// Ends a run, even if its task panics or is dropped.
struct Duty {
    runs: Runs,
    run: Arc<Run>,
    slot: Option<Slot>,
}

// === impl Runs ===

impl Runs {
    /// So many at a time.
    pub(super) fn new(world: World, max: usize, launch: Launch) -> Self {
        Self(Arc::new(Inner {
            world,
            slots: Arc::new(Semaphore::new(max)),
            max,
            launch,
            book: Mutex::new(Book {
                next: 1,
                ..Book::default()
            }),
            ended: Notify::new(),
        }))
    }

    /// Slots in all, and free ones.
    pub(super) fn slots(&self) -> (usize, usize) {
        (self.0.max, self.0.slots.available_permits())
    }

    /// The same test, if somebody waits for it right now (K6-14).
    pub(super) fn join(&self, order: &Order) -> Option<Seat> {
        let book = self.0.book.lock();
        let same = book.runs.values().find(|run| {
            order.wait && run.order == *order && run.verdict.borrow().is_none() && run.stop.is_pulled().is_none()
        });
        same.map(|run| Seat::take(run.clone()))
    }

    /// A slot; the error: seconds until there is likely to be one.
    pub(super) fn slot(&self) -> Result<Slot, u64> {
        let book = self.0.book.lock();
        let permit = if book.closed {
            None
        } else {
            self.0.slots.clone().try_acquire_owned().ok()
        };
        permit
            .map(Slot)
            .ok_or_else(|| retry_after_secs(book.durations.iter().copied()))
    }

    /// Whether the pause after a failure holds this order.
    pub(super) fn is_paused(&self, order: &Order) -> bool {
        let now = self.0.world.instant();
        self.0.book.lock().pauses.holds(order, now)
    }

    /// A test failed before it was a run.
    pub(super) fn failed(&self, order: &Order) {
        let now = self.0.world.instant();
        self.0.book.lock().pauses.failed(order, now);
    }

    /// Start a run.
    pub(super) fn start(&self, order: Order, secrets: BTreeMap<String, String>, slot: Slot) -> Seat {
        let (brake, stop) = Brake::new();
        let mut book = self.0.book.lock();
        let run = Arc::new(Run {
            id: book.next,
            order,
            secrets,
            output: Output::default(),
            brake,
            stop,
            up: Notify::new(),
            began: self.0.world.instant(),
            verdict: watch::Sender::new(None),
            waiters: Mutex::new(0),
        });
        book.next += 1;
        book.busy += 1;
        book.runs.insert(run.id, run.clone());
        if book.closed {
            run.brake.pull(Why::Shutdown);
        }
        drop(book);
        let mut duty = Duty {
            runs: self.clone(),
            run: run.clone(),
            slot: Some(slot),
        };
        let (work, telling) = (self.0.launch)(run.clone());
        self.0.world.spawn(async move {
            let verdict = work.await;
            duty.end(verdict);
            telling.await;
        });
        Seat::take(run)
    }

    /// Stop everything and wait until it has ended and Slack is told, or until the time is over.
    pub(super) async fn close(&self, limit: Duration) {
        self.0.book.lock().close();
        let all_ended = async {
            loop {
                let bell = self.0.ended.notified();
                if self.0.book.lock().busy == 0 {
                    return;
                }
                bell.await;
            }
        };
        tokio::select! {
            () = all_ended => {}
            () = self.0.world.sleep(limit) => tracing::warn!("tests are left to be killed"),
        }
    }

    /// Runs, the newest first.
    pub(super) fn list(&self) -> Vec<Arc<Run>> {
        self.0.book.lock().runs.values().rev().cloned().collect()
    }

    /// One run.
    pub(super) fn get(&self, id: u64) -> Option<Arc<Run>> {
        self.0.book.lock().runs.get(&id).cloned()
    }
}

// === impl Book ===

impl Book {
    fn close(&mut self) {
        self.closed = true;
        for run in self.runs.values() {
            run.brake.pull(Why::Shutdown);
        }
    }

    fn end(&mut self, run: &Run, verdict: &Verdict, now: Instant) {
        if verdict.fate != Fate::Passed {
            self.pauses.failed(&run.order, now);
        }
        self.durations.push_back(now - run.began);
        self.durations
            .drain(..self.durations.len().saturating_sub(DURATIONS_MAX));
        self.ended.push_back(run.id);
        while self.ended.len() > KEPT_MAX {
            if let Some(oldest) = self.ended.pop_front() {
                self.runs.remove(&oldest);
            }
        }
    }
}

// === impl Duty ===

impl Duty {
    /// The verdict is spoken, and the slot is free, once.
    fn end(&mut self, verdict: Verdict) {
        let Some(slot) = self.slot.take() else { return };
        let inner = &self.runs.0;
        let now = inner.world.instant();
        inner.book.lock().end(&self.run, &verdict, now);
        // The slot first: who is told of the end may ask again at once.
        drop(slot);
        self.run.verdict.send_replace(Some((now, Arc::new(verdict))));
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.end(Verdict::lost());
        self.runs.0.book.lock().busy -= 1;
        self.runs.0.ended.notify_waiters();
    }
}

// === impl Seat ===

impl Seat {
    fn take(run: Arc<Run>) -> Self {
        *run.waiters.lock() += 1;
        Self(run)
    }

    /// The run.
    pub(super) fn run(&self) -> &Arc<Run> {
        &self.0
    }

    /// Wait for the verdict.
    pub(super) async fn verdict(&self) -> Arc<Verdict> {
        let mut news = self.0.verdict.subscribe();
        let ended = news.wait_for(Option::is_some).await;
        // The sender is the run's, which we hold, so the wait cannot fail.
        let verdict = ended.ok().and_then(|verdict| Some(verdict.as_ref()?.1.clone()));
        verdict.unwrap_or_else(|| Arc::new(Verdict::lost()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut waiters = self.0.waiters.lock();
        *waiters -= 1;
        // A test in the background goes on when its answer is written.
        if *waiters == 0 && self.0.order.wait && self.0.verdict.borrow().is_none() {
            self.0.brake.pull(Why::Abandoned);
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// Its task is gone without a word.
    fn lost() -> Self {
        Self {
            fate: Fate::TestError,
            text: "failed to run: the test was lost".to_owned(),
            exit_code: None,
            summary: Summary::default(),
        }
    }
}

#[cfg(test)]
mod tests;
