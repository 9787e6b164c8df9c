//! Calls of the Kubernetes API with a policy: deadlines, bounded retries, a check of leadership before every write, counts.
//!
//! All objects are raw JSON, so that no field is lost. Nothing is cached here; see [`crate::caches`].

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use crds::{Canary, CanaryStatus};
use engine::{
    ObjectRef, Write,
    http::Response,
    json::merge_diff,
    objects::{kinds, resource_version},
    seam::{Act, Trouble},
};
use serde_json::{Value, json};
use std::{future::Future, sync::Arc, time::Duration};

use crate::{places::Places, world::World};
use wire::Wire;

/// Longest time for one attempt. A busy API server gets it: what is given up is asked for again, so a time below that of its slowest
/// answers would let it work for nothing (measured: a thousand Services at once took 6 s and more each on two cores).
const ATTEMPT: Duration = Duration::from_secs(15);
/// Attempts of a read and of a status write.
const ATTEMPTS: u32 = 3;
/// Pause after the first failed attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest time for a whole call: one attempt of 15 s, and the better part of another. Each attempt of a write asks the guard, so
/// one that was allowed at the very end of a claim is over 15 s (renewal deadline) + 15 s after the last renewal, long before the
/// lease of 60 s is free for others.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Whether writing is allowed at this moment: this process leads.
pub type Guard = Arc<dyn Fn() -> bool + Send + Sync>;

/// Told about every attempt of a call.
pub type Tally = Arc<dyn Fn(Call) + Send + Sync>;

/// One attempt of a call, for `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// `get`, `create`, `patch`, `patch_status` or `delete`.
    pub verb: &'static str,
    /// Kind of the object, such as `Deployment`.
    pub kind: &'static str,
    /// `ok`, `conflict`, `not_found`, `refused`, `unavailable`, or `not_leader` for a write that was not sent.
    pub result: &'static str,
}

/// The API server as the actors use it. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    own: Wire,
    mesh: Wire,
    world: World,
    guard: Guard,
    tally: Tally,
}

// === impl Cluster ===

impl Cluster {
    /// A cluster behind these clients, which must have been made on the I/O runtime (crates.md 2.1). `guard` is asked right before
    /// every write: while it says no, nothing is written, so that two replicas never both write (W-48).
    pub fn new(places: impl Into<Places>, world: World, guard: Guard, tally: Tally) -> Self {
        let places = places.into();
        let mesh = places.mesh().unwrap_or_else(|| places.own());
        Self {
            own: Wire::new(places.own().clone(), ATTEMPT),
            mesh: Wire::new(mesh.clone(), ATTEMPT),
            world,
            guard,
            tally,
        }
    }

    /// The way to the API server that stores this object.
    fn wire(&self, of: &ObjectRef) -> &Wire {
        if of.kind.is_of_mesh() { &self.mesh } else { &self.own }
    }

