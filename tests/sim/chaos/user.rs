//! A user of one canary: releases, mostly good ones, and what else users do.

use jiff::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::task::{JoinHandle, spawn_local};

use super::{
    super::manifests::{DEPLOYMENTS, NAMESPACE, ROUTES},
    super::stage::Stage,
    count_fault,
};

/// Seconds between two deeds: 20 rollouts a day are one per 4,320 s, and not every deed is one.
const PAUSE: std::ops::Range<u64> = 1_000..5_000;

/// What a user does. The weights are out of 100.
const DEEDS: [(u32, Deed); 8] = [
    (50, Deed::Good),
    (17, Deed::Bad),
    (8, Deed::Twice),
    (7, Deed::Back),
    (5, Deed::Suspend),
    (6, Deed::Unready),
    (4, Deed::Drift),
    (3, Deed::Edit),
];

#[derive(Clone, Copy, Debug)]
enum Deed {
    /// A release that is good.
    Good,
    /// A release whose requests fail.
    Bad,
    /// A second release in the middle of the first.
    Twice,
    /// A release that is taken back in the middle.
    Back,
    /// A suspension in the middle of a release.
    Suspend,
    /// A release whose pods do not become ready.
    Unready,
    /// Somebody edits the route in the middle of a release.
    Drift,
    /// Other steps in the middle of a release.
    Edit,
}

struct User {
    stage: Stage,
    name: String,
    chance: StdRng,
    version: u64,
}

/// Let a user of `name` act for so many seconds.
pub(super) fn start(stage: &Stage, name: &str, seed: u64, seconds: u64) -> JoinHandle<()> {
    let mut user = User {
        stage: stage.clone(),
        name: name.to_owned(),
        chance: StdRng::seed_from_u64(seed),
        version: 1,
    };
    let begun = stage.world.instant();
    spawn_local(async move {
        while begun.elapsed().as_secs() < seconds {
            let pause = user.chance.random_range(PAUSE);
            user.stage.wait(pause).await;
            let deed = user.draw();
            user.act(deed).await;
        }
        user.stage.sandbox.set_ready(&user.name, true);
        user.stage.edit(&user.name, &json!({"suspend": false}));
    })
}

// === impl User ===

impl User {
    fn draw(&mut self) -> Deed {
        let mut left = self.chance.random_range(0..100_u32);
        for (weight, deed) in DEEDS {
            if left < weight {
                return deed;
            }
            left -= weight;
        }
        Deed::Good
    }

    fn release(&mut self, success: &'static str) {
        self.version += 1;
        self.stage.outside.set_success(&self.name, success);
        self.stage.set_version(&self.name, &self.version.to_string());
    }

    async fn a_moment(&mut self) {
        let seconds = self.chance.random_range(1..150);
        self.stage.wait(seconds).await;
    }

    async fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Good => self.release("100"),
            Deed::Bad => self.release("50"),
            Deed::Twice => {
                self.release("100");
                self.a_moment().await;
                self.release("100");
            }
            Deed::Back => {
                let promoted = self.stage.end(&self.name).primary_image;
                let version = promoted.split_once(':').map_or("1", |(_, version)| version).to_owned();
                self.release("100");
                self.a_moment().await;
                self.stage.set_version(&self.name, &version);
            }
            Deed::Suspend => {
                self.release("100");
                self.a_moment().await;
                self.stage.edit(&self.name, &json!({"suspend": true}));
                self.a_moment().await;
                self.stage.edit(&self.name, &json!({"suspend": false}));
            }
            Deed::Unready => {
                count_fault("pods that do not become ready");
                self.stage.sandbox.set_ready(&self.name, false);
                self.release("100");
                self.stage.wait(400).await;
                self.stage.sandbox.set_ready(&self.name, true);
            }
            Deed::Drift => {
                self.release("100");
                self.a_moment().await;
                self.drift();
            }
            Deed::Edit => {
                self.release("100");
                self.a_moment().await;
                let step = self.chance.random_range(5..60);
                self.stage.edit(&self.name, &json!({"analysis": {"stepWeight": step}}));
            }
        }
    }

    /// Rename the hosts of the route, and stop one of its Services' ports being found.
    fn drift(&mut self) {
        count_fault("drift");
        let hosts = json!({"spec": {"hostnames": [format!("foreign-{}.example.com", self.version)]}});
        self.stage.sandbox.patch(ROUTES, NAMESPACE, &self.name, &hosts).ok();
        let labels = json!({"metadata": {"labels": {"somebody": Timestamp::UNIX_EPOCH.to_string().replace(':', "-")}}});
        let primary = format!("{}-primary", self.name);
        self.stage.sandbox.patch(DEPLOYMENTS, NAMESPACE, &primary, &labels).ok();
    }
}
