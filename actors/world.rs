//! The World: the one place that starts tasks, places actors, reads a clock or draws chance.
//!
//! In production, I/O runs on a multi-thread runtime and canary actors on one arbiter per core. In tests everything runs on one
//! current-thread runtime whose clock is paused, so hours pass in milliseconds and the same seed gives the same run.

use actix::ArbiterHandle;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    future::Future,
    hash::Hasher,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Handle, time::Instant};

/// Handle to tasks, clocks and chance. Cheap to clone.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    place: Place,
    /// Wall time at `born`; only the test world uses it to derive wall time from its paused clock.
    epoch: Timestamp,
    born: Instant,
    chance: Mutex<StdRng>,
    /// Milliseconds by which somebody has set the clock; only the test world's can be set.
    skew: AtomicI64,
}

enum Place {
    /// I/O on `io`, actors spread over the arbiters.
    Threads { io: Handle, arbiters: Vec<ArbiterHandle> },
    /// Everything on the current thread.
    Single,
}

// === impl World ===

impl World {
    /// The production world.
    pub fn threads(io: Handle, arbiters: Vec<ArbiterHandle>) -> Self {
        Self::new(Place::Threads { io, arbiters }, wall_clock(), rand::random())
    }

    /// The test world: call it inside an actix `System` over a current-thread runtime with a paused clock.
    pub fn single(epoch: Timestamp, seed: u64) -> Self {
        Self::new(Place::Single, epoch, seed)
    }

    fn new(place: Place, epoch: Timestamp, seed: u64) -> Self {
        let chance = Mutex::new(StdRng::seed_from_u64(seed));
        Self(Arc::new(Inner {
            place,
            epoch,
            born: Instant::now(),
            chance,
            skew: AtomicI64::new(0),
        }))
    }

    /// Wall time.
    pub fn now(&self) -> Timestamp {
        match self.0.place {
            Place::Threads { .. } => wall_clock(),
            Place::Single => {
                let elapsed = SignedDuration::try_from(self.0.born.elapsed()).unwrap_or(SignedDuration::ZERO);
                let skew = SignedDuration::from_millis(self.0.skew.load(Ordering::Relaxed));
                self.0.epoch.checked_add(elapsed + skew).unwrap_or(self.0.epoch)
            }
        }
    }

    /// Set the test world's wall clock forward or back, as an operator or NTP does. Monotonic time goes on as before. In production
    /// the clock is the system's, and this does nothing.
    pub fn jump(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(0);
        self.0.skew.fetch_add(millis, Ordering::Relaxed);
    }

    /// Monotonic time.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Wait.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// A random number.
    pub fn chance(&self) -> u64 {
        self.0.chance.lock().random()
    }

    /// A number in `0.0..1.0`, for jitter.
    pub fn fraction(&self) -> f64 {
        self.0.chance.lock().random()
    }

    /// Start an I/O task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.0.place {
            Place::Threads { io, .. } => drop(io.spawn(task)),
            Place::Single => drop(tokio::task::spawn_local(task)),
        }
    }

    /// Run `start` where actors with this key live; actors are started in there.
    pub fn place(&self, key: &str, start: impl FnOnce() + Send + 'static) {
        match &self.0.place {
            Place::Single => drop(tokio::task::spawn_local(async move { start() })),
            Place::Threads { arbiters, .. } => {
                let at = (stable_hash(key) % arbiters.len().max(1) as u64) as usize;
                if let Some(arbiter) = arbiters.get(at) {
                    arbiter.spawn_fn(start);
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

/// A hash that is the same in every process and release, so that a canary keeps its place.
fn stable_hash(key: &str) -> u64 {
    #[expect(deprecated, reason = "SipHasher's output is fixed, DefaultHasher's is not")]
    let mut hasher = std::hash::SipHasher::new();
    hasher.write(key.as_bytes());
    hasher.finish()
}
