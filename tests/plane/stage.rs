//! An app under load and its Canary: the moves of a run, and what users see of them.

use serde_json::{Value, json};
use std::time::Duration;

use super::{
    gates::Gates,
    load::{Aim, Header, Load},
    objects::{APP, Way},
    traefik::Traefik,
};
use crate::cluster::{
    lab::{Room, items},
    until,
};

/// How far a share may be off, in points.
const TOLERANCE: f64 = 3.0;
const MINUTE: Duration = Duration::from_mins(1);
/// Requests over which a share is measured.
const REQUESTS: u64 = 2_000;
const GO: &str = "confirm-traffic-increase";

/// An app, the way into it, and its users.
pub(crate) struct Stage<'s> {
    pub(crate) room: &'s Room<'s>,
    pub(crate) traefik: &'s Traefik,
    pub(crate) gates: &'s Gates,
    pub(crate) load: &'s Load,
}

/// Users of the app in this room.
pub(crate) fn aim(room: &Room<'_>, header: Header) -> Aim {
    Aim {
        url: format!("http://{}/", Traefik::ADDRESS),
        host: Way::host(room),
        header,
    }
}

/// Whether a run has its pods and stands at a closed gate.
pub(crate) fn is_held(status: &Value) -> bool {
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    status["phase"] == "Progressing" && conditions.any(|held| held["reason"] == "TrafficIncreaseGate")
}

// === impl Stage ===

impl Stage<'_> {
    /// Wait for a phase, and until Traefik leads everybody to this Service.
    pub(crate) async fn until_led(&self, phase: &str, service: &str) {
        self.room.until_phase(APP, phase).await;
        self.traefik.until_shared(self.room, &[(service, 1)]).await;
        println!("{}: {phase}", self.room.name);
    }

    /// Wait until the canary's pods are there and the first gate is asked.
    pub(crate) async fn until_held(&self) {
        self.room.until_status(APP, "held", is_held).await;
    }

    /// Go on to this weight, and wait until Traefik has it.
    pub(crate) async fn advance(&self, weight: i64) {
        self.gates.open(self.room, GO);
        let reached = |status: &Value| status["canaryWeight"] == weight;
        self.room.until_status(APP, &format!("at {weight}"), reached).await;
        let wanted = [("podinfo-primary", 100 - weight), ("podinfo-canary", weight)];
        self.traefik.until_shared(self.room, &wanted).await;
    }

    /// Let the run pass its last gate.
    pub(crate) fn promote(&self) {
        self.gates.open(self.room, GO);
    }

    /// Of the next requests this version gets so many percent; none at all at 0, and all of them at 100.
    pub(crate) async fn gets(&self, version: &str, percent: i64) {
        let is_exact = percent % 100 == 0;
        let (window, tally) = self.load.window(REQUESTS).await;
        let (all, by) = (tally.in_window(window), tally.by(window, version));
        let share = 100.0 * by as f64 / all as f64;
        println!(
            "{}: {version} answered {by} of {all}, {share:.2} %, at weight {percent}",
            self.room.name
        );
        let tolerance = if is_exact { 0.0 } else { TOLERANCE };
        assert!(
            (share - percent as f64).abs() <= tolerance,
            "{}: {version} has {share} % at weight {percent}: {:?}",
            self.room.name,
            tally.shares(window)
        );
        if is_exact {
            assert_eq!(tally.own_errors_in(window), 0, "{}: {tally:#?}", self.room.name);
        }
    }

    /// Delete the Canary, and wait until everything is as if it had never been there.
    pub(crate) async fn delete(&self) {
        let room = self.room;
        room.lab
            .call("DELETE", &room.path("canaries", APP), None)
            .await
            .unwrap();
        until("the canary is gone", MINUTE, async || {
            room.find("canaries", APP).await.is_none().then_some(())
        })
        .await;
        self.traefik.until_shared(room, &[(APP, 1)]).await;
        let of_primary = room.path("pods", "") + "?labelSelector=app%3Dpodinfo-primary";
        until("the primary's pods are gone", MINUTE, async || {
            items(room.lab.get(&of_primary).await).is_empty().then_some(())
        })
        .await;
    }

    /// Hooks that let it move when told to, and only then.
    pub(crate) fn hooks(room: &Room<'_>, gates: &Gates) -> Value {
        json!([gates.hook(room, GO), gates.hook(room, "rollback")])
    }

    /// Nobody has seen anything but answers of the app.
    pub(crate) fn nobody_failed(&self) {
        let tally = self.load.tally();
        assert_eq!(tally.failed, 0, "{}: {tally:#?}", self.room.name);
    }
}
