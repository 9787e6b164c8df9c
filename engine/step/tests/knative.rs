//! Knative Services: target, primary and route are one object.

use super::fixture::*;
use crate::{
    ObjectRef,
    model::{Model, answer, vector},
    objects::kinds,
};
use crds::Phase;
use jiff::Timestamp;
use serde_json::{Value, json};

const PRIMARY: &str = "flagger.app/primary-revision";

fn at() -> ObjectRef {
    kinds::KNATIVE_SERVICE.named(NAMESPACE, "app")
}

/// A revision that Knative has made of the Service's latest spec.
pub(super) fn roll(model: &mut Model, name: &str, ready: bool) {
    set_ready(model, name, ready);
    let mut service = model.get(&at()).map(|service| (*service).clone()).expect("it is there");
    service["status"] = json!({"latestCreatedRevisionName": name});
    model.put(at(), service);
}

/// Whether this revision answers.
pub(super) fn set_ready(model: &mut Model, name: &str, ready: bool) {
    let status = if ready { "True" } else { "False" };
    let revision = json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
        "metadata": {"name": name, "namespace": NAMESPACE, "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": status, "message": "no image"}]},
    });
    model.put(kinds::KNATIVE_REVISION.named(NAMESPACE, name), revision);
}

pub(super) fn knative(spec: &Value) -> Model {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut canary = canary(spec);
    canary["spec"]["provider"] = json!("knative");
    canary["spec"]["targetRef"] = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "app"});
    canary["spec"].as_object_mut().unwrap().remove("service");
    let service = json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {"name": "app", "namespace": NAMESPACE, "uid": "u", "generation": 1,
            "ownerReferences": [{"kind": "App", "name": "shop", "controller": true}]},
        "spec": {"template": {"spec": {"containers": [{"image": "app:1"}]}}},
    });
    let mut model = Model::new(start, &canary, [(at(), service)]);
    roll(&mut model, "app-00001", true);
    model
}

fn initialized(spec: &Value) -> Model {
    let mut model = knative(spec);
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    model
}

fn primary(model: &Model) -> Value {
    model.get(&at()).unwrap()["metadata"]["annotations"][PRIMARY].clone()
}

fn traffic(model: &Model) -> Value {
    model.get(&at()).unwrap()["spec"]["traffic"].clone()
}

fn shares(canary: i64, primary: &str) -> Value {
    json!([{"latestRevision": true, "percent": canary}, {"revisionName": primary, "percent": 100 - canary}])
}

#[test]
fn traffic_moves_between_revisions() {
    let mut model = initialized(&json!({}));
    assert_eq!(
        (primary(&model), traffic(&model)),
        (json!("app-00001"), shares(0, "app-00001"))
    );
    let writes = model.writes;
    model.step();
    assert_eq!(model.writes, writes, "{:?}", model.decisions.last());

    roll(&mut model, "app-00002", true);
    reach(&mut model, 60);
    assert_eq!(
        (primary(&model), traffic(&model)),
        (json!("app-00001"), shares(60, "app-00001"))
    );
    assert!(model.run_until(&[Phase::Promoting], 10));
    assert_eq!(
        (primary(&model), traffic(&model)),
        (json!("app-00002"), shares(60, "app-00001"))
    );
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_eq!(
        (primary(&model), traffic(&model)),
        (json!("app-00002"), shares(0, "app-00002"))
    );
    assert_clean(&model);
}

/// Builtin checks ask for the latest revision.
#[test]
fn the_latest_revision_is_judged_and_rolled_back() {
    let mut model = initialized(&json!({}));
    model.queries = Box::new(|_, request| {
        let latest = request.url.contains("test%2Fapp-00002") || request.url.contains("test/app-00002");
        Ok(answer(200, &vector(if latest { "1" } else { "100" })))
    });
    roll(&mut model, "app-00002", true);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed, "{:#?}", model.events);
    assert_eq!(
        (primary(&model), traffic(&model)),
        (json!("app-00001"), shares(0, "app-00001"))
    );
    // The fix that is pushed next is released.
    roll(&mut model, "app-00003", true);
    assert!(model.run_until(&[Phase::Succeeded], 120), "{:#?}", model.decisions);
    assert_eq!(primary(&model), "app-00003");
    assert_clean(&model);
}

/// WL-18: the peer waits for ever.
#[test]
fn a_revision_that_never_gets_ready_ends_by_the_deadline() {
    let mut model = initialized(&json!({"progressDeadlineSeconds": 60}));
    roll(&mut model, "app-00002", false);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    let told = |text: &str| text.contains("no image") && text.contains("progressDeadlineSeconds: 60");
    assert!(
        model.events.iter().any(|event| told(&event.message)),
        "{:#?}",
        model.events
    );
    assert_eq!(traffic(&model), shares(0, "app-00001"));
    assert_clean(&model);
}

#[test]
fn a_first_revision_that_is_not_ready_is_waited_for() {
    let mut model = knative(&json!({}));
    roll(&mut model, "app-00001", false);
    assert!(!model.run_until(&[Phase::Initialized], 5));
    assert_eq!(traffic(&model), Value::Null);
    roll(&mut model, "app-00001", true);
    assert!(model.run_until(&[Phase::Initialized], 30));
}

/// A lost annotation does not make an unjudged revision the stable one.
#[test]
fn the_primary_is_found_again_where_the_traffic_is_pinned() {
    let mut model = initialized(&json!({}));
    roll(&mut model, "app-00002", true);
    reach(&mut model, 20);
    model.edit(&at(), &json!({"metadata": {"annotations": {PRIMARY: null}}}));
    model.step();
    assert_eq!(primary(&model), "app-00001");
    assert_clean(&model);
}

#[test]
fn shares_given_by_hand_are_taken_back_at_the_weight_of_the_run() {
    let mut model = initialized(&json!({}));
    roll(&mut model, "app-00002", true);
    reach(&mut model, 20);
    model.edit(
        &at(),
        &json!({"spec": {"traffic": [{"latestRevision": true, "percent": 100}]}}),
    );
    model.step();
    assert_eq!(traffic(&model), shares(20, "app-00001"));
    assert_clean(&model);
}

#[test]
fn a_promotion_in_steps_sums_to_a_hundred() {
    let mut model = initialized(&json!({"analysis": {"stepWeightPromotion": 30}}));
    roll(&mut model, "app-00002", true);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_eq!(traffic(&model), shares(0, "app-00002"));
    assert_clean(&model);
}

/// WL-18: the peer leaves the traffic pinned, so that later revisions get none.
#[test]
fn a_deletion_lets_the_traffic_follow_the_latest_revision_if_it_is_ready() {
    for (ready, expected) in [
        (true, json!([{"latestRevision": true, "percent": 100}])),
        (false, shares(0, "app-00001")),
    ] {
        let mut model = initialized(&json!({"revertOnDeletion": true, "skipAnalysis": false}));
        roll(&mut model, "app-00002", ready);
        let canary_at = model.canary_at.clone();
        model.edit(
            &canary_at,
            &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}),
        );
        for _ in 0..6 {
            model.step();
            model.wait(30);
        }
        assert_eq!(
            (primary(&model), traffic(&model)),
            (Value::Null, expected),
            "ready: {ready}"
        );
        assert_eq!(model.canary().metadata.finalizers.unwrap_or_default(), [""; 0]);
    }
}
