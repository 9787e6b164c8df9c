//! Secrets with the credentials of metric providers, read once for each version: a check every ten seconds needs them every ten seconds
//! (AN-16). The watches know the versions of all Secrets, so a rotated one is read again at the next check.

use engine::{
    ObjectRef, Seen,
    objects::{kinds, resource_version},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

use crate::caches::Caches;

/// Secrets of one canary: one per metric, of which there are rarely ten. At 1 MiB, the largest that Kubernetes stores, 32 MiB at worst.
const SECRETS_MAX: usize = 32;

/// What earlier reads of Secrets gave. Lives as long as its canary actor, and is never written anywhere.
#[derive(Default)]
pub(super) struct Secrets(BTreeMap<ObjectRef, Arc<Value>>);

// === impl Secrets ===

impl Secrets {
    /// The Secret as it was read, if it has not changed since.
    pub(super) fn get(&self, caches: &Caches, of: &ObjectRef) -> Option<Arc<Value>> {
        let known = self.0.get(of)?;
        match caches.object(of) {
            Seen::Present(now) if is_same(known, &now) => Some(known.clone()),
            _ => None,
        }
    }

    pub(super) fn remember(&mut self, of: &ObjectRef, object: &Arc<Value>) {
        if of.kind != kinds::SECRET {
            return;
        }
        if self.0.len() >= SECRETS_MAX && !self.0.contains_key(of) {
            self.0.clear();
        }
        self.0.insert(of.clone(), object.clone());
    }
}

fn is_same(known: &Value, now: &Value) -> bool {
    let version = resource_version(known);
    !version.is_empty() && version == resource_version(now)
}
