//! Whole runs: the tables of controller.md 4.

use super::fixture::*;
use crate::seam::Severity;
use crds::Phase;
use serde_json::json;

const ENDS: [Phase; 2] = [Phase::Succeeded, Phase::Failed];

#[test]
fn a_linear_run_takes_the_documented_steps() {
    let mut model = released(&json!({}));
    finish(&mut model);
    assert_eq!(
        run_of(&model),
        [
            "Progressing 100/0 weight=0 iterations=0 failed=0",
            "Progressing 80/20 weight=0 iterations=0 failed=0",
            "Progressing 80/20 weight=20 iterations=0 failed=0",
            "Progressing 60/40 weight=20 iterations=0 failed=0",
            "Progressing 60/40 weight=40 iterations=0 failed=0",
            "Progressing 40/60 weight=40 iterations=0 failed=0",
            "Progressing 40/60 weight=60 iterations=0 failed=0",
            "Promoting 40/60 weight=60 iterations=0 failed=0",
            "Promoting 100/0 weight=60 iterations=0 failed=0",
            "Finalising 100/0 weight=0 iterations=0 failed=0",
            "Succeeded 100/0 weight=0 iterations=0 failed=0",
        ]
    );
    assert_eq!(image(&model, &primary_at()), "app:2");
    assert_eq!(
        (replicas(&model, &primary_at()), replicas(&model, &target_at())),
        (1, 0)
    );
    assert_clean(&model);
}

#[test]
fn a_promotion_in_steps_gives_the_traffic_back_in_steps() {
    let mut model = released(&json!({"analysis": {"stepWeight": 100, "maxWeight": 100, "stepWeightPromotion": 50}}));
    finish(&mut model);
    let lines = run_of(&model);
    assert_eq!(
        lines[3..6],
        [
            "Promoting 0/100 weight=100 iterations=0 failed=0",
            "Promoting 50/50 weight=100 iterations=0 failed=0",
            "Promoting 50/50 weight=50 iterations=0 failed=0",
        ]
    );
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_clean(&model);
}

/// W-6: the canary's pods roll to what nobody has analysed, and still have traffic.
#[test]
fn a_target_that_moves_on_during_its_promotion_loses_its_traffic_at_once() {
    let mut model = released(&json!({"analysis": {"stepWeight": 100, "maxWeight": 100, "stepWeightPromotion": 10}}));
    assert!(model.run_until(&[Phase::Promoting], 60), "{:#?}", model.decisions);
    model.settle();
    let begun = model.now;
    set_image(&mut model, "app:3");
    assert!(model.run_until(&[Phase::Finalising], 10), "{:#?}", model.decisions);
    assert_eq!(model.now, begun, "as soon as the primary is ready");
    assert!(model.trajectory.last().unwrap().starts_with("Finalising 100/0"));
    assert_eq!(image(&model, &primary_at()), "app:2");
    assert!(
        model.run_until(&[Phase::Succeeded], 10),
        "the analysed revision is promoted"
    );
    assert!(
        model.run_until(&[Phase::Progressing], 10),
        "and the further one has its own run"
    );
    ends_promoted(&mut model, "app:3");
}

#[test]
fn failed_checks_roll_back_at_the_threshold() {
    let mut model = released_with(model(&json!({}), "98.69", "0.2"));
    finish(&mut model);
    assert_eq!(
        run_of(&model)[3..],
        [
            "Progressing 80/20 weight=20 iterations=0 failed=1",
            "Progressing 80/20 weight=20 iterations=0 failed=2",
            "Progressing 80/20 weight=20 iterations=0 failed=3",
            "Progressing 100/0 weight=20 iterations=0 failed=3",
            "Failed 100/0 weight=0 iterations=0 failed=0",
        ]
    );
    assert_eq!(
        (image(&model, &primary_at()), replicas(&model, &target_at())),
        ("app:1".into(), 0)
    );
    let halts = model
        .events
        .iter()
        .filter(|event| event.message == "Halt app.test advancement success rate 98.69% < 99%");
    assert_eq!(halts.count(), 3);
    assert!(model.alerts.iter().any(|alert| alert.severity == Severity::Error));
    assert_clean(&model);
}

#[test]
fn no_values_are_a_failed_check_with_their_own_text() {
    let mut model = released_with(model(&json!({"analysis": {"threshold": 1}}), "NaN", "0.2"));
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    assert!(model.events.iter().any(|event| {
        event
            .message
            .starts_with("Halt advancement no values found for gatewayapi:v1")
    }));
}

#[test]
fn skipped_analysis_promotes_without_weights() {
    let mut model = released(&json!({"skipAnalysis": true}));
    finish(&mut model);
    assert_eq!(
        run_of(&model),
        [
            "Progressing 100/0 weight=0 iterations=0 failed=0",
            "Succeeded 100/0 weight=0 iterations=0 failed=0"
        ]
    );
    assert_eq!(image(&model, &primary_at()), "app:2");
    assert_clean(&model);
}

#[test]
fn blue_green_on_plain_kubernetes_counts_and_promotes() {
    let spec = json!({"provider": "kubernetes", "analysis": {"stepWeight": null, "maxWeight": null, "iterations": 2}});
    let mut model = released(&spec);
    finish(&mut model);
    let iterations: Vec<&str> = run_of(&model)
        .iter()
        .filter_map(|line| line.split(' ').nth(3))
        .collect();
    assert_eq!(
        iterations,
        [
            "iterations=0",
            "iterations=1",
            "iterations=2",
            "iterations=3",
            "iterations=3",
            "iterations=0",
            "iterations=0"
        ]
    );
    assert_eq!(image(&model, &primary_at()), "app:2");
    assert_clean(&model);
}

