//! A fleet for days, with users who release, break and mend, and a cluster that fails: whatever happens, each canary comes to rest where
//! its users are served, and takes the next release (L1 to L4).
//!
//! One seed is one run: `AVIARY_SEED=7 cargo test -p aviary --test sim chaos -- --nocapture`. `AVIARY_CANARY_DAYS` says how many
//! simulated days of one canary are run in all; by default as many as a quick loop bears, a thousand take minutes in a release build.

use engine::{Step, seam::Done, step::Input};
use serde_json::json;
use std::{cell::RefCell, collections::BTreeMap, thread};

use super::{
    manifests::{CANARIES, DEPLOYMENTS, NAMESPACE},
    stage::{Stage, simulate, watched_step},
};

mod trouble;
mod user;

/// Canaries of one run.
const FLEET: u64 = 8;
/// Simulated seconds of one run: a quarter of a day.
const SPAN: u64 = 21_600;
/// Simulated days of one canary in one run.
const DAYS_OF_RUN: u64 = FLEET * SPAN / 86_400;
/// Runs that go on at once: the cores of the smallest machine that we test on.
const THREADS: u64 = 2;
/// After the last trouble everything comes to rest within two deadlines of 120 s, three pauses and a few intervals.
const REST: u64 = 1800;

/// What happened in a run.
#[derive(Debug, Default)]
struct Tally {
    steps: u64,
    rollouts: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
}

thread_local! {
    static TALLY: RefCell<Tally> = RefCell::default();
}

/// Count something that was done to the cluster.
fn count_fault(kind: &str) {
    TALLY.with_borrow_mut(|tally| *tally.faults.entry(kind.to_owned()).or_default() += 1);
}

/// The mind, watched and counted.
fn counted_step(input: Input<'_>) -> Step {
    let step = watched_step(input);
    if let Step::Done(done) = &step {
        TALLY.with_borrow_mut(|tally| {
            tally.steps += 1;
            if let Some(end) = end_of_rollout(&input, done) {
                *tally.rollouts.entry(end).or_default() += 1;
            }
        });
    }
    step
}

/// The phase that ends a rollout in this step.
fn end_of_rollout(input: &Input<'_>, done: &Done) -> Option<String> {
    let before = input.canary.status.as_ref()?.phase.to_string();
    let after = done.status.as_ref()?.phase.to_string();
    let ends = ["Succeeded", "Failed"].contains(&after.as_str()) && before != after;
    ends.then_some(after)
}

/// One run of a fleet.
fn run(seed: u64) -> Tally {
    simulate(seed, |stage| async move {
        let mut lives = trouble::Lives::start(&stage, counted_step).await;
        let names: Vec<String> = (0..FLEET).map(|number| format!("app{number}")).collect();
        for name in &names {
            stage.install(name, &json!({"progressDeadlineSeconds": 120}));
        }
        for name in &names {
            stage.reach(name, &["Initialized"]).await;
        }
        let users: Vec<_> = (1..)
            .zip(&names)
            .map(|(number, name)| user::start(&stage, name, seed * 1000 + number, SPAN))
            .collect();
        lives.trouble(seed, SPAN).await;
        for user in users {
            user.await.unwrap();
        }
        stage.wait(REST).await;
        for name in &names {
            assert_rests(&stage, name);
            stage.outside.set_success(name, "100");
            stage.set_version(name, "final");
        }
        stage.wait(REST).await;
        for name in &names {
            let end = stage.end(name);
            assert_eq!(
                end.primary_image,
                format!("{name}:final"),
                "{name}: {end:?} {:?}",
                stage.status(name)
            );
            assert_eq!(
                (end.phase.as_str(), end.weights, end.target_replicas),
                ("Succeeded", (100, 0), 0),
                "{name}"
            );
        }
        let metrics = lives.metrics();
        assert!(!metrics.contains("aviary_invariant_violations_total{"), "{metrics}");
        lives.stop().await;
    });
    TALLY.with_borrow_mut(std::mem::take)
}

/// Nothing is on its way, and whoever has the traffic has pods.
fn assert_rests(stage: &Stage, name: &str) {
    let (phase, weights) = (stage.phase(name), stage.weights(name));
    let about = || {
        format!(
            "{name}: {phase} {weights:?} {:?}",
            stage.events(name).iter().rev().take(8).collect::<Vec<_>>()
        )
    };
    assert!(
        ["Initialized", "Succeeded", "Failed"].contains(&phase.as_str()),
        "{}",
        about()
    );
    assert!([(100, 0), (0, 100)].contains(&weights), "{}", about());
    let serving = if weights.0 == 100 {
        format!("{name}-primary")
    } else {
        name.to_owned()
    };
    let pods = stage.sandbox.get(DEPLOYMENTS, NAMESPACE, &serving).unwrap();
    assert!(
        pods["status"]["availableReplicas"].as_i64().unwrap_or(0) > 0,
        "{}",
        about()
    );
    let canary = stage.sandbox.get(CANARIES, NAMESPACE, name).unwrap();
    assert!(canary["status"]["conditions"].is_array(), "{}", about());
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn a_fleet_survives_everything_that_a_cluster_can_do() {
    let days = number("AVIARY_CANARY_DAYS").unwrap_or(DAYS_OF_RUN);
    let first = number("AVIARY_SEED").unwrap_or(1);
    let runs = days.div_ceil(DAYS_OF_RUN);
    let threads: Vec<_> = (0..THREADS.min(runs))
        .map(|thread| {
            thread::spawn(move || {
                (first + thread..first + runs)
                    .step_by(THREADS as usize)
                    .map(run)
                    .collect::<Vec<Tally>>()
            })
        })
        .collect();
    let tallies: Vec<Tally> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let mut sum = Tally::default();
    for tally in tallies {
        sum.steps += tally.steps;
        for (from, to) in [(tally.rollouts, &mut sum.rollouts), (tally.faults, &mut sum.faults)] {
            for (kind, count) in from {
                *to.entry(kind).or_default() += count;
            }
        }
    }
    let (rollouts, faults): (u64, u64) = (sum.rollouts.values().sum(), sum.faults.values().sum());
    println!(
        "seeds {first}..{}: {} canary-days, {rollouts} rollouts {:?}",
        first + runs,
        runs * DAYS_OF_RUN,
        sum.rollouts
    );
    println!("{} steps, {faults} faults {:#?}", sum.steps, sum.faults);
    assert!(rollouts >= 20 * runs * DAYS_OF_RUN, "20 rollouts per canary and day");
    assert!(faults * 10 >= sum.steps, "one fault per ten steps");
}
