//! What GitOps tools read: the rules of kstatus, played over whole runs.

use super::fixture::*;
use crate::{model::Model, status::BLOCKED};
use crds::{Canary, Phase};
use serde_json::json;

/// The answer of kstatus for a custom resource: the observed generation first, then the abnormal conditions, then `Ready`.
fn kstatus(canary: &Canary) -> &'static str {
    let status = canary.status.clone().unwrap_or_default();
    let is = |kind: &str, value: &str| {
        status
            .condition(kind)
            .is_some_and(|condition| condition.status == value)
    };
    if status
        .observed_generation
        .is_some_and(|seen| Some(seen) != canary.metadata.generation)
    {
        return "InProgress";
    }
    if is("Reconciling", "True") {
        return "InProgress";
    }
    if is("Stalled", "True") {
        return "Failed";
    }
    match status.condition("Ready").map(|ready| ready.status.as_str()) {
        Some("True") => "Current",
        Some(_) => "InProgress",
        None => "Unknown",
    }
}

/// Each phase that was stored, with what kstatus makes of it.
fn play(model: &mut Model, until: &[Phase]) -> Vec<(Phase, &'static str)> {
    let mut seen: Vec<(Phase, &'static str)> = Vec::new();
    for _ in 0..120 {
        let now = (model.phase(), kstatus(&model.canary()));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        if until.contains(&now.0) {
            break;
        }
        model.run_until(until, 1);
    }
    seen
}

#[test]
fn a_release_is_in_progress_until_it_is_promoted() {
    let mut model = model(&json!({}), "100", "0.2");
    assert_eq!(
        play(&mut model, &[Phase::Initialized]),
        [
            (Phase::New, "Unknown"),
            (Phase::Initializing, "InProgress"),
            (Phase::Initialized, "Current")
        ]
    );
    set_image(&mut model, "app:2");
    assert!(model.run_until(&[Phase::Progressing], 10));
    assert_eq!(
        play(&mut model, &[Phase::Succeeded, Phase::Failed]),
        [
            (Phase::Progressing, "InProgress"),
            (Phase::Promoting, "InProgress"),
            (Phase::Finalising, "InProgress"),
            (Phase::Succeeded, "Current")
        ]
    );
}

#[test]
fn a_failed_release_and_a_refused_canary_have_failed() {
    let mut model = released_with(model(&json!({}), "10", "0.2"));
    finish(&mut model);
    assert_eq!((model.phase(), kstatus(&model.canary())), (Phase::Failed, "Failed"));
    let status = model.canary().status.unwrap();
    assert_eq!(status.condition("Stalled").unwrap().reason, "Failed");
    assert!(status.condition("Reconciling").is_none());

    let mut model = super::fixture::model(&json!({"provider": "supergloo"}), "100", "0.2");
    model.step();
    assert_eq!(kstatus(&model.canary()), "Failed");
    assert_eq!(
        model.canary().status.unwrap().condition("Stalled").unwrap().reason,
        "InvalidSpec"
    );
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"provider": "gatewayapi:v1"}}));
    assert_eq!(
        kstatus(&model.canary()),
        "InProgress",
        "nobody has looked at the new spec"
    );
    assert!(model.run_until(&[Phase::Initialized], 30));
    assert_eq!(kstatus(&model.canary()), "Current");
}

#[test]
fn an_edit_at_rest_costs_one_write_and_does_not_count_as_a_move() {
    let mut model = model(&json!({}), "100", "0.2");
    assert!(model.run_until(&[Phase::Initialized], 30));
    let moved = model.canary().status.unwrap().last_transition_time;
    model.wait(1000);
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"analysis": {"threshold": 7}}}));
    assert_eq!(kstatus(&model.canary()), "InProgress");
    let writes = model.writes;
    model.step();
    model.step();
    assert_eq!(model.writes, writes + 1);
    assert_eq!(kstatus(&model.canary()), "Current");
    assert_eq!(model.canary().status.unwrap().last_transition_time, moved);
}

