//! Whole releases.

use serde_json::{Value, json};

use super::{
    manifests::{CANARIES, NAMESPACE, ROUTES, canary},
    stage::{End, Stage, simulate},
};

const GATE: &str = "http://gate.test/";

/// Weights of the canary in the order in which they were written into the route.
fn written_weights(stage: &Stage) -> Vec<i64> {
    let mut weights: Vec<i64> = Vec::new();
    for entry in stage.sandbox.journal() {
        let about_route = entry.path.contains(&format!("/{}/", ROUTES.split_once('.').unwrap().0));
        if !entry.is_write() || !about_route {
            continue;
        }
        let body: Value = serde_json::from_slice(&entry.body).unwrap();
        let backends = &body["spec"]["rules"][0]["backendRefs"];
        weights.extend(backends[1]["weight"].as_i64());
    }
    weights
}

#[test]
fn a_good_release_goes_to_half_of_the_traffic_and_is_promoted() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.install("podinfo", &json!({}));
        stage.release("podinfo").await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
        assert_eq!(written_weights(&stage), [10, 20, 30, 40, 50, 0]);
        for event in [
            "Initialization done! podinfo.test",
            "New revision detected! Scaling up podinfo.test",
            "Advance podinfo.test canary weight 50",
            "Promotion completed! Scaling down podinfo.test",
        ] {
            assert!(
                stage.has_event("podinfo", event),
                "{event}: {:#?}",
                stage.events("podinfo")
            );
        }
        let metrics = life.controller.metrics();
        assert!(
            metrics.contains("flagger_canary_status{name=\"podinfo\",namespace=\"test\"} 1"),
            "{metrics}"
        );
        life.stop().await;
    });
}

#[test]
fn a_bad_release_leaves_all_traffic_on_the_primary() {
    simulate(1, |stage| async move {
        let _life = stage.start().await;
        stage.outside.set_success("podinfo", "98.69");
        stage.install("podinfo", &json!({}));
        stage.release("podinfo").await;
        assert_eq!(stage.end("podinfo"), End::bad("podinfo"));
        assert_eq!(written_weights(&stage), [10, 0]);
        stage.wait(1).await;
        let halted = "Halt podinfo.test advancement success rate 98.69% < 99%";
        assert!(stage.has_event("podinfo", halted), "{:#?}", stage.events("podinfo"));
    });
}

#[test]
fn a_release_after_a_failed_one_succeeds() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.outside.set_success("podinfo", "1");
        stage.install("podinfo", &json!({}));
        stage.release("podinfo").await;
        assert_eq!(stage.phase("podinfo"), "Failed");
        stage.outside.set_success("podinfo", "100");
        stage.set_version("podinfo", "3");
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.end("podinfo").primary_image, "podinfo:3");
        life.stop().await;
    });
}

#[test]
fn a_gate_holds_until_it_opens() {
    simulate(1, |stage| async move {
        let _life = stage.start().await;
        stage.outside.set_hook(GATE, 403);
        let hook = json!({"name": "gate", "type": "confirm-rollout", "url": GATE});
        stage.install("podinfo", &json!({"analysis": {"webhooks": [hook]}}));
        stage.reach("podinfo", &["Initialized"]).await;
        stage.set_version("podinfo", "2");
        stage.reach("podinfo", &["Waiting"]).await;
        stage.wait(600).await;
        assert_eq!(
            (stage.phase("podinfo").as_str(), stage.weights("podinfo")),
            ("Waiting", (100, 0))
        );
        let asked = stage.outside.count(GATE);
        assert!(
            (55..=65).contains(&asked),
            "asked {asked} times in ten minutes at an interval of 10 s"
        );
        stage.outside.set_hook(GATE, 200);
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
    });
}

#[test]
fn pods_that_never_become_ready_end_the_release_by_its_deadline() {
    simulate(1, |stage| async move {
        let _life = stage.start().await;
        stage.install("podinfo", &json!({"progressDeadlineSeconds": 60}));
        stage.reach("podinfo", &["Initialized"]).await;
        stage.sandbox.set_ready("podinfo", false);
        stage.set_version("podinfo", "2");
        let begun = stage.world.now();
        stage.reach("podinfo", &["Failed"]).await;
        let took = stage.world.now().duration_since(begun).as_secs();
        assert!((60..=90).contains(&took), "{took} s");
        assert_eq!(stage.end("podinfo"), End::bad("podinfo"));
    });
}

#[test]
fn a_controller_that_is_killed_in_the_middle_goes_on_where_it_was() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.install("podinfo", &json!({}));
        stage.reach("podinfo", &["Initialized"]).await;
        stage.set_version("podinfo", "2");
        stage.until("30 %", || stage.weights("podinfo") == (70, 30)).await;
        life.kill().await;
        let asked = stage.sandbox.journal().len();
        stage.wait(300).await;
        assert_eq!(stage.sandbox.journal().len(), asked, "a dead controller asks nothing");
        assert_eq!(stage.weights("podinfo"), (70, 30));
        let _life = stage.start().await;
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
        assert_eq!(
            written_weights(&stage),
            [10, 20, 30, 40, 50, 0],
            "no weight is written twice"
        );
    });
}

#[test]
fn a_canary_that_is_deleted_loses_its_actor_and_its_series() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.install("podinfo", &json!({}));
        stage.reach("podinfo", &["Initialized"]).await;
        assert_eq!(life.controller.observe().await.len(), 1);
        stage.sandbox.delete(CANARIES, NAMESPACE, "podinfo").unwrap();
        stage.wait(1).await;
        assert_eq!(life.controller.observe().await, []);
        assert!(!life.controller.metrics().contains("name=\"podinfo\""), "W-61");
        stage.sandbox.create(canary("podinfo", &json!({}))).unwrap();
        stage.reach("podinfo", &["Initialized"]).await;
    });
}
