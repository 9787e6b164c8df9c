//! The objects of one kind, and who is interested in them. Locks are held for one look-up or one change; bells ring outside.

use engine::{Kind, ObjectRef, objects::resource_version};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Notify;

use super::{
    Ring,
    packed::{Kept, Packed},
    raw,
};

/// Objects of one kind.
pub(super) struct Shard {
    pub(super) kind: Kind,
    /// Only metadata is kept.
    pub(super) bare: bool,
    state: RwLock<State>,
    /// Tells the feed that somebody needs the kind.
    woken: Notify,
    /// Tells those who wait for the first list. Wakes them in the order in which they came, so that one seed gives one run.
    settled: Notify,
}

#[derive(Default)]
struct State {
    stage: Stage,
    /// By place: what is there, and who wants to know. A slot lives as long as it has either.
    slots: BTreeMap<String, Slot>,
    /// Newest resourceVersion that was seen; the versions of one kind grow in the order of their events.
    progress: u64,
    lists_begun: u64,
    /// Number of the last list that was completed.
    list_completed: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Nobody has needed the kind, so it is not watched.
    Asleep,
    /// Not listed yet.
    #[default]
    Pending,
    Listed,
    /// The kind is not installed.
    Missing,
}

#[derive(Default)]
struct Slot {
    object: Option<Packed>,
    listeners: Vec<Arc<Listener>>,
}

/// Someone to wake.
pub(super) struct Listener {
    pub(super) ring: Ring,
    pub(super) interest: Mutex<BTreeSet<ObjectRef>>,
}

/// What the cache had when it was looked at: its own version, not that of a newer own write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The kind was not installed.
    NoSuchKind,
    /// Nothing was there.
    Absent,
    /// This resourceVersion was there.
    At(String),
}

/// A change of one object, by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Appeared(String),
    Changed(String),
    Gone(String),
}

/// A version that a write gave, and the lists begun by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) version: u64,
    pub(super) lists: u64,
}

/// The version of an object as a number, 0 when there is none.
pub(super) fn version_of(object: &Value) -> u64 {
    resource_version(object).parse().unwrap_or_default()
}

// === impl Shard ===

impl Shard {
    pub(super) fn new(kind: Kind, bare: bool, asleep: bool) -> Self {
        let state = State {
            stage: if asleep { Stage::Asleep } else { Stage::Pending },
            ..State::default()
        };
        Self {
            kind,
            bare,
            state: RwLock::new(state),
            woken: Notify::new(),
            settled: Notify::new(),
        }
    }

    /// Somebody needs the kind: watch it from now on.
    pub(super) fn wake(&self) {
        let mut state = self.state.write();
        if state.stage == Stage::Asleep {
            state.stage = Stage::Pending;
            self.woken.notify_one();
        }
    }

    /// Wait until somebody needs the kind. For its feed.
    pub(super) async fn woken(&self) {
        if self.state.read().stage == Stage::Asleep {
            self.woken.notified().await;
        }
    }

    /// Wait until the kind was listed once, or found to be not installed.
    pub(super) async fn settled(&self) {
        let settled = self.settled.notified();
        if self.is_unknown() {
            settled.await;
        }
    }

