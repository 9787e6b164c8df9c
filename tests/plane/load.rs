//! Users: requests at a steady pace, each answered by a version that says its name.

use parking_lot::Mutex;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{now, spawn, tally::Tally};

/// Connections that are kept and used one request after another.
const USERS: u64 = 8;
/// A load that nobody stops ends by itself: ten minutes at 400 a second.
const REQUESTS_MAX: u64 = 240_000;
/// As long as the longest wait that a user's client would allow.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at the counters.
const POLL: Duration = Duration::from_millis(50);
/// Answers in a row after which the app counts as served.
const SERVED: u32 = 20;
/// What podinfo answers with when it is told to fail at random; it says nothing else then.
const OWN_ERRORS: [u16; 3] = [400, 409, 500];

/// Name and value of a header that requests carry, if any.
pub(crate) type Header = Option<(&'static str, &'static str)>;

/// Where requests go, and what they carry.
#[derive(Clone)]
pub(crate) struct Aim {
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) header: Header,
}

/// Users that send until they are stopped.
pub(crate) struct Load {
    name: String,
    tally: Arc<Mutex<Tally>>,
    users: Vec<JoinHandle<()>>,
}

// === impl Aim ===

impl Aim {
    /// Wait until the proxy serves the app at all: it reads a route and its pods' addresses from two watches. Users come afterwards.
    pub(crate) async fn until_served(&self) {
        let http = reqwest::Client::new();
        let served = async {
            let mut in_a_row = 0;
            while in_a_row < SERVED {
                let answer = http.get(&self.url).header("host", &self.host).send().await;
                in_a_row = if answer.is_ok_and(|answer| answer.status() == 200) {
                    in_a_row + 1
                } else {
                    0
                };
                sleep(POLL).await;
            }
        };
        let served = tokio::time::timeout(Duration::from_mins(1), served).await;
        assert!(
            served.is_ok(),
            "{} is not served before anything was released",
            self.host
        );
    }
}

// === impl Load ===

impl Load {
    /// Begin with so many requests a second.
    pub(crate) fn start(name: &str, aim: &Aim, per_second: u64) -> Self {
        let tally: Arc<Mutex<Tally>> = Arc::default();
        let pause = Duration::from_micros(USERS * 1_000_000 / per_second);
        let users = (0..USERS).map(|_| spawn(use_it(aim.clone(), tally.clone(), pause)));
        Self {
            name: name.to_owned(),
            users: users.collect(),
            tally,
        }
    }

    /// Open a window, wait until so many of its requests are answered, and give it with all that was seen.
    pub(crate) async fn window(&self, requests: u64) -> (u64, Tally) {
        let window = {
            let mut tally = self.tally.lock();
            tally.window += 1;
            tally.window
        };
        let limit = Duration::from_mins(2);
        let seen = async {
            while self.tally.lock().in_window(window) < requests {
                sleep(POLL).await;
            }
        };
        let seen = tokio::time::timeout(limit, seen).await;
        let tally = self.tally();
        assert!(
            seen.is_ok(),
            "{}: only {} answers\n{tally:#?}",
            self.name,
            tally.in_window(window)
        );
        (window, tally)
    }

    /// From now on errors of the app itself are (not) allowed.
    pub(crate) fn allow_errors(&self, may_err: bool) {
        self.tally.lock().may_err = may_err;
    }

    /// What was seen so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().clone()
    }

    /// Let everybody finish.
    pub(crate) async fn stop(self) -> Tally {
        self.tally.lock().sent += REQUESTS_MAX;
        for user in self.users {
            user.await.unwrap();
        }
        let mut tally = self.tally.lock().clone();
        tally.sent -= REQUESTS_MAX;
        tally
    }
}

async fn use_it(aim: Aim, tally: Arc<Mutex<Tally>>, pause: Duration) {
    let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let mut pace = interval(pause);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let (window, may_err) = {
            let mut tally = tally.lock();
            if tally.sent >= REQUESTS_MAX {
                return;
            }
            tally.sent += 1;
            (tally.window, tally.may_err)
        };
        let seen = ask(&http, &aim).await;
        let mut tally = tally.lock();
        match seen {
            Ok(Some(version)) => tally.answered(window, version),
            Ok(None) if may_err => tally.erred(window),
            Ok(None) => tally.has_failed("an error of the app's own kind, without a faulty version".to_owned()),
            Err(why) => tally.has_failed(format!("{} {why}", now())),
        }
    }
}

/// One request; the version that answered, or nothing if that version failed on purpose.
async fn ask(http: &reqwest::Client, aim: &Aim) -> Result<Option<String>, String> {
    let mut request = http.get(&aim.url).header("host", &aim.host);
    if let Some((name, value)) = aim.header {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| format!("{error:?}"))?;
    if OWN_ERRORS.contains(&status) && text.is_empty() {
        return Ok(None);
    }
    let version = serde_json::from_str(&text)
        .ok()
        .and_then(|page: Value| Some(page["message"].as_str()?.to_owned()));
    match version {
        Some(version) if status == 200 => Ok(Some(version)),
        _ => Err(format!("{status} {text:?}")),
    }
}
