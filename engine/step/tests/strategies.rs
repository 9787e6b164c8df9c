//! Each strategy on each provider that can do it: the tables of controller.md 4.5 to 4.8, and what happens to the route meanwhile.

use super::fixture::*;
use crate::{
    ObjectRef,
    model::{Model, answer},
    objects::kinds,
};
use crds::Phase;
use serde_json::{Value, json};

const ISTIO: &str = "istio";
const GATEWAY: &str = "gatewayapi:v1";
const PROVIDERS: [&str; 2] = [GATEWAY, ISTIO];

fn on(provider: &str, analysis: &Value) -> Value {
    let mut spec = json!({"provider": provider, "analysis": analysis});
    if provider == ISTIO {
        spec["service"] = json!({"gatewayRefs": null, "gateways": ["edge/public"]});
    }
    spec
}

fn rounds(more: &Value) -> Value {
    let mut analysis = json!({"stepWeight": null, "maxWeight": null, "iterations": 2});
    crate::json::merge(&mut analysis, more);
    analysis
}

fn affinity() -> Value {
    json!({"stepWeight": 30, "sessionAffinity": {"cookieName": "c", "primaryCookieName": "p", "path": "/shop"}})
}

/// The object that carries the weights.
fn at(provider: &str) -> ObjectRef {
    match provider {
        ISTIO => kinds::VIRTUAL_SERVICE.named(NAMESPACE, "app"),
        _ => route_at(),
    }
}

fn rules(model: &Model, provider: &str) -> Vec<Value> {
    let route = model.get(&at(provider)).expect("the route is there");
    let list = if provider == ISTIO { "http" } else { "rules" };
    route["spec"][list].as_array().cloned().unwrap_or_default()
}

/// `Set-Cookie` texts of a rule, wherever they stand in it.
fn cookies_in(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let text = value.as_str().filter(|text| text.contains("Max-Age="));
                found.extend(
                    text.filter(|_| key == "value" || key == "Set-Cookie")
                        .map(str::to_owned),
                );
                found.extend(cookies_in(value));
            }
        }
        Value::Array(list) => found.extend(list.iter().flat_map(cookies_in)),
        _ => {}
    }
    found
}

fn status(model: &Model) -> crds::CanaryStatus {
    model.canary().status.expect("a status")
}

/// controller.md 4.5.
#[test]
fn ab_testing_sends_the_chosen_requests_to_the_canary() {
    for provider in PROVIDERS {
        let analysis = rounds(&json!({"match": [{"headers": {"x-canary": {"exact": "insider"}}}]}));
        let mut model = released(&on(provider, &analysis));
        finish(&mut model);
        assert_eq!(
            run_of(&model),
            [
                "Progressing 100/0 weight=0 iterations=0 failed=0",
                "Progressing 0/100 weight=0 iterations=0 failed=0",
                "Progressing 0/100 weight=0 iterations=1 failed=0",
                "Progressing 0/100 weight=0 iterations=2 failed=0",
                "Promoting 0/100 weight=0 iterations=2 failed=0",
                "Promoting 100/0 weight=0 iterations=2 failed=0",
                "Finalising 100/0 weight=0 iterations=0 failed=0",
                "Succeeded 100/0 weight=0 iterations=0 failed=0",
            ],
            "{provider}"
        );
        assert_clean(&model);
    }
}

/// controller.md 4.6, with mirror.
#[test]
fn blue_green_mirrors_until_the_switch() {
    for provider in PROVIDERS {
        let mut model = released(&on(provider, &rounds(&json!({"mirror": true, "mirrorWeight": 50}))));
        finish(&mut model);
        assert_eq!(
            run_of(&model),
            [
                "Progressing 100/0 weight=0 iterations=0 failed=0",
                "Progressing 100/0+mirror weight=0 iterations=0 failed=0",
                "Progressing 100/0+mirror weight=0 iterations=1 failed=0",
                "Progressing 100/0+mirror weight=0 iterations=2 failed=0",
                "Progressing 0/100 weight=0 iterations=2 failed=0",
                "Progressing 0/100 weight=0 iterations=3 failed=0",
                "Promoting 0/100 weight=0 iterations=3 failed=0",
                "Promoting 100/0 weight=0 iterations=3 failed=0",
                "Finalising 100/0 weight=0 iterations=0 failed=0",
                "Succeeded 100/0 weight=0 iterations=0 failed=0",
            ],
            "{provider}"
        );
        assert_clean(&model);
    }
}

