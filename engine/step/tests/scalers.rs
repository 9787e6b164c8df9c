//! The primary's copy of the scaler: made, kept and changed when it shall be (document 004).

use super::fixture::*;
use crate::{ObjectRef, model::Model, objects::kinds};
use crds::Phase;
use serde_json::{Value, json};

const PAUSED: &str = "autoscaling.keda.sh/paused-replicas";

fn hpa_at(name: &str) -> ObjectRef {
    kinds::HORIZONTAL_POD_AUTOSCALER.named(NAMESPACE, name)
}

fn keda_at(name: &str) -> ObjectRef {
    kinds::SCALED_OBJECT.named(NAMESPACE, name)
}

fn hpa() -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "app", "namespace": NAMESPACE},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}, "minReplicas": 2, "maxReplicas": 4},
    })
}

fn scaled_object() -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "app", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"name": "app"}, "minReplicaCount": 2, "maxReplicaCount": 4,
            "triggers": [{"type": "prometheus", "metadata": {"query": "sum(rate(hits{app=\"app\"}[1m]))"}}],
        },
    })
}

fn with(at: &ObjectRef, scaler: Value) -> Model {
    let spec = json!({"autoscalerRef": {"apiVersion": at.kind.api_version(), "kind": at.kind.kind, "name": at.name}});
    let mut model = model(&spec, "100", "0.2");
    model.put(at.clone(), scaler);
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    model
}

/// The canary's weight in the route.
fn share(model: &Model) -> Value {
    model.get(&route_at()).expect("a route")["spec"]["rules"][0]["backendRefs"][1]["weight"].clone()
}

fn spec(model: &Model, at: &ObjectRef) -> Value {
    model.get(at).unwrap_or_else(|| panic!("{at} is not there"))["spec"].clone()
}

#[test]
fn the_copy_takes_changes_with_a_promotion_only_and_comes_back_when_it_is_lost() {
    let cases = [
        (hpa_at as fn(&str) -> ObjectRef, hpa(), "maxReplicas"),
        (keda_at, scaled_object(), "maxReplicaCount"),
    ];
    for (at, source, field) in cases {
        let mut model = with(&at("app"), source);
        model.edit(&at("app"), &json!({"spec": {field: 9}}));
        model.step();
        assert_eq!(spec(&model, &at("app-primary"))[field], 4, "{field} before a run");
        set_image(&mut model, "app:2");
        reach(&mut model, 60);
        assert_eq!(spec(&model, &at("app-primary"))[field], 4, "{field} in a run");
        finish(&mut model);
        assert_eq!(spec(&model, &at("app-primary"))[field], 9, "{field} with the promotion");
        model.remove(&at("app-primary"));
        model.step();
        assert_eq!(spec(&model, &at("app-primary"))[field], 9, "{field} after a loss");
        assert_clean(&model);
    }
}

#[test]
fn a_scaler_of_the_users_own_is_never_written() {
    for (at, source) in [(hpa_at as fn(&str) -> ObjectRef, hpa()), (keda_at, scaled_object())] {
        let mut own = source.clone();
        own["metadata"]["name"] = json!("app-primary");
        own["spec"]["anything"] = json!("mine");
        let spec = json!({"autoscalerRef": {"kind": at("app").kind.kind, "name": "app"}});
        let mut model = model(&spec, "100", "0.2");
        model.put(at("app"), source);
        model.put(at("app-primary"), own);
        let before = model.get(&at("app-primary"));
        let mut model = released_with(model);
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Succeeded);
        assert_eq!(model.get(&at("app-primary")), before);
    }
}

