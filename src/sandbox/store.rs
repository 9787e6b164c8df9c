//! Objects, revisions and histories: the etcd of the sandbox. It knows no rules; those are in [`super::write`].

use super::{
    failure::Failure,
    history::{Change, History, Verb, too_old},
    kinds::Resource,
    select::Selector,
    view::Page,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Notify;

/// Namespace and name.
pub(super) type Place = (String, String);
/// Group and plural.
pub(super) type TopicKey = (String, String);

/// One stored object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) topic: TopicKey,
    pub(super) place: Place,
}

/// All objects of one kind.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) resource: Arc<Resource>,
    pub(super) objects: BTreeMap<Place, Arc<Value>>,
    pub(super) history: History,
    /// Wakes the watches of this kind, in the order in which they began to wait.
    pub(super) bell: Arc<Notify>,
    /// Watches deliver nothing while set.
    pub(super) frozen: bool,
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) topics: BTreeMap<TopicKey, Topic>,
    /// Counts all changes; the resourceVersion of the last one.
    pub(super) revision: u64,
    /// Where each living uid is.
    pub(super) uids: BTreeMap<String, Id>,
    /// Changes that the controllers have not looked at yet.
    pub(super) touched: Vec<(Id, Arc<Change>)>,
    pub(super) born: u64,
    pub(super) addresses: u32,
}

/// What a list asks for.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    /// Objects per page; 0 for all.
    pub(super) limit: usize,
    pub(super) token: String,
    /// Show exactly this revision.
    pub(super) exactly: Option<u64>,
}

// === impl Topic ===

impl Topic {
    fn new(resource: Resource) -> Self {
        Self {
            resource: Arc::new(resource),
            objects: BTreeMap::new(),
            history: History::default(),
            bell: Arc::new(Notify::new()),
            frozen: false,
        }
    }

    /// The objects as they were at `revision`, by undoing what happened since.
    fn snapshot(&self, revision: u64) -> BTreeMap<Place, Arc<Value>> {
        let mut objects = self.objects.clone();
        for change in self.history.after(revision).rev() {
            let place = place_of(&change.object);
            match &change.before {
                Some(before) => objects.insert(place, Arc::clone(before)),
                None => objects.remove(&place),
            };
        }
        objects
    }
}

// === impl Store ===

impl Store {
    /// Serve one more kind. Objects of a kind that is installed already stay.
    pub(super) fn install(&mut self, resource: Resource) {
        let key = (resource.group.clone(), resource.plural.clone());
        self.topics.entry(key).or_insert_with(|| Topic::new(resource));
    }

    /// Serve a kind as its CRD says now; its objects stay.
    pub(super) fn define(&mut self, resource: Resource) {
        let key = (resource.group.clone(), resource.plural.clone());
        match self.topics.get_mut(&key) {
            Some(topic) => topic.resource = Arc::new(resource),
            None => self.install(resource),
        }
    }

    /// Stop serving a kind; its objects are gone without a trace, as with a CRD that is deleted.
    pub(super) fn uninstall(&mut self, key: &TopicKey) {
        if let Some(topic) = self.topics.remove(key) {
            self.uids.retain(|_, id| id.topic != *key);
            topic.bell.notify_waiters();
        }
    }

    pub(super) fn topic(&self, key: &TopicKey) -> Result<&Topic, Failure> {
        self.topics.get(key).ok_or(Failure::NoPage)
    }

    pub(super) fn get(&self, id: &Id) -> Result<Arc<Value>, Failure> {
        let topic = self.topic(&id.topic)?;
        let found = topic.objects.get(&id.place).map(Arc::clone);
        found.ok_or_else(|| Failure::missing(&topic.resource, &id.place.1))
    }

