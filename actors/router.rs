//! The actor between the canaries and the Kubernetes API: bounded, and with its I/O on the World's I/O runtime, so that the
//! arbiters only decide.

#[cfg(test)]
mod tests;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use crds::{Canary, CanaryStatus};
use engine::{ObjectRef, Write, seam::Trouble};
use serde_json::Value;
use std::{future::Future, sync::Arc};
use tokio::sync::oneshot;

use crate::{
    cluster::Cluster,
    mail::{Mail, Meter, Seat, Undelivered},
    world::World,
};

/// Reads at a time: at 10 ms each that is 3,200 a second, and with the largest object that Kubernetes stores (1.5 MiB) 48 MiB.
pub const READS: usize = 32;
/// Lists of writes at a time. A list is written one by one, so this also is the most writes in flight: below the share that API
/// Priority and Fairness gives to one workload by default (about 100 seats with the limits of 400 + 200).
pub const APPLIES: usize = 32;
/// Status writes at a time: one per canary and check; 5,000 canaries every 10 s at 10 ms each need 5.
pub const SAVES: usize = 16;

/// Read an object from the API server.
#[derive(Message)]
#[rtype(result = "Result<Option<Arc<Value>>, Trouble>")]
pub struct Read(
    /// What is read.
    pub ObjectRef,
);

/// Write in this order up to the first failure; one result each, [`Trouble::Skipped`] after a failure.
#[derive(Message)]
#[rtype(result = "Vec<Result<Arc<Value>, Trouble>>")]
pub struct Apply(
    /// The writes.
    pub Vec<Write>,
);

/// Write the status of a Canary, see [`Cluster::save_status`].
#[derive(Message)]
#[rtype(result = "Result<Value, Trouble>")]
pub struct Save {
    /// The Canary as it was read, with its old status.
    pub canary: Box<Canary>,
    /// The new status, whole.
    pub status: Box<CanaryStatus>,
}

/// The actor. It holds no state: all order lies in the messages.
pub struct RouterActor {
    cluster: Cluster,
    world: World,
}

/// Address of the [`RouterActor`] with its bounds. Cheap to clone; all clones share the bounds.
#[derive(Clone)]
pub struct Router {
    reads: Mail<Read>,
    applies: Mail<Apply>,
    saves: Mail<Save>,
}

// === impl Router ===

impl Router {
    /// Start the actor where `world` places it.
    pub async fn start(world: &World, cluster: Cluster) -> Result<Self, Undelivered> {
        let (tell, told) = oneshot::channel();
        let actor = RouterActor {
            cluster,
            world: world.clone(),
        };
        world.place("router", move || drop(tell.send(actor.start())));
        let to = told.await.map_err(|_| Undelivered)?;
        Ok(Self {
            reads: Mail::new(to.clone().recipient(), READS),
            applies: Mail::new(to.clone().recipient(), APPLIES),
            saves: Mail::new(to.recipient(), SAVES),
        })
    }

    /// How busy the pool is: reads, groups of writes and status saves that wait or run.
    pub fn busy(&self) -> [(&'static str, usize); 3] {
        [
            ("reads", READS - self.reads.free()),
            ("applies", APPLIES - self.applies.free()),
            ("saves", SAVES - self.saves.free()),
        ]
    }

    /// The meters of its mails, for `/metrics`.
    pub fn meters(&self) -> [(&'static str, Meter); 3] {
        [
            ("reads", self.reads.meter()),
            ("applies", self.applies.meter()),
            ("saves", self.saves.meter()),
        ]
    }

    /// The object as it is on the API server; `None` where there is none.
    pub async fn read(&self, of: ObjectRef) -> Result<Option<Arc<Value>>, Trouble> {
        self.reads.send(Read(of)).await.unwrap_or_else(|gone| Err(lost(gone)))
    }

    /// The right to apply a list of writes at once, if that can be had without waiting.
    pub fn free_seat(&self) -> Option<Seat<Apply>> {
        self.applies.free_seat().ok().flatten()
    }

    /// Wait for the right to apply a list of writes; `None` when the process is stopping.
    pub async fn seat(&self) -> Option<Seat<Apply>> {
        self.applies.seat().await.ok()
    }

    /// Save the status, see [`Cluster::save_status`]. Gives the Canary as it is afterwards.
    pub async fn save(&self, canary: Box<Canary>, status: Box<CanaryStatus>) -> Result<Value, Trouble> {
        let saved = self.saves.send(Save { canary, status }).await;
        saved.unwrap_or_else(|gone| Err(lost(gone)))
    }
}

/// Write in this order up to the first failure; one result for each write. Without a seat nothing is written.
pub async fn apply(seat: Option<Seat<Apply>>, writes: Vec<Write>) -> Vec<Result<Arc<Value>, Trouble>> {
    let count = writes.len();
    let results = match seat {
        Some(seat) => seat.send(Apply(writes)).await,
        None => Err(Undelivered),
    };
    results.unwrap_or_else(|gone| vec![Err(lost(gone)); count])
}

// === impl RouterActor ===

impl RouterActor {
    /// Run this on the I/O runtime and wait for what it gives.
    fn run<T: Send + 'static>(
        &self,
        io: impl Future<Output = T> + Send + 'static,
        otherwise: impl FnOnce(Trouble) -> T + 'static,
    ) -> ResponseFuture<T> {
        let (tell, told) = oneshot::channel();
        self.world.spawn(async move { drop(tell.send(io.await)) });
        Box::pin(async move { told.await.unwrap_or_else(|_| otherwise(lost(Undelivered))) })
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;
}

impl Handler<Read> for RouterActor {
    type Result = ResponseFuture<Result<Option<Arc<Value>>, Trouble>>;

    fn handle(&mut self, Read(of): Read, _: &mut Self::Context) -> Self::Result {
        let cluster = self.cluster.clone();
        self.run(async move { cluster.read(&of).await }, Err)
    }
}

impl Handler<Apply> for RouterActor {
    type Result = ResponseFuture<Vec<Result<Arc<Value>, Trouble>>>;

    fn handle(&mut self, Apply(writes): Apply, _: &mut Self::Context) -> Self::Result {
        let (cluster, count) = (self.cluster.clone(), writes.len());
        self.run(async move { write_all(&cluster, &writes).await }, move |trouble| {
            vec![Err(trouble); count]
        })
    }
}

impl Handler<Save> for RouterActor {
    type Result = ResponseFuture<Result<Value, Trouble>>;

    fn handle(&mut self, Save { canary, status }: Save, _: &mut Self::Context) -> Self::Result {
        let cluster = self.cluster.clone();
        self.run(async move { cluster.save_status(&canary, &status).await }, Err)
    }
}

async fn write_all(cluster: &Cluster, writes: &[Write]) -> Vec<Result<Arc<Value>, Trouble>> {
    let mut results = Vec::with_capacity(writes.len());
    for write in writes {
        let result = cluster.write(write).await;
        let failed = result.is_err();
        results.push(result);
        if failed {
            break;
        }
    }
    results.resize(writes.len(), Err(Trouble::Skipped));
    results
}

/// The actor or its I/O task is gone: the process is stopping.
fn lost(gone: Undelivered) -> Trouble {
    Trouble::Unavailable(gone.to_string())
}
