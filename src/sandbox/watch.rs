//! One watch: a stream of JSON lines that reads the history of its kind from a cursor. It owns no task; who reads the body drives it.

use super::{
    Sandbox,
    failure::Failure,
    faults::Disconnected,
    history::{self, Sight, Verb},
    kinds::Resource,
    select::Selector,
    store::{Listing, TopicKey, place_of, too_new},
    view::{self, Shape},
};
use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::Value;
use std::{collections::VecDeque, io, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::Instant};

/// Time between bookmarks of a watch, as on a real server.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// How long a watch lives when the caller does not say: the least that a real server gives.
const LIFETIME: Duration = Duration::from_mins(30);

/// What a watch asks for.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    pub(super) shape: Shape,
    /// Changes after this revision; `None` or 0 for the present objects first.
    pub(super) since: Option<u64>,
    pub(super) bookmarks: bool,
    /// Mark the end of the present objects with a bookmark.
    pub(super) marks_initial: bool,
    pub(super) lifetime: Option<Duration>,
}

struct Watch {
    sandbox: Sandbox,
    key: TopicKey,
    resource: Arc<Resource>,
    bell: Arc<Notify>,
    wish: Wish,
    cursor: u64,
    backlog: VecDeque<io::Result<Bytes>>,
    ended: bool,
    until: Instant,
    bookmark_at: Instant,
}

/// Start a watch. A revision that the history does not reach is refused in the first event, as by a real server, unless the settings
/// ask for an HTTP 410.
pub(super) fn open(
    sandbox: &Sandbox,
    key: &TopicKey,
    wish: Wish,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static, Failure> {
    let watch = Watch::new(sandbox.clone(), key, wish)?;
    Ok(stream::unfold(watch, Watch::next))
}

// === impl Watch ===

impl Watch {
    fn new(sandbox: Sandbox, key: &TopicKey, wish: Wish) -> Result<Self, Failure> {
        let now = Instant::now();
        let state = sandbox.state();
        let topic = state.store.topic(key)?;
        let current = state.store.revision;
        let since = wish.since.filter(|since| *since > 0);
        if let Some(since) = since.filter(|since| *since > current) {
            return Err(too_new(since, current));
        }
        let forgotten = since.filter(|since| !topic.history.reaches(*since));
        if let Some(since) = forgotten.filter(|_| state.settings.refuses_old_watches) {
            return Err(Failure::Expired(history::too_old(since, current)));
        }
        let wall = sandbox.now();
        let (resource, bell) = (Arc::clone(&topic.resource), Arc::clone(&topic.bell));
        let mut backlog = VecDeque::new();
        let sight = Sight {
            resource: &resource,
            shape: wish.shape,
            now: wall,
        };
        if since.is_none() {
            let listing = Listing {
                namespace: wish.namespace.clone(),
                ..Listing::default()
            };
            let present = state.store.list(key, &listing)?.items;
            let selected = present.iter().filter(|object| wish.selector.matches(object));
            backlog.extend(selected.map(|object| Ok(sight.event(Verb::Added, object))));
        }
        if wish.marks_initial {
            backlog.push_back(Ok(sight.bookmark(current, true)));
        }
        drop(state);
        Ok(Self {
            key: key.clone(),
            resource,
            bell,
            cursor: since.unwrap_or(current),
            backlog,
            ended: false,
            until: now + wish.lifetime.unwrap_or(LIFETIME),
            bookmark_at: now + BOOKMARK_EVERY,
            sandbox,
            wish,
        })
    }

    /// The next line, or the end.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            if let Some(line) = self.backlog.pop_front() {
                return Some((line, self));
            }
            if self.ended {
                return None;
            }
            let bell = Arc::clone(&self.bell);
            let mut rung = pin!(bell.notified());
            // Listen before looking, so that no change falls between.
            rung.as_mut().enable();
            self.pull();
            if self.ended || !self.backlog.is_empty() {
                continue;
            }
            let wake = self.until.min(self.bookmark_at);
            if tokio::time::timeout_at(wake, rung).await.is_err() {
                self.pass();
            }
        }
    }

    /// A deadline has passed: the end of the watch, or time for a bookmark.
    fn pass(&mut self) {
        let now = Instant::now();
        if now >= self.until {
            self.ended = true;
            return;
        }
        self.bookmark_at = now + BOOKMARK_EVERY;
        let frozen = self
            .sandbox
            .state()
            .store
            .topic(&self.key)
            .is_ok_and(|topic| topic.frozen);
        if self.wish.bookmarks && !frozen {
            let line = self.sight().bookmark(self.cursor, false);
            self.backlog.push_back(Ok(line));
        }
    }

    fn sight(&self) -> Sight<'_> {
        Sight {
            resource: &self.resource,
            shape: self.wish.shape,
            now: self.sandbox.now(),
        }
    }

    /// Fetch what happened since the cursor.
    fn pull(&mut self) {
        let sandbox = self.sandbox.clone();
        let state = sandbox.state();
        if state.faults.stopped {
            self.ended = true;
            self.backlog
                .push_back(Err(io::Error::new(io::ErrorKind::UnexpectedEof, Disconnected)));
            return;
        }
        let Ok(topic) = state.store.topic(&self.key) else {
            self.ended = true;
            return;
        };
        if topic.frozen {
            return;
        }
        if !topic.history.reaches(self.cursor) {
            let gone = Failure::Expired(history::too_old(self.cursor, state.store.revision));
            self.ended = true;
            self.backlog
                .push_back(Ok(view::event("ERROR", gone.status().to_string().as_bytes())));
            return;
        }
        let (resource, shape, now) = (Arc::clone(&self.resource), self.wish.shape, sandbox.now());
        let sight = Sight {
            resource: &resource,
            shape,
            now,
        };
        for change in topic.history.after(self.cursor) {
            if self
                .wish
                .namespace
                .as_ref()
                .is_some_and(|wanted| *wanted != place_of(&change.object).0)
            {
                continue;
            }
            let line = if self.wish.selector.is_empty() {
                Some(change.line(&sight))
            } else {
                change.selected_line(|object: &Value| self.wish.selector.matches(object), &sight)
            };
            self.backlog.extend(line.map(Ok));
        }
        self.cursor = state.store.revision;
    }
}
