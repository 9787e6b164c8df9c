//! Limits per server, so that a slow or dead one delays only those who need it: few requests at a time, and, where asked for, a
//! breaker that answers for a server which keeps failing.

use engine::{
    http::{Request, Response},
    seam::Trouble,
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::{
    events,
    outbound::{self, Outbound},
    world::World,
};

#[cfg(test)]
mod tests;

/// Longest pause that a server can wish for: a check or a few are lost, and not an hour of them (as with hooks, W-32).
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// Limits that hold for each server (scheme, host and port).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Servers remembered; the one unused for longest makes room.
    pub servers: usize,
    /// Requests at a time to one server; further ones wait, each for its own time limit at most.
    pub at_once: usize,
    /// When to stop asking.
    pub breaker: Option<Breaker>,
}

/// When a server counts as down, and for how long it is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row: no answer, 429, 502, 503 or 504. Other answers say something about the request, not about the server.
    pub failures: u32,
    /// Time without requests; then one is let through, and it decides.
    pub rest: Duration,
}

/// The servers known so far. Clones share them.
#[derive(Clone)]
pub struct Servers(Arc<Inner>);

struct Inner {
    world: World,
    limits: Limits,
    known: Mutex<BTreeMap<String, (Instant, Arc<Server>)>>,
}

struct Server {
    name: String,
    breaker: Option<Breaker>,
    permits: Semaphore,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
    is_probed: bool,
}

/// Leave to send one request. Dropped without [`Turn::end`]: nothing was learnt.
struct Turn<'a> {
    server: &'a Server,
    is_probe: bool,
}

// === impl Servers ===

impl Servers {
    /// No server known yet.
    pub fn new(world: &World, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            world: world.clone(),
            limits,
            known: Mutex::default(),
        }))
    }

    /// Send a request within its server's limits. `Unavailable` without sending while the server rests, or when no turn came in time.
    pub async fn send(&self, outbound: &Outbound, request: Request) -> Result<Response, Trouble> {
        let (name, patience) = (outbound::origin(&request.url)?, request.timeout);
        self.through(name, patience, || outbound::send(outbound, request)).await
    }

    /// The same for any exchange with a server of this name; a turn is waited for as long as `patience`.
    pub async fn through<F>(
        &self,
        name: String,
        patience: Duration,
        exchange: impl FnOnce() -> F,
    ) -> Result<Response, Trouble>
    where
        F: Future<Output = Result<Response, Trouble>>,
    {
        let server = self.server(name)?;
        server.check(self.0.world.instant())?;
        let busy = || Trouble::Unavailable(format!("{}: too many requests wait for it", server.name));
        let waited = timeout(patience, server.permits.acquire()).await;
        let _permit = waited.map_err(|_| busy())?.map_err(|_| busy())?;
        let turn = server.enter(self.0.world.instant())?;
        let result = exchange().await;
        turn.end(is_failure(&result), wished_pause(&result), self.0.world.instant());
        result
    }

    fn server(&self, name: String) -> Result<Arc<Server>, Trouble> {
        let now = self.0.world.instant();
        let mut known = self.0.known.lock();
        if let Some((used, server)) = known.get_mut(&name) {
            *used = now;
            return Ok(server.clone());
        }
        if known.len() >= self.0.limits.servers {
            let crowded = || Trouble::Unavailable(format!("{name}: too many other servers are being asked"));
            let unused = idle_longest(&known).ok_or_else(crowded)?;
            known.remove(&unused);
        }
        let server = Arc::new(Server {
            name: name.clone(),
            breaker: self.0.limits.breaker,
            permits: Semaphore::new(self.0.limits.at_once),
            health: Mutex::default(),
        });
        known.insert(name, (now, server.clone()));
        Ok(server)
    }
}

/// A server that only the map holds is idle: references are handed out under the map's lock.
fn idle_longest(known: &BTreeMap<String, (Instant, Arc<Server>)>) -> Option<String> {
    let idle = known.iter().filter(|(_, (_, server))| Arc::strong_count(server) == 1);
    idle.min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone())
}

fn is_failure(result: &Result<Response, Trouble>) -> bool {
    match result {
        Ok(response) => matches!(response.status, 429 | 502 | 503 | 504),
        Err(trouble) => matches!(trouble, Trouble::Unavailable(_)),
    }
}

/// How long a server wishes to be left alone: `Retry-After` in seconds, with 429 or 503 (AN-22).
fn wished_pause(result: &Result<Response, Trouble>) -> Option<Duration> {
    let response = result
        .as_ref()
        .ok()
        .filter(|response| matches!(response.status, 429 | 503))?;
    let seconds = response.retry_after.as_deref()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(PAUSE_MAX))
}

// === impl Server ===

impl Server {
    /// Fails at once while the server rests.
    fn check(&self, now: Instant) -> Result<(), Trouble> {
        self.awake(&self.health.lock(), now)
    }

    /// The same, and takes the turn; after a rest, only one turn at a time.
    fn enter(&self, now: Instant) -> Result<Turn<'_>, Trouble> {
        let mut health = self.health.lock();
        self.awake(&health, now)?;
        let is_probe = health.rests_until.is_some();
        health.is_probed = is_probe;
        Ok(Turn { server: self, is_probe })
    }

    fn awake(&self, health: &Health, now: Instant) -> Result<(), Trouble> {
        if health.rests_until.is_none_or(|until| now >= until && !health.is_probed) {
            return Ok(());
        }
        Err(Trouble::Unavailable(format!(
            "{}: not asked, as it keeps failing",
            self.name
        )))
    }
}

// === impl Turn ===

impl Turn<'_> {
    fn end(self, has_failed: bool, wished: Option<Duration>, now: Instant) {
        let Some(breaker) = self.server.breaker else { return };
        let mut health = self.server.health.lock();
        if !has_failed {
            health.failures = 0;
            health.rests_until = None;
            return;
        }
        health.failures = health.failures.saturating_add(1);
        // A server that says how long is believed at once; the others are after some failures in a row.
        if health.failures < breaker.failures && wished.is_none() {
            return;
        }
        let rest = wished.unwrap_or(breaker.rest);
        health.rests_until = Some(now + rest);
        let server = &self.server.name;
        events::ServerRests { server, rest }.emit();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.server.health.lock().is_probed = false;
        }
    }
}
