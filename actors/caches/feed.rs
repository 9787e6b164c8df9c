//! The watch of one kind: feeds its shard for as long as the kind is installed.

use futures::StreamExt;
use kube::{
    Api, Client,
    runtime::watcher::{self, Error, Event, watcher},
};
use std::{collections::BTreeMap, future, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Fleet,
    installed::{PROBE, Presence},
    pace::Pace,
    packed::Packed,
    raw::Raw,
    shard::{Change, Shard, kept, version_of},
};
use crate::{cluster::wire::api_resource, world::World};

/// Objects per page of a list. A page is parsed as a whole, and real objects of 3 KiB take 30 parsed: 6 MiB. The largest objects that
/// Kubernetes stores, 1.5 MiB each, would make 300 MiB of text.
pub(super) const PAGE: u32 = 200;
/// Longest wait for a page of a list.
const PATIENCE: Duration = Duration::from_mins(1);
/// After so long without any event the kind is listed again: finds what a broken connection lost. More than two of the
/// client's own watch periods of 295 s, so that a healthy quiet watch has been renewed twice by then.
const QUIET: Duration = Duration::from_mins(10);
/// So often a kind is tried whose CRD is there and does not serve it: 0.5 + 1 + 2 + 4 + 8 + 16 s and two of 30 s, a minute and a half in
/// all, when a new CRD takes a moment. Then its CRD has other versions, and the next change of it is waited for.
const MISSES_MAX: u32 = 8;

pub(super) struct Feed {
    pub(super) world: World,
    pub(super) client: Client,
    pub(super) namespace: Option<String>,
    pub(super) shard: Arc<Shard>,
    pub(super) installed: watch::Receiver<Presence>,
    /// Counts the kinds whose first list is done. Only for those that are watched from the start.
    pub(super) settled: Option<Arc<watch::Sender<usize>>>,
    /// Only for Canaries.
    pub(super) fleet: Option<Arc<dyn Fleet>>,
}

/// Why a watch ended.
enum End {
    /// The kind is not served.
    Missing,
    /// Nothing was heard for too long, or its CRD is gone.
    Doubtful,
}

/// How often the kind was not served by one and the same CRD.
#[derive(Default)]
struct Misses {
    by: Presence,
    count: u32,
}

// === impl Misses ===

impl Misses {
    fn another(&mut self, by: Presence) -> u32 {
        self.count = if self.by == by { self.count.saturating_add(1) } else { 1 };
        self.by = by;
        self.count
    }
}

// === impl Feed ===

impl Feed {
    pub(super) async fn run(mut self) {
        let (mut pace, mut misses) = (Pace::default(), Misses::default());
        self.shard.woken().await;
        loop {
            let mut installed = self.installed.clone();
            let end = tokio::select! {
                biased;
                () = uninstalled(&mut installed) => End::Doubtful,
                end = self.session(&mut pace) => end,
            };
            if matches!(end, End::Missing) {
                let changes = self.shard_settles(Shard::lose);
                self.report(changes);
                self.wait_for_kind(&mut pace, &mut misses).await;
            }
        }
    }

    async fn session(&self, pace: &mut Pace) -> End {
        if self.shard.bare {
            self.watch::<true>(pace).await
        } else {
            self.watch::<false>(pace).await
        }
    }

    async fn watch<const BARE: bool>(&self, pace: &mut Pace) -> End {
        let resource = api_resource(self.shard.kind);
        let namespace = self.namespace.as_ref().filter(|_| self.shard.kind.is_namespaced());
        let api: Api<Raw<BARE>> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let mut events = pin!(watcher(api, watcher::Config::default().page_size(PAGE)));
        let mut listing = Some(BTreeMap::new());
        loop {
            let patience = if listing.is_some() { PATIENCE } else { QUIET };
            match timeout(patience, events.next()).await {
                Ok(Some(Ok(event))) => self.take(event, &mut listing),
                Ok(Some(Err(error))) if code_of(&error) == Some(404) => return End::Missing,
                Ok(Some(Err(error))) => self.pause(&error.to_string(), pace).await,
                Err(_) if listing.is_some() => {
                    self.pause("no answer to a list", pace).await;
                    return End::Doubtful;
                }
                Ok(None) | Err(_) => return End::Doubtful,
            }
        }
    }

