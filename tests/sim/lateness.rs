//! Steps that were due are counted, with how late they were.

use serde_json::json;

use super::stage::{End, Life, simulate};

/// Observations, and those of at most a millisecond.
fn lateness(life: &Life) -> (u64, u64) {
    let metrics = life.controller.metrics();
    let find = |name: &str| {
        let mut lines = metrics.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.map_or(0, |number| number.parse().unwrap())
    };
    let name = "aviary_step_lateness_seconds";
    (
        find(&format!("{name}_count")),
        find(&format!("{name}_bucket{{le=\"0.001\"}}")),
    )
}

#[test]
fn each_check_of_a_release_was_due_and_none_is_late() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.install("podinfo", &json!({}));
        stage.reach("podinfo", &["Initialized"]).await;
        let (before, _) = lateness(&life);
        stage.set_version("podinfo", "2");
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
        let (count, punctual) = lateness(&life);
        // The five weights after the first one and the promotion are waited for; what a change wakes before its time is not due.
        assert!((6..=12).contains(&(count - before)), "{}", count - before);
        assert_eq!(count, punctual);
        life.stop().await;
    });
}
