//! Hooks: what each kind of answer does.

use super::fixture::*;
use crate::{
    model::{Model, answer},
    seam::{Severity, Trouble},
};
use crds::Phase;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

const ENDS: [Phase; 2] = [Phase::Succeeded, Phase::Failed];

fn hooked(kind: &str, answers: Vec<u16>) -> (Model, Rc<RefCell<Vec<Value>>>) {
    let mut model = model(
        &json!({"analysis": {"stepWeight": 50, "maxWeight": 50, "threshold": 2,
            "webhooks": [{"name": "gate", "type": kind, "url": "http://gate.test/"}]}}),
        "100",
        "0.2",
    );
    let calls = Rc::new(RefCell::new(Vec::new()));
    let log = calls.clone();
    model.hooks = Box::new(move |_, call| {
        let mut calls = log.borrow_mut();
        calls.push(serde_json::from_str(&call.request.body).unwrap());
        let status = answers.get(calls.len() - 1).or(answers.last()).copied().unwrap_or(200);
        Ok(answer(status, "because"))
    });
    (released_with(model), calls)
}

fn phases(calls: &Rc<RefCell<Vec<Value>>>) -> Vec<String> {
    calls
        .borrow()
        .iter()
        .map(|call| call["phase"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_closed_confirm_rollout_gate_waits_and_then_lets_the_run_start() {
    let (mut model, calls) = hooked("confirm-rollout", vec![403, 403, 200]);
    finish(&mut model);
    assert_eq!(phases(&calls), ["Initialized", "Waiting", "Waiting"]);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_eq!(
        model
            .alerts
            .iter()
            .filter(|alert| alert.message == "Canary is waiting for approval.")
            .count(),
        1
    );
    assert_clean(&model);
}

#[test]
fn a_closed_traffic_gate_holds_the_weight_and_says_since_when() {
    let (mut model, _) = hooked("confirm-traffic-increase", vec![200, 403, 403, 403]);
    assert!(!model.run_until(&ENDS, 20));
    let status = model.canary().status.unwrap();
    assert_eq!((status.phase, status.canary_weight), (Phase::Progressing, 50));
    let held = status.condition("Held").expect("the status names the gate");
    assert!(held.message.as_deref().unwrap_or_default().contains("gate") && held.last_transition_time.is_some());
    assert_eq!(
        model
            .alerts
            .iter()
            .filter(|alert| alert.message.starts_with("Canary traffic increase"))
            .count(),
        1,
        "W-27"
    );
}

#[test]
fn a_closed_promotion_gate_keeps_weight_and_checks_going() {
    let (mut model, calls) = hooked("confirm-promotion", vec![403, 403, 200]);
    finish(&mut model);
    assert_eq!(phases(&calls), ["Progressing"; 3]);
    assert!(
        run_of(&model).contains(&"WaitingPromotion 50/50 weight=50 iterations=0 failed=0"),
        "W-23"
    );
    let mut waiting = run_of(&model)
        .into_iter()
        .filter(|line| line.starts_with("WaitingPromotion"));
    assert!(waiting.all(|line| line.contains("weight=50")), "W-23, at no moment");
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_clean(&model);
}

#[test]
fn a_failing_pre_rollout_hook_fails_the_check_with_its_answer() {
    let (mut model, _) = hooked("pre-rollout", vec![500]);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    let text = "Halt app.test advancement pre-rollout check gate failed";
    assert_eq!(
        model
            .events
            .iter()
            .filter(|event| event.message.starts_with(text) && event.message.contains("because"))
            .count(),
        2
    );
}

#[test]
fn a_rollback_hook_ends_the_run_also_while_it_waits() {
    let (mut model, _) = hooked("rollback", vec![403, 200]);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    assert!(
        model
            .events
            .iter()
            .any(|event| event.message == "Rolling back app.test manual webhook invoked")
    );
    assert_clean(&model);
}

#[test]
fn a_rollback_hook_ends_a_run_that_waits_for_its_start() {
    let (mut model, _) = hooked("confirm-rollout", vec![403]);
    model.run_until(&[Phase::Waiting], 20);
    let at = model.canary_at.clone();
    let hooks = json!([
        {"name": "gate", "type": "confirm-rollout", "url": "http://gate.test/"},
        {"name": "stop", "type": "rollback", "url": "http://stop.test/"},
    ]);
    model.edit(&at, &json!({"spec": {"analysis": {"webhooks": hooks}}}));
    model.hooks = Box::new(|_, call| Ok(answer(if call.name == "stop" { 200 } else { 403 }, "")));
    assert!(model.run_until(&[Phase::Failed], 5), "W-24: {:#?}", model.decisions);
    let (phase, writes) = (model.phase(), model.writes);
    model.run_until(&[Phase::Progressing], 5);
    assert_eq!(
        (model.phase(), model.writes),
        (phase, writes),
        "the refused revision is not tried again"
    );
    assert_clean(&model);
}

#[test]
fn post_rollout_hooks_are_called_after_the_final_status() {
    let (mut model, calls) = hooked("post-rollout", vec![204]);
    finish(&mut model);
    assert_eq!(phases(&calls), ["Succeeded"]);
    let told: Vec<&str> = model
        .events
        .iter()
        .rev()
        .take(2)
        .map(|event| event.message.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "Promotion completed! Scaling down app.test",
            "Post-rollout check gate passed"
        ]
    );
}

#[test]
fn suspension_freezes_everything_and_says_since_when() {
    let mut model = released(&json!({}));
    reach(&mut model, 20);
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"suspend": true}}));
    model.run_until(&ENDS, 1);
    let writes = model.writes;
    set_image(&mut model, "app:3");
    model.run_until(&ENDS, 5);
    assert_eq!(model.writes, writes);
    assert!(model.canary().status.unwrap().condition("Held").is_some());
    model.edit(&at, &json!({"spec": {"suspend": false}}));
    finish(&mut model);
    assert_eq!(image(&model, &primary_at()), "app:3");
    assert!(model.canary().status.unwrap().condition("Held").is_none());
}