    fn take<const BARE: bool>(&self, event: Event<Raw<BARE>>, listing: &mut Option<BTreeMap<String, Packed>>) {
        match event {
            Event::Init => {
                self.shard.begin_list();
                *listing = Some(BTreeMap::new());
            }
            Event::InitApply(raw) => {
                let kept = kept(&self.shard, raw.object);
                listing.get_or_insert_default().extend(kept);
            }
            Event::InitDone => {
                let listed = listing.take().unwrap_or_default();
                let changes = self.shard_settles(|shard| shard.complete_list(listed));
                self.report(changes);
                if let Some(fleet) = &self.fleet {
                    fleet.relisted();
                }
            }
            Event::Apply(raw) => {
                let kept = kept(&self.shard, raw.object);
                self.report(kept.and_then(|(place, object)| self.shard.apply(place, object)));
            }
            Event::Delete(raw) => {
                let version = version_of(&raw.object);
                let place = super::raw::place_of(&raw.object);
                self.report(place.and_then(|place| self.shard.delete(place, version)));
            }
        }
    }

    /// Change the whole shard, and count it when that was its first list.
    fn shard_settles(&self, change: impl FnOnce(&Shard) -> Vec<Change>) -> Vec<Change> {
        let is_first = self.shard.is_pending();
        let changes = change(&self.shard);
        if let Some(settled) = self.settled.as_ref().filter(|_| is_first) {
            settled.send_modify(|count| *count += 1);
        }
        changes
    }

    fn report(&self, changes: impl IntoIterator<Item = Change>) {
        let Some(fleet) = &self.fleet else { return };
        for change in changes {
            match change {
                Change::Appeared(key) => fleet.appeared(&key),
                Change::Changed(key) => fleet.changed(&key),
                Change::Gone(key) => fleet.gone(&key),
            }
        }
    }

    async fn pause(&self, error: &str, pace: &mut Pace) {
        let pause = pace.next(&self.world);
        let kind = self.shard.kind.kind;
        if pace.is_notable() {
            tracing::warn!(kind, %error, "cannot watch, will try again");
        } else {
            tracing::debug!(kind, %error, "cannot watch, will try again");
        }
        self.world.sleep(pause).await;
    }

    /// Until it is worth trying again: at once when its CRD appears or changes, else after a while.
    async fn wait_for_kind(&mut self, pace: &mut Pace, misses: &mut Misses) {
        let known = *self.installed.borrow_and_update();
        let tries = misses.another(known);
        let pause = match known {
            Presence::Absent => return until(&mut self.installed, |presence| presence != Presence::Absent).await,
            Presence::Unknown => PROBE,
            Presence::Present(_) if tries > MISSES_MAX => QUIET,
            Presence::Present(_) => pace.next(&self.world),
        };
        tokio::select! {
            biased;
            () = until(&mut self.installed, |presence| presence != known) => {}
            () = sleep(pause) => {}
        }
    }
}

/// Wait until the kind's CRD goes. That is only a reason to list again: what counts is whether the API server serves the kind.
async fn uninstalled(installed: &mut watch::Receiver<Presence>) {
    until(installed, |presence| matches!(presence, Presence::Present(_))).await;
    until(installed, |presence| presence == Presence::Absent).await;
}

/// Wait until this holds; for ever when nobody tells any more.
async fn until(installed: &mut watch::Receiver<Presence>, holds: impl Fn(Presence) -> bool) {
    if installed.wait_for(|presence| holds(*presence)).await.is_err() {
        future::pending::<()>().await;
    }
}

/// HTTP code of a watch's failure.
pub(super) fn code_of(error: &Error) -> Option<u16> {
    match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status))
        | Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}