    /// Neither listed yet nor found to be not installed: nothing may be concluded from what is kept.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.state.read().stage, Stage::Asleep | Stage::Pending)
    }

    /// What is there, and whether that is at least as new as a write: its version was passed, or a list that began after it
    /// has ended.
    pub(super) fn look(&self, place: &str, written: Option<Written>) -> (Kept, bool) {
        let state = self.state.read();
        let caught_up = written.is_none_or(|written| {
            state.stage != Stage::Listed || state.progress >= written.version || state.list_completed > written.lists
        });
        (state.kept(place), caught_up)
    }

    pub(super) fn is_pending(&self) -> bool {
        self.state.read().stage == Stage::Pending
    }

    pub(super) fn lists_begun(&self) -> u64 {
        self.state.read().lists_begun
    }

    pub(super) fn begin_list(&self) {
        self.state.write().lists_begun += 1;
    }

    /// Replace everything by the list that was begun last. What is not in it is gone (W-45).
    pub(super) fn complete_list(&self, listed: BTreeMap<String, Packed>) -> Vec<Change> {
        let (changes, woken) = self.state.write().replace_all(listed);
        self.settled.notify_waiters();
        ring(woken);
        changes
    }

    pub(super) fn apply(&self, place: String, object: Packed) -> Option<Change> {
        let mut state = self.state.write();
        state.progress = state.progress.max(object.number());
        let slot = state.slots.entry(place.clone()).or_default();
        let is_same = slot.object.as_ref().is_some_and(|before| before.is_same(&object));
        let was_there = slot.object.replace(object).is_some();
        if is_same {
            return None;
        }
        let woken = slot.listeners.clone();
        drop(state);
        ring(woken);
        Some(if was_there {
            Change::Changed(place)
        } else {
            Change::Appeared(place)
        })
    }

    pub(super) fn delete(&self, place: String, version: u64) -> Option<Change> {
        let mut state = self.state.write();
        state.progress = state.progress.max(version);
        let slot = state.slots.get_mut(&place)?;
        slot.object.take()?;
        let woken = slot.listeners.clone();
        state.tidy(&place);
        drop(state);
        ring(woken);
        Some(Change::Gone(place))
    }

    /// The kind is not installed (any more).
    pub(super) fn lose(&self) -> Vec<Change> {
        let mut state = self.state.write();
        if state.stage == Stage::Missing {
            return Vec::new();
        }
        let (changes, woken) = state.replace_all(BTreeMap::new());
        state.stage = Stage::Missing;
        drop(state);
        self.settled.notify_waiters();
        ring(woken);
        changes
    }

    /// From now on wake this listener when the object changes. True when it already has, since it was marked.
    pub(super) fn listen(&self, place: &str, listener: &Arc<Listener>, mark: &Mark) -> bool {
        let mut state = self.state.write();
        let slot = state.slots.entry(place.to_owned()).or_default();
        slot.listeners.push(listener.clone());
        state.kept(place).mark() != *mark
    }

    pub(super) fn unlisten(&self, place: &str, listener: &Arc<Listener>) {
        let mut state = self.state.write();
        if let Some(slot) = state.slots.get_mut(place) {
            slot.listeners.retain(|other| !Arc::ptr_eq(other, listener));
            state.tidy(place);
        }
    }
}

// === impl State ===

impl State {
    /// Before the first list nobody may conclude that something is absent and make a second one.
    fn kept(&self, place: &str) -> Kept {
        if self.stage != Stage::Listed {
            return Kept::NoSuchKind;
        }
        let object = self.slots.get(place).and_then(|slot| slot.object.clone());
        object.map_or(Kept::Absent, Kept::Present)
    }

    fn tidy(&mut self, place: &str) {
        if self.slots.get(place).is_some_and(Slot::is_idle) {
            self.slots.remove(place);
        }
    }

    fn replace_all(&mut self, mut listed: BTreeMap<String, Packed>) -> (Vec<Change>, Vec<Arc<Listener>>) {
        // A kind that appears or disappears changes the answer for everything of it, also for what stays absent.
        let stage = std::mem::replace(&mut self.stage, Stage::Listed);
        let all_differ = stage != Stage::Listed;
        self.list_completed = self.lists_begun;
        let newest = listed.values().map(Packed::number).max();
        self.progress = self.progress.max(newest.unwrap_or_default());
        let (mut changes, mut woken) = (Vec::new(), Vec::new());
        for (place, slot) in &mut self.slots {
            let change = slot.replace(place, listed.remove(place));
            if change.is_some() || all_differ {
                woken.extend(slot.listeners.iter().cloned());
            }
            changes.extend(change);
        }
        for (place, object) in listed {
            changes.push(Change::Appeared(place.clone()));
            self.slots.entry(place).or_default().object = Some(object);
        }
        self.slots.retain(|_, slot| !slot.is_idle());
        (changes, woken)
    }
}

// === impl Slot ===

impl Slot {
    fn is_idle(&self) -> bool {
        self.object.is_none() && self.listeners.is_empty()
    }

    fn replace(&mut self, place: &str, now: Option<Packed>) -> Option<Change> {
        let before = std::mem::replace(&mut self.object, now.clone());
        match (before, now) {
            (Some(before), Some(now)) if before.is_same(&now) => None,
            (Some(_), Some(_)) => Some(Change::Changed(place.to_owned())),
            (None, Some(_)) => Some(Change::Appeared(place.to_owned())),
            (Some(_), None) => Some(Change::Gone(place.to_owned())),
            (None, None) => None,
        }
    }
}

fn ring(woken: Vec<Arc<Listener>>) {
    for listener in woken {
        (listener.ring)();
    }
}

/// The place of an object, and the object as this shard keeps it.
pub(super) fn kept(shard: &Shard, object: Value) -> Option<(String, Packed)> {
    let place = raw::place_of(&object)?;
    Some((place, Packed::new(&raw::shape(shard.kind, shard.bare, object))))
}
