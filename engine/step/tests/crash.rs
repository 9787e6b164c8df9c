//! Stop after every write, start again: the end must be one of the ends of runs that were not stopped (L4).

use super::fixture::*;
use crate::{
    invariants::runs::ends_alike,
    model::{End, Model, answer, vector},
    seam::Trouble,
};
use crds::Phase;
use serde_json::{Value, json};

const ENDS: [Phase; 2] = [Phase::Succeeded, Phase::Failed];

/// What counts as the end of a run.
fn outcome(model: &Model) -> (Phase, String, String, i64, i64) {
    let route = model.trajectory.last().cloned().unwrap_or_default();
    (
        model.phase(),
        route,
        image(model, &primary_at()),
        replicas(model, &primary_at()),
        replicas(model, &target_at()),
    )
}

fn play(spec: &Value, success: &'static str, stop_after: Option<usize>) -> Model {
    let mut model = model(spec, success, "0.2");
    model.stop_after = stop_after;
    let mut image_is_set = false;
    for _ in 0..400 {
        model.settle();
        if let End::Stopped = model.step() {
            assert!(
                model.stop_after.is_some(),
                "only a crash stops a step: {:?}",
                model.violations
            );
            model.stop_after = None; // the controller starts again, without its memory
            model.last_check = None;
        }
        if model.phase() == Phase::Initialized && !image_is_set {
            image_is_set = true;
            set_image(&mut model, "app:2");
        }
        if image_is_set && ENDS.contains(&model.phase()) {
            return model;
        }
        model.settle();
        model.wait(5);
    }
    panic!("no end after a stop at {stop_after:?}: {:#?}", model.trajectory);
}

fn every_stop_ends_as_an_undisturbed_run(spec: &Value, success: &'static str) {
    let undisturbed = play(spec, success, None);
    assert_clean(&undisturbed);
    let expected = outcome(&undisturbed);
    for stop in 0..undisturbed.writes {
        let model = play(spec, success, Some(stop));
        assert_clean(&model);
        let differs = ends_alike(&outcome(&model), std::slice::from_ref(&expected));
        assert_eq!(differs, None, "stopped after write {stop}: {:#?}", model.trajectory);
    }
}

#[test]
fn a_good_run_survives_a_stop_after_every_write() {
    every_stop_ends_as_an_undisturbed_run(&json!({}), "100");
}

#[test]
fn a_bad_run_survives_a_stop_after_every_write() {
    every_stop_ends_as_an_undisturbed_run(&json!({}), "1");
}

#[test]
fn a_promotion_in_steps_survives_a_stop_after_every_write() {
    every_stop_ends_as_an_undisturbed_run(
        &json!({"analysis": {"stepWeight": 50, "maxWeight": 100, "stepWeightPromotion": 40}}),
        "100",
    );
}

#[test]
fn a_skipped_analysis_survives_a_stop_after_every_write() {
    every_stop_ends_as_an_undisturbed_run(&json!({"skipAnalysis": true}), "100");
}

#[test]
fn blue_green_survives_a_stop_after_every_write() {
    let spec = json!({"analysis": {"stepWeight": null, "maxWeight": null, "iterations": 2}});
    every_stop_ends_as_an_undisturbed_run(&spec, "100");
}

/// Three objects carry the route on Istio; cookies live on the route and in the status; a mirror is a step without a weight.
#[test]
fn cookies_and_mirrors_survive_a_stop_after_every_write() {
    let affinity = json!({"cookieName": "c", "primaryCookieName": "p"});
    let istio = json!({
        "provider": "istio",
        "service": {"gatewayRefs": null},
        "analysis": {"stepWeight": 50, "mirror": true, "sessionAffinity": affinity},
    });
    every_stop_ends_as_an_undisturbed_run(&istio, "100");
    let gateway = json!({"analysis": {"stepWeight": 50, "mirror": true, "sessionAffinity": affinity}});
    every_stop_ends_as_an_undisturbed_run(&gateway, "1");
}

/// W-31: the route is written, the controller stops, and the status does not know the cookie that users already carry.
#[test]
fn a_cookie_survives_a_stop_between_route_and_status() {
    for provider in ["gatewayapi:v1", "istio"] {
        let spec = json!({
            "provider": provider, "service": {"gateways": ["edge/public"]},
            "analysis": {"sessionAffinity": {"cookieName": "c", "primaryCookieName": "p"}},
        });
        let mut model = released(&spec);
        model.run_until(&[Phase::Progressing], 10);
        model.settle();
        while !model.trajectory.last().is_some_and(|line| line.contains("80/20")) {
            model.stop_after = Some(model.writes + 1);
            if let End::Done(done) = model.step() {
                model.now = done.wake.unwrap_or(model.now).max(model.now);
            }
            model.stop_after = None;
        }
        let status = |model: &Model| model.canary().status.unwrap();
        assert_eq!(
            status(&model).session_affinity_cookie,
            None,
            "{provider}: stopped before the status"
        );
        let at = crate::routes::provider(provider)
            .unwrap()
            .objects(&model.canary())
            .pop()
            .unwrap();
        let given_out = model.get(&at).unwrap()["spec"].clone();
        model.step();
        assert_eq!(model.get(&at).unwrap()["spec"], given_out, "nobody is sorted anew");
        let cookie = status(&model)
            .session_affinity_cookie
            .expect("taken over from the route");
        assert!(given_out.to_string().contains(&cookie), "{cookie}: {given_out}");
    }
}

