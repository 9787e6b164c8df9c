//! Watch caches for everything that a step reads, so that looking costs nothing (W-53) and a change wakes whom it concerns.
//!
//! ```text
//!   one watch per kind ──> Feed ──> Shard (objects, interest) ──ring──> canaries that looked at the object
//!                            └────> Fleet (only Canaries)
//!   watch of CRDs ──> Installed ──> feeds start and stop with their kind
//! ```
//!
//! Kinds of traffic providers sleep until the first canary looks at them ([`Caches::learn`]): what nobody uses is not watched.
//!
//! What it is not: a source for writes. Every write carries a precondition, as a cache may be late. ConfigMaps and Secrets are
//! watched by their metadata; their data is read when its version changed. Objects are kept as text, see `caches::packed`.

mod feed;
mod installed;
mod pace;
mod packed;
mod raw;
mod shard;
#[cfg(test)]
pub(crate) mod tests;
mod view;

use engine::{Kind, ObjectRef, Seen, objects::kinds, routes};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

use crate::{places::Places, world::World};
use feed::Feed;
use installed::Installed;
use packed::Kept;
pub use raw::key_of;
pub use shard::Mark;
use shard::{Listener, Shard};
pub use view::{Digests, Overlay, Pins, StepView, is_newer};

/// Longest wait for the first list of a kind, of as many pages as a large cluster has: three times what one slow answer may take
/// ([`crate::cluster`] gives an attempt 15 s). The step is tried again afterwards.
const LEARNING: Duration = Duration::from_secs(45);

/// The kinds that are no provider's, and whether only their metadata is watched.
const KINDS: [(Kind, bool); 10] = [
    (kinds::CANARY, false),
    (kinds::METRIC_TEMPLATE, false),
    (kinds::ALERT_PROVIDER, false),
    (kinds::DEPLOYMENT, false),
    (kinds::DAEMON_SET, false),
    (kinds::SERVICE, false),
    (kinds::HORIZONTAL_POD_AUTOSCALER, false),
    (kinds::SCALED_OBJECT, false),
    (kinds::CONFIG_MAP, true),
    (kinds::SECRET, true),
];

/// All kinds that are watched, those of the traffic providers included, and whether only their metadata is.
pub fn watched() -> BTreeMap<Kind, bool> {
    let routes = routes::kinds().into_iter().map(|kind| (kind, false));
    routes.chain(KINDS).collect()
}

/// Whether a kind is watched only once a canary looks at it: those of the traffic providers, of which a cluster has many objects that are
/// nobody's canary's, and KEDA's.
fn is_lazy(kind: Kind) -> bool {
    kind == kinds::SCALED_OBJECT || !KINDS.iter().any(|(other, _)| *other == kind)
}

/// Wakes a canary. Called from watch tasks: it must not block.
pub type Ring = Arc<dyn Fn() + Send + Sync>;

/// Told about Canaries, in order, from one task: it must not block. `key` is `<namespace>/<name>`, see [`key_of`].
pub trait Fleet: Send + Sync + 'static {
    /// A Canary that was not there before.
    fn appeared(&self, key: &str);
    /// A new version of a Canary; also when it was deleted and made again unseen, then with another uid.
    fn changed(&self, key: &str);
    /// A Canary is gone; also found at the next list when the event was lost (W-45).
    fn gone(&self, key: &str);
    /// All Canaries were listed, and every difference was told.
    fn relisted(&self) {}
}

/// The caches. Cheap to clone; the watches end when the last clone is dropped.
#[derive(Clone)]
pub struct Caches(Arc<Inner>);

struct Inner {
    shards: BTreeMap<Kind, Arc<Shard>>,
    /// Number of kinds that are watched from the start.
    eager: usize,
    /// Number of those whose first list is done.
    settled: watch::Receiver<usize>,
    _alive: watch::Sender<()>,
}

/// A canary's interest in objects; dropping it ends the interest.
pub struct Subscription {
    caches: Caches,
    listener: Arc<Listener>,
}

// === impl Caches ===

