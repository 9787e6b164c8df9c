//! Which custom kinds are installed: one watch of the metadata of all CustomResourceDefinitions. Where that is forbidden,
//! or not asked for because one namespace is watched, nothing is known and the feeds probe slowly.

use engine::Kind;
use futures::StreamExt;
use kube::{
    Api, Client,
    runtime::watcher::{self, Event, watcher},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};
use tokio::sync::watch;

use super::{
    feed::{PAGE, code_of},
    pace::Pace,
    raw::Raw,
};
use crate::{cluster::wire::api_resource, world::World};

/// How often a kind is tried of which nothing is known, and CRDs that may not be watched.
pub(super) const PROBE: Duration = Duration::from_mins(1);

const DEFINITION: Kind = Kind {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
};

/// What is known of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Presence {
    /// Built in, or CRDs may not be watched.
    #[default]
    Unknown,
    /// Its CRD is there. The number grows with every change of it: it is served only a moment after it appears.
    Present(u64),
    /// There is no CRD.
    Absent,
}

/// Watches CRDs and tells the feeds.
pub(super) struct Installed {
    world: World,
    client: Client,
    /// By name of the CRD, one for each of its versions that is followed: a channel wakes several receivers in an order that it draws,
    /// and one seed must give one run.
    tell: BTreeMap<String, Vec<watch::Sender<Presence>>>,
}

// === impl Installed ===

impl Installed {
    pub(super) fn new(world: World, client: Client) -> Self {
        Self {
            world,
            client,
            tell: BTreeMap::new(),
        }
    }

    /// What is known of this kind from now on. Built-in kinds (their group has no dot) stay unknown.
    pub(super) fn follow(&mut self, kind: Kind) -> watch::Receiver<Presence> {
        if !kind.group.contains('.') {
            return watch::channel(Presence::Unknown).1;
        }
        let (teller, told) = watch::channel(Presence::Unknown);
        let tellers = self.tell.entry(format!("{}.{}", kind.plural, kind.group));
        tellers.or_default().push(teller);
        told
    }

    pub(super) async fn run(self) {
        let definitions: Api<Raw<true>> = Api::all_with(self.client.clone(), &api_resource(DEFINITION));
        let mut events = pin!(watcher(definitions, watcher::Config::default().page_size(PAGE)));
        let (mut pace, mut listed) = (Pace::default(), BTreeSet::new());
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(definition)) => listed.extend(self.followed(&definition)),
                Ok(Event::InitDone) => self.listed(&listed),
                Ok(Event::Apply(definition)) => self.changed(&definition),
                Ok(Event::Delete(definition)) => self.deleted(&definition),
                Err(error) => self.failed(&error, &mut pace).await,
            }
        }
    }

    fn followed(&self, definition: &Raw<true>) -> Option<String> {
        let name = definition.object["metadata"]["name"].as_str()?;
        self.tell.contains_key(name).then(|| name.to_owned())
    }

    fn listed(&self, listed: &BTreeSet<String>) {
        let tellers = self
            .tell
            .iter()
            .flat_map(|(name, tellers)| tellers.iter().map(move |teller| (name, teller)));
        for (name, teller) in tellers {
            teller.send_if_modified(|presence| match (listed.contains(name), *presence) {
                (true, Presence::Present(_)) | (false, Presence::Absent) => false,
                (there, _) => {
                    *presence = if there { Presence::Present(0) } else { Presence::Absent };
                    true
                }
            });
        }
    }

    fn changed(&self, definition: &Raw<true>) {
        for teller in self.tellers(definition) {
            teller.send_modify(|presence| {
                *presence = match presence {
                    Presence::Present(changes) => Presence::Present(changes.wrapping_add(1)),
                    _ => Presence::Present(0),
                }
            });
        }
    }

    fn tellers(&self, definition: &Raw<true>) -> &[watch::Sender<Presence>] {
        let known = self.followed(definition).and_then(|name| self.tell.get(&name));
        known.map_or(&[], Vec::as_slice)
    }

    fn deleted(&self, definition: &Raw<true>) {
        for teller in self.tellers(definition) {
            teller.send_replace(Presence::Absent);
        }
    }

    async fn failed(&self, error: &watcher::Error, pace: &mut Pace) {
        let mut pause = pace.next(&self.world);
        if matches!(code_of(error), Some(401 | 403 | 404)) {
            // Nothing is known any more: what was absent may have been installed.
            for teller in self.tell.values().flatten() {
                teller.send_if_modified(|presence| std::mem::take(presence) != Presence::Unknown);
            }
            pause = PROBE;
        }
        tracing::debug!(%error, "cannot watch CustomResourceDefinitions");
        self.world.sleep(pause).await;
    }
}
