//! Targets that are no Deployments.

use super::fixture::*;
use crate::{
    ObjectRef,
    model::{Model, answer, vector},
    objects::kinds,
    workloads::ZERO_SELECTOR,
};
use crds::Phase;
use jiff::Timestamp;
use serde_json::{Value, json};

fn set_at(name: &str) -> ObjectRef {
    kinds::DAEMON_SET.named(NAMESPACE, name)
}

fn service_at(name: &str) -> ObjectRef {
    kinds::SERVICE.named(NAMESPACE, name)
}

fn daemon_set() -> Value {
    let mut set = deployment();
    set["kind"] = json!("DaemonSet");
    set["spec"].as_object_mut().unwrap().remove("replicas");
    set
}

/// A cluster with this target, in which all checks are good.
fn good(at: &ObjectRef, target: &Value, spec: &Value) -> Model {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut canary = canary(spec);
    canary["spec"]["targetRef"] = json!({"apiVersion": at.kind.api_version(), "kind": at.kind.kind, "name": at.name});
    let mut model = Model::new(start, &canary, [(at.clone(), target.clone())]);
    model.queries = Box::new(|_, request| {
        let value = if request.url.contains("quantile") { "0.2" } else { "100" };
        Ok(answer(200, &vector(value)))
    });
    model
}

fn daemons(spec: &Value) -> Model {
    good(&set_at("app"), &daemon_set(), spec)
}

fn node_selector(model: &Model, name: &str) -> Value {
    model.get(&set_at(name)).expect("it is there")["spec"]["template"]["spec"]["nodeSelector"].clone()
}

fn set_daemon_image(model: &mut Model, image: &str) {
    let containers = json!([{"name": "app", "image": image}]);
    model.edit(
        &set_at("app"),
        &json!({"spec": {"template": {"spec": {"containers": containers}}}}),
    );
}

#[test]
fn a_daemon_set_is_scaled_by_a_node_selector() {
    let mut model = daemons(&json!({}));
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    assert_eq!(node_selector(&model, "app"), json!({ZERO_SELECTOR: "true"}));
    assert_eq!(node_selector(&model, "app-primary"), Value::Null);

    set_daemon_image(&mut model, "app:2");
    assert!(model.run_until(&[Phase::Progressing], 10));
    assert_eq!(node_selector(&model, "app"), Value::Null, "nothing of ours is left");
    finish(&mut model);
    let run = run_of(&model);
    assert_eq!(run.first(), Some(&"Progressing 100/0 weight=0 iterations=0 failed=0"));
    for weights in ["80/20", "60/40", "40/60"] {
        assert!(run.iter().any(|line| line.contains(weights)), "{weights}: {run:#?}");
    }
    assert_eq!(run.last(), Some(&"Succeeded 100/0 weight=0 iterations=0 failed=0"));
    assert_eq!(image(&model, &set_at("app-primary")), "app:2");
    assert_eq!(node_selector(&model, "app-primary"), Value::Null);
    assert_eq!(node_selector(&model, "app"), json!({ZERO_SELECTOR: "true"}));
    assert_clean(&model);

    // Being scaled is no new revision.
    let writes = model.writes;
    model.step();
    assert_eq!(model.writes, writes, "{:?}", model.decisions.last());
}

