//! A small Kubernetes API inside the process, for tests, simulations and the demo: `kube::Client` works on it without a socket or a
//! thread.
//!
//! What it is: objects with revisions, list, watch, create, replace, patch, delete, finalizers, garbage collection, the defaults and
//! the workload status that a controller can see, and faults on demand. A strict one ([`Settings::strict`]) is what kubectl expects:
//! schemas, CRDs, field managers, tables, OpenAPI. What it is not: access control, admission webhooks and policies, CEL, Pods; what it
//! cannot do it answers with 501. Under a paused tokio clock two runs of the same program give the same [`Sandbox::hash`]: nothing is drawn by
//! chance, uids and addresses are counted, time comes from the clock that is given in.
//!
//! Read in this order: [`kinds`], `store`, `history`, `write`, `metadata`, `http`, `call`, `watch`, then [`controllers`] and [`faults`].
//! For kubectl: `crd`, `schema`, `lists`, `strategic`, `apply`, `table`, `openapi`, and [`serve`].

mod admin;
mod apply;
mod body;
mod call;
pub mod command;
pub mod controllers;
mod crd;
mod defaults;
mod discovery;
pub mod failure;
pub mod faults;
mod fields;
mod gc;
mod history;
mod http;
pub mod journal;
pub mod kinds;
mod lists;
mod metadata;
mod natives;
mod openapi;
mod patch;
mod pods;
mod scale;
mod schema;
mod select;
pub mod serve;
mod statuses;
mod store;
mod strategic;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod validate;
mod view;
mod watch;
mod write;

pub use body::SandboxBody;
pub use failure::Failure;
pub use faults::{Disconnected, Fault, Hook};
pub use journal::Entry;
pub use kinds::Resource;

use ::http::{Request, Response};
use bytes::Bytes;
use controllers::Fleet;
use faults::Faults;
use futures::future::BoxFuture;
use history::Verb;
use jiff::Timestamp;
use journal::Journal;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use store::Store;
use tower::BoxError;
use write::Mode;

/// Reads the time that objects are stamped with.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Starts a task of the cluster's controllers.
pub type Spawner = Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;

/// The behaviour of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Time from a new spec to the first status of its controller.
    pub sync_after: Duration,
    /// Time that new pods take to become ready.
    pub ready_after: Duration,
    /// Time from the death of an owner to that of its dependents; zero for the same instant.
    pub collect_after: Duration,
    /// A watch from a forgotten revision is refused with HTTP 410 at once, instead of with an ERROR event in its stream. Real
    /// servers do the latter, proxies before them sometimes the former.
    pub refuses_old_watches: bool,
    /// Nodes that DaemonSets run on.
    pub nodes: u32,
    /// As strict as a real server: namespaces have to exist, builtin kinds have schemas, every field has its manager, CRDs are served.
    /// Simulations do without, as each of their writes would pay for it. It cannot be changed later.
    pub strict: bool,
    /// Labels of all nodes.
    pub node_labels: BTreeMap<String, String>,
}

/// The cluster. Clones share it. It is a tower service for `kube::Client::new`.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    clock: Clock,
    spawner: Spawner,
    strict: bool,
}

#[derive(Debug)]
struct State {
    store: Store,
    journal: Journal,
    faults: Faults,
    fleet: Fleet,
    settings: Settings,
    /// A collection is planned.
    collecting: bool,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_after: Duration::from_millis(100),
            ready_after: Duration::from_secs(5),
            collect_after: Duration::ZERO,
            refuses_old_watches: false,
            nodes: 1,
            strict: false,
            node_labels: BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())]),
        }
    }
}

// === impl Sandbox ===

