//! What a run needs goes away in the middle of it: the run ends, and the traffic is where the pods are.

use super::fixture::*;
use crate::{ObjectRef, model::Model, objects::kinds};
use crds::Phase;
use serde_json::json;

const ENDS: [Phase; 2] = [Phase::Succeeded, Phase::Failed];

fn config_at() -> ObjectRef {
    kinds::CONFIG_MAP.named(NAMESPACE, "settings")
}

fn scaler_at() -> ObjectRef {
    kinds::HORIZONTAL_POD_AUTOSCALER.named(NAMESPACE, "app")
}

/// A run at weight 20 whose target needs a ConfigMap and whose Canary refers to a scaler.
fn running() -> Model {
    let mut model = model(
        &json!({
            "progressDeadlineSeconds": 60,
            "autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "app"},
        }),
        "100",
        "0.2",
    );
    let metadata = |name: &str| json!({"name": name, "namespace": NAMESPACE, "uid": "1"});
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"), "data": {"a": "1"}});
    model.put(config_at(), config);
    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata("app"),
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}, "minReplicas": 1, "maxReplicas": 2},
    });
    model.put(scaler_at(), scaler);
    let volumes = json!([{"name": "settings", "configMap": {"name": "settings"}}]);
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"spec": {"volumes": volumes}}}}),
    );
    let mut model = released_with(model);
    reach(&mut model, 20);
    model
}

fn assert_failed(model: &Model, cause: &str) {
    assert_eq!(model.phase(), Phase::Failed, "{:#?}", model.decisions);
    let last = model.trajectory.last().map(String::as_str);
    assert_eq!(last, Some("Failed 100/0 weight=0 iterations=0 failed=0"));
    assert!(model.events.iter().any(|event| event.message.contains(cause)));
    let alert = |alert: &&crate::seam::Alert| {
        alert.message.starts_with("Progress deadline exceeded") && alert.message.contains(cause)
    };
    assert_eq!(model.alerts.iter().filter(alert).count(), 1);
    assert_clean(model);
}

#[test]
fn a_target_that_is_deleted_ends_the_run_at_once() {
    for phase in [Phase::Progressing, Phase::Promoting] {
        let mut model = running();
        assert!(model.run_until(&[phase], 60));
        model.remove(&target_at());
        model.step();
        assert_failed(&model, "Deployment app.test is not there");
        let writes = model.writes;
        model.run_until(&[Phase::Progressing], 3);
        let told = model.canary().status.unwrap().condition("Accepted").cloned();
        assert_eq!(told.map(|told| told.reason).as_deref(), Some("TargetNotFound"));
        assert_eq!(model.writes, writes + 1, "told once, then it is waited for");
    }
}

#[test]
fn a_config_or_scaler_that_is_deleted_ends_the_run_by_the_deadline() {
    let of_target = "is referenced by app.test but missing";
    for (at, cause) in [(config_at(), of_target), (scaler_at(), "app.test is not there")] {
        let mut model = running();
        let start = model.now;
        model.remove(&at);
        assert!(model.run_until(&ENDS, 30), "{:#?}", model.decisions);
        assert_failed(&model, cause);
        let took = model.now.duration_since(start).as_secs();
        assert!((50..=60).contains(&took), "{took} s");
        assert_eq!(replicas(&model, &target_at()), 0);
    }
}

#[test]
fn a_config_that_comes_back_in_time_lets_the_run_go_on() {
    let mut model = running();
    let config = (*model.get(&config_at()).unwrap()).clone();
    model.remove(&config_at());
    model.run_until(&ENDS, 3);
    model.put(config_at(), config);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_clean(&model);
}

#[test]
fn a_lost_config_leaves_the_traffic_where_the_only_pods_are() {
    let mut model = running();
    model.edit(
        &primary_at(),
        &json!({"spec": {"template": {"metadata": {"annotations": {"lab/never-ready": "true"}}}}}),
    );
    model.settle();
    model.remove(&config_at());
    assert!(model.run_until(&ENDS, 30));
    let last = model.trajectory.last().map(String::as_str);
    assert_eq!(last, Some("Failed 0/100 weight=100 iterations=0 failed=0"));
    assert_eq!(replicas(&model, &target_at()), 1);
    assert_clean(&model);
}

#[test]
fn a_target_that_goes_away_while_finalising_does_not_hold_up_the_success() {
    let mut model = running();
    assert!(model.run_until(&[Phase::Finalising], 120), "{:#?}", model.decisions);
    model.remove(&target_at());
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_eq!(image(&model, &primary_at()), "app:2");
    let status = model.canary().status.unwrap();
    assert_eq!(status.last_promoted_spec, status.last_applied_spec);
    assert_clean(&model);
}