#[test]
fn a_scaled_object_is_paused_while_its_target_is_at_zero() {
    let mut model = with(&keda_at("app"), scaled_object());
    let paused =
        |model: &Model, name: &str| model.get(&keda_at(name)).unwrap()["metadata"]["annotations"][PAUSED].clone();
    assert_eq!(paused(&model, "app"), "0");
    assert_eq!(
        paused(&model, "app-primary"),
        Value::Null,
        "the primary is not born paused (WL-10)"
    );
    // A lost copy is made again while its source is paused.
    model.remove(&keda_at("app-primary"));
    model.step();
    assert_eq!(paused(&model, "app-primary"), Value::Null);

    set_image(&mut model, "app:2");
    assert!(model.run_until(&[Phase::Progressing], 10));
    assert_eq!(paused(&model, "app"), Value::Null);
    assert_eq!(replicas(&model, &target_at()), 2, "as many as the scaler keeps");
    finish(&mut model);
    assert_eq!((paused(&model, "app"), replicas(&model, &target_at())), (json!("0"), 0));

    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"metadata": {"annotations": {"lab/never-ready": "true"}}}}}),
    );
    assert!(model.run_until(&[Phase::Progressing], 10));
    assert_eq!(paused(&model, "app"), Value::Null);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    assert_eq!(paused(&model, "app"), "0", "after a rollback, too");
    assert_clean(&model);
}

#[test]
fn a_deleted_canary_lets_its_scaled_object_go() {
    let mut model = with(&keda_at("app"), scaled_object());
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"revertOnDeletion": true}}));
    model.step();
    model.edit(&at, &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}));
    for _ in 0..5 {
        model.step();
        model.settle();
    }
    let source = model.get(&keda_at("app")).unwrap();
    assert_eq!(
        source["metadata"]["annotations"].get(PAUSED),
        None,
        "{:#?}",
        model.decisions
    );
    assert!(replicas(&model, &target_at()) > 0);
    // Without the scaler the deletion does not wait for it (WL-28).
}

#[test]
fn a_scaler_that_is_gone_does_not_hold_up_a_deletion() {
    let mut model = with(&keda_at("app"), scaled_object());
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"revertOnDeletion": true}}));
    model.step();
    model.remove(&keda_at("app"));
    model.edit(&at, &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}));
    for _ in 0..5 {
        model.step();
        model.settle();
    }
    assert_eq!(model.canary().metadata.finalizers.unwrap_or_default(), [""; 0]);
}

/// WL-42: the canary was scaled up by its traffic, the primary down for lack of it.
#[test]
fn the_primary_gets_as_many_pods_as_served_before_it_gets_their_traffic() {
    let cases = [
        (hpa_at as fn(&str) -> ObjectRef, hpa(), "minReplicas"),
        (keda_at, scaled_object(), "minReplicaCount"),
    ];
    for (at, source, field) in cases {
        for (served, floor) in [(3, 3), (9, 4), (1, 2)] {
            let mut model = with(&at("app"), source.clone());
            set_image(&mut model, "app:2");
            reach(&mut model, 40);
            model.edit(&target_at(), &json!({"spec": {"replicas": served}}));
            model.settle();
            assert!(model.run_until(&[Phase::Promoting], 60), "{:#?}", model.decisions);
            assert_eq!(spec(&model, &at("app-primary"))[field], floor, "{field} for {served}");
            // The scaler acts after some seconds; until then the traffic stays.
            model.settle();
            model.wait(15);
            model.step();
            assert_eq!(
                (model.phase(), share(&model)),
                (Phase::Promoting, json!(60)),
                "{:#?}",
                model.decisions
            );
            model.edit(&primary_at(), &json!({"spec": {"replicas": floor}}));
            model.settle();
            assert!(model.run_until(&[Phase::Finalising], 5), "{:#?}", model.decisions);
            assert_eq!(spec(&model, &at("app-primary"))[field], floor, "{field} until the end");
            finish(&mut model);
            assert_eq!(spec(&model, &at("app-primary"))[field], 2, "{field} is handed back");
            assert_clean(&model);
        }
    }
}

#[test]
fn a_scaler_that_does_not_act_holds_up_no_promotion() {
    let mut model = with(&hpa_at("app"), hpa());
    set_image(&mut model, "app:2");
    assert!(model.run_until(&[Phase::Promoting], 60), "{:#?}", model.decisions);
    let begun = model.now;
    assert!(model.run_until(&[Phase::Finalising], 20), "{:#?}", model.decisions);
    assert_eq!(
        model.now.duration_since(begun).as_secs(),
        60,
        "four periods of a scaler"
    );
    finish(&mut model);
    assert_eq!(
        (model.phase(), image(&model, &primary_at())),
        (Phase::Succeeded, "app:2".into())
    );
    assert_clean(&model);
}
