//! Mirrored requests and sticky users, on nginx.

use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

use super::{
    gates::Gates,
    nginx::{ADDRESS, Nginx},
    objects::{APP, Version, Way},
    stage::is_held,
    visitor::Visitor,
};
use crate::cluster::{
    lab::{Room, items, text},
    until,
};

const GO: &str = "confirm-traffic-increase";
const MINUTE: Duration = Duration::from_mins(1);
/// Part of the requests that is copied, in percent.
const MIRRORED: i64 = 40;
/// Requests that are counted, and how far the part may be off, in points: by chance alone one in 200,000 counts is (4.6 sigma of 1.1).
const REQUESTS: u64 = 2_000;
const TOLERANCE: f64 = 5.0;
/// Users, and how often each of them comes. That none of so many gets the canary's 30 % happens once in 10^9 times.
const USERS: usize = 60;
const VISITS: usize = 20;
const COOKIE: &str = "aviary-canary";
const PRIMARY_COOKIE: &str = "aviary-primary";

/// A run that first copies requests, then keeps users where they were sent, and is rolled back by hand.
pub(crate) async fn run(room: &Room<'_>, gates: &Gates) {
    Version::good("v1").install(room).await;
    Way::Gateway.open(room).await;
    let nginx = Nginx::start(room).await;
    let analysis = json!({
        "mirror": true, "mirrorWeight": MIRRORED, "stepWeights": [30],
        "sessionAffinity": {"cookieName": COOKIE, "primaryCookieName": PRIMARY_COOKIE, "maxAge": 600},
        "webhooks": [gates.hook(room, GO), gates.hook(room, "rollback")],
    });
    Way::Gateway.guard(room, analysis).await;
    room.until_phase(APP, "Initialized").await;
    Version::good("v2").deploy(room).await;
    room.until_status(APP, "held", is_held).await;
    copies(room, gates, &nginx).await;
    stays(room, gates, &nginx).await;
}

/// While requests are copied nobody is answered by the canary.
async fn copies(room: &Room<'_>, gates: &Gates, nginx: &Nginx) {
    gates.open(room, GO);
    until("requests are mirrored", MINUTE, async || {
        let route = room.get("httproutes", APP).await;
        route.to_string().contains("RequestMirror").then_some(())
    })
    .await;
    nginx.settled(room).await;
    let before = served(room).await;
    let mut visitor = Visitor::new(room, ADDRESS);
    for _ in 0..REQUESTS {
        assert_eq!(visitor.look().await, "v1");
    }
    let wanted = MIRRORED as f64;
    let copied = async || {
        let part = 100.0 * (served(room).await - before) / REQUESTS as f64;
        ((part - wanted).abs() <= TOLERANCE).then_some(part)
    };
    // The last copies may still be on their way.
    let part = until(&format!("{MIRRORED} % are copied"), Duration::from_secs(10), copied).await;
    println!(
        "{}: {part:.2} % of {REQUESTS} requests were copied, {MIRRORED} % asked for",
        room.name
    );
    assert!(visitor.cookies.is_empty(), "{:?}", visitor.cookies);
}

/// Users stay where they were sent first; when the run is taken back, so is its cookie.
async fn stays(room: &Room<'_>, gates: &Gates, nginx: &Nginx) {
    gates.open(room, GO);
    room.until_status(APP, "at 30", |status| status["canaryWeight"] == 30)
        .await;
    nginx.settled(room).await;
    let mut users = Vec::new();
    let mut sides: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..USERS {
        let mut user = Visitor::new(room, ADDRESS);
        let side = user.look().await;
        let cookie = if side == "v2" { COOKIE } else { PRIMARY_COOKIE };
        assert_eq!(user.cookies.keys().collect::<Vec<_>>(), [cookie]);
        *sides.entry(side.clone()).or_default() += 1;
        users.push((user, side));
    }
    println!("{}: users by version at weight 30: {sides:?}", room.name);
    assert!(sides.contains_key("v1") && sides.contains_key("v2"), "{sides:?}");
    for (user, side) in &mut users {
        let seen = user.cookies.clone();
        for _ in 0..VISITS {
            assert_eq!(&user.look().await, side);
        }
        // The value of a step's cookie does not change within the step.
        assert_eq!(user.cookies, seen);
    }
    gates.open(room, "rollback");
    room.until_phase(APP, "Failed").await;
    nginx.settled(room).await;
    for (mut user, side) in users {
        assert_eq!(user.look().await, "v1");
        let taken_back: &[&str] = if side == "v2" { &[COOKIE] } else { &[] };
        assert_eq!(user.forgotten, taken_back);
    }
}

/// Requests for the page that the canary's pods have counted.
async fn served(room: &Room<'_>) -> f64 {
    let list = room.path("pods", "") + "?labelSelector=app%3Dpodinfo";
    let http = reqwest::Client::new();
    let mut sum = 0.0;
    for pod in items(room.lab.get(&list).await) {
        let url = format!("http://{}:9898/metrics", text(&pod["status"]["podIP"]));
        let page = http.get(url).send().await.unwrap().text().await.unwrap();
        let lines = page
            .lines()
            .filter(|line| line.starts_with("http_request_duration_seconds_count{"));
        let of_page = lines.filter(|line| line.contains("path=\"root\""));
        sum += of_page
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum::<f64>();
    }
    sum
}