#[test]
fn a_suspended_canary_can_still_be_reverted_on_deletion() {
    let mut model = model(&json!({"suspend": true, "revertOnDeletion": true}), "100", "0.2");
    model.run_until(&[Phase::Initialized], 3);
    let at = model.canary_at.clone();
    let finalizers = model.get(&at).unwrap()["metadata"]["finalizers"].clone();
    assert_eq!(finalizers, json!(["finalizer.flagger.app"]), "controller.md 2.7");
}

#[test]
fn a_moment_without_pods_behind_a_gate_is_not_a_passed_deadline() {
    let (mut model, _) = hooked("confirm-traffic-increase", vec![200, 403]);
    model.run_until(&ENDS, 200);
    assert_eq!(model.phase(), Phase::Progressing);
    let held = model.canary().status.unwrap().last_transition_time.unwrap();
    assert!(model.now.duration_since(held).as_secs() > 600, "held for long");
    let mut target = (*model.get(&target_at()).unwrap()).clone();
    target["status"]["availableReplicas"] = 0.into();
    model.put(target_at(), target);
    model.wait(10);
    model.step();
    assert_eq!(model.phase(), Phase::Progressing, "{:?}", model.decisions.last());
    assert!(
        model.decisions.last().unwrap().contains("blocked"),
        "{:?}",
        model.decisions.last()
    );
}

/// What the gateway says of the route, at the route's newest generation.
fn gateway_says(model: &mut Model, status: &str) {
    let mut route = (*model.get(&route_at()).unwrap()).clone();
    let generation = route["metadata"]["generation"].clone();
    let accepted = json!({"type": "Accepted", "status": status, "reason": "Because", "message": "no listener",
        "observedGeneration": generation});
    route["status"]["parents"] = json!([{
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": "default"},
        "controllerName": "gw.test/controller", "conditions": [accepted]}]);
    model.put(route_at(), route);
}

/// A run at 20 % whose gateway then refuses the route, and says so in the status.
fn refused_by_its_gateway(spec: &Value, metrics: &'static str) -> Model {
    let mut model = released_with(model(spec, metrics, "0.2"));
    for _ in 0..60 {
        if model
            .get(&route_at())
            .is_some_and(|route| route["spec"]["rules"][0]["backendRefs"][1]["weight"] == 20)
        {
            break;
        }
        model.run_until(&ENDS, 1);
    }
    gateway_says(&mut model, "False");
    model.run_until(&ENDS, 5);
    model
}

