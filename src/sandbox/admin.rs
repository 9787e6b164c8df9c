//! Handles on the sandbox for tests and the demo, beside the HTTP API: raw objects, kinds, faults, time and journal. Requests made
//! here are not in the journal and meet no faults.
//!
//! A kind is named as kubectl names it: plural, dot, group (`services`, `deployments.apps`).

use super::{
    Sandbox, Settings,
    failure::Failure,
    faults::Hook,
    journal::Entry,
    kinds::Resource,
    store::{Id, Listing, Store, TopicKey},
    write::{Part, Terms},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

// === impl Sandbox: objects ===

impl Sandbox {
    /// Create an object from a manifest; its kind is found by apiVersion and kind.
    pub fn create(&self, manifest: Value) -> Result<Value, Failure> {
        let mode = self.mode();
        self.write(|store| {
            let resource = resource_of(store, &manifest)?;
            let sent = manifest["metadata"]["namespace"].as_str();
            let namespace = if resource.namespaced {
                sent.unwrap_or("default").to_owned()
            } else {
                String::new()
            };
            store.create(&resource, &namespace, manifest, mode).map(take)
        })
    }

    /// Apply a JSON merge patch to an object.
    pub fn patch(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<Value, Failure> {
        self.merge(kind, namespace, name, Part::Main, patch)
    }

    /// Apply a JSON merge patch (`{"status": …}`) to the status of an object.
    pub fn patch_status(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<Value, Failure> {
        self.merge(kind, namespace, name, Part::Status, patch)
    }

    /// One object.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, Failure> {
        let state = self.state();
        let id = find(&state.store, kind, namespace, name)?;
        state.store.get(&id).map(take)
    }

    /// All objects of a kind, of one namespace or of all, in the order of namespace and name.
    pub fn list(&self, kind: &str, namespace: Option<&str>) -> Result<Vec<Value>, Failure> {
        let state = self.state();
        let listing = Listing {
            namespace: namespace.map(str::to_owned),
            ..Listing::default()
        };
        let page = state.store.list(&key(&state.store, kind)?, &listing)?;
        Ok(page.items.into_iter().map(take).collect())
    }

    /// Delete an object; finalizers hold it as ever.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<(), Failure> {
        let mode = self.mode();
        self.write(|store| {
            let id = find(store, kind, namespace, name)?;
            store.delete(&id, &Terms::default(), mode).map(|_| ())
        })
    }

    fn merge(&self, kind: &str, namespace: &str, name: &str, part: Part, patch: &Value) -> Result<Value, Failure> {
        let mode = self.mode();
        self.write(|store| {
            let id = find(store, kind, namespace, name)?;
            let merged = |current: &Value| {
                let mut object = current.clone();
                engine::json::merge(&mut object, patch);
                Ok(object)
            };
            store.update(&id, part, mode, merged).map(take)
        })
    }
}

// === impl Sandbox: the cluster ===

impl Sandbox {
    /// Serve one more kind, as when its CRD is installed.
    pub fn install(&self, resource: Resource) {
        self.state().store.install(resource);
    }

    /// What a user finds in a fresh cluster: the namespaces `default` and `kube-system`, and in a strict one Aviary's CRDs.
    pub fn furnish(&self) -> Result<(), Failure> {
        for name in ["default", "kube-system"] {
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
            self.create(namespace)?;
        }
        if self.0.strict {
            for definition in crds::manifest::manifests() {
                self.create(definition)?;
            }
        }
        Ok(())
    }

    /// Stop serving a kind; its objects are gone and its watches end.
    pub fn uninstall(&self, kind: &str) -> Result<(), Failure> {
        let mut state = self.state();
        let key = key(&state.store, kind)?;
        state.store.uninstall(&key);
        Ok(())
    }

    /// Revision of the last change.
    pub fn revision(&self) -> u64 {
        self.state().store.revision
    }

    /// Change the cluster's behaviour; tasks under way see it at their next step.
    pub fn tune(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// Keep the pods of all workloads of that name from being ready, or let them become ready again.
    pub fn set_ready(&self, name: &str, ready: bool) {
        let jobs = self.state().fleet.set_ready(name, ready);
        self.start(jobs);
    }

    /// Hold back (or let go) the events of all watches of a kind, so that caches grow stale.
    pub fn freeze(&self, kind: &str, frozen: bool) -> Result<(), Failure> {
        let mut state = self.state();
        let key = key(&state.store, kind)?;
        if let Some(topic) = state.store.topics.get_mut(&key) {
            topic.frozen = frozen;
            topic.bell.notify_waiters();
        }
        Ok(())
    }

    /// Forget the history: watches that are behind, and pages that were begun, get 410 Gone.
    pub fn compact(&self) {
        self.state().store.compact();
    }
}

// === impl Sandbox: faults and journal ===

impl Sandbox {
    /// Let `hook` decide about every request before it is served; `None` ends it.
    pub fn set_faults(&self, hook: Option<Hook>) {
        self.state().faults.before = hook;
    }

    /// Time that every request takes before it is served.
    pub fn set_latency(&self, latency: Duration) {
        self.state().faults.latency = latency;
    }

    /// Break all connections, until [`Sandbox::restart`]. Objects stay.
    pub fn stop(&self) {
        let mut state = self.state();
        state.faults.stopped = true;
        state.store.ring();
    }

    /// Serve again after a stop.
    pub fn restart(&self) {
        self.state().faults.stopped = false;
    }

    /// The last 16,384 requests in the order in which they were answered.
    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal.entries()
    }

    /// Hash of all requests so far, their times and answers: equal for equal runs.
    pub fn hash(&self) -> u64 {
        self.state().journal.hash()
    }
}

fn take(object: Arc<Value>) -> Value {
    Arc::unwrap_or_clone(object)
}

fn resource_of(store: &Store, manifest: &Value) -> Result<Arc<Resource>, Failure> {
    let mut kinds = store.topics.values().map(|topic| &topic.resource);
    let found =
        kinds.find(|kind| manifest["kind"] == kind.kind.as_str() && manifest["apiVersion"] == kind.api_version());
    found.map(Arc::clone).ok_or(Failure::NoPage)
}

fn key(store: &Store, kind: &str) -> Result<TopicKey, Failure> {
    let (plural, group) = kind.split_once('.').unwrap_or((kind, ""));
    let key = (group.to_owned(), plural.to_owned());
    store.topic(&key)?;
    Ok(key)
}

fn find(store: &Store, kind: &str, namespace: &str, name: &str) -> Result<Id, Failure> {
    let topic = key(store, kind)?;
    Ok(Id {
        topic,
        place: (namespace.to_owned(), name.to_owned()),
    })
}
