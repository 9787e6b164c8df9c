//! Bad input stops only its own canary, tells its owner, and mending it is enough.

use super::fixture::*;
use crate::model::Model;
use crate::seam::EventType;
use crds::Phase;
use serde_json::{Value, json};

fn refused(spec: &Value, mention: &str) {
    let mut model = model(spec, "100", "0.2");
    model.run_until(&[Phase::Initialized], 5);
    let status = model.canary().status.expect("a status");
    let condition = status
        .condition("Accepted")
        .unwrap_or_else(|| panic!("{spec}: {status:?}"));
    assert_eq!(condition.status, "False");
    let message = condition.message.clone().unwrap_or_default();
    assert!(message.contains(mention), "{message}");
    let told = model
        .events
        .iter()
        .filter(|event| event.severity == EventType::Warning && event.message == message);
    assert_eq!(told.count(), 1, "told once");
    let at = model.canary_at.clone();
    let mended = canary(&json!({}));
    model.edit(&at, &json!({"spec": null}));
    model.edit(&at, &json!({"spec": mended["spec"]}));
    assert!(model.run_until(&[Phase::Initialized], 30), "mending is enough: {spec}");
    assert!(model.canary().status.unwrap().condition("Accepted").is_none());
}

#[test]
fn what_cannot_work_is_refused_with_a_hint() {
    refused(&json!({"provider": "supergloo"}), "provider");
    refused(&json!({"analysis": {"stepWeight": 2.5}}), "stepWeight");
    refused(&json!({"service": {"port": 70_000}}), "port");
    refused(&json!({"service": null}), "spec.service");
    refused(
        &json!({"analysis": {"match": [{"sourceLabels": {"app": "x"}}]}}),
        "sourceLabels",
    );
    refused(
        &json!({"autoscalerRef": {"kind": "VerticalPodAutoscaler", "name": "app"}}),
        "VerticalPodAutoscaler",
    );
    refused(
        &json!({"targetRef": {"kind": "StatefulSet"}}),
        "names and volumes that two versions cannot share; DaemonSet, Deployment, Service",
    );
    refused(&json!({"targetRef": {"kind": "CronJob"}}), "CronJob");
    refused(
        &json!({"targetRef": {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}}),
        "Knative",
    );
    refused(
        &json!({"targetRef": {"apiVersion": "v1", "kind": "Service"}, "service": {"name": "other"}}),
        "spec.service.name",
    );
}

/// Refused before anything is written, so no user ever meets what cannot be done (RM-2, RM-3, RM-4).
#[test]
fn what_the_provider_cannot_do_is_refused() {
    let on = |provider: &str, analysis: Value| json!({"provider": provider, "analysis": analysis});
    let tested = json!([{"headers": {"x-canary": {"exact": "insider"}}}]);
    let rounds = json!({"stepWeight": null, "maxWeight": null, "iterations": 2});
    let with = |more: Value| {
        let mut analysis = rounds.clone();
        crate::json::merge(&mut analysis, &more);
        analysis
    };
    let affinity = json!({"sessionAffinity": {"cookieName": "c"}});
    refused(&on("kubernetes", affinity.clone()), "analysis.sessionAffinity");
    refused(&on("kubernetes", json!({"mirror": true})), "analysis.mirror");
    refused(&on("kubernetes", with(json!({"match": tested}))), "analysis.match");
    let both = with(json!({"match": tested, "mirror": true}));
    refused(&on("gatewayapi:v1", both.clone()), "analysis.mirror");
    refused(&on("istio", both), "analysis.mirror");
    for provider in ["nginx", "traefik", "contour", "skipper", "apisix", "gloo"] {
        let asked = on_ingress(provider, &json!({"analysis": affinity}));
        refused(&asked, "analysis.sessionAffinity");
    }
    for provider in ["nginx", "traefik", "skipper", "apisix"] {
        let asked = on_ingress(provider, &json!({"analysis": {"mirror": true}}));
        refused(&asked, "analysis.mirror");
    }
    let asked = on_ingress("traefik", &json!({"analysis": with(json!({"match": tested}))}));
    refused(&asked, "analysis.match");
    for (analysis, mention) in [
        (affinity, "analysis.sessionAffinity: it needs HTTP"),
        (json!({"mirror": true}), "analysis.mirror: it needs HTTP"),
        (with(json!({"match": tested})), "analysis.match: it needs HTTP"),
    ] {
        let mut spec = on("istio", analysis);
        spec["service"] = json!({"appProtocol": "TCP"});
        refused(&spec, mention);
    }
    let mut spec = on("istio", json!({}));
    spec["service"] = json!({"delegation": true});
    refused(&spec, "service.delegation");
}