    /// The object as it is on the API server; `None` where there is none. Tried again while the API server is unavailable.
    pub async fn read(&self, of: &ObjectRef) -> Result<Option<Arc<Value>>, Trouble> {
        let read = async {
            let mut pause = PAUSE;
            for _ in 1..ATTEMPTS {
                match self.attempt("get", of, self.wire(of).get(of)).await {
                    Err(Trouble::Unavailable(_)) => {}
                    settled => return settled,
                }
                self.world.sleep(pause).await;
                pause *= 2;
            }
            self.attempt("get", of, self.wire(of).get(of)).await
        };
        match within(DEADLINE, read).await {
            Ok(object) => Ok(Some(Arc::new(object))),
            Err(Trouble::NotFound(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// The answer to a `GET` of this path, whatever its status; for APIs whose answers are no objects, such as the External Metrics API.
    pub async fn fetch(&self, path: &str) -> Result<Response, Trouble> {
        let result = within(DEADLINE, self.own.fetch(path)).await;
        let result_label = result
            .as_ref()
            .map_or_else(label, |response| if response.status < 300 { "ok" } else { "refused" });
        (self.tally)(Call {
            verb: "get",
            kind: "",
            result: result_label,
        });
        result
    }

    /// Carry out one write, once, and give the object as it is afterwards. For a deletion that is the deleted object while its
    /// finalisers run, or a `Status`. After [`Trouble::Unavailable`] the write may still have happened: its precondition makes it
    /// safe to try again.
    pub async fn write(&self, write: &Write) -> Result<Arc<Value>, Trouble> {
        let of = &write.object;
        let written = match &write.act {
            Act::Create(object) => self.guarded("create", of, self.wire(of).create(of, object)).await,
            Act::Merge {
                patch,
                resource_version,
                generation,
            } => self.merge(of, patch, resource_version, *generation).await,
            Act::Delete { uid } => self.guarded("delete", of, self.wire(of).delete(of, uid)).await,
        };
        written.map(Arc::new)
    }

    /// Send a patch. Where only the status or the metadata has moved on, which other controllers write all the time, send it again
    /// for the version that is there now; a changed spec is a conflict for the caller.
    async fn merge(
        &self,
        of: &ObjectRef,
        patch: &Value,
        version: &str,
        generation: Option<i64>,
    ) -> Result<Value, Trouble> {
        let mut version = version.to_owned();
        for _ in 1..ATTEMPTS {
            let guarded = with_precondition(patch, &version);
            match self.guarded("patch", of, self.wire(of).merge(of, &guarded)).await {
                Err(Trouble::Conflict(_)) if generation.is_some() => {}
                settled => return settled,
            }
            let gone = || Trouble::NotFound(format!("{of} was deleted"));
            let current = self.read(of).await?.ok_or_else(gone)?;
            if current["metadata"]["generation"].as_i64() != generation {
                return Err(Trouble::Conflict(format!("{of} has changed")));
            }
            resource_version(&current).clone_into(&mut version);
        }
        let guarded = with_precondition(patch, &version);
        self.guarded("patch", of, self.wire(of).merge(of, &guarded)).await
    }

    /// Bring the status of this very Canary (same uid) from `canary.status` to `status`, and give the Canary as it is afterwards.
    /// Fields of the status that this release does not know are left alone.
    ///
    /// An edit of the spec in between does not stop it. The API server ignores a uid in a status patch, so the precondition is
    /// the resourceVersion; when it is outdated, or when an attempt's fate is unknown, the Canary is read again, its uid
    /// compared, and the difference taken from what is there.
    ///
    /// Errors: [`Trouble::NotFound`] also when the Canary was deleted and made again. After [`Trouble::Unavailable`] the status
    /// may have been written: take the status from a fresh read, not from memory, before the next step.
    pub async fn save_status(&self, canary: &Canary, status: &CanaryStatus) -> Result<Value, Trouble> {
        let of = kinds::CANARY.named(canary.namespace(), canary.name());
        within(DEADLINE, self.save(&of, canary, status)).await
    }

    async fn save(&self, of: &ObjectRef, canary: &Canary, status: &CanaryStatus) -> Result<Value, Trouble> {
        let mut current = as_json(canary)?;
        let desired = as_json(status)?;
        let mut pause = PAUSE;
        let mut attempts = 1;
        loop {
            let Some(change) = merge_diff(&known_status(&current), &desired) else {
                return Ok(current);
            };
            let patch = with_precondition(&json!({ "status": change }), resource_version(&current));
            match self
                .guarded("patch_status", of, self.own.merge_status(of, &patch))
                .await
            {
                Err(trouble @ (Trouble::Unavailable(_) | Trouble::Conflict(_))) if attempts == ATTEMPTS => {
                    return Err(trouble);
                }
                Err(Trouble::Unavailable(_)) if (self.guard)() => self.world.sleep(pause).await,
                Err(Trouble::Conflict(_)) => {}
                settled => return settled,
            }
            current = self.again(of, canary).await?;
            pause *= 2;
            attempts += 1;
        }
    }

    /// The Canary as it is now, if it still is the same one.
    async fn again(&self, of: &ObjectRef, canary: &Canary) -> Result<Value, Trouble> {
        let uid = canary.metadata.uid.as_deref();
        let same = |current: &Arc<Value>| uid.is_none_or(|uid| current["metadata"]["uid"] == uid);
        let current = self.read(of).await?.filter(same);
        let gone = || Trouble::NotFound(format!("{of} was deleted"));
        current.map(Arc::unwrap_or_clone).ok_or_else(gone)
    }

    /// An attempt of a write: only while this process leads.
    async fn guarded(
        &self,
        verb: &'static str,
        of: &ObjectRef,
        call: impl Future<Output = Result<Value, Trouble>>,
    ) -> Result<Value, Trouble> {
        if (self.guard)() {
            return self.attempt(verb, of, call).await;
        }
        self.count(verb, of, "not_leader");
        Err(Trouble::Unavailable("not the leader".into()))
    }

    async fn attempt(
        &self,
        verb: &'static str,
        of: &ObjectRef,
        call: impl Future<Output = Result<Value, Trouble>>,
    ) -> Result<Value, Trouble> {
        let result = call.await;
        self.count(verb, of, result.as_ref().map_or_else(label, |_| "ok"));
        result
    }

    fn count(&self, verb: &'static str, of: &ObjectRef, result: &'static str) {
        (self.tally)(Call {
            verb,
            kind: of.kind.kind,
            result,
        });
    }
}

/// A guard that always allows writing, and a tally that counts nothing: for tools and tests.
pub fn unguarded() -> (Guard, Tally) {
    (Arc::new(|| true), Arc::new(|_| ()))
}

fn label(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Conflict(_) => "conflict",
        Trouble::NotFound(_) => "not_found",
        Trouble::Refused(_) => "refused",
        Trouble::Unavailable(_) | Trouble::Skipped => "unavailable",
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let late = |_| Trouble::Unavailable(format!("no answer from the API server in {limit:?}"));
    tokio::time::timeout(limit, call).await.map_err(late)?
}

fn with_precondition(patch: &Value, version: &str) -> Value {
    let mut patch = patch.clone();
    if !version.is_empty() {
        engine::json::set(&mut patch, &["metadata", "resourceVersion"], json!(version));
    }
    patch
}

/// The status in this release's vocabulary, so that a difference never deletes what others wrote.
fn known_status(canary: &Value) -> Value {
    serde_json::from_value::<CanaryStatus>(canary["status"].clone())
        .ok()
        .and_then(|status| serde_json::to_value(status).ok())
        .unwrap_or_else(|| json!({}))
}

fn as_json(value: &impl serde::Serialize) -> Result<Value, Trouble> {
    serde_json::to_value(value).map_err(|error| Trouble::Refused(error.to_string()))
}
