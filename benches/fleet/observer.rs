//! The canaries as anyone sees them: a watch of their status, with the times of all changes. It tells the same about every controller.

use actix_rt::task::JoinHandle;
use anyhow::bail;
use futures::StreamExt;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    runtime::watcher::{self, Event, watcher},
};
use std::{cell::RefCell, collections::BTreeMap, pin::pin, rc::Rc, time::Duration};
use tokio::time::{Instant, sleep};

use super::{
    figures::{median, quantile},
    progress::Progress,
};

const LOOK: Duration = Duration::from_millis(100);

/// What a canary's status says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    pub(crate) phase: String,
    pub(crate) weight: i64,
    pub(crate) iterations: i64,
}

#[derive(Default)]
struct Track {
    now: Status,
    changes: Vec<(Instant, Status)>,
}

type Tracks = Rc<RefCell<BTreeMap<String, Track>>>;

/// A watch over all canaries; dropping it ends it.
pub(crate) struct Observer {
    tracks: Tracks,
    task: JoinHandle<()>,
}

/// What a roll-out of the fleet looked like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Pauses of at least a tenth of an interval between two changes of a canary, in the middle of the fleet: the steps of a roll-out.
    pub(crate) steps: Option<f64>,
    /// Seconds by which two weights of a canary are further apart than an interval: median and 99th percentile.
    pub(crate) gap_p50: Option<f64>,
    /// See above.
    pub(crate) gap_p99: Option<f64>,
}

// === impl Observer ===

impl Observer {
    /// Start to watch.
    pub(crate) fn start(client: Client) -> Self {
        let tracks = Tracks::default();
        let resource = ApiResource {
            group: "flagger.app".into(),
            version: "v1beta1".into(),
            api_version: "flagger.app/v1beta1".into(),
            kind: "Canary".into(),
            plural: "canaries".into(),
        };
        let api: Api<DynamicObject> = Api::all_with(client, &resource);
        let task = actix_rt::spawn(follow(api, tracks.clone()));
        Self { tracks, task }
    }

    /// Forget what has changed so far.
    pub(crate) fn forget(&self) {
        for track in self.tracks.borrow_mut().values_mut() {
            track.changes.clear();
        }
    }

    /// Changes of all canaries since they were forgotten.
    pub(crate) fn changes(&self) -> usize {
        self.tracks.borrow().values().map(|track| track.changes.len()).sum()
    }

    /// Canaries whose status is so.
    pub(crate) fn count(&self, is_so: impl Fn(&Status) -> bool) -> usize {
        self.tracks.borrow().values().filter(|track| is_so(&track.now)).count()
    }

    /// Wait until so many canaries are so.
    pub(crate) async fn until(
        &self,
        what: &str,
        all: usize,
        limit: Duration,
        progress: &Progress,
        is_so: impl Fn(&Status) -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let count = self.count(&is_so);
            progress.count(what, count, all);
            if count >= all {
                return Ok(());
            }
            if begun.elapsed() > limit {
                bail!(
                    "after {} s only {count} of {all} {what}: {:?}",
                    limit.as_secs(),
                    self.phases()
                );
            }
            sleep(LOOK).await;
        }
    }

    fn phases(&self) -> BTreeMap<String, usize> {
        let mut phases = BTreeMap::new();
        for track in self.tracks.borrow().values() {
            *phases
                .entry(format!("{} {}", track.now.phase, track.now.weight))
                .or_default() += 1;
        }
        phases
    }

    /// How the roll-out that was observed went.
    pub(crate) fn pace(&self, interval: Duration) -> Pace {
        let interval = interval.as_secs_f64();
        let (mut steps, mut gaps) = (Vec::new(), Vec::new());
        for track in self.tracks.borrow().values() {
            let pauses = track.changes.windows(2).filter_map(|pair| match pair {
                [(before, was), (after, is)] => Some((after.duration_since(*before).as_secs_f64(), was, is)),
                _ => None,
            });
            let mut count = 0.0;
            for (pause, was, is) in pauses {
                count += f64::from(u8::from(pause >= interval / 10.0));
                if was.weight > 0 && is.weight > was.weight {
                    gaps.push(pause - interval);
                }
            }
            steps.push(count);
        }
        Pace {
            steps: median(&mut steps),
            gap_p50: quantile(&mut gaps, 0.5),
            gap_p99: quantile(&mut gaps, 0.99),
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(api: Api<DynamicObject>, tracks: Tracks) {
    let mut events = pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => note(&tracks, &object),
            Ok(_) => {}
            // The watch goes on by itself, with what was missed.
            Err(error) => eprintln!("the watch of the canaries: {error}"),
        }
    }
}

fn note(tracks: &Tracks, object: &DynamicObject) {
    let status = &object.data["status"];
    let now = Status {
        phase: status["phase"].as_str().unwrap_or_default().to_owned(),
        weight: status["canaryWeight"].as_i64().unwrap_or_default(),
        iterations: status["iterations"].as_i64().unwrap_or_default(),
    };
    let place = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
    let key = format!("{}/{}", place.0.unwrap_or_default(), place.1.unwrap_or_default());
    let mut tracks = tracks.borrow_mut();
    let track = tracks.entry(key).or_default();
    if track.now != now {
        track.now = now.clone();
        track.changes.push((Instant::now(), now));
    }
}