/// Options that a provider leaves out stop nothing; each run tells them once.
#[test]
fn what_has_no_effect_is_told_at_the_start_of_a_run() {
    let mut model = released(&json!({"service": {"retries": {"attempts": 3}, "delegation": true, "timeout": "3s"}}));
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    let told = "Without effect with the provider gatewayapi:v1: spec.service.retries, spec.service.delegation";
    let warnings = model.events.iter().filter(|event| event.message == told);
    assert_eq!(warnings.count(), 1);
}

#[test]
fn a_missing_target_is_told_and_waited_for() {
    let mut model = model(&json!({}), "100", "0.2");
    model.remove(&target_at());
    model.run_until(&[Phase::Initialized], 5);
    assert!(
        model
            .events
            .iter()
            .any(|event| event.message.contains("Deployment app.test is not there"))
    );
    let told = model
        .events
        .iter()
        .filter(|event| event.message.contains("is not there"));
    assert_eq!(told.count(), 1, "told once");
    assert_eq!(reason(&model.canary()).as_deref(), Some("TargetNotFound"));
    model.put(target_at(), deployment());
    assert!(model.run_until(&[Phase::Initialized], 30));
    assert_eq!(reason(&model.canary()), None);
}

/// Why the canary is not accepted.
fn reason(canary: &crds::Canary) -> Option<String> {
    let accepted = canary.status.as_ref()?.condition("Accepted")?;
    assert_eq!(accepted.status, "False");
    Some(accepted.reason.clone())
}

#[test]
fn a_broken_query_is_told_before_any_run_and_holds_nothing_up() {
    let spec =
        json!({"analysis": {"metrics": [{"name": "broken", "query": "up{{ nope }}", "thresholdRange": {"min": 1}}]}});
    let mut model = model(&spec, "100", "0.2");
    assert!(model.run_until(&[Phase::Initialized], 30));
    assert_eq!(reason(&model.canary()).as_deref(), Some("MetricUnusable"));
    let at = model.canary_at.clone();
    model.edit(
        &at,
        &json!({"spec": {"analysis": {"metrics": [{"name": "mended", "query": "up", "thresholdRange": {"min": 1}}]}}}),
    );
    model.run_until(&[Phase::Progressing], 5);
    assert_eq!(reason(&model.canary()), None);
}

#[test]
fn a_broken_template_fails_the_check_and_says_where() {
    let spec = json!({"analysis": {"threshold": 1, "metrics": [{"name": "broken", "query": "up{{ nope }}", "thresholdRange": {"min": 1}}]}});
    let mut model = released(&spec);
    assert!(model.run_until(&[Phase::Failed, Phase::Succeeded], 60));
    assert_eq!(model.phase(), Phase::Failed);
    assert!(
        model
            .events
            .iter()
            .any(|event| event.message.contains("broken") && event.message.contains("nope"))
    );
}

#[test]
fn old_forms_are_served_and_their_new_form_is_named_once() {
    let mut model = model(&json!({"analysis": {"skipAnalysis": false}}), "100", "0.2");
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    let accepted = |model: &Model| model.canary().status.unwrap().condition("Accepted").cloned();
    let told = accepted(&model).expect("the old form is named");
    assert_eq!((told.status.as_str(), told.reason.as_str()), ("True", "Translated"));
    assert!(told.message.unwrap().contains("spec.skipAnalysis"));
    let events = model.events.iter().filter(|event| event.message.contains("old form"));
    assert_eq!(events.count(), 1);
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"analysis": {"skipAnalysis": null}}}));
    model.step();
    assert_eq!(accepted(&model), None);
}

/// RI-28: while nothing runs the owner is told once, by a condition, too; a run is held, and its rollback is not (RI-27).
#[test]
fn a_missing_ingress_is_told_and_waited_for() {
    let spec = on_ingress("nginx", &json!({}));
    let mut model = model(&spec, "100", "0.2");
    let [(at, ingress), _] = ingress_sources();
    let told = |model: &Model| {
        let events = model
            .events
            .iter()
            .filter(|event| event.message.contains("Ingress web.test"));
        events.count()
    };
    model.remove(&at);
    assert!(!model.run_until(&[Phase::Initialized], 20));
    assert_eq!(reason(&model.canary()).as_deref(), Some("RouteSourceNotFound"));
    assert_eq!(told(&model), 1, "{:#?}", model.events);
    model.put(at.clone(), ingress.clone());
    assert!(model.run_until(&[Phase::Initialized], 30), "mending is enough");
    assert_eq!(reason(&model.canary()), None);

    // Lost while nothing runs.
    model.put(
        at.clone(),
        json!({"metadata": {"name": "web", "namespace": NAMESPACE}, "spec": {"rules": [{"host": "a.test"}]}}),
    );
    for _ in 0..5 {
        model.step();
    }
    assert_eq!(reason(&model.canary()).as_deref(), Some("RouteSourceNotFound"));
    assert_eq!(told(&model), 2);
    model.put(at.clone(), ingress.clone());
    for _ in 0..2 {
        model.step();
    }
    assert_eq!(reason(&model.canary()), None);

    // Lost in a run.
    set_image(&mut model, "app:2");
    reach(&mut model, 20);
    model.remove(&at);
    model.run_until(&[Phase::Succeeded, Phase::Failed], 10);
    let status = model.canary().status.unwrap();
    assert_eq!((status.phase, status.canary_weight), (Phase::Progressing, 20));
    assert!(status.condition("Held").is_some(), "{status:?}");
    set_image(&mut model, "app:1");
    finish(&mut model);
    let copy = model.get(&weights_at(&model)).unwrap();
    assert_eq!(
        copy["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"],
        "0"
    );
    assert_clean(&model);
}

