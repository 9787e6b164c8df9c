//! Queries to metrics servers. The same query asked by several canaries at a time is sent once (AN-21), each server gets a few
//! queries at a time, and one that keeps failing is left alone for a while. What a question lacks is added last: signatures, tokens.

use actix::{Actor, Context, Handler, Message};
use engine::{
    http::{Method, Request, Response},
    metrics::{Access, Question},
    seam::Trouble,
};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    answer::Answer,
    cluster::Cluster,
    mail::Mail,
    outbound::Outbound,
    servers::{Breaker, Limits, Servers},
    world::World,
};

mod ambient;
mod gate;
mod keptn;
#[cfg(test)]
mod tests;
mod tokens;

pub use ambient::Ambient;
use gate::Gate;

/// Queries waiting and running together: 4 metrics of each of 1024 canaries, checked in the same moment.
pub const QUERIES_MAX: usize = 4096;
/// Per server 16 queries at a time (Prometheus runs 20 by default). It is down after 5 failures in a row and rests for 10 s, the
/// shortest interval, so that a canary loses one check at most after the server has come back.
pub const LIMITS: Limits = Limits {
    servers: 256,
    at_once: 16,
    breaker: Some(Breaker {
        failures: 5,
        rest: Duration::from_secs(10),
    }),
};

/// The pool of queries.
pub struct MetricsActor {
    world: World,
    gate: Arc<Gate>,
    flights: Flights,
}

/// What the pool may use on the controller's own account.
#[derive(Clone, Default)]
pub struct Reach {
    /// Credentials of the process.
    pub ambient: Ambient,
    /// The API server; without it, providers in the cluster cannot be asked.
    pub cluster: Option<Cluster>,
}

/// Ask a metrics server.
#[derive(Message)]
#[rtype(result = "Result<Response, Trouble>")]
pub struct Query(pub Question);

type Asked = BoxFuture<'static, Result<Response, Trouble>>;

/// Queries in flight. An entry does not keep its query alive: it ends when the last canary that waits for it goes.
#[derive(Clone, Default)]
struct Flights(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    flights: BTreeMap<Key, (u64, WeakShared<Asked>)>,
    last: u64,
}

/// All that makes two requests the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    access: Access,
    is_post: bool,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    timeout: Duration,
    skip_tls_verify: bool,
    proxy: Option<String>,
}

/// Takes its entry off the board when the query ends, answered or not.
struct Landing {
    flights: Flights,
    key: Key,
    number: u64,
}

/// Start the pool in the current arbiter, without anything of the controller's own.
pub fn start(world: &World, outbound: &Outbound) -> Mail<Query> {
    start_with(world, outbound, Reach::default())
}

/// Start the pool in the current arbiter.
pub fn start_with(world: &World, outbound: &Outbound, reach: Reach) -> Mail<Query> {
    let servers = Servers::new(world, LIMITS);
    let actor = MetricsActor {
        world: world.clone(),
        gate: Arc::new(Gate::new(world, outbound, servers, reach)),
        flights: Flights::default(),
    };
    Mail::new(actor.start().recipient(), QUERIES_MAX)
}

// === impl MetricsActor ===

impl Actor for MetricsActor {
    type Context = Context<Self>;
}

impl Handler<Query> for MetricsActor {
    type Result = Answer<Result<Response, Trouble>>;

    fn handle(&mut self, Query(question): Query, _: &mut Context<Self>) -> Self::Result {
        let gate = self.gate.clone();
        let key = Key::of(&question);
        let ask = || async move { gate.send(question).await };
        Answer::new(&self.world, self.flights.join(key, ask))
    }
}

// === impl Query ===

impl From<Request> for Query {
    fn from(request: Request) -> Self {
        Self(Question::open(request))
    }
}

// === impl Flights ===

impl Flights {
    /// The flight with this key, or a new one.
    fn join<F>(&self, key: Key, ask: impl FnOnce() -> F) -> Shared<Asked>
    where
        F: Future<Output = Result<Response, Trouble>> + Send + 'static,
    {
        let mut board = self.0.lock();
        if let Some(flying) = board.flights.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return flying;
        }
        board.last += 1;
        let number = board.last;
        let landing = Landing {
            flights: self.clone(),
            key: key.clone(),
            number,
        };
        let asking = ask();
        let asked: Asked = Box::pin(async move {
            let _landing = landing;
            asking.await
        });
        let flight = asked.shared();
        if let Some(weak) = flight.downgrade() {
            board.flights.insert(key, (number, weak));
        }
        flight
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut board = self.flights.0.lock();
        let is_mine = board
            .flights
            .get(&self.key)
            .is_some_and(|(number, _)| *number == self.number);
        if is_mine {
            board.flights.remove(&self.key);
        }
    }
}

// === impl Key ===

impl Key {
    fn of(question: &Question) -> Self {
        let Question { request, access } = question;
        Self {
            access: access.clone(),
            is_post: request.method == Method::Post,
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            timeout: request.timeout,
            skip_tls_verify: request.skip_tls_verify,
            proxy: request.proxy.clone(),
        }
    }
}
