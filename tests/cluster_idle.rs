//! A hundred canaries at rest ask the API server nothing, by its own audit log.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    lab::{Lab, Room, items, text},
    objects::deployment,
    process::Controller,
    until,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

const CANARIES: usize = 100;
/// Requests that create the objects at a time.
const AT_ONCE: usize = 8;
/// No request for this long counts as rest: the longest pause of a step that waits for pods is an interval, two seconds.
const QUIET: Duration = Duration::from_secs(8);
/// What the promise is about.
const MEASURED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn idle_canaries_cost_no_request() {
    let Some(lab) = Lab::open().await else { return };
    let room = lab.room("idle").await;
    let controller = Controller::start(&lab, "idle", &[]).await;
    let mut audit = Audit::open(&lab);
    stream::iter(0..CANARIES)
        .for_each_concurrent(AT_ONCE, |number| create(&room, number))
        .await;
    until("all are initialised", Duration::from_secs(180), async || {
        let canaries = items(room.find("canaries", "").await);
        let done = canaries
            .iter()
            .filter(|canary| canary["status"]["phase"] == "Initialized");
        (done.count() == CANARIES).then_some(())
    })
    .await;

    // The log does hold what is counted: a primary, three Services and some status writes each.
    let requests = audit.requests().len();
    assert!(requests > 5 * CANARIES, "only {requests} requests");
    audit.until_quiet().await;
    let end = Instant::now() + MEASURED;
    sleep_until(end).await; // the measurement itself
    let requests = audit.requests();
    assert!(
        requests.is_empty(),
        "{} requests: {:#?}",
        requests.len(),
        &requests[..requests.len().min(20)]
    );
    let series = controller.series("aviary_canaries").await;
    assert!(
        series
            .iter()
            .any(|line| line.contains("Initialized") && line.ends_with("} 100")),
        "{series:#?}"
    );
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

/// One application, as small as it can be.
async fn create(room: &Room<'_>, number: usize) {
    let name = format!("app-{number}");
    let mut target = deployment(&name);
    target["spec"]["replicas"] = json!(1);
    room.create("deployments", target).await;
    let canary = json!({
        "metadata": {"name": name},
        "spec": {
            "provider": "kubernetes",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "service": {"port": 9898},
            "analysis": {"interval": "2s", "threshold": 2, "iterations": 3},
        },
    });
    room.create("canaries", canary).await;
}

/// The end of the audit log: requests of the controller's account, watches and the lease aside.
struct Audit {
    file: File,
    /// A line that is not complete yet.
    rest: String,
}

// === impl Audit ===

impl Audit {
    fn open(lab: &Lab) -> Self {
        let mut file = File::open(lab.env("AVIARY_AUDIT_LOG")).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self {
            file,
            rest: String::new(),
        }
    }

    /// What was asked since the last call.
    fn requests(&mut self) -> Vec<String> {
        self.file.read_to_string(&mut self.rest).unwrap();
        let complete = self.rest.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.rest.split_off(complete);
        let lines = std::mem::replace(&mut self.rest, rest);
        let entries = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let counted = entries.filter(|entry| entry["verb"] != "watch" && entry["objectRef"]["resource"] != "leases");
        counted
            .map(|entry| format!("{} {}", text(&entry["verb"]), text(&entry["requestURI"])))
            .collect()
    }

    async fn until_quiet(&mut self) {
        let mut since = Instant::now();
        let rest = async {
            while since.elapsed() < QUIET {
                sleep(Duration::from_millis(200)).await;
                if !self.requests().is_empty() {
                    since = Instant::now();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), rest).await.unwrap();
    }
}