    /// One page of a list. The pages after the first show the same revision as the first.
    pub(super) fn list(&self, key: &TopicKey, listing: &Listing) -> Result<Page, Failure> {
        let topic = self.topic(key)?;
        let (revision, start) = match parse_token(&listing.token)? {
            Some((revision, start)) => (revision, Some(start)),
            None => (listing.exactly.unwrap_or(self.revision), None),
        };
        if revision > self.revision {
            return Err(too_new(revision, self.revision));
        }
        if !topic.history.reaches(revision) {
            return Err(Failure::Expired(match start {
                Some(_) => "The provided continue parameter is too old to display a consistent list result. \
                            You can start a new list without the continue parameter."
                    .to_owned(),
                None => too_old(revision, self.revision),
            }));
        }
        let snapshot = (revision != self.revision).then(|| topic.snapshot(revision));
        let objects = snapshot.as_ref().unwrap_or(&topic.objects);
        let wanted = objects.iter().filter(|(place, object)| {
            start.as_ref().is_none_or(|start| *place > start)
                && listing.namespace.as_ref().is_none_or(|namespace| place.0 == *namespace)
                && listing.selector.matches(object)
        });
        let mut items: Vec<Arc<Value>> = wanted.map(|(_, object)| Arc::clone(object)).collect();
        let mut page = Page {
            items: Vec::new(),
            revision,
            next: None,
            remaining: None,
        };
        if listing.limit > 0 && items.len() > listing.limit {
            page.remaining = listing.selector.is_empty().then_some(items.len() - listing.limit);
            items.truncate(listing.limit);
            page.next = items.last().map(|last| token(revision, &place_of(last)));
        }
        page.items = items;
        Ok(page)
    }

    /// Record a change: new revision, history, uid index, wake the watches. For deletions `object` is the last state.
    pub(super) fn commit(&mut self, id: &Id, verb: Verb, mut object: Value) -> Result<Arc<Value>, Failure> {
        self.revision += 1;
        let revision = self.revision;
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let object = Arc::new(object);
        let topic = self.topics.get_mut(&id.topic).ok_or(Failure::NoPage)?;
        let before = if verb == Verb::Deleted {
            self.uids.remove(&uid);
            topic.objects.remove(&id.place)
        } else {
            self.uids.insert(uid, id.clone());
            topic.objects.insert(id.place.clone(), Arc::clone(&object))
        };
        let change = Arc::new(Change::new(revision, verb, Arc::clone(&object), before));
        topic.history.push(Arc::clone(&change));
        topic.bell.notify_waiters();
        self.touched.push((id.clone(), change));
        Ok(object)
    }

    /// Change an object as a controller of the cluster does, without the rules for users. Nothing happens where nothing differs.
    pub(super) fn amend(&mut self, id: &Id, change: impl FnOnce(&mut Value)) -> Result<(), Failure> {
        let before = self.get(id)?;
        let mut object = Value::clone(&before);
        change(&mut object);
        if object != *before {
            self.commit(id, Verb::Modified, object)?;
        }
        Ok(())
    }

    /// Forget all history, so that every watch from before now gets a 410.
    pub(super) fn compact(&mut self) {
        self.revision += 1;
        for topic in self.topics.values_mut() {
            topic.history.compact(self.revision);
            topic.bell.notify_waiters();
        }
    }

    /// Wake all watches.
    pub(super) fn ring(&self) {
        self.topics.values().for_each(|topic| topic.bell.notify_waiters());
    }
}

// === impl Id ===

impl Id {
    pub(super) fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        Self {
            topic: (resource.group.clone(), resource.plural.clone()),
            place: (namespace.to_owned(), name.to_owned()),
        }
    }
}

/// Where an object belongs.
pub(super) fn place_of(object: &Value) -> Place {
    let field = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    (field("namespace"), field("name"))
}

/// A revision that has not happened yet.
pub(super) fn too_new(asked: u64, current: u64) -> Failure {
    Failure::Timeout(format!("Too large resource version: {asked}, current: {current}"))
}

fn token(revision: u64, place: &Place) -> String {
    format!("{revision}/{}/{}", place.0, place.1)
}

fn parse_token(token: &str) -> Result<Option<(u64, Place)>, Failure> {
    if token.is_empty() {
        return Ok(None);
    }
    let mut parts = token.splitn(3, '/');
    let parsed = (|| {
        let revision = parts.next()?.parse().ok()?;
        let namespace = parts.next()?.to_owned();
        Some((revision, (namespace, parts.next()?.to_owned())))
    })();
    let parsed = parsed.ok_or_else(|| Failure::BadRequest("continue key is not valid".to_owned()))?;
    Ok(Some(parsed))
}
