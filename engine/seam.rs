//! The vocabulary between the engine and the actors: what a step is told, what it asks for, what it wants done, how it ends.
//!
//! A step is replayed, not resumed: each call runs from the top over the same view and a longer list of outcomes. The n-th thing
//! that was asked for or done finds its outcome at place n, so the evidence is a plain list and nothing else survives between calls.

use crds::{CanaryStatus, Phase};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

use crate::{
    ObjectRef,
    http::{Request, Response},
    metrics::Question,
};

mod told;

pub use told::{Alert, Event, EventType, Measure, Reason, Severity};

/// What the step sees of the cluster. Every look is part of the step's interest: the actor wakes the canary when one of these changes.
///
/// Looks must be stable during one step: the same reference gives the same answer at every replay.
pub trait View {
    /// The object as the watch caches have it. ConfigMaps and Secrets come without data.
    fn object(&self, of: &ObjectRef) -> Seen;
    /// What an earlier read of this ConfigMap or Secret gave, if its resourceVersion is still this one.
    fn digest(&self, of: &ObjectRef, resource_version: &str) -> Option<crate::configs::Digest>;
}

/// An object as the watch caches have it.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// It is there.
    Present(Arc<Value>),
    /// It is not there.
    Absent,
    /// Its kind is not installed.
    NoSuchKind,
}

/// What a call of `step` wants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Step {
    /// Answer these, all at once; one [`Outcome`] each, in this order.
    Ask(Vec<Ask>),
    /// Write these, in this order, up to the first failure; one [`Outcome::Wrote`] each, [`Trouble::Skipped`] after a failure.
    Do {
        /// What to write.
        writes: Vec<Write>,
        /// The checks that this step has judged so far: what the writes rest on.
        checks: Vec<Check>,
    },
    /// The step has ended.
    Done(Box<Done>),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Ask {
    /// The object as it is on the API server.
    Read(ObjectRef),
    /// Call a hook.
    Hook(HookCall),
    /// Ask a metrics server.
    Query(Request),
    /// Ask a metrics server that needs more than a request: a signature, a token, or the way to the API server. The outcome is that of
    /// a [`Ask::Query`].
    Inquire(Box<Question>),
}

/// A hook to call, with its retries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HookCall {
    /// Name of the hook, for logs.
    pub name: String,
    /// The call.
    pub request: Request,
    /// Further attempts after the first.
    pub retries: u32,
}

/// What came of a question or a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A read: the object, or `None` where there is none.
    Read(Result<Option<Arc<Value>>, Trouble>),
    /// The last answer of a hook, or of a metrics server.
    Answer(Result<Response, Trouble>),
    /// The object as it is after the write.
    Wrote(Result<Arc<Value>, Trouble>),
    /// Always the first and only in its list: the run has ended and its status is saved; what follows is the aftermath.
    Ended(Ending),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Ending {
    /// Analysed and promoted.
    Promoted,
    /// Promoted without analysis.
    Skipped,
    /// Not promoted. Holds the phase before the end: the aftermath's events carry it (controller.md 3.6).
    Failed(Phase),
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum Trouble {
    /// The API server has a newer version than the one that the write was made for; look again.
    #[error("{0}")]
    Conflict(String),
    /// The object, or its kind, is not there.
    #[error("{0}")]
    NotFound(String),
    /// The API server does not allow or does not accept it; trying again will not help.
    #[error("{0}")]
    Refused(String),
    /// No answer, or one that says to come again.
    #[error("{0}")]
    Unavailable(String),
    /// A write before this one failed.
    #[error("not tried, as an earlier write failed")]
    Skipped,
}

/// A write with its precondition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Write {
    /// What is written.
    pub object: ObjectRef,
    /// How.
    pub act: Act,
}

/// Kind of write; each carries its precondition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Act {
    /// Make it; precondition: it does not exist.
    Create(Value),
    /// RFC 7386 merge patch; precondition: it still has this resourceVersion.
    Merge {
        /// The patch, without `metadata.resourceVersion`.
        patch: Value,
        /// Version that the patch was made for.
        resource_version: String,
        /// Generation that the patch was made for. Where the version has moved on but the generation has not, only the status or the
        /// metadata was written by somebody else, and the patch may be sent again for the new version.
        generation: Option<i64>,
    },
    /// Delete it; precondition: it still has this uid.
    Delete {
        /// Its uid.
        uid: String,
    },
}

/// End of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Default)]
pub struct Done {
    /// The new status, whole, if it differs.
    pub status: Option<CanaryStatus>,
    /// Events, in order.
    pub events: Vec<Event>,
    /// Alerts, in order.
    pub alerts: Vec<Alert>,
    /// Figures for `/metrics`.
    pub measures: Vec<Measure>,
    /// Whether this step was a check: the next one is due an interval later.
    pub checked: bool,
    /// When to look again at the latest; `None`: only when something that was looked at changes.
    pub wake: Option<Timestamp>,
    /// Set when the run ended and hooks or events remain: call `step` once more with this as the only evidence.
    pub aftermath: Option<Ending>,
    /// What was decided, and why.
    pub decision: Decision,
}

/// What a step decided, as data: for snapshots, traces and tests.
#[derive(Clone, Debug, PartialEq, Serialize, Default)]
pub struct Decision {
    /// One word, such as `advance`, `hold`, `rollback`, `idle`.
    pub verb: &'static str,
    /// The cause in one sentence.
    pub why: String,
    /// The checks that were judged.
    pub checks: Vec<Check>,
}

/// A judged check: verdict and evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Name of the metric or hook.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was measured, in the metric's unit.
    pub value: Option<f64>,
    /// The sentence for the Event when the verdict is no pass.
    pub why: String,
}

/// A check's outcome has three values: too little evidence is not a failure of the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Good.
    Pass,
    /// Bad.
    Fail,
    /// Cannot be told: no data.
    NotEnough,
    /// Cannot be told: the provider did not answer properly.
    Unavailable,
}

// === impl Seen ===

impl Seen {
    /// The object, if it is there.
    pub fn present(&self) -> Option<&Arc<Value>> {
        match self {
            Self::Present(object) => Some(object),
            Self::Absent | Self::NoSuchKind => None,
        }
    }
}

// === impl Write ===

impl Write {
    /// Nothing that is made in another cluster may be owned by a Canary of this one: its garbage collector would not find the owner and
    /// collect the object at once.
    pub fn disown(&mut self) {
        if let (Act::Create(object), true) = (&mut self.act, self.object.kind.is_of_mesh())
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            metadata.remove("ownerReferences");
        }
    }

    /// The write that brings `current` to `desired`: create, merge patch, or none where nothing differs.
    pub fn towards(object: ObjectRef, current: Option<&Value>, desired: Value) -> Option<Self> {
        let Some(current) = current else {
            return Some(Self {
                object,
                act: Act::Create(desired),
            });
        };
        let patch = crate::json::merge_diff(current, &desired)?;
        let resource_version = crate::objects::resource_version(current).to_owned();
        Some(Self {
            object,
            act: Act::Merge {
                patch,
                resource_version,
                generation: current["metadata"]["generation"].as_i64(),
            },
        })
    }

    /// The write that deletes `current`; none where there is nothing.
    pub fn removal(object: ObjectRef, current: Option<&Value>) -> Option<Self> {
        let uid = current?["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        Some(Self {
            object,
            act: Act::Delete { uid },
        })
    }
}