/// A kind that is not installed is told like any other object that is missing.
#[test]
fn a_missing_kind_is_told_and_waited_for() {
    let mut model = model(&on_ingress("contour", &json!({})), "100", "0.2");
    model.uninstall(crate::objects::kinds::HTTP_PROXY);
    assert!(!model.run_until(&[Phase::Initialized], 20));
    assert_eq!(reason(&model.canary()).as_deref(), Some("RouteSourceNotFound"));
    let told = model.events.iter().filter(|event| {
        event
            .message
            .contains("HTTPProxy projectcontour.io/v1 is not installed")
    });
    assert_eq!(told.count(), 1, "told once");
}

/// W-22: the controller of NGINX knows all or none of the chosen requests, and the promotion in steps ends all the same.
#[test]
fn ab_testing_with_promotion_in_steps_ends_on_nginx() {
    let chosen = json!([{"headers": {"x-canary": {"exact": "insider"}}}]);
    let analysis =
        json!({"stepWeight": null, "maxWeight": null, "iterations": 2, "match": chosen, "stepWeightPromotion": 40});
    let mut model = released(&on_ingress("nginx", &json!({"analysis": analysis})));
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    let splits: Vec<&str> = run_of(&model)
        .iter()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    for share in ["0/100", "40/60", "80/20", "100/0"] {
        assert!(splits.contains(&share), "{share}: {splits:?}");
    }
    assert_clean(&model);
}

/// A run whose Canary then asks for what cannot work.
fn refused_in_a_run() -> Model {
    let mut model = released(&json!({"progressDeadlineSeconds": 120}));
    reach(&mut model, 20);
    let at = model.canary_at.clone();
    model.edit(
        &at,
        &json!({"spec": {"autoscalerRef": {"kind": "VerticalPodAutoscaler", "name": "app"}}}),
    );
    model.step();
    assert_eq!(
        model.canary().status.unwrap().condition("Accepted").unwrap().status,
        "False"
    );
    model
}

#[test]
fn a_run_goes_on_when_its_spec_is_mended_in_time() {
    let mut model = refused_in_a_run();
    for _ in 0..5 {
        model.wait(20);
        model.step();
    }
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"autoscalerRef": null}}));
    finish(&mut model);
    assert_eq!(
        (model.phase(), image(&model, &primary_at())),
        (Phase::Succeeded, "app:2".into())
    );
    assert_clean(&model);
}

#[test]
fn a_run_whose_spec_stays_refused_ends_where_it_is() {
    let mut model = refused_in_a_run();
    let start = model.now;
    assert!(model.run_until(&[Phase::Failed], 60), "{:#?}", model.decisions);
    let took = model.now.duration_since(start).as_secs();
    assert!((110..=140).contains(&took), "{took} s");
    let status = model.canary().status.unwrap();
    assert_eq!(status.canary_weight, 20);
    assert_eq!(
        (replicas(&model, &primary_at()), replicas(&model, &target_at())),
        (1, 1)
    );
    let told = status
        .condition("Promoted")
        .unwrap()
        .message
        .clone()
        .unwrap_or_default();
    assert!(told.contains("VerticalPodAutoscaler"), "{told}");
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"autoscalerRef": null}}));
    model.run_until(&[Phase::Progressing], 3);
    assert_eq!(model.phase(), Phase::Failed, "the revision has failed");
    next_release_succeeds(&mut model, "app:3");
}

#[test]
fn nobody_is_hurried_while_a_refused_canary_is_suspended() {
    let mut model = refused_in_a_run();
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"suspend": true}}));
    for _ in 0..10 {
        model.step();
        model.wait(600);
    }
    assert_eq!(model.phase(), Phase::Progressing, "{:#?}", model.decisions);
}
