//! Steps that were due are counted, with how late they were.

use engine::invariants::runs::{LATEST, punctual};
use serde_json::json;
use std::time::Duration;

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

/// An interval of the canaries here.
const INTERVAL: Duration = Duration::from_secs(10);
/// Longer than any step may take.
const FOR_EVER: Duration = Duration::from_hours(24);

#[test]
fn a_canary_whose_hooks_and_queries_hang_makes_no_other_one_late() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.outside.set_pause("hang.test", FOR_EVER);
        let hook = json!({"name": "load", "type": "rollout", "url": "http://hang.test/", "timeout": "5m"});
        stage.install("stuck", &json!({"analysis": {"webhooks": [hook]}}));
        stage.install("podinfo", &json!({}));
        for name in ["stuck", "podinfo"] {
            stage.reach(name, &["Initialized"]).await;
        }
        stage.outside.set_pause("stuck-", FOR_EVER);
        stage.set_version("stuck", "2");
        stage
            .until("the hook is called", || stage.outside.count("http://hang.test/") > 0)
            .await;
        stage.set_version("podinfo", "2");
        stage.until("10 %", || stage.weights("podinfo") == (90, 10)).await;
        for weight in [20, 30, 40, 50] {
            let begun = stage.world.instant();
            stage
                .until("the next weight", || stage.weights("podinfo").1 == weight)
                .await;
            let took = stage.world.instant().duration_since(begun);
            let late = took.saturating_sub(INTERVAL);
            assert_eq!(punctual(late), None, "{weight} % after {took:?}, of at most {LATEST:?}");
        }
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.phase("stuck"), "Progressing");
        life.stop().await;
    });
}