/// controller.md 4.7. The gate is asked before each increase, as document 003 says; the peer leaves the first one out.
#[test]
fn a_canary_run_mirrors_for_one_step_first() {
    for provider in PROVIDERS {
        let gate = json!([{"name": "gate", "type": "confirm-traffic-increase", "url": "http://gate.test/"}]);
        let analysis = json!({"maxWeight": 40, "mirror": true, "mirrorWeight": 50, "webhooks": gate});
        let mut model = released(&on(provider, &analysis));
        let asked = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = asked.clone();
        model.hooks = Box::new(move |_, _| {
            count.set(count.get() + 1);
            Ok(answer(200, ""))
        });
        finish(&mut model);
        assert_eq!(
            run_of(&model)[..4],
            [
                "Progressing 100/0 weight=0 iterations=0 failed=0",
                "Progressing 100/0+mirror weight=0 iterations=0 failed=0",
                "Progressing 80/20 weight=0 iterations=0 failed=0",
                "Progressing 80/20 weight=20 iterations=0 failed=0",
            ],
            "{provider}"
        );
        assert_eq!(model.phase(), Phase::Succeeded);
        assert_eq!(asked.get(), 4, "the mirror, 20, 40, the promotion");
        let told = |text: &str| model.events.iter().filter(|event| event.message == text).count();
        assert_eq!(told("Advance app.test canary weight 0"), 1);
        assert_eq!(told("Starting canary analysis for app.test"), 1);
        assert_clean(&model);
    }
}

/// Checks fail on mirrored requests: nobody has met the new version, and the copies end with the run.
#[test]
fn a_bad_revision_does_not_get_past_the_mirror() {
    for provider in PROVIDERS {
        let spec = on(provider, &json!({"mirror": true, "threshold": 1}));
        let mut model = released_with(model(&spec, "50", "0.2"));
        finish(&mut model);
        let shares = run_of(&model).iter().all(|line| line.contains(" 100/0"));
        assert!(shares, "{:#?}", run_of(&model));
        assert_eq!(model.phase(), Phase::Failed);
        assert!(run_of(&model).last().unwrap().starts_with("Failed 100/0 "));
        assert_clean(&model);
    }
}

/// A mirror that somebody takes away is put back in blue/green at once; one that nobody asked for goes.
#[test]
fn a_mirror_is_repaired() {
    for provider in PROVIDERS {
        let mut model = released(&on(provider, &rounds(&json!({"mirror": true}))));
        while status(&model).iterations < 1 {
            model.run_until(&[Phase::Failed], 1);
        }
        let whole = rules(&model, provider);
        unmirror(&mut model, provider);
        assert_ne!(rules(&model, provider), whole);
        model.step();
        assert_eq!(rules(&model, provider), whole, "{provider}");

        let mut model = released(&on(provider, &json!({})));
        reach(&mut model, 20);
        let plain = rules(&model, provider);
        let mut route = (*model.get(&at(provider)).unwrap()).clone();
        if provider == ISTIO {
            route["spec"]["http"][0]["mirror"] = json!({"host": "app-canary"});
        } else {
            let backend = json!({"group": "", "kind": "Service", "name": "app-canary", "port": 9898});
            route["spec"]["rules"][0]["filters"] =
                json!([{"type": "RequestMirror", "requestMirror": {"backendRef": backend}}]);
        }
        model.put(at(provider), route);
        model.step();
        assert_eq!(rules(&model, provider), plain, "{provider}");
    }
}

fn unmirror(model: &mut Model, provider: &str) {
    let mut route = (*model.get(&at(provider)).unwrap()).clone();
    let list = if provider == ISTIO { "http" } else { "rules" };
    for field in ["mirror", "filters"] {
        route["spec"][list][0].as_object_mut().unwrap().remove(field);
    }
    model.put(at(provider), route);
}

/// controller.md 4.8, over two runs.
#[test]
fn affinity_keeps_users_for_a_run_and_lets_them_go() {
    for provider in PROVIDERS {
        let mut model = released(&on(provider, &affinity()));
        reach(&mut model, 30);
        let first = status(&model).session_affinity_cookie.expect("a cookie");
        let primary_at_30 = status(&model).primary_session_affinity_cookie;
        let at_30 = rules(&model, provider);
        assert_eq!(at_30.len(), 3, "canary, primary, by weight");
        assert_eq!(cookies_in(&at_30[0]), [""; 0], "who stays gets no further cookie");
        assert!(cookies_in(&at_30[2]).contains(&format!("{first}; Max-Age=86400; Path=/shop")));
        reach(&mut model, 60);
        assert_eq!(status(&model).session_affinity_cookie.as_ref(), Some(&first));
        assert_ne!(
            status(&model).primary_session_affinity_cookie,
            primary_at_30,
            "another one at each step"
        );
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Succeeded);
        assert_eq!(status(&model).session_affinity_cookie, None);
        assert_eq!(status(&model).previous_session_affinity_cookie.as_ref(), Some(&first));
        let after = rules(&model, provider);
        assert_eq!(cookies_in(&after[0]), [format!("{first}; Max-Age=-1; Path=/shop")]);
        assert_eq!((after.len(), cookies_in(&after[1]).len()), (2, 0));

        set_image(&mut model, "app:3");
        model.run_until(&[Phase::Progressing], 10);
        assert_eq!(rules(&model, provider), after, "users of the last run are still let go");
        reach(&mut model, 30);
        assert_ne!(status(&model).session_affinity_cookie, Some(first));
        assert_clean(&model);
    }
}

