//! Kubernetes Events of canaries (controller.md 3.10): `kubectl describe canary` shows them.
//!
//! The recorder has an aggregation of its own, as the usual one loses events of long runs (W-60): an Event with the same text as
//! one of the last ten minutes raises that one's count; different texts are never merged.

use crds::Canary;
use engine::{
    Event,
    retry::Policy,
    seam::{EventType, Trouble},
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event as Record, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

use crate::{backoff::Backoff, world::World};
use ledger::{Ledger, Move};

pub use sink::KubeEvents;

mod ledger;
mod sink;
#[cfg(test)]
mod tests;

/// `reason` of every Event: users filter on it (controller.md 3.10).
pub const REASON: &str = "Synced";
/// `source.component` of every Event.
pub const COMPONENT: &str = "flagger";
/// Longest text in characters: the limit of the newer Events API. Hook answers of any length end up in texts (W-52).
pub const TEXT_MAX: usize = 1024;
/// Characters of the canary's name in an Event's name: 253 are allowed, 17 are for the dot and the number.
const NAME_MAX: usize = 253 - 17;
/// Attempts to write one Event. The pauses are 0.5 + 1 + 2 s at most, so a canary's events are late by 4 x 10 + 3.5 s at worst.
const ATTEMPTS: Policy = Policy {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(2),
    attempts: 4,
};
/// Time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Where Events are written. Errors: `Unavailable` is tried again, `NotFound` of [`EventSink::repeat`] makes a new Event.
pub trait EventSink: Send + Sync + 'static {
    /// Write a new Event.
    fn create(&self, record: Record) -> BoxFuture<'_, Result<(), Trouble>>;
    /// Set count and last time of an earlier Event.
    fn repeat(&self, repeat: Repeat) -> BoxFuture<'_, Result<(), Trouble>>;
}

/// The same was said again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Namespace of the earlier Event.
    pub namespace: String,
    /// Name of the earlier Event.
    pub name: String,
    /// How often it was said by now.
    pub count: i32,
    /// When it was said last.
    pub last: Timestamp,
}

/// What became of an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Written or counted.
    Written,
    /// The canary says too much; this one was left out.
    LeftOut,
    /// Could not be written.
    Failed(Trouble),
}

/// Writes Events. Calls for one canary must come one after the other.
pub struct Recorder {
    world: World,
    sink: Arc<dyn EventSink>,
    ledger: Mutex<Ledger>,
}

// === impl Recorder ===

impl Recorder {
    /// A recorder that writes to `sink`.
    pub fn new(world: &World, sink: Arc<dyn EventSink>) -> Self {
        Self {
            world: world.clone(),
            sink,
            ledger: Mutex::default(),
        }
    }

    /// Write one Event of a canary.
    pub async fn record(&self, canary: &Canary, event: &Event, at: Timestamp) -> Recorded {
        let (key, text) = (key(canary), cut(&event.message));
        let name = self.fresh_name(canary);
        let entered = self.ledger.lock().enter(&key, event.severity, &text, &name, at);
        let result = match entered {
            Move::LeaveOut => return Recorded::LeftOut,
            Move::Create => self.create(canary, event.severity, &text, &name, at).await,
            Move::Repeat { name: earlier, count } => {
                let repeat = Repeat {
                    namespace: canary.namespace().to_owned(),
                    name: earlier,
                    count,
                    last: at,
                };
                match self.patiently(|| self.sink.repeat(repeat.clone())).await {
                    Err(Trouble::NotFound(_)) => {
                        self.ledger.lock().rename(&key, event.severity, &text, &name);
                        self.create(canary, event.severity, &text, &name, at).await
                    }
                    other => other,
                }
            }
        };
        match result {
            Ok(()) => Recorded::Written,
            Err(trouble) => {
                self.ledger.lock().forget(&key, event.severity, &text);
                Recorded::Failed(trouble)
            }
        }
    }

    async fn create(
        &self,
        canary: &Canary,
        severity: EventType,
        text: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), Trouble> {
        let record = record(canary, severity, text, name, at);
        match self.patiently(|| self.sink.create(record.clone())).await {
            Err(Trouble::Conflict(_)) => Ok(()), // an attempt whose answer was lost: the name is ours alone
            other => other,
        }
    }

    async fn patiently<'a>(&'a self, attempt: impl Fn() -> BoxFuture<'a, Result<(), Trouble>>) -> Result<(), Trouble> {
        let mut pauses = Backoff::new(ATTEMPTS, &self.world);
        loop {
            let late = || Trouble::Unavailable(format!("no answer within {ATTEMPT:?}"));
            let result = tokio::time::timeout(ATTEMPT, attempt())
                .await
                .unwrap_or_else(|_| Err(late()));
            let Err(Trouble::Unavailable(_)) = result else {
                return result;
            };
            let Some(pause) = pauses.next() else { return result };
            self.world.sleep(pause).await;
        }
    }

    fn fresh_name(&self, canary: &Canary) -> String {
        let name: String = canary.name().chars().take(NAME_MAX).collect();
        format!("{name}.{:016x}", self.world.chance())
    }
}

/// A canary that was deleted and made again has a history of its own.
fn key(canary: &Canary) -> String {
    let uid = canary.metadata.uid.as_deref().unwrap_or_default();
    format!("{}/{}/{uid}", canary.namespace(), canary.name())
}

fn cut(message: &str) -> String {
    if message.chars().count() <= TEXT_MAX {
        return message.to_owned();
    }
    message.chars().take(TEXT_MAX - 1).chain(['…']).collect()
}

fn record(canary: &Canary, severity: EventType, text: &str, name: &str, at: Timestamp) -> Record {
    let severity = match severity {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    Record {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: canary.metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(crds::API_VERSION.to_owned()),
            kind: Some("Canary".to_owned()),
            name: canary.metadata.name.clone(),
            namespace: canary.metadata.namespace.clone(),
            resource_version: canary.metadata.resource_version.clone(),
            uid: canary.metadata.uid.clone(),
            ..ObjectReference::default()
        },
        reason: Some(REASON.to_owned()),
        message: Some(text.to_owned()),
        type_: Some(severity.to_owned()),
        source: Some(EventSource {
            component: Some(COMPONENT.to_owned()),
            ..EventSource::default()
        }),
        reporting_component: Some(COMPONENT.to_owned()),
        count: Some(1),
        first_timestamp: Some(Time(at)),
        last_timestamp: Some(Time(at)),
        ..Record::default()
    }
}
