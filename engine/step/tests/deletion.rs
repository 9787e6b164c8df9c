//! A deletion that gives back what was there before: pods, selector, ports, annotations (WL-30, SV-13, SV-14).

use serde_json::{Value, json};

use super::fixture::*;
use crate::{
    ObjectRef,
    model::Model,
    objects::{LAST_APPLIED, ORIGINAL, kinds},
};
use crds::Phase;

const TOOLKIT: &str = "kustomize.toolkit.fluxcd.io/reconcile";

fn apex_at() -> ObjectRef {
    kinds::SERVICE.named(NAMESPACE, "app")
}

/// A Service of the user's under the name of the apex, as the API server stores it.
fn own_apex(annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "app", "namespace": NAMESPACE, "labels": {"mine": "yes"}, "annotations": annotations},
        "spec": {
            "type": "NodePort", "clusterIP": "10.0.0.7", "selector": {"app": "app", "tier": "front"},
            "ports": [
                {"name": "web", "port": 80, "protocol": "TCP", "targetPort": 9898, "nodePort": 30080},
                {"name": "admin", "port": 81, "protocol": "TCP", "targetPort": 81, "nodePort": 30081},
            ],
        },
    })
}

/// Delete the Canary and play until it is gone.
fn delete(model: &mut Model) {
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}));
    for _ in 0..10 {
        model.settle();
        model.step();
        model.wait(10);
    }
    let finalizers = model.get(&at).map(|canary| canary["metadata"]["finalizers"].clone());
    assert!(
        finalizers.is_none_or(|left| left.as_array().is_none_or(Vec::is_empty)),
        "{:#?}",
        model.decisions
    );
}

fn without_version(model: &Model, at: &ObjectRef) -> Value {
    let mut object = (*model.get(at).expect("it is there")).clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|key, _| key != "resourceVersion" && key != "generation");
    object
}

/// What an apply of the Canary's owner leaves behind is what was there; `-revert-on-deletion` does the same for everybody.
#[test]
fn an_adopted_apex_is_as_it_was_and_leads_to_pods() {
    let manifest = json!({"spec": {"type": "NodePort", "selector": {"app": "app", "tier": "front"}, "ports": [
        {"name": "web", "port": 80, "targetPort": 9898, "nodePort": 30080}, {"name": "admin", "port": 81, "nodePort": 30081},
    ]}});
    let applied = json!({LAST_APPLIED: manifest.to_string(), "mine": "yes"});
    let cases = [
        (json!({"mine": "yes"}), json!({"revertOnDeletion": true}), false),
        (json!({"mine": "yes", TOOLKIT: "enabled"}), json!({}), true),
        (applied, json!({}), true),
    ];
    for (annotations, spec, by_flag) in cases {
        let mut model = model(&spec, "100", "0.2");
        model.settings.revert_on_deletion = by_flag;
        let original = own_apex(&annotations);
        model.put(apex_at(), original.clone());
        assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
        let adopted = model.get(&apex_at()).unwrap();
        assert_eq!(adopted["spec"]["selector"], json!({"app": "app-primary"}));
        assert_eq!(adopted["metadata"]["annotations"][TOOLKIT], "disabled");
        next_release_succeeds(&mut model, "app:2");
        assert_eq!(
            model.get(&apex_at()).unwrap()["metadata"]["annotations"][ORIGINAL].is_null(),
            !annotations[LAST_APPLIED].is_null()
        );
        delete(&mut model);
        assert_eq!(without_version(&model, &apex_at()), original);
        assert_eq!(replicas(&model, &target_at()), 1, "SV-14: it leads to pods that stay");
        assert_clean(&model);
    }
}

#[test]
fn a_target_comes_back_with_the_pods_that_served_or_that_its_manifest_asks_for() {
    for (serving, expected) in [(4, 4), (0, 3)] {
        let mut model = released(&json!({"revertOnDeletion": true}));
        finish(&mut model);
        let manifest = json!({"spec": {"replicas": 3}}).to_string();
        model.edit(
            &target_at(),
            &json!({"metadata": {"annotations": {LAST_APPLIED: manifest}}}),
        );
        model.edit(&primary_at(), &json!({"spec": {"replicas": serving}}));
        model.settle();
        delete(&mut model);
        assert_eq!(replicas(&model, &target_at()), expected);
    }
}
