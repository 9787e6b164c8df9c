//! Actors that panic are made again; nobody else notices.

use actors::election::Claim;
use engine::{Step, step::Input};
use serde_json::json;
use std::cell::Cell;

use super::{
    manifests::{CANARIES, NAMESPACE, canary},
    stage::{End, Life, Stage, simulate, watched_step},
};

thread_local! {
    /// Whether the mind breaks on the canary `poison`. One thread is one test.
    static POISONED: Cell<bool> = const { Cell::new(false) };
}

fn poisoned_step(input: Input<'_>) -> Step {
    assert!(!(POISONED.get() && input.canary.name() == "poison"), "bitten");
    watched_step(input)
}

async fn start(stage: &Stage) -> Life {
    stage
        .start_with(poisoned_step, stage.sandbox.client(), Claim::always())
        .await
}

fn restarts(life: &Life) -> usize {
    let metrics = life.controller.metrics();
    let mut lines = metrics.lines();
    let found = lines.find_map(|line| line.strip_prefix("aviary_actor_restarts_total{actor=\"canary\"} "));
    found.map_or(0, |number| number.parse().unwrap())
}

#[test]
fn a_canary_whose_every_step_panics_stops_nobody_else_and_goes_on_when_mended() {
    simulate(1, |stage| async move {
        POISONED.set(true);
        let life = start(&stage).await;
        stage.install("poison", &json!({}));
        stage.install("podinfo", &json!({}));
        stage.wait(1).await;
        assert_eq!(stage.phase("poison"), "");
        stage.release("podinfo").await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
        for pause in [1, 2, 4, 8] {
            let text = format!("Internal error, trying again in {pause} s: bitten");
            assert!(
                stage.has_event("poison", &text),
                "{text}: {:#?}",
                stage.events("poison")
            );
        }
        let deaths = restarts(&life);
        assert!((4..=9).contains(&deaths), "{deaths}: pauses double");
        stage.wait(3600).await;
        let in_an_hour = restarts(&life) - deaths;
        assert!(
            (10..=14).contains(&in_an_hour),
            "{in_an_hour}: at most one in five minutes"
        );

        POISONED.set(false);
        stage.release("poison").await;
        assert_eq!(stage.end("poison"), End::good("poison"));
        life.stop().await;
    });
}

#[test]
fn an_actor_that_panics_in_the_middle_of_a_release_goes_on_from_what_is_stored() {
    simulate(1, |stage| async move {
        let life = start(&stage).await;
        stage.install("poison", &json!({}));
        stage.reach("poison", &["Initialized"]).await;
        stage.set_version("poison", "2");
        stage.until("30 %", || stage.weights("poison") == (70, 30)).await;
        POISONED.set(true);
        stage.until("a death", || restarts(&life) > 0).await;
        assert_eq!(stage.weights("poison"), (70, 30));
        POISONED.set(false);
        stage.reach("poison", &["Succeeded"]).await;
        assert_eq!(stage.end("poison"), End::good("poison"));
        assert_eq!(restarts(&life), 1);
        life.stop().await;
    });
}

#[test]
fn a_canary_that_dies_and_is_deleted_stays_away() {
    simulate(1, |stage| async move {
        POISONED.set(true);
        let life = start(&stage).await;
        stage.install("poison", &json!({}));
        stage.until("deaths", || restarts(&life) >= 3).await;
        stage
            .sandbox
            .delete(super::manifests::CANARIES, "test", "poison")
            .unwrap();
        stage.wait(1).await;
        let deaths = restarts(&life);
        stage.wait(600).await;
        assert_eq!((restarts(&life), life.controller.observe().await.len()), (deaths, 0));
        life.stop().await;
    });
}

#[test]
fn a_canary_that_is_made_again_while_its_actor_is_to_be_replaced_gets_one_actor() {
    simulate(1, |stage| async move {
        POISONED.set(true);
        let life = start(&stage).await;
        stage.install("poison", &json!({}));
        stage.until("deaths", || restarts(&life) >= 5).await;
        stage.sandbox.delete(CANARIES, NAMESPACE, "poison").unwrap();
        stage.wait(1).await;
        stage.sandbox.create(canary("poison", &json!({}))).unwrap();
        stage.wait(1).await;
        let deaths = restarts(&life);
        assert_eq!(deaths, 6, "it starts again from the first pause");
        stage.wait(3600).await;
        let in_an_hour = restarts(&life) - deaths;
        assert!(
            (15..=20).contains(&in_an_hour),
            "{in_an_hour}: 8 until the longest pause, then 12 an hour"
        );
        life.stop().await;
    });
}