#[test]
fn a_further_revision_starts_again_at_zero() {
    let mut model = released(&json!({}));
    reach(&mut model, 40);
    set_image(&mut model, "app:3");
    ends_promoted(&mut model, "app:3");
    assert!(run_of(&model).contains(&"Progressing 100/0 weight=40 iterations=0 failed=0"));
    assert_clean(&model);
}

#[test]
fn a_target_that_is_set_back_ends_the_run() {
    let mut model = released(&json!({}));
    reach(&mut model, 40);
    set_image(&mut model, "app:1");
    finish(&mut model);
    assert_eq!(
        (
            model.phase(),
            image(&model, &primary_at()),
            replicas(&model, &target_at())
        ),
        (Phase::Succeeded, "app:1".into(), 0)
    );
    let copied = model.events.iter().find(|event| event.message.starts_with("Copying"));
    assert_eq!(copied, None, "what the primary runs is not promoted once more");
    let before = model.writes;
    model.run_until(&[Phase::Failed], 5);
    assert_eq!(model.writes, before, "nothing is left to do");
    assert_clean(&model);
}

#[test]
fn pods_that_never_become_ready_end_the_run_by_the_deadline() {
    let mut model = released(&json!({"progressDeadlineSeconds": 30}));
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"metadata": {"annotations": {"lab/never-ready": "true"}}}}}),
    );
    let start = model.now;
    finish(&mut model);
    let took = model.now.duration_since(start).as_secs();
    assert!((30..=60).contains(&took), "{took} s");
    assert_eq!(model.phase(), Phase::Failed);
    assert!(
        model
            .alerts
            .iter()
            .any(|alert| alert.message.starts_with("Progress deadline exceeded"))
    );
    assert_clean(&model);
}

#[test]
fn a_primary_that_breaks_while_it_is_promoted_leaves_the_traffic_on_the_canary() {
    let mut model = released(&json!({"progressDeadlineSeconds": 30}));
    assert!(model.run_until(&[Phase::Promoting], 60));
    model.edit(
        &primary_at(),
        &json!({"spec": {"template": {"metadata": {"annotations": {"lab/never-ready": "true"}}}}}),
    );
    finish(&mut model);
    assert_eq!(
        run_of(&model).last(),
        Some(&"Failed 0/100 weight=100 iterations=0 failed=0")
    );
    assert_eq!(replicas(&model, &target_at()), 1, "the only healthy copy is kept");
    set_image(&mut model, "app:3");
    model.run_until(&[Phase::Succeeded], 40);
    assert!(
        replicas(&model, &target_at()) > 0 || model.phase() == Phase::Succeeded,
        "W-1"
    );
    assert_clean(&model);
}

#[test]
fn a_foreign_edit_of_the_route_is_repaired_at_the_same_weight() {
    let mut model = released(&json!({}));
    reach(&mut model, 40);
    model.edit(&route_at(), &json!({"spec": {"hostnames": ["evil.example.com"]}}));
    model.run_until(&ENDS, 1);
    assert_eq!(
        model.get(&route_at()).unwrap()["spec"]["hostnames"],
        json!(["app.example.com"])
    );
    finish(&mut model);
    assert!(
        !run_of(&model).contains(&"Progressing 100/0 weight=40 iterations=0 failed=0"),
        "W-8"
    );
    assert_clean(&model);
}

/// W-8: what somebody else writes is no progress. One step ahead may be our own write before an interruption, and so may 0.
#[test]
fn foreign_weights_are_taken_back_to_those_of_the_run() {
    for (written, becomes) in [(70, 40), (20, 40), (60, 60), (0, 0), (40, 40)] {
        let mut model = released(&json!({}));
        reach(&mut model, 40);
        let mut route = (*model.get(&route_at()).unwrap()).clone();
        for (backend, weight) in [(0, 100 - written), (1, written)] {
            route["spec"]["rules"][0]["backendRefs"][backend]["weight"] = weight.into();
        }
        model.put(route_at(), route);
        model.step();
        let route = model.get(&route_at()).unwrap();
        assert_eq!(
            route["spec"]["rules"][0]["backendRefs"][1]["weight"], becomes,
            "{written}"
        );
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Succeeded, "{:#?}", model.decisions);
        assert_clean(&model);
    }
}

#[test]
fn an_idle_canary_writes_nothing_and_mends_foreign_weights() {
    let mut model = released(&json!({}));
    finish(&mut model);
    let before = model.writes;
    model.run_until(&[Phase::Failed], 5);
    assert_eq!(model.writes, before, "S7");
    let mut route = (*model.get(&route_at()).unwrap()).clone();
    for (at, weight) in [(0, 50), (1, 50)] {
        route["spec"]["rules"][0]["backendRefs"][at]["weight"] = weight.into();
    }
    model.put(route_at(), route);
    model.run_until(&[Phase::Failed], 1);
    assert_eq!(
        model.trajectory.last().map(String::as_str),
        Some("Succeeded 100/0 weight=0 iterations=0 failed=0"),
        "W-11"
    );
    assert_clean(&model);
}

#[test]
fn a_target_scaled_to_zero_gets_no_weight_and_its_zero_is_never_promoted() {
    let mut model = released(&json!({"progressDeadlineSeconds": 60}));
    reach(&mut model, 20);
    model.edit(&target_at(), &json!({"spec": {"replicas": 0}}));
    model.run_until(&ENDS, 60);
    assert_eq!(replicas(&model, &primary_at()), 1, "observed.md A2");
    assert_clean(&model);
}
