//! Runs whose weights stand in a route of the user's own.

use super::fixture::*;
use crate::{model::Model, objects::kinds};
use crds::{Canary, Phase};
use serde_json::{Value, json};

fn reason(canary: &Canary) -> Option<String> {
    let status = canary.status.as_ref()?;
    status.condition("Accepted").map(|told| told.reason.clone())
}

fn rules(model: &Model) -> Value {
    model.get(&own_at()).unwrap()["spec"]["rules"].clone()
}

/// Weights of primary and canary in the rule `main`.
fn weights(model: &Model) -> (i64, i64) {
    let rules = rules(model);
    let weight = |place: usize| rules[1]["backendRefs"][place]["weight"].as_i64().unwrap();
    assert_eq!(rules[1]["backendRefs"][1]["name"], "app-canary");
    (weight(0), weight(1))
}

/// The canary makes no route, changes nothing but the weights, and gives back what was there, edits of the user's included.
#[test]
fn a_run_and_a_deletion() {
    let mut model = released(&on_own_route(
        &json!({"revertOnDeletion": true, "routeRef": {"sectionName": "main"}}),
    ));
    assert_eq!(model.get(&route_at()), None, "no route is made");
    assert_eq!(weights(&model), (100, 0));
    reach(&mut model, 40);
    assert_eq!(weights(&model), (60, 40));

    // Weights that a foreign hand has changed; and what is none of ours.
    let mut edited = rules(&model);
    edited[0]["backendRefs"][0]["weight"] = json!(9);
    edited[1]["timeouts"] = json!({"request": "1s"});
    let mut mended = edited.clone();
    edited[1]["backendRefs"][1]["weight"] = json!(90);
    model.edit(&own_at(), &json!({"spec": {"rules": edited}}));
    model.step();
    // The step has mended 90 to 40, and its check has gone on to 60.
    mended[1]["backendRefs"][0]["weight"] = json!(40);
    mended[1]["backendRefs"][1]["weight"] = json!(60);
    assert_eq!(rules(&model), mended);

    finish(&mut model);
    assert_eq!((model.phase(), weights(&model)), (Phase::Succeeded, (100, 0)));
    let canary = model.canary_at.clone();
    let now = model.now.to_string();
    model.edit(&canary, &json!({"metadata": {"deletionTimestamp": now}}));
    for _ in 0..20 {
        model.step();
        model.settle();
    }
    assert_eq!(model.get(&canary), None, "it is gone");
    let mut expected = mended;
    expected[1]["backendRefs"] = own_route()["spec"]["rules"][1]["backendRefs"].clone();
    assert_eq!(rules(&model), expected);
    let annotations = &model.get(&own_at()).unwrap()["metadata"]["annotations"];
    assert!(
        annotations.as_object().is_none_or(serde_json::Map::is_empty),
        "{annotations}"
    );
    assert_clean(&model);
}

/// A route, a rule or a backend that is missing: one Event and a condition while nothing runs, and mending is enough.
#[test]
fn what_is_missing_is_told_and_waited_for() {
    let without_backend = || {
        let mut route = own_route();
        route["spec"]["rules"][1]["backendRefs"] = json!([{"name": "other", "port": 80}]);
        Some(route)
    };
    let without_name = || {
        let mut route = own_route();
        route["spec"]["rules"][1]["name"] = Value::Null;
        Some(route)
    };
    let cases: [(&dyn Fn() -> Option<Value>, &str); 3] = [
        (&|| None, "HTTPRoute web.test is not there"),
        (&without_name, "HTTPRoute web.test has no rule with the name main"),
        (
            &without_backend,
            "HTTPRoute web.test has no rule main that leads to Service app",
        ),
    ];
    for (broken, expected) in cases {
        let mut model = model(
            &on_own_route(&json!({"routeRef": {"sectionName": "main"}})),
            "100",
            "0.2",
        );
        let put = |model: &mut Model| match broken() {
            Some(route) => model.put(own_at(), route),
            None => model.remove(&own_at()),
        };
        put(&mut model);
        assert!(!model.run_until(&[Phase::Initialized], 20), "{expected}");
        assert_eq!(reason(&model.canary()).as_deref(), Some("RouteSourceNotFound"));
        let told = model.events.iter().filter(|event| event.message.starts_with(expected));
        assert_eq!(told.count(), 1, "{expected}: {:#?}", model.events);
        model.put(own_at(), own_route());
        assert!(model.run_until(&[Phase::Initialized], 30), "mending is enough");
        assert_eq!(reason(&model.canary()), None);

        // Lost in a run: it is held, and goes on at its weight.
        set_image(&mut model, "app:2");
        reach(&mut model, 20);
        let whole = model.get(&own_at()).unwrap();
        put(&mut model);
        model.run_until(&[Phase::Succeeded, Phase::Failed], 5);
        let status = model.canary().status.unwrap();
        assert_eq!(
            (status.phase, status.canary_weight),
            (Phase::Progressing, 20),
            "{expected}"
        );
        model.put(own_at(), (*whole).clone());
        finish(&mut model);
        assert_eq!(
            (model.phase(), weights(&model)),
            (Phase::Succeeded, (100, 0)),
            "{expected}"
        );
        assert_clean(&model);
    }
}

