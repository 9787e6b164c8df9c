//! Where one side has no pods, or someone else moves the weights: no phase may last for ever, nothing may go dark.

use super::fixture::*;
use crate::{
    model::{answer, vector},
    objects::kinds,
    revision,
    seam::Trouble,
};
use crds::Phase;
use serde_json::json;

const ENDS: [Phase; 2] = [Phase::Succeeded, Phase::Failed];

#[test]
fn a_further_revision_on_a_dark_primary_ends_by_the_deadline() {
    let mut model = released(&json!({"progressDeadlineSeconds": 30}));
    reach(&mut model, 40);
    model.edit(
        &primary_at(),
        &json!({"spec": {"template": {"metadata": {"annotations": {"lab/never-ready": "true"}}}}}),
    );
    model.settle();
    set_image(&mut model, "app:3");
    model.settle();
    assert!(
        model.run_until(&ENDS, 60),
        "{:#?}\n{:#?}",
        model.trajectory,
        model.decisions
    );
    assert_eq!(replicas(&model, &target_at()), 1, "the only version with pods stays");
    assert_clean(&model);
}

/// W-1, S2: a run that fails while only the canary has pods gives it everything at once; no share stays with a version without pods.
#[test]
fn a_rollback_to_a_dark_primary_gives_the_canary_everything() {
    let mut model = released(&json!({"analysis": {"threshold": 1}}));
    reach(&mut model, 40);
    let canary = model.canary_at.clone();
    model.edit(
        &primary_at(),
        &json!({"metadata": {"annotations": {"lab/broken": "true"}}}),
    );
    model.settle();
    model.edit(&canary, &json!({"status": {"failedChecks": 1}}));
    model.step();
    let last = model.trajectory.last().map(String::as_str);
    assert_eq!(last, Some("Failed 0/100 weight=100 iterations=0 failed=0"));
    assert_eq!(replicas(&model, &target_at()), 1, "the only version with pods stays");
    assert_clean(&model);
}

/// L2: nobody knows when a target at zero gets pods again, so no Deployment's deadline runs; the run's own does.
#[test]
fn a_target_that_stays_at_zero_ends_the_run_by_the_deadline() {
    let mut model = released(&json!({"progressDeadlineSeconds": 30}));
    reach(&mut model, 20);
    let start = model.now;
    model.edit(&target_at(), &json!({"spec": {"replicas": 0}}));
    model.settle();
    assert!(model.run_until(&ENDS, 20), "{:#?}", model.decisions);
    let took = model.now.duration_since(start).as_secs();
    assert!((20..=40).contains(&took), "{took} s");
    let last = model.trajectory.last().map(String::as_str);
    assert_eq!(last, Some("Failed 100/0 weight=0 iterations=0 failed=0"));
    let told = |event: &crate::seam::Event| event.message.contains("exceeded its progressDeadlineSeconds: 30");
    assert!(model.events.iter().any(told));
    assert_clean(&model);
}

#[test]
fn weights_that_come_back_while_finalising_are_taken_back_before_the_target_goes() {
    let mut model = released(&json!({}));
    assert!(model.run_until(&[Phase::Finalising], 120));
    let mut route = (*model.get(&route_at()).unwrap()).clone();
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap();
    backends[0]["weight"] = 50.into();
    backends[1]["weight"] = 50.into();
    model.put(route_at(), route);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    let run = model.trajectory.join("\n");
    assert!(!run.contains("Succeeded 50/50"), "{run}");
    assert_clean(&model);
}

/// W-8: the status has the weight of a run whose route is gone.
#[test]
fn a_route_that_is_deleted_in_a_run_comes_back_at_the_same_weight() {
    let mut model = released(&json!({}));
    reach(&mut model, 40);
    model.remove(&route_at());
    model.step();
    let again = model.get(&route_at()).expect("the route is made again");
    assert_eq!(again["spec"]["rules"][0]["backendRefs"][1]["weight"], 40);
    assert_clean(&model);
}

/// S1: what rests on the primary by right is not sent there while only the target has pods.
#[test]
fn nothing_is_sent_to_a_primary_without_pods() {
    let mut model = released(&json!({}));
    finish(&mut model);
    for (at, pods) in [(primary_at(), 0), (target_at(), 1)] {
        let mut workload = (*model.get(&at).unwrap()).clone();
        workload["spec"]["replicas"] = 1.into();
        workload["status"]["availableReplicas"] = pods.into();
        model.put(at, workload);
    }
    let mut route = (*model.get(&route_at()).unwrap()).clone();
    for backend in [0, 1] {
        route["spec"]["rules"][0]["backendRefs"][backend]["weight"] = 50.into();
    }
    model.put(route_at(), route);
    model.step();
    let route = model.get(&route_at()).unwrap();
    assert_eq!(route["spec"]["rules"][0]["backendRefs"][0]["weight"], 50);
    let told = |event: &crate::seam::Event| event.message.contains("not moving traffic to 100/0");
    assert!(model.events.iter().any(told), "{:#?}", model.events.last());
    assert_clean(&model);
}