/// Nobody is kept on a version that was rolled back.
#[test]
fn a_rollback_lets_the_users_go() {
    for provider in PROVIDERS {
        let mut model = released_with(model(&on(provider, &affinity()), "50", "0.2"));
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Failed);
        for rule in rules(&model, provider) {
            let text = rule.to_string();
            assert!(!text.contains(r#""weight":30"#) && !text.contains("86400"), "{text}");
        }
        assert_clean(&model);
    }
}

/// W-8, RM-1: whatever is edited, the run goes on from its weight, with the same cookies.
#[test]
fn drift_is_repaired_at_the_weight_with_the_cookies() {
    for provider in PROVIDERS {
        let mut model = released(&on(provider, &affinity()));
        reach(&mut model, 30);
        let whole = model.get(&at(provider)).unwrap()["spec"].clone();
        let list = if provider == ISTIO { "http" } else { "rules" };
        let edits: [&dyn Fn(&mut Value); 5] = [
            &|spec| drop(spec[list].as_array_mut().unwrap().remove(0)),
            &|spec| spec[list] = json!([spec[list][2]]),
            &|spec| spec[list][2]["timeout"] = json!("1ms"),
            &|spec| spec[list][2]["timeouts"] = json!({"request": "1ms"}),
            &|spec| spec[list] = json!([]),
        ];
        for (number, edit) in edits.iter().enumerate() {
            let mut route = (*model.get(&at(provider)).unwrap()).clone();
            edit(&mut route["spec"]);
            model.put(at(provider), route);
            model.step();
            let mut now = model.get(&at(provider)).unwrap()["spec"].clone();
            // What is no field of ours on this provider stays.
            for rule in now[list].as_array_mut().unwrap() {
                let foreign = if provider == ISTIO { "timeouts" } else { "timeout" };
                rule.as_object_mut().unwrap().remove(foreign);
            }
            assert_eq!(now, whole, "{provider} {number}");
        }
        model.remove(&at(provider));
        model.step();
        let again = model.get(&at(provider)).unwrap()["spec"].clone();
        let without = |spec: &Value| spec.to_string().replace("timeout", "");
        assert_eq!(without(&again), without(&whole), "a route that was deleted, too");
        finish(&mut model);
        assert_eq!(model.phase(), Phase::Succeeded);
        assert_clean(&model);
    }
}

/// The DestinationRules are made again, and the weight stays.
#[test]
fn a_lost_destination_rule_comes_back_in_the_run() {
    let mut model = released(&on(ISTIO, &json!({"mirror": true})));
    while !model.trajectory.iter().any(|line| line.contains("+mirror")) {
        model.run_until(&[Phase::Failed], 1);
    }
    let before = rules(&model, ISTIO);
    for name in ["app-canary", "app-primary"] {
        let rule = kinds::DESTINATION_RULE.named(NAMESPACE, name);
        let was = model.get(&rule).expect("it is there")["spec"].clone();
        model.remove(&rule);
        model.step();
        assert_eq!(model.get(&rule).expect("it is back")["spec"], was);
        assert_eq!(rules(&model, ISTIO), before);
    }
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Succeeded);
    assert_clean(&model);
}

/// An idle canary with cookies of its last run writes nothing (S7).
#[test]
fn a_resting_canary_with_cookies_rests() {
    for provider in PROVIDERS {
        let mut model = released(&on(provider, &affinity()));
        finish(&mut model);
        let writes = model.writes;
        for _ in 0..3 {
            model.wait(600);
            model.step();
        }
        assert_eq!(model.writes, writes, "{provider}");
    }
}

/// A VirtualService that was there before the Canary: adopted, and given back with `revertOnDeletion` (observed.md A14, A15).
#[test]
fn a_virtual_service_of_the_users_own_comes_back() {
    let mut spec = on(ISTIO, &json!({}));
    spec["revertOnDeletion"] = json!(true);
    let mut model = model(&spec, "100", "0.2");
    let before = json!({"hosts": ["app"], "http": [{"name": "mine", "route": [{"destination": {"host": "app"}}]}]});
    let mine = json!({
        "apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
        "metadata": {"name": "app", "namespace": NAMESPACE, "labels": {"theirs": "1"}}, "spec": before,
    });
    model.put(at(ISTIO), mine);
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.decisions);
    set_image(&mut model, "app:2");
    reach(&mut model, 40);
    assert_eq!(rules(&model, ISTIO).len(), 1);
    assert_ne!(model.get(&at(ISTIO)).unwrap()["spec"], before);
    let canary = model.canary_at.clone();
    model.edit(
        &canary,
        &json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00Z"}}),
    );
    for _ in 0..5 {
        model.step();
        model.settle();
        model.wait(10);
    }
    assert_eq!(model.get(&at(ISTIO)).unwrap()["spec"], before);
    let finalizers = model.canary().metadata.finalizers;
    assert!(finalizers.is_none_or(|finalizers| finalizers.is_empty()));
    assert_clean(&model);
}