/// The peer's schema does not know `observedGeneration`, so the API server drops it.
#[test]
fn nothing_is_written_for_a_schema_that_drops_the_generation() {
    let mut model = model(&json!({}), "100", "0.2");
    assert!(model.run_until(&[Phase::Initialized], 30));
    let at = model.canary_at.clone();
    model.edit(
        &at,
        &json!({"status": {"observedGeneration": null}, "spec": {"analysis": {"threshold": 7}}}),
    );
    let writes = model.writes;
    model.step();
    assert_eq!(model.writes, writes);
    assert_eq!(kstatus(&model.canary()), "Current");
}

/// What stands in the way stands in a condition, too, as long as it does; nothing has moved by that.
#[test]
fn an_obstacle_is_named_while_it_lasts() {
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "app"});
    let blocked = |model: &Model| {
        let told = model.canary().status.unwrap().condition(BLOCKED).cloned();
        told.map(|told| told.message.unwrap_or_default())
    };
    let mut model = model(&json!({}), "100", "0.2");
    assert!(model.run_until(&[Phase::Initialized], 30));
    let moved = model.canary().status.unwrap().last_transition_time;
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"autoscalerRef": scaler}}));
    let writes = model.writes;
    model.run_until(&[Phase::Progressing], 6);
    let cause = "HorizontalPodAutoscaler app.test is not there; create it, or remove spec.autoscalerRef";
    assert_eq!((blocked(&model).as_deref(), model.writes), (Some(cause), writes + 1));
    assert_eq!(kstatus(&model.canary()), "Failed");
    let status = model.canary().status.unwrap();
    assert_eq!(status.condition("Stalled").unwrap().message.as_deref(), Some(cause));
    assert_eq!(status.last_transition_time, moved);
    let told = model.events.iter().filter(|event| event.message == cause);
    assert_eq!(told.count(), 5, "once per interval: the write itself is no news");

    model.edit(&at, &json!({"spec": {"autoscalerRef": null}}));
    model.run_until(&[Phase::Progressing], 3);
    assert_eq!((blocked(&model), model.writes), (None, writes + 2));
    assert_eq!(kstatus(&model.canary()), "Current");
}

#[test]
fn an_obstacle_of_a_run_is_progress_until_the_deadline() {
    let mut model = released(&json!({"progressDeadlineSeconds": 120}));
    reach(&mut model, 20);
    let broken = json!({"spec": {"template": {"metadata": {"annotations": {"lab/never-ready": "true"}}}}});
    model.edit(&target_at(), &broken);
    model.settle();
    let mut told = 0;
    while model.phase() == Phase::Progressing && model.decisions.len() < 100 {
        let status = model.canary().status.unwrap();
        if let Some(blocked) = status.condition(BLOCKED) {
            assert_eq!(status.condition("Reconciling").unwrap().message, blocked.message);
            told += 1;
        }
        model.run_until(&[Phase::Failed], 1);
    }
    assert!(told > 0 && model.phase() == Phase::Failed, "{:#?}", model.decisions);
    assert_eq!(model.canary().status.unwrap().condition(BLOCKED), None);
    assert_eq!(kstatus(&model.canary()), "Failed");
    assert_clean(&model);
}

/// Pods that come some intervals late are told of by Events, and cost no status.
#[test]
fn an_obstacle_of_a_run_is_written_down_when_it_has_lasted_a_minute() {
    let mut model = released(&json!({}));
    assert!(model.run_until(&[Phase::Progressing], 10));
    model.edit(
        &target_at(),
        &json!({"metadata": {"annotations": {"lab/broken": "true"}}}),
    );
    model.settle();
    let (writes, events) = (model.writes, model.events.len());
    for looks in 1..=5 {
        model.wait(10);
        model.step();
        let seen = (model.writes, model.events.len());
        assert_eq!(seen, (writes, events + looks), "{:#?}", model.decisions);
    }
    model.wait(10);
    model.step();
    let status = model.canary().status.unwrap();
    let told = status.condition(BLOCKED).and_then(|told| told.message.clone());
    assert!(
        told.is_some_and(|told| told.contains("not ready")),
        "{:#?}",
        model.decisions
    );

    model.edit(
        &target_at(),
        &json!({"metadata": {"annotations": {"lab/broken": null}}}),
    );
    model.settle();
    ends_promoted(&mut model, "app:2");
}
