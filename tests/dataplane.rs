//! Whole runs with real requests: podinfo's processes as pods, Traefik in front of them, Prometheus beside them, users all the time.
//!
//! It runs inside a network namespace, as tests/plane/run makes it.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;
mod plane;

use cluster::{
    lab::{Lab, Room},
    process::Controller,
};
use plane::{
    affinity,
    gates::Gates,
    kubelet::Kubelet,
    load::{Header, Load},
    objects::{GATEWAY, Version, WEIGHTS, Way},
    scrape::Targets,
    stage::{Stage, aim},
    tally::Tally,
    traefik::Traefik,
};
use serde_json::json;
use std::{path::PathBuf, time::Duration};

/// Requests of all users together, of which none may fail.
const REQUESTS_MIN: u64 = 50_000;
/// Requests a second to each app.
const PER_SECOND: u64 = 300;
/// And to the one of the A/B test, by each group.
const PER_SECOND_OF_GROUP: u64 = 80;
/// Groups of the A/B test: name, what their requests carry, percentage of them that the canary gets.
const GROUPS: [(&str, Header, i64); 4] = [
    ("others", None, 0),
    ("outsiders", Some(("x-canary", "outsider")), 0),
    ("insiders", Some(("x-canary", "insider")), 100),
    ("browsers", Some(("cookie", "theme=dark;canary=always;lang=en")), 100),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_served_through_whole_runs() {
    if !plane::is_inside() {
        return;
    }
    let Some(lab) = Lab::open().await else { return };
    let targets = Targets::new(&PathBuf::from(lab.env("AVIARY_RUN_DIR")).join("prometheus"));
    let (_prometheus, prometheus) = targets.serve(&lab);
    let kubelet = Kubelet::start(&lab, targets).await;
    let gates = Gates::start();
    let rooms = [
        lab.room("gateway").await,
        lab.room("traefik").await,
        lab.room("chosen").await,
        lab.room("sticky").await,
    ];
    let [gateway, ingress, chosen, sticky] = &rooms;
    Traefik::gateway(gateway, GATEWAY).await;
    Traefik::gateway(chosen, GATEWAY).await;
    let traefik = Traefik::start(&lab).await;
    let flags = [format!("-metrics-server={prometheus}")];
    let controller = Controller::start(&lab, "controller", &[&flags[0]]).await;

    let tallies = tokio::join!(
        life(gateway, Way::Gateway, &traefik, &gates, &prometheus),
        life(ingress, Way::Traefik, &traefik, &gates, &prometheus),
        chooses(chosen, &traefik, &gates),
        affinity::run(sticky, &gates),
    );
    let tallies: Vec<Tally> = [tallies.0, tallies.1].into_iter().chain(tallies.2).collect();
    let sent: u64 = tallies.iter().map(|tally| tally.sent).sum();
    let failed: u64 = tallies.iter().map(|tally| tally.failed).sum();
    println!("{sent} requests, {failed} failed");
    assert_eq!(failed, 0, "{tallies:#?}");
    assert!(sent >= REQUESTS_MIN, "only {sent} requests");
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
    drop(kubelet);
}

/// An app that is taken over, released, released badly, rolled back by hand, and given back.
async fn life(room: &Room<'_>, way: Way, traefik: &Traefik, gates: &Gates, prometheus: &str) -> Tally {
    Version::good("v1").install(room).await;
    way.open(room).await;
    traefik.until_shared(room, &[("podinfo", 1)]).await;
    aim(room, None).until_served().await;
    let load = Load::start(&room.name, &aim(room, None), PER_SECOND);
    let stage = Stage {
        room,
        traefik,
        gates,
        load: &load,
    };
    stage.gets("v1", 100).await;
    let metrics = way.metrics(room, prometheus).await;
    let analysis = json!({"stepWeights": WEIGHTS, "metrics": metrics, "webhooks": Stage::hooks(room, gates)});
    way.guard(room, analysis).await;
    stage.until_led("Initialized", "podinfo-primary").await;
    stage.gets("v1", 100).await;
    stage.nobody_failed();

    Version::good("v2").deploy(room).await;
    stage.until_held().await;
    stage.gets("v2", 0).await;
    for weight in WEIGHTS {
        stage.advance(weight).await;
        stage.gets("v2", weight).await;
    }
    stage.promote();
    stage.until_led("Succeeded", "podinfo-primary").await;
    stage.gets("v2", 100).await;
    stage.nobody_failed();

    fails(&stage).await;
    Version::good("v4").deploy(room).await;
    stage.until_held().await;
    stage.advance(10).await;
    stage.advance(30).await;
    gates.open(room, "rollback");
    stage.until_led("Failed", "podinfo-primary").await;
    stage.gets("v4", 0).await;
    stage.nobody_failed();

    stage.delete().await;
    stage.gets("v4", 100).await;
    stage.nobody_failed();
    load.stop().await
}

/// A version whose own errors reach users until its metrics have told.
async fn fails(stage: &Stage<'_>) {
    stage.load.allow_errors(true);
    Version::faulty("v3").deploy(stage.room).await;
    stage.until_held().await;
    stage.advance(10).await;
    stage.until_led("Failed", "podinfo-primary").await;
    let told = stage.room.messages("podinfo").await;
    assert!(told.iter().any(|told| told.contains("advancement")), "{told:#?}");
    assert!(stage.load.tally().own_errors() > 0, "{}", stage.room.name);
    stage.load.allow_errors(false);
    stage.gets("v3", 0).await;
    stage.nobody_failed();
}

/// An A/B test: who carries the header or the cookie gets the new version, and nobody else.
async fn chooses(room: &Room<'_>, traefik: &Traefik, gates: &Gates) -> Vec<Tally> {
    Version::good("v1").install(room).await;
    Way::Gateway.open(room).await;
    traefik.until_shared(room, &[("podinfo", 1)]).await;
    aim(room, None).until_served().await;
    let loads = GROUPS.map(|(name, header, _)| Load::start(name, &aim(room, header), PER_SECOND_OF_GROUP));
    let stages = loads.each_ref().map(|load| Stage {
        room,
        traefik,
        gates,
        load,
    });
    let everybody = async |version, percent| {
        futures::future::join_all(stages.iter().map(|stage| stage.gets(version, percent))).await;
    };
    let analysis = json!({
        "iterations": 2,
        "match": [
            {"headers": {"x-canary": {"exact": "insider"}}},
            {"headers": {"cookie": {"regex": "^(.*?;)?(canary=always)(;.*)?$"}}},
        ],
        "webhooks": [gates.hook(room, "confirm-promotion")],
    });
    Way::Gateway.guard(room, analysis).await;
    stages[0].until_led("Initialized", "podinfo-primary").await;
    everybody("v1", 100).await;

    Version::good("v2").deploy(room).await;
    room.until_phase("podinfo", "WaitingPromotion").await;
    traefik.until_chosen(room, "podinfo-canary").await;
    let shares = stages.iter().zip(GROUPS);
    futures::future::join_all(shares.map(|(stage, (_, _, percent))| stage.gets("v2", percent))).await;
    gates.open(room, "confirm-promotion");
    stages[0].until_led("Succeeded", "podinfo-primary").await;
    everybody("v2", 100).await;
    stages[0].delete().await;
    everybody("v2", 100).await;
    futures::future::join_all(loads.map(Load::stop)).await
}
