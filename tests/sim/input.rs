//! Bad input stops its own canary only, says what is wrong, and goes on when it is mended.

use aviary::sandbox::Resource;
use serde_json::{Value, json};

use super::{
    manifests::{DEFINITIONS, NAMESPACE, ROUTES, canary, definition, deployment},
    stage::{End, Life, Stage, simulate},
};

/// Steps with this decision so far.
fn steps(life: &Life, verb: &str) -> u64 {
    let metrics = life.controller.metrics();
    let prefix = format!("aviary_step_duration_seconds_count{{verb=\"{verb}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&prefix));
    count.map_or(0, |count| count.parse().unwrap())
}

fn template(query: &str) -> Value {
    json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "errors", "namespace": NAMESPACE},
        "spec": {"provider": {"type": "prometheus", "address": "http://prometheus:9090"}, "query": query},
    })
}

fn templated() -> Value {
    let metric =
        json!({"name": "errors", "interval": "1m", "templateRef": {"name": "errors"}, "thresholdRange": {"min": 1}});
    json!({"analysis": {"metrics": [metric]}})
}

/// The canary `bad` is refused with this text while `podinfo` is released; then it is mended and released, too.
fn one_bad_canary(spec: Option<&Value>, text: &'static str, mended: Value) {
    let spec = spec.cloned();
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.sandbox.create(deployment("bad")).unwrap();
        let mut bad = canary("bad", spec.as_ref().unwrap_or(&json!({})));
        if spec.is_none() {
            bad.as_object_mut().unwrap().remove("spec");
        }
        stage.sandbox.create(bad).unwrap();
        stage.install("podinfo", &json!({}));
        stage.release("podinfo").await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));

        assert_refused(&stage, text);
        assert!(steps(&life, "refuse") > 0, "it is counted");
        let steps = steps(&life, "refuse");
        stage.wait(300).await;
        assert!(
            self::steps(&life, "refuse") <= steps + 1,
            "and not looked at all the time"
        );
        stage.edit("bad", &mended);
        stage.release("bad").await;
        assert_eq!(stage.end("bad"), End::good("bad"));
        assert_eq!(stage.condition("bad", "Accepted"), None);
        life.stop().await;
    });
}

fn assert_refused(stage: &Stage, text: &str) {
    assert!(stage.has_event("bad", text), "{text}: {:#?}", stage.events("bad"));
    let (status, reason, message) = stage.condition("bad", "Accepted").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "InvalidSpec"));
    assert!(message.contains(text), "{message}");
}

#[test]
fn a_number_that_is_a_string() {
    let spec = json!({"analysis": {"stepWeight": "ten"}});
    one_bad_canary(
        Some(&spec),
        "spec.analysis.stepWeight",
        json!({"analysis": {"stepWeight": 10}}),
    );
}

#[test]
fn a_canary_without_a_spec() {
    one_bad_canary(None, "cannot read spec", canary("bad", &json!({}))["spec"].clone());
}

#[test]
fn a_provider_that_nobody_knows() {
    let spec = json!({"provider": "pigeon:v1"});
    one_bad_canary(Some(&spec), "pigeon:v1", json!({"provider": "gatewayapi:v1"}));
}

#[test]
fn a_canary_without_a_service() {
    let spec = json!({"service": null});
    one_bad_canary(
        Some(&spec),
        "spec.service",
        json!({"service": canary("bad", &json!({}))["spec"]["service"]}),
    );
}

#[test]
fn a_target_that_comes_later() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        stage.sandbox.create(canary("late", &json!({}))).unwrap();
        stage.install("podinfo", &json!({}));
        stage.release("podinfo").await;
        let text = "Deployment late.test is not there";
        assert!(stage.has_event("late", text), "{:#?}", stage.events("late"));
        let (status, reason, message) = stage.condition("late", "Accepted").unwrap();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "TargetNotFound"));
        assert!(message.contains(text), "{message}");
        assert!(steps(&life, "refuse") > 0);
        let writes = stage.sandbox.journal().last().unwrap().writes;
        stage.wait(300).await;
        assert_eq!(
            stage.sandbox.journal().last().unwrap().writes,
            writes,
            "it is told once"
        );

        stage.sandbox.create(deployment("late")).unwrap();
        stage.wait(10).await;
        assert_eq!(stage.phase("late"), "Initialized", "the watch told at once");
        assert_eq!(stage.condition("late", "Accepted"), None);
        stage.release("late").await;
        assert_eq!(stage.end("late"), End::good("late"));
        life.stop().await;
    });
}

