//! One step's view of the cluster: the caches, with this canary's own newer writes laid over them.

#[cfg(test)]
mod tests;

use engine::{Kind, ObjectRef, Seen, View, Write, configs::Digest, objects::resource_version, seam::Act};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Caches, Mark,
    packed::{Kept, Packed},
    raw,
    shard::{Written, version_of},
};

/// Digests that a canary remembers. A pod template with 64 references is far beyond what the API server's 1.5 MiB are used for;
/// twice that, as each reference has its `-primary` copy.
const DIGESTS: usize = 128;

/// What a step has looked at, so that every replay sees the same. Make a new one for each step.
///
/// Digests are pinned, too: the step asks for a read where it has none, and what that read gives is remembered while the step still runs.
#[derive(Debug, Default)]
pub struct Pins {
    seen: RefCell<BTreeMap<ObjectRef, (Kept, Mark)>>,
    digests: RefCell<BTreeMap<ObjectRef, Option<Digest>>>,
    /// Kinds that were looked at and are not known yet.
    unknown: RefCell<BTreeSet<Kind>>,
}

/// Results of a canary's own writes that the caches may not have seen yet: it reads its own writes (peers.md 5.1, stale state).
/// Lives as long as its canary actor.
#[derive(Debug, Default)]
pub struct Overlay(BTreeMap<ObjectRef, Own>);

/// What earlier reads of ConfigMaps and Secrets gave. Lives as long as its canary actor.
#[derive(Debug, Default)]
pub struct Digests(BTreeMap<ObjectRef, (String, Digest)>);

/// The view of one step, made anew for every call of `step` over the same [`Pins`].
pub struct StepView<'a> {
    caches: &'a Caches,
    overlay: &'a Overlay,
    digests: &'a Digests,
    pins: &'a Pins,
    /// What this call has opened. It goes with the call: a step that waits for an answer holds text only.
    open: RefCell<BTreeMap<ObjectRef, Seen>>,
}

#[derive(Debug)]
enum Own {
    Wrote { object: Packed, written: Written },
    Deleted { uid: String },
}

// === impl Pins ===

impl Pins {
    /// What was looked at, for [`super::Subscription::set_interest`].
    pub fn looks(&self) -> BTreeMap<ObjectRef, Mark> {
        let pins = self.seen.borrow();
        pins.iter().map(|(of, (_, mark))| (of.clone(), mark.clone())).collect()
    }

    /// Kinds that the last call of the mind looked at and that nothing is known of yet: its answer must not be used. They are not
    /// pinned, so that the call can be made again after [`Caches::learn`].
    pub fn take_unknown(&self) -> BTreeSet<Kind> {
        self.unknown.take()
    }
}

// === impl StepView ===

impl<'a> StepView<'a> {
    /// The view over these parts.
    pub fn new(caches: &'a Caches, overlay: &'a Overlay, digests: &'a Digests, pins: &'a Pins) -> Self {
        Self {
            caches,
            overlay,
            digests,
            pins,
            open: RefCell::default(),
        }
    }

    /// What the step has seen there, or sees there now.
    fn pin(&self, of: &ObjectRef) -> Seen {
        let mut pins = self.pins.seen.borrow_mut();
        if let Some((kept, _)) = pins.get(of) {
            return kept.open();
        }
        if self.caches.is_unknown(of.kind) {
            self.pins.unknown.borrow_mut().insert(of.kind);
            return Seen::NoSuchKind;
        }
        let (kept, mark) = self.overlay.look(self.caches, of);
        let seen = kept.open();
        pins.insert(of.clone(), (kept, mark));
        seen
    }
}

impl View for StepView<'_> {
    fn object(&self, of: &ObjectRef) -> Seen {
        if let Some(seen) = self.open.borrow().get(of) {
            return seen.clone();
        }
        let seen = self.pin(of);
        self.open.borrow_mut().insert(of.clone(), seen.clone());
        seen
    }

    fn digest(&self, of: &ObjectRef, resource_version: &str) -> Option<Digest> {
        let mut pins = self.pins.digests.borrow_mut();
        let pinned = pins
            .entry(of.clone())
            .or_insert_with(|| self.digests.get(of, resource_version));
        pinned.clone()
    }
}

// === impl Overlay ===

impl Overlay {
    /// Remember what a write of our own gave. Call it for every successful [`engine::Outcome::Wrote`].
    pub fn record(&mut self, caches: &Caches, write: &Write, result: &Arc<Value>) {
        let of = write.object.clone();
        let Some(shard) = caches.shard(of.kind) else { return };
        if let Act::Delete { uid } = &write.act
            && version_of(result) == 0
        {
            self.0.insert(of, Own::Deleted { uid: uid.clone() });
            return;
        }
        let object = if shard.bare {
            Packed::new(&raw::shape(shard.kind, true, Value::clone(result)))
        } else {
            Packed::new(result)
        };
        let written = Written {
            version: version_of(result),
            lists: shard.lists_begun(),
        };
        self.0.insert(of, Own::Wrote { object, written });
    }

    /// Forget what the caches have caught up with. Call it now and then, such as at the end of a step.
    pub fn prune(&mut self, caches: &Caches) {
        self.0.retain(|of, own| own.is_newer(caches, of));
    }

    /// Writes that the caches have not shown yet, as far as known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the canary shall see, and what the caches have.
    fn look(&self, caches: &Caches, of: &ObjectRef) -> (Kept, Mark) {
        let Some(own) = self.0.get(of) else {
            let there = caches.kept(of);
            let mark = there.mark();
            return (there, mark);
        };
        let (there, is_newer) = own.compare(caches, of);
        let mark = there.mark();
        let kept = match own {
            _ if !is_newer => there,
            Own::Wrote { object, .. } => Kept::Present(object.clone()),
            Own::Deleted { .. } => Kept::Absent,
        };
        (kept, mark)
    }
}

// === impl Own ===

impl Own {
    /// What the caches have, and whether this is newer.
    fn compare(&self, caches: &Caches, of: &ObjectRef) -> (Kept, bool) {
        let written = match self {
            Self::Wrote { written, .. } => Some(*written),
            Self::Deleted { .. } => None,
        };
        let Some(shard) = caches.shard(of.kind) else {
            return (Kept::NoSuchKind, false);
        };
        let (there, caught_up) = shard.look(&raw::key_of(of), written);
        let is_newer = match self {
            Self::Wrote { .. } => !caught_up,
            // Still there in the cache: the event of the deletion has not come yet.
            Self::Deleted { uid } => there.is_of(uid),
        };
        (there, is_newer)
    }

    fn is_newer(&self, caches: &Caches, of: &ObjectRef) -> bool {
        self.compare(caches, of).1
    }
}

// === impl Digests ===

impl Digests {
    fn get(&self, of: &ObjectRef, resource_version: &str) -> Option<Digest> {
        let (version, digest) = self.0.get(of)?;
        (version == resource_version && !version.is_empty()).then(|| digest.clone())
    }

    /// Remember what reading this version gave.
    pub fn remember(&mut self, of: ObjectRef, resource_version: impl Into<String>, digest: Digest) {
        if self.0.len() >= DIGESTS && !self.0.contains_key(&of) {
            self.0.pop_first();
        }
        self.0.insert(of, (resource_version.into(), digest));
    }
}

/// Whether `candidate` is a newer version of the same object than `than`. Versions of one kind grow with time.
pub fn is_newer(candidate: &Value, than: &Value) -> bool {
    match (version_of(candidate), version_of(than)) {
        (0, _) | (_, 0) => resource_version(candidate) != resource_version(than),
        (candidate, than) => candidate > than,
    }
}
