//! Ordered delivery: one bounded queue per canary, one job of it at a time, canaries side by side.
//!
//! Adding never waits. A full queue gives up its oldest minor job, or its oldest job if all matter.

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
};
use tokio::sync::{Semaphore, watch};

use crate::world::World;

#[cfg(test)]
mod tests;

/// Bounds of a set of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Jobs that may wait in one lane.
    pub waiting: usize,
    /// Jobs that may run in all lanes together.
    pub running: usize,
}

/// A job with what decides about its fate in a full lane.
pub trait Job: Send + 'static {
    /// Whether it is given up before others.
    fn is_minor(&self) -> bool;
}

/// Lanes, named by text. Clones share them.
pub struct Lanes<J>(Arc<Inner<J>>);

type Deliver<J> = Box<dyn Fn(J) -> BoxFuture<'static, ()> + Send + Sync>;

struct Inner<J> {
    world: World,
    bounds: Bounds,
    deliver: Deliver<J>,
    /// A lane is here from its first job until its task finds it empty.
    waiting: Mutex<BTreeMap<String, VecDeque<J>>>,
    permits: Semaphore,
    /// Jobs neither delivered nor given up.
    pending: watch::Sender<usize>,
}

// === impl Lanes ===

impl<J: Job> Lanes<J> {
    /// Lanes whose jobs are done by `deliver`. A job that panics is lost; its lane goes on.
    pub fn new(
        world: &World,
        bounds: Bounds,
        deliver: impl Fn(J) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            world: world.clone(),
            bounds,
            deliver: Box::new(deliver),
            waiting: Mutex::default(),
            permits: Semaphore::new(bounds.running),
            pending: watch::Sender::new(0),
        }))
    }

    /// Add a job at the end of a lane. Gives back the job that had to make room, if any.
    #[must_use = "a dropped job should be counted"]
    pub fn add(&self, lane: &str, job: J) -> Option<J> {
        let mut waiting = self.0.waiting.lock();
        if let Some(queue) = waiting.get_mut(lane) {
            let dropped = (queue.len() >= self.0.bounds.waiting)
                .then(|| make_room(queue))
                .flatten();
            queue.push_back(job);
            if dropped.is_none() {
                self.0.pending.send_modify(|pending| *pending += 1);
            }
            return dropped;
        }
        waiting.insert(lane.to_owned(), VecDeque::from([job]));
        self.0.pending.send_modify(|pending| *pending += 1);
        let (lanes, lane) = (self.clone(), lane.to_owned());
        self.0.world.spawn(async move { lanes.drain(&lane).await });
        None
    }

    /// Reads how many jobs are neither done nor given up. It does not keep the lanes alive.
    pub fn pending(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let pending = self.0.pending.subscribe();
        move || *pending.borrow()
    }

    /// Resolves when nothing waits or runs.
    pub async fn idle(&self) {
        let mut pending = self.0.pending.subscribe();
        drop(pending.wait_for(|pending| *pending == 0).await); // an error is impossible: `self` holds the sender
    }

    async fn drain(&self, lane: &str) {
        while let Some(job) = self.next(lane) {
            let permit = self.0.permits.acquire().await;
            let delivery = AssertUnwindSafe(async { (self.0.deliver)(job).await });
            if delivery.catch_unwind().await.is_err() {
                tracing::error!(lane, "a delivery panicked and is lost");
            }
            drop(permit);
            self.0
                .pending
                .send_modify(|pending| *pending = pending.saturating_sub(1));
        }
    }

    /// The next job; ends the lane when there is none.
    fn next(&self, lane: &str) -> Option<J> {
        let mut waiting = self.0.waiting.lock();
        let job = waiting.get_mut(lane).and_then(VecDeque::pop_front);
        if job.is_none() {
            waiting.remove(lane);
        }
        job
    }
}

fn make_room<J: Job>(queue: &mut VecDeque<J>) -> Option<J> {
    let at = queue.iter().position(Job::is_minor).unwrap_or(0);
    queue.remove(at)
}

impl<J> Clone for Lanes<J> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