/// Stop after every write; where the copy was made and its status was not, the metrics turn bad. Says how many such stops there were.
fn stops_after_the_copy(spec: &Value) -> usize {
    let undisturbed = play(spec, "100", None).writes;
    let mut found = 0;
    for stop in 0..undisturbed {
        let mut model = released(spec);
        model.stop_after = Some(stop);
        let stopped = !model.run_until(&ENDS, 200) && image(&model, &primary_at()) == "app:2";
        if !stopped || model.phase() != Phase::Progressing {
            continue;
        }
        found += 1;
        (model.stop_after, model.last_check) = (None, None);
        model.queries = Box::new(|_, _| Ok(answer(200, &vector("1"))));
        model.settle();
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Succeeded, "{:#?}", model.trajectory);
        assert_eq!(image(&model, &primary_at()), "app:2");
        let copies = model
            .events
            .iter()
            .filter(|event| event.message.starts_with("Copying app.test"));
        assert_eq!(copies.count(), 1);
        assert_clean(&model);
    }
    found
}

#[test]
fn a_promotion_goes_on_after_its_copy_though_the_metrics_turn_bad() {
    let rounds = json!({"stepWeight": null, "maxWeight": null, "iterations": 2});
    let mut matched = rounds.clone();
    matched["match"] = json!([{"headers": {"x-canary": {"exact": "yes"}}}]);
    for spec in [
        json!({}),
        json!({"analysis": rounds}),
        json!({"analysis": matched}),
        json!({"provider": "kubernetes", "analysis": rounds}),
    ] {
        assert_eq!(stops_after_the_copy(&spec), 1, "{spec}");
    }
}

#[test]
fn a_revision_that_a_failed_promotion_left_on_the_primary_is_analysed_again() {
    let mut model = released(&json!({"progressDeadlineSeconds": 30}));
    assert!(model.run_until(&[Phase::Promoting], 60));
    let never_ready = |value: Value| json!({"metadata": {"annotations": {"lab/never-ready": value}}});
    let ready = json!({"spec": {"template": never_ready(Value::Null)}});
    model.edit(
        &primary_at(),
        &json!({"spec": {"template": never_ready("true".into())}}),
    );
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    model.edit(&primary_at(), &ready);
    model.settle();
    set_image(&mut model, "app:3");
    assert!(model.run_until(&[Phase::Progressing], 10));
    reach(&mut model, 20);
    set_image(&mut model, "app:2");
    let before = model.trajectory.len();
    finish(&mut model);
    let run = model.trajectory[before..].join("\n");
    assert!(run.contains("Progressing 80/20 weight=20"), "{run}");
    assert_eq!(
        (model.phase(), image(&model, &primary_at())),
        (Phase::Succeeded, "app:2".into())
    );
    assert_clean(&model);
}

#[test]
fn a_weight_stays_for_an_interval_after_a_stop_between_route_and_status() {
    let mut model = released(&json!({}));
    reach(&mut model, 20);
    // The step that wrote the route did not come to its end: the status is one weight behind.
    let ahead = model.canary().status.unwrap().canary_weight + 20;
    let mut route = (*model.get(&route_at()).unwrap()).clone();
    for backend in route["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap() {
        let is_canary = backend["name"].as_str().unwrap().ends_with("-canary");
        let weight = if is_canary { ahead } else { 100 - ahead };
        backend["weight"] = json!(weight);
    }
    model.edit(&route_at(), &json!({"spec": route["spec"]}));
    model.wait(300);
    model.last_check = None;
    model.step();
    assert_eq!(model.canary().status.unwrap().canary_weight, ahead);
    model.step();
    let last = model.trajectory.last().cloned().unwrap_or_default();
    let held = format!("Progressing {}/{ahead} weight={ahead}", 100 - ahead);
    assert!(last.starts_with(&held), "no further weight at once: {last}");
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
}

#[test]
fn every_single_failing_write_is_tried_again() {
    let undisturbed = play(&json!({}), "100", None);
    let expected = outcome(&undisturbed);
    for trouble in [
        Trouble::Conflict("changed".into()),
        Trouble::Unavailable("no answer".into()),
    ] {
        for failing in 0..undisturbed.writes {
            let mut model = model(&json!({}), "100", "0.2");
            let mut count = 0;
            let this = trouble.clone();
            model.fault = Box::new(move |_| {
                count += 1;
                if count == failing + 1 {
                    Err(this.clone())
                } else {
                    Ok(())
                }
            });
            let mut model = released_with(model);
            assert!(model.run_until(&ENDS, 200), "{failing}: {:#?}", model.trajectory);
            assert_eq!(
                outcome(&model),
                expected,
                "write {failing} failed: {:#?}",
                model.trajectory
            );
            assert_clean(&model);
        }
    }
}
