//! The ledger at work: begins what it says, and sees to it that each task ends in it exactly once.

use actors::world::World;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

use super::{
    ledger::{Admission, Ledger, Limits, State},
    order::Kind,
    series::Series,
    task::{Ask, Outcome, Task},
};
use crate::companion::brake::Why;

/// Between two looks for tasks that nobody asks for any more: a tenth of the shortest interval.
const IDLE_LOOK: Duration = Duration::from_secs(1);

/// How a task is done; production runs programs, tests play them.
pub(super) type Work = Arc<dyn Fn(Arc<Task>) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Tasks(Arc<Inner>);

struct Inner {
    world: World,
    ledger: Mutex<Ledger>,
    work: Work,
    series: Arc<Series>,
    /// Rings when a task has ended.
    ended: Notify,
}

/// A client that waits for a task. When it goes before the end, the task may be stopped.
pub(super) struct Seat {
    tasks: Tasks,
    task: Arc<Task>,
}

/// Ends a task in the ledger, even if its work panics or is dropped.
struct Duty {
    tasks: Tasks,
    task: Arc<Task>,
    outcome: Option<Outcome>,
}

// === impl Tasks ===

impl Tasks {
    /// Nothing runs yet.
    pub(super) fn start(world: &World, limits: Limits, work: Work, series: Arc<Series>) -> Self {
        let tasks = Self(Arc::new(Inner {
            world: world.clone(),
            ledger: Mutex::new(Ledger::new(limits)),
            work,
            series,
            ended: Notify::new(),
        }));
        let looker = tasks.clone();
        world.spawn(async move {
            loop {
                looker.0.world.sleep(IDLE_LOOK).await;
                let now = looker.0.world.instant();
                looker.0.ledger.lock().stop_idle(now);
            }
        });
        tasks
    }

    /// Take an ask in. The error: when to come back.
    pub(super) fn submit(&self, ask: Ask) -> Result<Seat, Duration> {
        let now = self.0.world.instant();
        let admission = self.0.ledger.lock().admit(ask, now);
        let task = match admission {
            Admission::Full(after) => return Err(after),
            Admission::Joined(task) => {
                tracing::debug!(
                    canary = task.ask.shown_canary(),
                    command = task.ask.shown,
                    "it runs already"
                );
                task
            }
            Admission::New(task) => task,
        };
        self.begin();
        let tasks = self.clone();
        Ok(Seat { tasks, task })
    }

    /// Stop one by hand; whether there was one.
    pub(super) fn stop(&self, id: u64) -> bool {
        let now = self.0.world.instant();
        self.0.ledger.lock().stop(id, Why::ByHand, now)
    }

    /// Stop everything and wait until it has ended, or until the time is over.
    pub(super) async fn close(&self, limit: Duration) {
        let now = self.0.world.instant();
        self.0.ledger.lock().close(now);
        let all_ended = async {
            loop {
                let bell = self.0.ended.notified();
                if self.0.ledger.lock().active() == 0 {
                    return;
                }
                bell.await;
            }
        };
        tokio::select! {
            () = all_ended => {}
            () = self.0.world.sleep(limit) => tracing::warn!("tasks are left to be killed"),
        }
    }

    /// Look into the ledger.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.0.ledger.lock())
    }

    /// Bring the gauges up to date.
    pub(super) fn gauge(&self) {
        let ledger = self.0.ledger.lock();
        for kind in Kind::ALL {
            for (state, word) in [(State::Queued, "queued"), (State::Running, "running")] {
                let count = i64::try_from(ledger.count_kind(state, kind)).unwrap_or(i64::MAX);
                self.0
                    .series
                    .active
                    .with_label_values(&[kind.as_str(), word])
                    .set(count);
            }
        }
    }

    fn begin(&self) {
        let now = self.0.world.instant();
        let begun = self.0.ledger.lock().begin(now);
        for task in begun {
            let duty = Duty {
                tasks: self.clone(),
                task: task.clone(),
                outcome: None,
            };
            let work = (self.0.work)(task);
            self.0.world.spawn(async move { duty.end(work.await) });
        }
    }
}

// === impl Seat ===

impl Seat {
    /// The task.
    pub(super) fn task(&self) -> &Arc<Task> {
        &self.task
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.task.ask.background {
            let now = self.tasks.0.world.instant();
            self.tasks.0.ledger.lock().leave(self.task.id, now);
        }
    }
}

// === impl Duty ===

impl Duty {
    fn end(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let outcome = self
            .outcome
            .take()
            .unwrap_or_else(|| Outcome::failed("the task was lost"));
        let inner = &self.tasks.0;
        let now = inner.world.instant();
        let kind = self.task.ask.key.kind.as_str();
        inner.series.tasks.with_label_values(&[kind, outcome.word()]).inc();
        let mut ledger = inner.ledger.lock();
        ledger.finish(self.task.id, outcome, now);
        let began = ledger.entry(self.task.id).and_then(|entry| entry.began);
        drop(ledger);
        if let Some(began) = began {
            inner
                .series
                .durations
                .with_label_values(&[kind])
                .observe((now - began).as_secs_f64());
        }
        inner.ended.notify_waiters();
        self.tasks.begin();
    }
}

#[cfg(test)]
mod tests;
