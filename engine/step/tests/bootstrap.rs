//! Initialisation that does not work: the target serves on, whatever becomes of the primary (W-16).

use super::fixture::*;
use crate::{model::Model, objects::kinds};
use crds::Phase;
use serde_json::json;

const NEVER_READY: &str = "lab/never-ready";

/// A canary whose first primary is made from a template whose pods never become ready.
fn unready() -> Model {
    let mut model = model(&json!({"progressDeadlineSeconds": 60}), "100", "0.2");
    model.settle();
    set_ready(&mut model, &json!("true"));
    while model.get(&primary_at()).is_none() {
        model.step();
    }
    model
}

/// Whether pods of the target's template are kept from becoming ready.
fn set_ready(model: &mut Model, value: &serde_json::Value) {
    let annotations = json!({"spec": {"template": {"metadata": {"annotations": {NEVER_READY: value}}}}});
    model.edit(&target_at(), &annotations);
}

fn assert_untouched(model: &Model) {
    assert_eq!(replicas(model, &target_at()), 1);
    assert!(model.get(&route_at()).is_none(), "no route before the primary is ready");
    assert!(
        model.get(&kinds::SERVICE.named(NAMESPACE, "app")).is_none(),
        "nor an apex"
    );
    assert_clean(model);
}

#[test]
fn a_first_primary_that_never_becomes_ready_fails_by_the_deadline() {
    let mut model = unready();
    let start = model.now;
    assert!(model.run_until(&[Phase::Failed], 60), "{:#?}", model.decisions);
    let took = model.now.duration_since(start).as_secs();
    assert!((50..=70).contains(&took), "{took} s");
    assert_untouched(&model);
    let status = model.canary().status.unwrap();
    let told = status
        .condition("Promoted")
        .unwrap()
        .message
        .clone()
        .unwrap_or_default();
    assert!(
        told.starts_with("Initialization failed: app-primary.test not ready"),
        "{told}"
    );
    assert_eq!(model.alerts.len(), 1);
    let writes = model.writes;
    for _ in 0..5 {
        model.step();
        model.wait(600);
    }
    assert_eq!(model.writes, writes, "told once, then it is waited for");
    assert_untouched(&model);
}

#[test]
fn what_is_mended_in_the_target_initialises_the_canary() {
    for phase in [Phase::Initializing, Phase::Failed] {
        let mut model = unready();
        assert!(model.run_until(&[phase], 60));
        set_ready(&mut model, &json!(null));
        set_image(&mut model, "app:2");
        model.settle();
        assert!(model.run_until(&[Phase::Initialized], 60), "{:#?}", model.decisions);
        assert_eq!(image(&model, &primary_at()), "app:2");
        assert_eq!(replicas(&model, &target_at()), 0);
        assert_clean(&model);
        next_release_succeeds(&mut model, "app:3");
    }
}

#[test]
fn a_run_whose_route_kind_is_gone_ends_where_it_is() {
    let mut model = released(&json!({"progressDeadlineSeconds": 60}));
    reach(&mut model, 20);
    model.uninstall(kinds::HTTP_ROUTE);
    assert!(model.run_until(&[Phase::Failed], 60), "{:#?}", model.decisions);
    let status = model.canary().status.unwrap();
    assert_eq!(status.canary_weight, 20);
    let told = status
        .condition("Promoted")
        .unwrap()
        .message
        .clone()
        .unwrap_or_default();
    assert!(told.contains("is not installed in this cluster"), "{told}");
    assert_eq!(
        (replicas(&model, &primary_at()), replicas(&model, &target_at())),
        (1, 1)
    );
    assert_clean(&model);
}

#[test]
fn a_config_that_is_lost_while_finalising_does_not_hold_up_the_success() {
    let mut model = with_config();
    assert!(model.run_until(&[Phase::Finalising], 120), "{:#?}", model.decisions);
    model.remove(&kinds::CONFIG_MAP.named(NAMESPACE, "settings"));
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded, "{:#?}", model.decisions);
    assert_eq!(
        (image(&model, &primary_at()), replicas(&model, &target_at())),
        ("app:2".into(), 0)
    );
    assert_clean(&model);
}

/// A release of a target that needs a ConfigMap.
fn with_config() -> Model {
    let mut model = model(&json!({"progressDeadlineSeconds": 60}), "100", "0.2");
    let metadata = json!({"name": "settings", "namespace": NAMESPACE, "uid": "1"});
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}});
    model.put(kinds::CONFIG_MAP.named(NAMESPACE, "settings"), config);
    let volumes = json!([{"name": "settings", "configMap": {"name": "settings"}}]);
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"spec": {"volumes": volumes}}}}),
    );
    released_with(model)
}

#[test]
fn time_without_a_controller_is_no_waiting_time() {
    let mut model = released(&json!({"progressDeadlineSeconds": 60}));
    reach(&mut model, 20);
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"metadata": {"annotations": {NEVER_READY: "true"}}}}}),
    );
    model.settle();
    model.wait(3600);
    (model.last_check, model.watched_since) = (None, Some(model.now));
    model.step();
    assert_eq!(model.phase(), Phase::Progressing, "{:#?}", model.decisions);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    assert_clean(&model);
}