impl Caches {
    /// Start all watches on the I/O runtime, of all namespaces or of this one.
    pub fn start(world: &World, places: &Places, namespace: Option<&str>, fleet: &Arc<dyn Fleet>) -> Self {
        let (alive, stop) = watch::channel(());
        let (settled, count) = watch::channel(0);
        let settled = Arc::new(settled);
        let mut installed = Installed::new(world.clone(), places.own().clone());
        let mut beside = places.mesh().map(|mesh| Installed::new(world.clone(), mesh.clone()));
        let mut shards = BTreeMap::new();
        // With one namespace the rights may end there (DP-7), so kinds of the whole cluster (Kuma's) count as not installed.
        let within = |kind: &Kind| namespace.is_none() || kind.is_namespaced();
        let mut eager = 0;
        for (kind, bare) in watched().into_iter().filter(|(kind, _)| within(kind)) {
            let lazy = is_lazy(kind);
            eager += usize::from(!lazy);
            let shard = Arc::new(Shard::new(kind, bare, lazy));
            let place = beside.as_mut().filter(|_| kind.is_of_mesh()).unwrap_or(&mut installed);
            let feed = Feed {
                world: world.clone(),
                client: places.of(kind).clone(),
                namespace: namespace.map(str::to_owned),
                shard: shard.clone(),
                installed: place.follow(kind),
                settled: (!lazy).then(|| settled.clone()),
                fleet: (kind == kinds::CANARY).then(|| fleet.clone()),
            };
            world.spawn(while_alive(stop.clone(), feed.run()));
            shards.insert(kind, shard);
        }
        // Definitions belong to the cluster. Whoever watches one namespace may have rights in that one only (DP-7): then nothing is known of
        // what is installed, and the feeds probe slowly.
        if namespace.is_none() {
            for watched in beside.into_iter().chain([installed]) {
                world.spawn(while_alive(stop.clone(), watched.run()));
            }
        }
        Self(Arc::new(Inner {
            shards,
            eager,
            settled: count,
            _alive: alive,
        }))
    }

    /// The object as the watch has it. Before the first list of its kind, and for kinds that are not watched: `NoSuchKind`.
    pub fn object(&self, of: &ObjectRef) -> Seen {
        self.kept(of).open()
    }

    /// The same, unopened.
    fn kept(&self, of: &ObjectRef) -> Kept {
        self.shard(of.kind)
            .map_or(Kept::NoSuchKind, |shard| shard.look(&key_of(of), None).0)
    }

    /// Whether every kind that is watched from the start was listed once, or found to be not installed: for `/readyz`.
    pub fn synced(&self) -> bool {
        *self.0.settled.borrow() >= self.0.eager
    }

    /// Wait until [`Caches::synced`].
    pub async fn wait_synced(&self) {
        let all = self.0.eager;
        // An error means that the watches have ended: the process is stopping.
        drop(self.0.settled.clone().wait_for(|count| *count >= all).await);
    }

    /// Kinds that are not synced, to tell people what is waited for.
    pub fn unsynced(&self) -> Vec<Kind> {
        let pending = self.0.shards.iter().filter(|(_, shard)| shard.is_pending());
        pending.map(|(kind, _)| *kind).collect()
    }

    /// Watch these kinds from now on, and wait until each was listed once, or found to be not installed. `false` when one was not in time.
    pub async fn learn(&self, kinds: &BTreeSet<Kind>) -> bool {
        let shards = || kinds.iter().filter_map(|kind| self.shard(*kind));
        shards().for_each(|shard| shard.wake());
        let all = async {
            for shard in shards() {
                shard.settled().await;
            }
        };
        timeout(LEARNING, all).await.is_ok()
    }

    /// Whether nothing may be concluded yet from what is kept of this kind.
    fn is_unknown(&self, kind: Kind) -> bool {
        self.shard(kind).is_some_and(|shard| shard.is_unknown())
    }

    /// Ring this bell from now on when an object of interest changes.
    pub fn subscribe(&self, ring: Ring) -> Subscription {
        let listener = Arc::new(Listener {
            ring,
            interest: Mutex::default(),
        });
        Subscription {
            caches: self.clone(),
            listener,
        }
    }

    fn shard(&self, kind: Kind) -> Option<&Arc<Shard>> {
        self.0.shards.get(&kind)
    }
}

// === impl Subscription ===

impl Subscription {
    /// Be interested in exactly these, as [`Pins::looks`] gives them. Rings at once when one of those that are new has changed
    /// since it was looked at, so that no change is lost between the look and this call.
    pub fn set_interest(&self, looks: &BTreeMap<ObjectRef, Mark>) {
        let mut interest = self.listener.interest.lock();
        let mut changed = false;
        for (of, mark) in looks.iter().filter(|(of, _)| !interest.contains(*of)) {
            let shard = self.caches.shard(of.kind);
            changed |= shard.is_some_and(|shard| shard.listen(&key_of(of), &self.listener, mark));
        }
        for of in interest.iter().filter(|of| !looks.contains_key(*of)) {
            self.leave(of);
        }
        *interest = looks.keys().cloned().collect();
        drop(interest);
        if changed {
            (self.listener.ring)();
        }
    }

    fn leave(&self, of: &ObjectRef) {
        if let Some(shard) = self.caches.shard(of.kind) {
            shard.unlisten(&key_of(of), &self.listener);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let interest: BTreeSet<ObjectRef> = std::mem::take(&mut *self.listener.interest.lock());
        for of in &interest {
            self.leave(of);
        }
    }
}

/// Run a task until the caches are dropped.
async fn while_alive(mut alive: watch::Receiver<()>, task: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = alive.changed() => {}
        () = task => {}
    }
}