#[test]
fn a_route_that_is_deleted_in_an_ab_test_comes_back_with_the_canary() {
    let spec = json!({"analysis": {"stepWeight": null, "maxWeight": null, "iterations": 3,
        "match": [{"headers": {"x-canary": {"exact": "yes"}}}]}});
    let mut model = released(&spec);
    for _ in 0..60 {
        if model.canary().status.is_some_and(|status| status.iterations >= 3) {
            break;
        }
        model.run_until(&ENDS, 1);
    }
    let with_canary = model.get(&route_at()).unwrap();
    model.remove(&route_at());
    model.step();
    let again = model.get(&route_at()).expect("the route is made again");
    assert_eq!(again["spec"]["rules"], with_canary["spec"]["rules"]);
}

#[test]
fn a_run_of_the_peer_goes_on_under_our_hash() {
    let mut model = released(&json!({}));
    reach(&mut model, 20);
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"status": {"lastAppliedSpec": "5fc94b7ccf"}}));
    model.step();
    let target = model.get(&target_at()).unwrap();
    let applied = model.canary().status.unwrap().last_applied_spec;
    assert_eq!(applied, Some(revision::of_deployment(&target)));
    set_image(&mut model, "app:3");
    model.settle();
    model.step();
    assert!(
        model
            .events
            .iter()
            .any(|event| event.message.contains("Restarting analysis"))
    );
    finish(&mut model);
    assert_eq!(image(&model, &primary_at()), "app:3");
    assert_clean(&model);
}

/// W-18: with `-revert-on-deletion` a deletion is safe unless the Canary says otherwise.
#[test]
fn a_deletion_is_reverted_by_default_where_the_flag_says_so() {
    for (asked, reverts) in [(json!(null), true), (json!(true), true), (json!(false), false)] {
        let mut model = model(&json!({"revertOnDeletion": asked}), "100", "0.2");
        model.settings.revert_on_deletion = true;
        assert!(model.run_until(&[Phase::Initialized], 10), "{:#?}", model.decisions);
        let at = model.canary_at.clone();
        let finalizers = model.get(&at).unwrap()["metadata"]["finalizers"].clone();
        assert_eq!(
            finalizers.as_array().is_some_and(|all| all.len() == 1),
            reverts,
            "{asked}"
        );
        if !reverts {
            continue;
        }
        model.edit(&at, &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}));
        for _ in 0..10 {
            model.settle();
            model.step();
            model.wait(10);
        }
        assert_eq!(replicas(&model, &target_at()), 1, "{asked}");
        assert_clean(&model);
    }
}

#[test]
fn a_refused_revert_does_not_hold_up_a_deletion() {
    let mut model = released(&json!({"revertOnDeletion": true}));
    finish(&mut model);
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}));
    model.fault = Box::new(|write| {
        if write.object.kind == kinds::DEPLOYMENT {
            return Err(Trouble::Refused("no".into()));
        }
        Ok(())
    });
    for _ in 0..10 {
        model.step();
        model.wait(10);
    }
    assert_eq!(model.get(&at), None, "{:#?}", model.decisions);
    let told: Vec<_> = model
        .events
        .iter()
        .filter(|event| event.message.contains("canary app.test"))
        .collect();
    for text in ["Terminating", "Terminated"] {
        let event = told.iter().find(|event| event.message.starts_with(text)).expect(text);
        assert_eq!(event.phase, Phase::Succeeded);
    }
}

#[test]
fn a_skipped_analysis_ends_though_an_admission_webhook_changes_the_primary() {
    let mut model = released(&json!({"skipAnalysis": true}));
    let mutated = json!({"spec": {"template": {"metadata": {"labels": {"injected": "true"}}}}});
    for _ in 0..60 {
        let primary = model.get(&primary_at()).unwrap();
        if primary["spec"]["template"]["metadata"]["labels"]["injected"].is_null() {
            model.edit(&primary_at(), &mutated);
            model.settle();
        }
        if model.run_until(&ENDS, 1) {
            break;
        }
    }
    assert_eq!(model.phase(), Phase::Succeeded, "{:#?}", model.decisions);
    assert_eq!(image(&model, &primary_at()), "app:2");
}

#[test]
fn a_target_that_is_set_back_after_a_run_of_the_peer_is_not_new() {
    for fails in [true, false] {
        let mut model = released(&json!({"analysis": {"threshold": 2}}));
        reach(&mut model, 20);
        let at = model.canary_at.clone();
        let peers = json!({"status": {"lastAppliedSpec": "5fc94b7ccf", "lastPromotedSpec": "7cc9856bbd"}});
        model.edit(&at, &peers);
        model.step();
        if fails {
            model.queries = Box::new(|_, _| Ok(answer(200, &vector("1"))));
            finish(&mut model);
            assert_eq!(model.phase(), Phase::Failed);
        }
        let (phase, before) = (model.phase(), model.trajectory.len());
        set_image(&mut model, "app:1");
        if !fails {
            finish(&mut model);
        }
        model.run_until(&[Phase::Progressing], 5);
        let after = model.trajectory[before..].join("\n");
        assert!(!fails || (model.phase() == phase && after.is_empty()), "{after}");
        assert!(fails || model.phase() == Phase::Succeeded, "{after}");
        let restarts = model.events.iter().filter(|event| event.message.contains("Restarting"));
        assert_eq!(restarts.count(), 0);
        let status = model.canary().status.unwrap();
        let revision = Some(revision::of_deployment(&model.get(&target_at()).unwrap()));
        assert_eq!(
            (&status.last_applied_spec, &status.last_promoted_spec),
            (&revision, &revision)
        );
        set_image(&mut model, "app:2");
        assert!(model.run_until(&[Phase::Progressing], 5), "the same again is new");
        assert_clean(&model);
    }
}
