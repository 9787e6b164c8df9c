//! MetricTemplates: what is told before a run, and what a check asks.

use super::fixture::*;
use crate::{
    ObjectRef,
    model::{Model, answer},
    objects::kinds,
    settings::Settings,
};
use crds::Phase;
use serde_json::{Value, json};

fn template(namespace: &str, provider: &Value) -> (ObjectRef, Value) {
    let at = kinds::METRIC_TEMPLATE.named(namespace, "errors");
    let object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "errors", "namespace": namespace},
        "spec": {"provider": provider, "query": "[{\"Id\": \"a\", \"Expression\": \"1\"}]"},
    });
    (at, object)
}

fn templated(namespace: &str, provider: &Value) -> Model {
    let reference = json!({"name": "errors", "namespace": namespace});
    let metric = json!({"name": "errors", "templateRef": reference, "thresholdRange": {"max": 5}});
    let mut model = model(&json!({"analysis": {"metrics": [metric]}}), "100", "0.2");
    let (at, object) = template(namespace, provider);
    model.put(at, object);
    model
}

fn unusable(model: &mut Model) -> Option<String> {
    assert!(model.run_until(&[Phase::Initialized], 30));
    let status = model.canary().status.unwrap();
    let condition = status.condition("Accepted")?;
    assert_eq!(condition.reason, "MetricUnusable");
    condition.message.clone()
}

#[test]
fn what_a_template_lacks_is_told_before_a_run_and_once() {
    let secret = json!({"name": "token"});
    let cases = [
        (
            json!({"type": "influxdb", "secretRef": secret}),
            "influxdb provider needs an address",
        ),
        (
            json!({"type": "influxdb", "address": "http://i"}),
            "influxdb provider needs a secretRef with the keys token and org",
        ),
        (json!({"type": "datadog"}), "datadog provider needs a secretRef"),
        (json!({"type": "cloudwatch"}), "cloudwatch provider needs a region"),
        (
            json!({"type": "graphite", "address": "http://g"}),
            "a graphite query needs a target",
        ),
        (json!({"type": "prometheus", "address": "p:9090"}), "the address"),
        (json!({"type": "zabbix"}), "metric provider type zabbix is not known"),
    ];
    for (provider, text) in cases {
        let mut model = templated(NAMESPACE, &provider);
        let message = unusable(&mut model).unwrap_or_else(|| panic!("{provider} is accepted"));
        assert!(message.contains(text), "{message}");
        let told = model.events.iter().filter(|event| event.message == message);
        assert_eq!(told.count(), 1, "told once");
    }
    let mut good = templated(
        NAMESPACE,
        &json!({"type": "dynatrace", "address": "https://d", "secretRef": secret}),
    );
    assert_eq!(unusable(&mut good), None, "a Secret may come later");
}

#[test]
fn a_question_that_needs_more_than_a_request_is_asked_as_such() {
    let mut model = templated(NAMESPACE, &json!({"type": "cloudwatch", "region": "eu-west-1"}));
    model.queries = Box::new(|_, request| {
        let is_aws = request.url.starts_with("https://monitoring.eu-west-1.amazonaws.com/");
        let results = "<MetricDataResults><member><Values><member>0.4</member></Values></member></MetricDataResults>";
        let body = format!(
            "<GetMetricDataResponse><GetMetricDataResult>{results}</GetMetricDataResult></GetMetricDataResponse>"
        );
        Ok(answer(if is_aws { 200 } else { 404 }, &body))
    });
    let mut model = released_with(model);
    finish(&mut model);
    assert_eq!(
        model.canary().status.unwrap().phase,
        Phase::Succeeded,
        "{:#?}",
        model.events
    );
    let told = model
        .events
        .iter()
        .filter(|event| event.message == "all the metrics providers are available!");
    assert_eq!(told.count(), 1);
    assert_clean(&model);
}

#[test]
fn templates_of_others_are_refused_when_they_are_used() {
    let mut model = templated("elsewhere", &json!({"type": "prometheus", "address": "http://p"}));
    model.settings = Settings {
        no_cross_namespace_refs: true,
        ..model.settings.clone()
    };
    model.run_until(&[Phase::Initialized], 5);
    let condition = model
        .canary()
        .status
        .and_then(|status| status.condition("Accepted").cloned());
    let message = condition.and_then(|condition| condition.message).unwrap_or_default();
    assert!(message.contains("namespace"), "{message}");
}
