//! What goes wrong with the cluster, the network, the clock and the controller.

use actors::election::Claim;
use aviary::sandbox::Fault;
use engine::{Step, step::Input};
use jiff::SignedDuration;
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{sync::Arc, time::Duration};

use super::{
    super::manifests::{CANARIES, DEPLOYMENTS, ROUTES},
    super::stage::{Life, Stage},
    count_fault,
};

/// Share of the writes that meet a fault, in percent, and of the other requests.
const WRITES: u32 = 12;
const READS: u32 = 5;
/// Share of the queries that are not answered, in percent. Each counts as a failed check.
const QUERIES: u32 = 1;
/// Seconds between two troubles of the whole cluster.
const PAUSE: std::ops::Range<u64> = 200..1_200;

/// The controller, of which there is always one, or soon again.
pub(super) struct Lives {
    stage: Stage,
    step: fn(Input<'_>) -> Step,
    life: Option<Life>,
}

// === impl Lives ===

impl Lives {
    pub(super) async fn start(stage: &Stage, step: fn(Input<'_>) -> Step) -> Self {
        let mut lives = Self {
            stage: stage.clone(),
            step,
            life: None,
        };
        lives.revive().await;
        lives
    }

    async fn revive(&mut self) {
        let client = self.stage.sandbox.client();
        self.life = Some(self.stage.start_with(self.step, client, Claim::always()).await);
    }

    /// Everything goes wrong, for so many seconds.
    pub(super) async fn trouble(&mut self, seed: u64, seconds: u64) {
        let mut chance = StdRng::seed_from_u64(seed);
        spoil_requests(&self.stage, seed);
        let begun = self.stage.world.instant();
        while begun.elapsed().as_secs() < seconds {
            let pause = chance.random_range(PAUSE);
            self.stage.wait(pause).await;
            self.happen(&mut chance).await;
        }
        self.stage.sandbox.set_faults(None);
        self.stage.outside.set_fails(None);
    }

    async fn happen(&mut self, chance: &mut StdRng) {
        let stage = self.stage.clone();
        let seconds = chance.random_range(1..90);
        match chance.random_range(0..7) {
            0 => {
                count_fault("history compacted");
                stage.sandbox.compact();
            }
            1 => {
                let kind = [CANARIES, DEPLOYMENTS, ROUTES][chance.random_range(0..3)];
                count_fault("stale cache");
                stage.sandbox.freeze(kind, true).unwrap();
                stage.wait(seconds).await;
                stage.sandbox.freeze(kind, false).unwrap();
            }
            2 => {
                count_fault("partition");
                stage.sandbox.stop();
                stage.wait(seconds).await;
                stage.sandbox.restart();
            }
            3 => {
                count_fault("controller killed");
                if let Some(life) = self.life.take() {
                    life.kill().await;
                }
                stage.wait(seconds).await;
                self.revive().await;
            }
            4 => {
                count_fault("controller stopped");
                if let Some(life) = self.life.take() {
                    life.stop().await;
                }
                self.revive().await;
            }
            5 => {
                count_fault("clock set");
                let by = chance.random_range(-45..45);
                stage.world.jump(SignedDuration::from_secs(by));
            }
            _ => {
                count_fault("slow API server");
                let millis = chance.random_range(50..2_000);
                stage.sandbox.set_latency(Duration::from_millis(millis));
                stage.wait(seconds).await;
                stage.sandbox.set_latency(Duration::ZERO);
            }
        }
    }

    pub(super) fn metrics(&self) -> String {
        self.life
            .as_ref()
            .map(|life| life.controller.metrics())
            .unwrap_or_default()
    }

    pub(super) async fn stop(self) {
        if let Some(life) = self.life {
            life.stop().await;
        }
    }
}

/// From now on some requests fail, each in its own way.
fn spoil_requests(stage: &Stage, seed: u64) {
    let requests = Mutex::new(StdRng::seed_from_u64(seed ^ 0xfa17));
    stage.sandbox.set_faults(Some(Arc::new(move |entry| {
        let mut chance = requests.lock();
        let share = if entry.is_write() { WRITES } else { READS };
        if chance.random_range(0..100) >= share {
            return Fault::None;
        }
        let (fault, kind) = match chance.random_range(0..6) {
            0 if entry.is_write() => (Fault::Conflict, "409"),
            1 if entry.is_write() => (Fault::DropAnswerAfterWrite, "answer lost"),
            2 => (Fault::Answer(429), "429"),
            3 => (Fault::Answer(500), "500"),
            4 => (Fault::Timeout(Duration::from_secs(3)), "504"),
            _ => (Fault::Unavailable, "503"),
        };
        count_fault(kind);
        fault
    })));
    let mut queries = StdRng::seed_from_u64(seed ^ 0x9e7);
    stage.outside.set_fails(Some(Box::new(move || {
        let fails = queries.random_range(0..100) < QUERIES;
        if fails {
            count_fault("query refused");
        }
        fails
    })));
}
