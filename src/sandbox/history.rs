//! The changes of one kind that watches can still ask for. Each is turned into text once, however many watches send it.

use super::{
    kinds::Resource,
    view::{self, Shape},
};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

/// Changes kept per kind: 1,000 objects may each change once between two looks of a watch, and a little more. The real server keeps
/// 100 to 100,000 per kind, by load.
const KEPT: usize = 1_024;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Added,
    Modified,
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) verb: Verb,
    /// The object after the change; for a deletion the last state, with the revision of the deletion.
    pub(super) object: Arc<Value>,
    /// The object before the change.
    pub(super) before: Option<Arc<Value>>,
    /// The watch line: of the whole object, of its metadata.
    lines: [OnceLock<Bytes>; 2],
}

/// How a watch sees objects.
pub(super) struct Sight<'a> {
    pub(super) resource: &'a Resource,
    pub(super) shape: Shape,
    pub(super) now: Timestamp,
}

/// The bounded list of changes of one kind.
#[derive(Debug, Default)]
pub(super) struct History {
    changes: VecDeque<Arc<Change>>,
    /// Revision of the newest dropped change: watches from before it are told 410.
    trimmed: u64,
}

// === impl Verb ===

impl Verb {
    /// As in watch events.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

// === impl Change ===

impl Change {
    pub(super) fn new(revision: u64, verb: Verb, object: Arc<Value>, before: Option<Arc<Value>>) -> Self {
        Self {
            revision,
            verb,
            object,
            before,
            lines: [OnceLock::new(), OnceLock::new()],
        }
    }

    /// The watch line for this change as it happened.
    pub(super) fn line(&self, sight: &Sight<'_>) -> Bytes {
        let [whole, metadata] = &self.lines;
        let cell = match sight.shape {
            Shape::Whole => whole,
            Shape::Metadata => metadata,
            // Ages in tables change with time.
            Shape::Table(_) => return sight.event(self.verb, &self.object),
        };
        cell.get_or_init(|| sight.event(self.verb, &self.object)).clone()
    }

    /// The watch line for a watch that selects objects: entering the selection is ADDED, leaving it is DELETED.
    pub(super) fn selected_line(&self, selects: impl Fn(&Value) -> bool, sight: &Sight<'_>) -> Option<Bytes> {
        let was = self.before.as_ref().is_some_and(|before| selects(before));
        let is = self.verb != Verb::Deleted && selects(&self.object);
        let verb = match (was, is) {
            (false, false) => return None,
            (false, true) => Verb::Added,
            (true, true) => Verb::Modified,
            (true, false) => Verb::Deleted,
        };
        if verb == self.verb {
            return Some(self.line(sight));
        }
        Some(sight.event(verb, &self.object))
    }
}

// === impl Sight ===

impl Sight<'_> {
    /// A watch line.
    pub(super) fn event(&self, verb: Verb, object: &Value) -> Bytes {
        view::event(verb.text(), &view::text(self.resource, object, self.shape, self.now))
    }

    /// A bookmark line.
    pub(super) fn bookmark(&self, revision: u64, ends_initial: bool) -> Bytes {
        let (api_version, kind) = match self.shape {
            Shape::Whole => (self.resource.api_version(), self.resource.kind.clone()),
            Shape::Metadata => (view::PARTIAL_VERSION.to_owned(), view::PARTIAL_KIND.to_owned()),
            Shape::Table(_) => (view::PARTIAL_VERSION.to_owned(), "Table".to_owned()),
        };
        let mut metadata = serde_json::json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
        if ends_initial {
            metadata["annotations"] = serde_json::json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = serde_json::json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata });
        view::event("BOOKMARK", object.to_string().as_bytes())
    }
}

// === impl History ===

impl History {
    pub(super) fn push(&mut self, change: Arc<Change>) {
        if self.changes.len() == KEPT {
            self.trimmed = self
                .changes
                .pop_front()
                .map_or(self.trimmed, |dropped| dropped.revision);
        }
        self.changes.push_back(change);
    }

    /// Forget everything up to `revision`.
    pub(super) fn compact(&mut self, revision: u64) {
        self.changes.clear();
        self.trimmed = revision;
    }

    /// Whether all changes after `revision` are still known.
    pub(super) fn reaches(&self, revision: u64) -> bool {
        revision >= self.trimmed
    }

    /// The changes after `revision`, oldest first.
    pub(super) fn after(&self, revision: u64) -> impl DoubleEndedIterator<Item = &Arc<Change>> {
        let from = self.changes.partition_point(|change| change.revision <= revision);
        self.changes.range(from..)
    }
}

/// The 410 of a watch that asks for a forgotten revision.
pub(super) fn too_old(asked: u64, oldest: u64) -> String {
    format!("too old resource version: {asked} ({oldest})")
}
