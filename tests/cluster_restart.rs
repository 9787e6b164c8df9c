//! The controller's own end: killed in the middle of a run, asked to stop, and relieved by another replica.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    lab::{Lab, Room, text},
    objects::{NEW, canary, deployment, weight},
    process::Controller,
    until,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/aviary-system/leases/flagger-leader-election";
const ELECTED: [&str; 2] = ["-enable-leader-election", "-leader-election-namespace=aviary-system"];
/// Between two checks of the canaries here.
const INTERVAL: Duration = Duration::from_secs(4);
/// Times in a status have whole seconds, and the route is looked at five times a second.
const BLUR: Duration = Duration::from_millis(1200);
/// How long a controller may take to end: what it does is a few requests.
const STOP: Duration = Duration::from_secs(10);

#[tokio::test]
async fn controllers_come_and_go() {
    let Some(lab) = Lab::open().await else { return };
    survives_a_kill(&lab).await;
    relieves(&lab).await;
    lab.close().await;
}

/// Start a run of `app`.
async fn begin(room: &Room<'_>) {
    room.create("deployments", deployment("app")).await;
    let mut object = canary("app");
    object["spec"]["analysis"]["interval"] = json!(format!("{}s", INTERVAL.as_secs()));
    object["spec"]["analysis"]["maxWeight"] = json!(40);
    room.create("canaries", object).await;
    room.until_phase("app", "Initialized").await;
    room.set_image("app", "podinfod", NEW);
}

async fn until_weight(room: &Room<'_>, wanted: i64) -> Instant {
    until(&format!("weight {wanted}"), Duration::from_secs(60), async || {
        (weight(&room.get("httproutes", "app").await, "app") == wanted).then_some(())
    })
    .await;
    Instant::now()
}

/// The run goes on where it was, and not faster.
async fn survives_a_kill(lab: &Lab) {
    let room = lab.room("killed").await;
    let first = Controller::start(lab, "killed", &[]).await;
    begin(&room).await;
    let twenty = until_weight(&room, 20).await;
    first.kill();
    let second = Controller::start(lab, "restarted", &[]).await;
    let thirty = until_weight(&room, 30).await;
    let forty = until_weight(&room, 40).await;
    for (step, gap) in [("20 to 30", thirty - twenty), ("30 to 40", forty - thirty)] {
        assert!(gap + BLUR >= INTERVAL, "{step} took {gap:?}");
    }
    room.until_phase("app", "Succeeded").await;
    assert_eq!(image(&room).await, NEW);
    let told = room.messages("app").await;
    let started = told
        .iter()
        .filter(|message| message.contains("Starting canary analysis"))
        .count();
    assert_eq!(started, 1, "{told:#?}");
    let ended = second.terminate(STOP).await;
    assert!(ended.success(), "{ended}");
}

/// Two replicas: one acts, the other writes nothing; after SIGTERM of the first the second goes on with its run.
async fn relieves(lab: &Lab) {
    let room = lab.room("relieved").await;
    let first = Controller::start(lab, "replica-1", &ELECTED).await;
    until("the first replica acts", Duration::from_secs(90), async || {
        first.acts().await.then_some(())
    })
    .await;
    let leader = holder(lab).await;
    assert!(!leader.is_empty());
    let second = Controller::start(lab, "replica-2", &ELECTED).await;
    begin(&room).await;
    until_weight(&room, 20).await;
    assert!(first.acts().await && !second.acts().await);
    assert_eq!(holder(lab).await, leader);
    assert_eq!(
        second.series("aviary_api_requests_total{").await,
        Vec::<String>::new(),
        "the standby asked for something"
    );
    assert_ne!(first.series("aviary_api_requests_total{").await, Vec::<String>::new());

    let asked = Instant::now();
    let ended = first.terminate(STOP).await;
    assert!(ended.success(), "{ended}");
    let next = until("the second replica acts", Duration::from_secs(30), async || {
        let holder = holder(lab).await;
        (second.acts().await && !holder.is_empty() && holder != leader).then_some(holder)
    })
    .await;
    // Without the release it would take the minute that the lease lasts.
    assert!(asked.elapsed() < Duration::from_secs(30));
    room.until_phase("app", "Succeeded").await;
    assert_eq!(image(&room).await, NEW);
    assert_eq!(holder(lab).await, next);
    let ended = second.terminate(STOP).await;
    assert!(ended.success(), "{ended}");
    assert_eq!(holder(lab).await, "", "the lease is not released");
}

/// Who holds the lease.
async fn holder(lab: &Lab) -> String {
    let lease = lab.get(LEASE).await.unwrap_or_default();
    text(&lease["spec"]["holderIdentity"]).to_owned()
}

async fn image(room: &Room<'_>) -> Value {
    room.get("deployments", "app-primary").await["spec"]["template"]["spec"]["containers"][0]["image"].take()
}
