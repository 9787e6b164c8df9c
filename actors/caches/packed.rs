//! An object as the caches keep it: its JSON as text. Parsed, each of its many small maps takes a node of 640 bytes, so that a thousand
//! canaries with their seven objects each took 100 MiB; as text they take a tenth. A step opens what it looks at, for as long as the
//! mind is at work.

use engine::{Seen, objects::resource_version};
use serde_json::Value;
use std::sync::Arc;

use super::Mark;

/// One object. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Packed(Arc<Text>);

#[derive(PartialEq, Eq)]
struct Text {
    json: Box<[u8]>,
    version: Box<str>,
    uid: Box<str>,
}

/// What the caches have of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The kind is not installed, or not listed yet.
    NoSuchKind,
    /// It is not there.
    Absent,
    /// It is there.
    Present(Packed),
}

// === impl Packed ===

impl Packed {
    pub(super) fn new(object: &Value) -> Self {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        Self(Arc::new(Text {
            json: object.to_string().into_bytes().into(),
            version: resource_version(object).into(),
            uid: uid.into(),
        }))
    }

    /// The object itself.
    pub(super) fn open(&self) -> Arc<Value> {
        // It was written from a value just like that, so it is read again without fail.
        Arc::new(serde_json::from_slice(&self.0.json).unwrap_or_default())
    }

    pub(super) fn version(&self) -> &str {
        &self.0.version
    }

    pub(super) fn uid(&self) -> &str {
        &self.0.uid
    }

    /// Same version of the same object: a new one of the same name has another uid.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.version() == other.version() && self.uid() == other.uid()
    }

    /// The version as a number, 0 when there is none.
    pub(super) fn number(&self) -> u64 {
        self.version().parse().unwrap_or_default()
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0.json))
    }
}

// === impl Kept ===

impl Kept {
    /// What the mind sees.
    pub(super) fn open(&self) -> Seen {
        match self {
            Self::NoSuchKind => Seen::NoSuchKind,
            Self::Absent => Seen::Absent,
            Self::Present(packed) => Seen::Present(packed.open()),
        }
    }

    /// The mark of what was seen.
    pub(super) fn mark(&self) -> Mark {
        match self {
            Self::NoSuchKind => Mark::NoSuchKind,
            Self::Absent => Mark::Absent,
            Self::Present(packed) => Mark::At(packed.version().to_owned()),
        }
    }

    pub(super) fn is_of(&self, uid: &str) -> bool {
        matches!(self, Self::Present(packed) if packed.uid() == uid)
    }
}