impl Sandbox {
    /// An empty cluster that serves [`kinds::standard`]. Nothing but `spawner` ever starts a task.
    pub fn new(clock: Clock, spawner: Spawner, settings: Settings) -> Self {
        let mut store = Store::default();
        for kind in kinds::standard() {
            store.install(kind);
        }
        if settings.strict {
            for kind in kinds::more() {
                store.install(kind);
            }
        }
        let strict = settings.strict;
        let state = State {
            store,
            journal: Journal::default(),
            faults: Faults::default(),
            fleet: Fleet::default(),
            settings,
            collecting: false,
        };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            clock,
            spawner,
            strict,
        }))
    }

    /// A client whose default namespace is `default`. Call it inside a tokio runtime: kube starts its buffer there.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.clone(), "default")
    }

    /// Serve one request, with latency, faults and journal. The error is a broken connection ([`Disconnected`]).
    pub async fn answer(&self, request: Request<Bytes>) -> Result<Response<SandboxBody>, BoxError> {
        let (mut entry, hook, latency) = self.arrive(&request);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let fault = hook.map_or(Fault::None, |hook| hook(&entry));
        if fault == Fault::Stop {
            self.stop();
        }
        if self.state().faults.stopped {
            self.state().journal.keep(entry);
            return Err(Disconnected.into());
        }
        if let Fault::Timeout(delay) = fault {
            tokio::time::sleep(delay).await;
        }
        let response = match fault {
            Fault::Conflict => http::refused(&Failure::injected_conflict(&entry.path)),
            Fault::Unavailable => http::refused(&Failure::Unavailable),
            Fault::Answer(code) => http::injected(code),
            Fault::Timeout(_) => http::refused(&Failure::Timeout(
                "request did not complete within the allotted time".into(),
            )),
            Fault::None | Fault::DropAnswerAfterWrite | Fault::Stop => http::serve(self, &request),
        };
        entry.code = response.status().as_u16();
        self.state().journal.keep(entry);
        if fault == Fault::DropAnswerAfterWrite {
            return Err(Disconnected.into());
        }
        Ok(response)
    }

    fn arrive(&self, request: &Request<Bytes>) -> (Entry, Option<Hook>, Duration) {
        let mut entry = Entry {
            seq: 0,
            writes: 0,
            at: self.now(),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            body: request.body().clone(),
            code: 0,
        };
        let mut state = self.state();
        state.journal.number(&mut entry);
        (entry, state.faults.before.clone(), state.faults.latency)
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// Write to the store and let the cluster's controllers see what changed.
    fn write<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        self.write_state(|state| change(&mut state.store))
    }

    fn write_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mode = self.mode();
        let mut state = self.state();
        let result = change(&mut state);
        let (jobs, collects) = state.follow(mode);
        let delay = state.settings.collect_after;
        drop(state);
        self.start(jobs);
        if collects {
            let sandbox = self.clone();
            (self.0.spawner)(Box::pin(async move {
                tokio::time::sleep(delay).await;
                sandbox.collect();
            }));
        }
        result
    }

    /// How the cluster itself writes.
    fn mode(&self) -> Mode<'static> {
        Mode {
            now: self.now(),
            dry_run: false,
            strict: self.0.strict,
            exact: false,
            author: None,
        }
    }

    fn start(&self, jobs: Vec<controllers::Job>) {
        for job in jobs {
            (self.0.spawner)(Box::pin(self.clone().tend(job)));
        }
    }

    /// The planned collection.
    fn collect(&self) {
        let mode = self.mode();
        self.write_state(|state| {
            state.collecting = false;
            // A kind that was uninstalled meanwhile is the only failure, and its objects are gone with it.
            drop(state.store.collect(mode));
        });
    }
}

impl tower::Service<Request<kube::client::Body>> for Sandbox {
    type Response = Response<SandboxBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let sandbox = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            sandbox.answer(Request::from_parts(parts, body)).await
        })
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sandbox at revision {}", self.state().store.revision)
    }
}

// === impl State ===

impl State {
    /// Show all fresh changes to the controllers: the tasks to start, and whether a later collection has to be planned.
    fn follow(&mut self, mode: Mode<'_>) -> (Vec<controllers::Job>, bool) {
        let mut jobs = Vec::new();
        let mut plans = false;
        loop {
            let touched = std::mem::take(&mut self.store.touched);
            if touched.is_empty() {
                return (jobs, plans);
            }
            jobs.extend(controllers::jobs(&mut self.fleet, &touched));
            if mode.strict {
                self.store.follow_crds(&touched, mode.now);
                self.store.empty_namespaces(&touched, mode);
            }
            let orphans =
                |change: &history::Change| change.verb == Verb::Deleted || !gc::owners(&change.object).is_empty();
            if !touched.iter().any(|(_, change)| orphans(change)) {
                continue;
            }
            if self.settings.collect_after.is_zero() {
                drop(self.store.collect(mode));
            } else if !self.collecting {
                self.collecting = true;
                plans = true;
            }
        }
    }
}