/// WL-8: the peer's primary keeps the selector of a target at zero and never runs.
#[test]
fn the_primary_of_a_daemon_set_at_zero_runs() {
    let mut target = daemon_set();
    target["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "ssd", ZERO_SELECTOR: "true"});
    let mut model = good(&set_at("app"), &target, &json!({}));
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    assert_eq!(node_selector(&model, "app-primary"), json!({"disk": "ssd"}));
    set_daemon_image(&mut model, "app:2");
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_eq!(node_selector(&model, "app-primary"), json!({"disk": "ssd"}));
    assert_eq!(
        node_selector(&model, "app"),
        json!({"disk": "ssd", ZERO_SELECTOR: "true"})
    );
    assert_clean(&model);
}

/// The nodes of what was promoted are gone: nobody serves, and only another release can mend it.
#[test]
fn a_primary_without_a_node_does_not_block_the_next_release() {
    let rounds = json!({"stepWeight": null, "maxWeight": null, "iterations": 2});
    let plain = json!({"provider": "kubernetes", "service": {"gatewayRefs": null}, "analysis": rounds});
    for (spec, has_weights) in [(json!({}), true), (json!({ "analysis": rounds }), true), (plain, false)] {
        let mut model = daemons(&spec);
        assert!(model.run_until(&[Phase::Initialized], 30));
        let gone = json!({"spec": {"template": {"spec": {"nodeSelector": {"lab/no-node": "true"}}}}});
        model.edit(&set_at("app-primary"), &gone);
        model.settle();
        set_daemon_image(&mut model, "app:2");
        assert!(model.run_until(&[Phase::Progressing], 10), "{:#?}", model.decisions);
        finish(&mut model);
        let run = run_of(&model);
        let is_lit = run.iter().any(|line| line.starts_with("Progressing 0/100"));
        assert!(is_lit || !has_weights, "served as soon as somebody can: {run:#?}");
        assert_eq!(model.phase(), Phase::Succeeded, "{run:#?}");
        assert_eq!(node_selector(&model, "app-primary"), Value::Null);
        assert_clean(&model);
    }
}

#[test]
fn a_bad_daemon_set_ends_by_its_deadline_and_names_it() {
    let mut model = daemons(&json!({"progressDeadlineSeconds": 60}));
    assert!(model.run_until(&[Phase::Initialized], 30));
    // Days later: the time at rest does not count (WL-9).
    model.wait(300_000);
    let template = json!({"metadata": {"annotations": {"lab/never-ready": "true"}}});
    model.edit(&set_at("app"), &json!({"spec": {"template": template}}));
    assert!(model.run_until(&[Phase::Progressing], 10), "{:#?}", model.decisions);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    assert_eq!(node_selector(&model, "app"), json!({ZERO_SELECTOR: "true"}));
    let names_it =
        |text: &str| text.contains("0 of 1 (readyThreshold 100%)") && text.contains("progressDeadlineSeconds: 60");
    assert!(
        model.events.iter().any(|event| names_it(&event.message)),
        "{:#?}",
        model.events
    );
    assert_clean(&model);
}

#[test]
fn daemons_that_roll_only_by_hand_are_not_released() {
    let mut target = daemon_set();
    target["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    let mut model = good(&set_at("app"), &target, &json!({}));
    assert!(!model.run_until(&[Phase::Initialized], 5));
    let told = |model: &Model| model.events.iter().any(|event| event.message.contains("OnDelete"));
    assert!(told(&model));
    assert_eq!(model.get(&set_at("app-primary")), None);
    model.edit(
        &set_at("app"),
        &json!({"spec": {"updateStrategy": {"type": "RollingUpdate"}}}),
    );
    assert!(model.run_until(&[Phase::Initialized], 30), "mending is enough");
}

/// WL-40: the run is not refused, as the primary may run elsewhere, but its owner knows why it may not start.
#[test]
fn host_ports_are_told() {
    let mut target = daemon_set();
    target["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 9898, "hostPort": 9100}]);
    let mut model = good(&set_at("app"), &target, &json!({}));
    assert!(model.run_until(&[Phase::Initialized], 30));
    assert!(
        model
            .events
            .iter()
            .any(|event| event.message.contains("host port 9100"))
    );
}

#[test]
fn a_deleted_daemon_set_canary_gets_its_target_back() {
    let mut model = daemons(&json!({"revertOnDeletion": true}));
    assert!(model.run_until(&[Phase::Initialized], 30));
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}));
    for _ in 0..5 {
        model.step();
        model.settle();
    }
    assert_eq!(node_selector(&model, "app"), Value::Null);
    let finalizers = model.canary().metadata.finalizers.unwrap_or_default();
    assert_eq!(finalizers, [""; 0], "{:#?}", model.decisions);
}

fn service(spec: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "app", "namespace": NAMESPACE, "uid": "u", "labels": {"app": "app"}},
        "spec": spec,
    })
}

fn cluster_ip() -> Value {
    json!({
        "type": "ClusterIP", "clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "selector": {"app": "one"}, "ports": [{"name": "http", "port": 9898, "protocol": "TCP", "targetPort": 9898}],
    })
}

#[test]
fn routes_move_between_the_copies_of_a_service() {
    let mut model = good(&service_at("app"), &service(&cluster_ip()), &json!({}));
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    let selector =
        |model: &Model, name: &str| model.get(&service_at(name)).expect("it is there")["spec"]["selector"].clone();
    assert_eq!(selector(&model, "app-primary"), json!({"app": "one"}));
    assert_eq!(selector(&model, "app-canary"), json!({"app": "one"}));
    let target = model.get(&service_at("app")).unwrap();
    // The API server gives the copies addresses of their own.
    for name in ["app-primary", "app-canary"] {
        model.edit(
            &service_at(name),
            &json!({"spec": {"clusterIP": "10.0.0.77", "clusterIPs": ["10.0.0.77"]}}),
        );
    }
    let writes = model.writes;
    model.step();
    assert_eq!(
        model.writes, writes,
        "at rest nothing is written (SV-17): {:?}",
        model.decisions
    );

    model.edit(&service_at("app"), &json!({"spec": {"selector": {"app": "two"}}}));
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_eq!(run_of(&model)[1], "Progressing 80/20 weight=0 iterations=0 failed=0");
    assert_eq!(selector(&model, "app-primary"), json!({"app": "two"}));
    let primary = model.get(&service_at("app-primary")).unwrap();
    assert_eq!(primary["spec"]["clusterIP"], "10.0.0.77");
    assert_eq!(
        primary["metadata"]["ownerReferences"][0]["uid"], "c0ffee",
        "the owner stays (WL-17)"
    );
    let after = model.get(&service_at("app")).unwrap();
    assert_eq!(after["metadata"], {
        let mut metadata = target["metadata"].clone();
        metadata["resourceVersion"] = after["metadata"]["resourceVersion"].clone();
        metadata["generation"] = after["metadata"]["generation"].clone();
        metadata
    });
    assert_clean(&model);
}