#[test]
fn a_broken_template_fails_its_own_release_only() {
    simulate(1, |stage| async move {
        let _life = stage.start().await;
        stage.sandbox.create(template("{{ .bad")).unwrap();
        stage.install("bad", &templated());
        stage.install("podinfo", &json!({}));
        stage.release("bad").await;
        stage.release("podinfo").await;
        assert_eq!(
            (stage.end("bad"), stage.end("podinfo")),
            (End::bad("bad"), End::good("podinfo"))
        );
        let text = "cannot read the query template, line 1";
        stage.wait(1).await;
        assert!(stage.has_event("bad", text), "{:#?}", stage.events("bad"));
        let (status, reason, message) = stage.condition("bad", "Accepted").unwrap();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "MetricUnusable"));
        assert!(message.contains(text), "{message}");

        let patch = json!({"spec": {"query": "errors{app=\"{{ target }}\"}"}});
        stage
            .sandbox
            .patch("metrictemplates.flagger.app", NAMESPACE, "errors", &patch)
            .unwrap();
        stage.set_version("bad", "3");
        stage.reach("bad", &["Succeeded"]).await;
        assert_eq!(stage.end("bad").primary_image, "bad:3");
        assert_eq!(stage.condition("bad", "Accepted"), None);
    });
}

/// A release on Gateway API in a cluster that gets it only later, and how many seconds that took to be noticed.
fn installed_later(watches_definitions: bool, most: i64) {
    simulate(1, |stage| async move {
        let routes = Resource::custom("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes");
        stage.sandbox.delete(DEFINITIONS, "", ROUTES).unwrap();
        stage.sandbox.uninstall(ROUTES).unwrap();
        if !watches_definitions {
            stage.sandbox.uninstall(DEFINITIONS).unwrap();
        }
        let _life = stage.start().await;
        stage.install("podinfo", &json!({}));
        let plain = json!({"stepWeight": null, "maxWeight": null, "iterations": 2});
        stage.install("plain", &json!({"provider": "kubernetes", "analysis": plain}));
        stage.release("plain").await;
        assert_eq!(stage.phase("plain"), "Succeeded");
        assert_eq!(stage.phase("podinfo"), "Initializing");
        let text = "HTTPRoute gateway.networking.k8s.io/v1 is not installed in this cluster";
        assert!(stage.has_event("podinfo", text), "{:#?}", stage.events("podinfo"));

        let begun = stage.world.now();
        if watches_definitions {
            stage.sandbox.create(definition(&routes)).unwrap();
        }
        stage.wait(2).await; // a kind is served a moment after its definition appears
        stage.sandbox.install(routes);
        stage.reach("podinfo", &["Initialized"]).await;
        let took = stage.world.now().duration_since(begun).as_secs();
        assert!(took <= most, "{took} s");
        stage.release("podinfo").await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
    });
}

#[test]
fn a_kind_that_is_installed_later_is_noticed_by_its_definition() {
    installed_later(true, 10);
}

#[test]
fn a_kind_that_is_installed_later_is_noticed_within_a_minute_where_definitions_may_not_be_watched() {
    installed_later(false, 60 + 10);
}

#[test]
fn a_canary_that_breaks_in_the_middle_of_a_release_goes_on_when_mended() {
    simulate(1, |stage| async move {
        let _life = stage.start().await;
        stage.install("podinfo", &json!({}));
        stage.reach("podinfo", &["Initialized"]).await;
        stage.set_version("podinfo", "2");
        stage.until("30 %", || stage.weights("podinfo") == (70, 30)).await;
        stage.edit("podinfo", &json!({"analysis": {"maxWeight": "half"}}));
        stage.wait(120).await;
        assert_eq!(
            (stage.phase("podinfo").as_str(), stage.weights("podinfo")),
            ("Progressing", (70, 30))
        );
        assert!(stage.has_event("podinfo", "spec.analysis.maxWeight"));
        stage.edit("podinfo", &json!({"analysis": {"maxWeight": 50}}));
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
        let status = stage.status("podinfo");
        let kinds: Vec<&str> = status["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|told| told["type"].as_str())
            .collect();
        assert_eq!(kinds, ["Promoted", "Ready"], "nothing of the trouble is left");
    });
}
