//! Everything outside the cluster: a Prometheus and receivers of hooks, played by a script.

use actors::outbound::{self, Outbound};
use engine::{
    http::{Request, Response},
    model::{answer, vector},
    seam::Trouble,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

/// What is answered, and what was asked. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Outside(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    /// Success rate by target; 100 for others.
    success: BTreeMap<String, &'static str>,
    /// Status that the hook of this URL answers; 200 for others.
    hooks: BTreeMap<String, u16>,
    /// URL and body of every request.
    asked: Vec<(String, String)>,
    /// How long an answer takes, by a part of the URL; a few milliseconds for others.
    pauses: BTreeMap<String, Duration>,
    /// Decides which queries are not answered.
    fails: Option<Chance>,
    /// Servers with a manner of their own, by the beginning of their URLs.
    servers: BTreeMap<String, Manner>,
}

/// How long an answer takes when nothing else is said.
const PAUSE: Duration = Duration::from_millis(3);

/// How a server answers: how long it takes, and what comes of it.
pub(crate) type Manner = (Duration, Result<Response, Trouble>);

/// Draws whether something happens.
pub(crate) type Chance = Box<dyn FnMut() -> bool + Send>;

// === impl Outside ===

impl Outside {
    /// From now on the success rate of this target is so many percent; `NaN` for no data.
    pub(crate) fn set_success(&self, target: &str, percent: &'static str) {
        self.0.lock().success.insert(target.to_owned(), percent);
    }

    /// From now on this hook answers with this status.
    pub(crate) fn set_hook(&self, url: &str, status: u16) {
        self.0.lock().hooks.insert(url.to_owned(), status);
    }

    /// From now on requests to URLs with this in them are answered after so long.
    pub(crate) fn set_pause(&self, part: &str, pause: Duration) {
        self.0.lock().pauses.insert(part.to_owned(), pause);
    }

    /// From now on queries are refused when this says so.
    pub(crate) fn set_fails(&self, fails: Option<Chance>) {
        self.0.lock().fails = fails;
    }

    /// From now on every request to URLs that begin so is answered like this.
    pub(crate) fn set_server(&self, url: &str, manner: Manner) {
        self.0.lock().servers.insert(url.to_owned(), manner);
    }

    /// Number of requests to URLs that begin so.
    pub(crate) fn count(&self, url: &str) -> usize {
        let script = self.0.lock();
        script.asked.iter().filter(|(asked, _)| asked.starts_with(url)).count()
    }

    /// Bodies of the requests to URLs that begin so, in their order.
    pub(crate) fn bodies(&self, url: &str) -> Vec<String> {
        let script = self.0.lock();
        let asked = script.asked.iter().filter(|(asked, _)| asked.starts_with(url));
        asked.map(|(_, body)| body.clone()).collect()
    }

    /// Hash of all requests in their order.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.lock().asked.hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn service(&self) -> Outbound {
        let outside = self.clone();
        outbound::scripted(move |request| match outside.manner(request) {
            Some(manner) => manner,
            None => (outside.pause(request), Ok(outside.answer(request))),
        })
    }

    fn pause(&self, request: &Request) -> Duration {
        let script = self.0.lock();
        let mut known = script.pauses.iter();
        let slow = known.find(|(part, _)| request.url.contains(part.as_str()));
        slow.map_or(PAUSE, |(_, pause)| *pause)
    }

    fn manner(&self, request: &Request) -> Option<Manner> {
        let mut script = self.0.lock();
        let mut known = script.servers.iter();
        let manner = known.find(|(url, _)| request.url.starts_with(*url))?.1.clone();
        script.asked.push((request.url.clone(), request.body.clone()));
        Some(manner)
    }

    fn answer(&self, request: &Request) -> Response {
        let mut script = self.0.lock();
        script.asked.push((request.url.clone(), request.body.clone()));
        if !request.url.contains("/api/v1/query") {
            return answer(script.hooks.get(&request.url).copied().unwrap_or(200), "");
        }
        if script.fails.as_mut().is_some_and(|fails| fails()) {
            return answer(503, "");
        }
        if request.url.contains("vector%281%29") {
            return answer(200, &vector("1"));
        }
        if request.url.contains("quantile") {
            return answer(200, &vector("0.2"));
        }
        let mut known = script.success.iter();
        let asked = known.find(|(target, _)| request.url.contains(&format!("%22{target}-")));
        answer(200, &vector(asked.map_or("100", |(_, percent)| percent)))
    }
}