#[test]
fn a_service_is_analysed_on_plain_kubernetes_too() {
    let spec = json!({"provider": "kubernetes", "analysis": {"stepWeight": null, "maxWeight": null, "iterations": 2}});
    let name =
        |host: &str| json!({"type": "ExternalName", "externalName": host, "ports": [{"name": "http", "port": 9898}]});
    let mut model = good(&service_at("app"), &service(&name("v1.example.net")), &spec);
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    model.edit(&service_at("app"), &json!({"spec": {"externalName": "v2.example.net"}}));
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    let primary = model.get(&service_at("app-primary")).unwrap();
    assert_eq!(primary["spec"]["externalName"], "v2.example.net");
    assert_clean(&model);
}

#[test]
fn a_bad_service_leaves_the_primary_as_it_was() {
    let mut model = good(&service_at("app"), &service(&cluster_ip()), &json!({}));
    model.queries = Box::new(|_, _| Ok(answer(200, &vector("1"))));
    assert!(model.run_until(&[Phase::Initialized], 30));
    model.edit(&service_at("app"), &json!({"spec": {"selector": {"app": "two"}}}));
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    assert_eq!(
        model.get(&service_at("app-primary")).unwrap()["spec"]["selector"],
        json!({"app": "one"})
    );
    assert_clean(&model);
}

/// WL-16: what belongs to something else is not overwritten.
#[test]
fn a_foreign_primary_is_left_alone() {
    let mut model = model(&json!({}), "100", "0.2");
    let mut foreign = deployment();
    foreign["metadata"]["name"] = json!("app-primary");
    foreign["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "example.com/v1", "kind": "App", "name": "shop", "uid": "1", "controller": true}]);
    model.put(primary_at(), foreign);
    model.settle();
    let before = model.get(&primary_at());
    assert!(!model.run_until(&[Phase::Initialized], 5));
    assert!(
        model
            .events
            .iter()
            .any(|event| event.message.contains("belongs to App shop"))
    );
    assert_eq!(model.get(&primary_at()), before);
    model.remove(&primary_at());
    assert!(model.run_until(&[Phase::Initialized], 30));
}

/// W-50: the second Canary of a target is told of the first one and changes nothing.
#[test]
fn a_second_canary_of_a_target_is_told_of_the_first_one() {
    let mut model = model(&json!({}), "100", "0.2");
    let mut primary = deployment();
    primary["metadata"]["name"] = json!("app-primary");
    primary["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "earlier", "uid": "1", "controller": true}]);
    model.put(primary_at(), primary);
    model.settle();
    assert!(!model.run_until(&[Phase::Initialized], 5));
    let told = |event: &crate::seam::Event| event.message.contains("belongs to Canary earlier");
    assert!(model.events.iter().any(told), "{:#?}", model.events);
    assert_eq!((replicas(&model, &target_at()), model.get(&route_at())), (1, None));
    assert_eq!(model.get(&service_at("app")), None, "its users are served as before");
    assert_clean(&model);
}

/// SV-6: two Canaries with one `service.name` do not fight; the later one is told.
#[test]
fn a_service_of_another_canary_is_left_alone() {
    let mut model = model(&json!({}), "100", "0.2");
    let mut taken = service(&json!({"selector": {"app": "other-primary"}, "ports": []}));
    taken["metadata"]["ownerReferences"] = json!([{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "other", "uid": "1", "controller": true}]);
    model.put(service_at("app"), taken);
    let before = model.get(&service_at("app"));
    assert!(!model.run_until(&[Phase::Initialized], 8));
    assert_eq!(model.get(&service_at("app")), before);
    assert!(
        model
            .events
            .iter()
            .any(|event| event.message.contains("belongs to Canary other"))
    );
    assert_ne!(replicas(&model, &target_at()), 0, "the target keeps serving");
    model.remove(&service_at("app"));
    assert!(model.run_until(&[Phase::Initialized], 30));
    assert_clean(&model);
}

/// SV-4: `headless` cannot be given to a Service that is there; its owner is told when a run starts.
#[test]
fn a_headless_switch_that_comes_too_late_is_told() {
    let mut model = model(&json!({}), "100", "0.2");
    assert!(model.run_until(&[Phase::Initialized], 30));
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"service": {"headless": true}}}));
    let mut model = released_with(model);
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    let told = |text: &str| text.contains("spec.service.headless: true has no effect") && text.contains("app-primary");
    assert!(
        model.events.iter().any(|event| told(&event.message)),
        "{:#?}",
        model.events
    );
}