/// What of the Canary has no effect is told at the start of a run; what needs rules of ours is refused.
#[test]
fn limits_are_told() {
    let model = released(&on_own_route(&json!({"service": {"hosts": ["a.example.com"]}})));
    let mut model = model;
    reach(&mut model, 20);
    let told = "Without effect with the provider gatewayapi:v1: spec.service.hosts";
    assert!(
        model.events.iter().any(|event| event.message == told),
        "{:#?}",
        model.events
    );

    let analysis = json!({"analysis": {"mirror": true}});
    let mut refused = super::fixture::model(&on_own_route(&analysis), "100", "0.2");
    assert!(!refused.run_until(&[Phase::Initialized], 5));
    assert_eq!(reason(&refused.canary()).as_deref(), Some("InvalidSpec"));
    assert_eq!(refused.get(&own_at()).unwrap()["spec"], own_route()["spec"]);
}

/// GRPCRoute and TCPRoute: a kind that is not installed is told, and what TCP cannot do is refused with a condition and one Event.
#[test]
fn other_kinds_of_routes() {
    for (name, kind) in [
        ("gatewayapi:v1:grpc", kinds::GRPC_ROUTE),
        ("gatewayapi:v1:tcp", kinds::TCP_ROUTE),
    ] {
        let asked = json!({"provider": name, "analysis": {"sessionAffinity": {"cookieName": "c"}}});
        let mut refused = model(&asked, "100", "0.2");
        assert!(!refused.run_until(&[Phase::Initialized], 5), "{name}");
        assert_eq!(reason(&refused.canary()).as_deref(), Some("InvalidSpec"), "{name}");
        let told = refused
            .events
            .iter()
            .filter(|event| event.message.contains("analysis.sessionAffinity"));
        assert_eq!(told.count(), 1, "{name}");

        let mut model = released(&json!({"provider": name}));
        reach(&mut model, 20);
        let route = model.get(&kind.named(NAMESPACE, "app")).unwrap();
        assert_eq!(route["spec"]["rules"][0]["backendRefs"][1]["weight"], 20, "{name}");
        assert_eq!(model.get(&route_at()), None, "{name}");
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Succeeded, "{name}");
        assert_clean(&model);
    }
}

/// Found by fuzzing: complaints about a route that is not there and a metric that cannot be asked for took turns in the condition, with a
/// write each, for ever. What holds the canary up is told; the metric once the route is there.
#[test]
fn two_complaints_do_not_take_turns() {
    let bad_metric = json!([{"name": "broken", "query": "{{ nonsense", "thresholdRange": {"max": 1}}]);
    let spec = on_own_route(&json!({"analysis": {"metrics": bad_metric}}));
    let mut model = model(&spec, "100", "0.2");
    model.remove(&own_at());
    model.run_until(&[Phase::Initialized], 20);
    assert_eq!(reason(&model.canary()).as_deref(), Some("RouteSourceNotFound"));
    let version = model.version();
    model.run_until(&[Phase::Initialized], 10);
    assert_eq!(model.version(), version, "{:#?}", model.decisions);
    model.put(own_at(), own_route());
    assert!(model.run_until(&[Phase::Initialized], 30));
    model.step();
    assert_eq!(reason(&model.canary()).as_deref(), Some("MetricUnusable"));
}
