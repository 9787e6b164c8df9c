//! The right to write, which runs out by itself.

use std::sync::Arc;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{cluster::Guard, world::World};

/// Whether this process may write. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug)]
pub struct Claim(Option<watch::Receiver<Option<Instant>>>);

// === impl Claim ===

impl Claim {
    /// The claim of the only replica: without leader election.
    pub fn always() -> Self {
        Self(None)
    }

    /// A claim that its election renews: until when it holds.
    pub(super) fn held(until: watch::Receiver<Option<Instant>>) -> Self {
        Self(Some(until))
    }

    /// Whether it holds at this time, [`World::instant`].
    pub fn is_current(&self, now: Instant) -> bool {
        let Some(held) = &self.0 else { return true };
        held.borrow().is_some_and(|until| now < until)
    }

    /// The check that [`crate::cluster::Cluster`] makes before each write.
    pub fn guard(&self, world: &World) -> Guard {
        let (claim, world) = (self.clone(), world.clone());
        Arc::new(move || claim.is_current(world.instant()))
    }

    /// Wait until it holds; for ever when its election has ended.
    pub async fn acquired(&self) {
        let Some(mut held) = self.0.clone() else { return };
        let current = |until: &Option<Instant>| until.is_some_and(|until| Instant::now() < until);
        if held.wait_for(current).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Wait until it does not hold: at once when it never did, never without leader election.
    pub async fn lost(&self) {
        let Some(mut held) = self.0.clone() else {
            return std::future::pending().await;
        };
        loop {
            let until = *held.borrow_and_update();
            let Some(until) = until.filter(|until| Instant::now() < *until) else {
                return;
            };
            tokio::select! {
                biased;
                Ok(()) = held.changed() => {}
                () = sleep_until(until) => {}
            }
        }
    }
}