#[test]
fn a_route_that_is_not_accepted_holds_the_run_and_says_since_when() {
    for metrics in ["100", "1"] {
        let mut model = refused_by_its_gateway(&json!({}), metrics);
        let held = model.canary().status.unwrap().condition("Held").cloned().expect("held");
        assert_eq!(held.reason, "GatewayNotAccepted");
        assert!(held.message.as_deref().unwrap_or_default().contains("not accepted"));
        let writes = model.writes;
        assert!(!model.run_until(&ENDS, 40), "no rollback (RM-11)");
        assert_eq!(model.writes, writes, "told once in the status");
        let again = model.canary().status.unwrap().condition("Held").cloned();
        assert_eq!(again, Some(held));
        gateway_says(&mut model, "True");
        model.run_until(&ENDS, 1);
        assert_eq!(model.canary().status.unwrap().condition("Held"), None, "{metrics}");
        assert_clean(&model);
    }
}

#[test]
fn a_gateway_that_refuses_for_too_long_ends_the_run_where_it_is() {
    let mut model = refused_by_its_gateway(&json!({"progressDeadlineSeconds": 120}), "100");
    let since = model
        .canary()
        .status
        .unwrap()
        .condition("Held")
        .unwrap()
        .last_transition_time;
    assert!(model.run_until(&ENDS, 60), "{:#?}", model.decisions);
    assert_eq!(model.now.duration_since(since.unwrap()).as_secs(), 120);
    let status = model.canary().status.unwrap();
    let told = status
        .condition("Promoted")
        .unwrap()
        .message
        .clone()
        .unwrap_or_default();
    assert!(
        told.contains("not accepted") && told.contains("Pods and weights are left"),
        "{told}"
    );
    assert_eq!((model.phase(), status.canary_weight), (Phase::Failed, 20));
    assert_eq!(status.condition("Held"), None);
    assert_eq!(
        (replicas(&model, &primary_at()), replicas(&model, &target_at())),
        (1, 1)
    );
    assert_eq!(model.alerts.last().map(|alert| alert.severity), Some(Severity::Error));
    model.edit(&route_at(), &json!({"status": null}));
    next_release_succeeds(&mut model, "app:3");
}

#[test]
fn a_rollback_that_could_not_be_written_is_tried_again_after_a_pause() {
    let mut model = model(
        &json!({"analysis": {"interval": "60s", "webhooks": [{"name": "stop", "type": "rollback", "url": "http://stop.test/"}]}}),
        "100",
        "0.2",
    );
    let calls = Rc::new(RefCell::new(0));
    let log = calls.clone();
    model.hooks = Box::new(move |canary, _| {
        *log.borrow_mut() += 1;
        let weight = canary.status.as_ref().map_or(0, |status| status.canary_weight);
        Ok(answer(if weight >= 20 { 200 } else { 403 }, ""))
    });
    let mut model = released_with(model);
    reach(&mut model, 20);
    model.now = model.now.checked_add(SignedDuration::from_secs(60)).unwrap();
    let route_writes = Rc::new(RefCell::new(0));
    let count = route_writes.clone();
    model.fault = Box::new(move |write| {
        if write.object != route_at() {
            return Ok(());
        }
        *count.borrow_mut() += 1;
        if *count.borrow() <= 2 {
            return Err(Trouble::Unavailable("no answer".into()));
        }
        Ok(())
    });
    let (start, before) = (model.now, *calls.borrow());
    assert!(model.run_until(&ENDS, 10), "{:#?}", model.decisions);
    assert_eq!(model.phase(), Phase::Failed);
    assert_eq!(model.now.duration_since(start).as_secs(), 10, "two pauses of 5 s");
    assert_eq!(*calls.borrow() - before, 3, "once for each attempt");
    assert_clean(&model);
}

#[test]
fn blue_green_asks_for_one_approval() {
    for provider in ["gatewayapi:v1", "kubernetes"] {
        let spec = json!({"provider": provider, "analysis": {"stepWeight": null, "maxWeight": null, "iterations": 2,
            "webhooks": [{"name": "gate", "type": "confirm-promotion", "url": "http://gate.test/"}]}});
        let mut model = model(&spec, "100", "0.2");
        let calls = Rc::new(RefCell::new(0));
        let log = calls.clone();
        model.hooks = Box::new(move |_, _| {
            *log.borrow_mut() += 1;
            Ok(answer(if *log.borrow() == 3 { 200 } else { 403 }, ""))
        });
        let mut model = released_with(model);
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Succeeded);
        assert_eq!(*calls.borrow(), 3, "refused twice, approved once: {provider}");
        let waits = model.alerts.iter().filter(|alert| alert.message.contains("waiting"));
        assert_eq!(waits.count(), 1);
        assert_clean(&model);
    }
}
