//! What holds for all providers, and what the tests of each share.

use super::{BadProvider, Inquiry, PROVIDERS, get, provider};
use crate::{
    http::{Address, Response},
    metrics::{Access, Question, Reading},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use crds::metric_template::{Provider as Spec, SecretRef};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2023-11-14T22:13:20Z, and a little: questions are asked in whole seconds.
pub(in crate::metrics) const NOW: &str = "2023-11-14T22:13:20.75Z";

/// A question, as a template asks it.
pub(in crate::metrics) struct Trial<'t> {
    pub(in crate::metrics) spec: Spec,
    pub(in crate::metrics) secret: Option<Value>,
    pub(in crate::metrics) query: &'t str,
    pub(in crate::metrics) interval: &'t str,
}

impl<'t> Trial<'t> {
    pub(in crate::metrics) fn new(kind: &str, address: Option<&str>, query: &'t str) -> Self {
        let spec = Spec {
            kind: kind.into(),
            address: address.map(String::from),
            ..Spec::default()
        };
        Self {
            spec,
            secret: None,
            query,
            interval: "1m",
        }
    }

    pub(in crate::metrics) fn secret(mut self, entries: &[(&str, &str)]) -> Self {
        let entries = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value))));
        self.secret = Some(json!({"data": Value::Object(entries.collect())}));
        self.spec.secret_ref = Some(SecretRef { name: "s".into() });
        self
    }

    pub(in crate::metrics) fn every(mut self, interval: &'t str) -> Self {
        self.interval = interval;
        self
    }

    fn inquiry(&self) -> Inquiry<'_> {
        Inquiry {
            spec: &self.spec,
            secret: self.secret.as_ref(),
            query: self.query,
            interval: self.interval,
            now: NOW.parse().unwrap(),
        }
    }

    pub(in crate::metrics) fn ask(&self) -> Result<Question, BadProvider> {
        (provider(&self.spec.kind)?.request)(&self.inquiry())
    }

    pub(in crate::metrics) fn probe(&self) -> Result<Question, BadProvider> {
        (provider(&self.spec.kind)?.probe)(&self.inquiry())
    }
}

pub(in crate::metrics) fn ok(body: impl std::fmt::Display) -> Response {
    answer(200, body)
}

pub(in crate::metrics) fn answer(status: u16, body: impl std::fmt::Display) -> Response {
    Response {
        status,
        body: body.to_string(),
        retry_after: None,
    }
}

pub(in crate::metrics) fn no_values() -> Reading {
    Reading::NoData("no values found".into())
}

pub(in crate::metrics) fn failed(cause: &str) -> Reading {
    Reading::Failed(cause.into())
}

/// Decoded pairs of a URL's query, or of a form.
pub(in crate::metrics) fn pairs(text: &str) -> Vec<(String, String)> {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

pub(in crate::metrics) fn header<'q>(question: &'q Question, name: &str) -> Option<&'q str> {
    let found = question.request.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// A good answer of each provider, as its vendor documents it.
pub(in crate::metrics) fn good(kind: &str) -> String {
    match kind {
        "prometheus" => json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "7"]}]}}).to_string(),
        "datadog" => json!({"status": "ok", "series": [{"pointlist": [[1, 7.0]]}]}).to_string(),
        "newrelic" => json!({"results": [{"result": 7}]}).to_string(),
        "graphite" => json!([{"target": "a", "datapoints": [[7, 1]]}]).to_string(),
        "stackdriver" => json!({"timeSeriesData": [{"pointData": [{"values": [{"int64Value": "7"}]}]}]}).to_string(),
        "dynatrace" => json!({"result": [{"data": [{"timestamps": [1], "values": [7]}]}]}).to_string(),
        "keptn" => json!({"kind": "KeptnMetric", "status": {"value": "7"}}).to_string(),
        "externalmetrics" => json!({"kind": "ExternalMetricValueList", "items": [{"value": "7"}]}).to_string(),
        "cloudwatch" => "<GetMetricDataResponse><GetMetricDataResult><MetricDataResults><member><Values><member>7</member></Values></member></MetricDataResults></GetMetricDataResult></GetMetricDataResponse>".into(),
        "influxdb" => "#datatype,string,long,double\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n,,0,7\r\n".into(),
        "splunk" => "event: data\ndata: {\"data\":[{\"tsId\":\"a\",\"value\":7}],\"logicalTimestampMs\":1}\n\nevent: control-message\ndata: {\"event\":\"END_OF_CHANNEL\"}\n\n".into(),
        other => panic!("no good answer of {other}"),
    }
}

#[test]
fn every_type_of_the_schema_has_a_provider() {
    let kinds =
        "prometheus influxdb datadog externalmetrics stackdriver cloudwatch newrelic graphite dynatrace keptn splunk";
    for kind in kinds.split(' ') {
        let provider = provider(kind).unwrap();
        assert_eq!((provider.parse)(&ok(good(kind))), Reading::Value(7.0), "{kind}");
    }
    assert_eq!(PROVIDERS.len(), 11);
    assert!(matches!(provider("skywalking"), Err(BadProvider::Unknown(_))));
}

#[test]
fn refusals_and_foreign_pages_are_provider_errors_everywhere() {
    for provider in &PROVIDERS {
        for status in [301, 400, 401, 403, 404, 408, 429, 500, 502, 503] {
            for body in [
                String::new(),
                "<html>no</html>".into(),
                good(provider.kind),
                "x".repeat(100_000),
            ] {
                let reading = (provider.parse)(&answer(status, &body));
                let Reading::Failed(cause) = reading else {
                    panic!("{} {status} {body}: {reading:?}", provider.kind);
                };
                assert!(
                    cause.contains(&status.to_string()) && cause.chars().count() < 400,
                    "{cause}"
                );
            }
        }
        for body in [
            "<!DOCTYPE html><html><body>login</body></html>",
            "no",
            "\u{0}\u{1}",
            "[[[[",
        ] {
            let reading = (provider.parse)(&ok(body));
            assert!(
                matches!(reading, Reading::Failed(_)),
                "{} {body}: {reading:?}",
                provider.kind
            );
        }
    }
}

#[test]
fn windows_are_whole_seconds_and_need_a_duration() {
    let seconds = |interval: &str| {
        let trial = Trial::new("datadog", None, "q").every(interval);
        trial
            .inquiry()
            .window(10)
            .map(|(from, to)| (from.as_second(), to.as_second()))
    };
    let now: Timestamp = NOW.parse().unwrap();
    let to = now.as_second();
    assert_eq!(seconds("1m"), Ok((to - 600, to)));
    assert_eq!(seconds("1m30s"), Ok((to - 900, to)));
    assert_eq!(seconds("100ms"), Ok((to - 10, to)));
    assert_eq!(seconds("2540400h"), Ok((0, to)), "longer than time itself");
    for text in ["1min", "", "1", "-1m", "1d"] {
        assert_eq!(seconds(text), Err(BadProvider::Interval(text.into())));
    }
}

#[test]
fn addresses_keep_their_path_and_their_credentials_apart() {
    let asked = |address: &str| get(Address::parse(address).unwrap(), "/x", &[("a", "b c")], Vec::new());
    assert_eq!(asked("https://h/base/?old=1#f").url, "https://h/base/x?a=b+c");
    let request = asked("https://u:p@h");
    assert_eq!(request.url, "https://h/x?a=b+c");
    assert_eq!(request.headers, [("Authorization".into(), "Basic dTpw".into())]);
}

#[test]
fn certificates_are_not_checked_where_the_template_says_so() {
    let secret = [
        ("dynatrace_token", "t"),
        ("datadog_api_key", "k"),
        ("datadog_application_key", "k"),
        ("project", "p"),
    ];
    for (kind, skips) in [("dynatrace", true), ("datadog", true), ("stackdriver", false)] {
        let address = (kind != "stackdriver").then_some("https://vendor.example.com");
        let mut trial = Trial::new(kind, address, "q").secret(&secret);
        let ask = |trial: &Trial<'_>| {
            provider(kind)
                .unwrap()
                .ask(&trial.inquiry(), false)
                .unwrap()
                .request
                .skip_tls_verify
        };
        assert!(!ask(&trial));
        trial.spec.insecure_skip_verify = Some(true);
        assert_eq!(ask(&trial), skips, "{kind}");
    }
}

#[test]
fn questions_do_not_show_credentials() {
    let trials = [
        Trial::new("datadog", None, "q")
            .secret(&[("datadog_api_key", "s3cret"), ("datadog_application_key", "s3cret")]),
        Trial::new("splunk", Some("https://api.eu0.signalfx.com"), "q").secret(&[("sf_token_key", "s3cret")]),
        {
            let mut trial = Trial::new("cloudwatch", None, "[{\"Id\": \"a\"}]")
                .secret(&[("aws_access_key_id", "id"), ("aws_secret_access_key", "s3cret")]);
            trial.spec.region = Some("eu-west-1".into());
            trial
        },
    ];
    for trial in trials {
        let question = trial.ask().unwrap();
        let shown = format!("{question:?} {}", serde_json::to_string(&question).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    assert_eq!(Access::Cluster.name(), "cluster");
}

proptest! {
    /// Whatever comes, no reader panics, and what is no answer at all gives no value.
    #[test]
    fn no_value_comes_out_of_nonsense(body in "\\PC{0,120}", status in 100_u16..600) {
        for provider in &PROVIDERS {
            let reading = (provider.parse)(&answer(status, &body));
            prop_assert!(!matches!(reading, Reading::Value(_)), "{} {body:?}", provider.kind);
            let _ = (provider.probed)(&answer(status, &body));
        }
    }

    /// Good answers with a piece cut out or replaced: still no panic, and no value but a finite one.
    #[test]
    fn damaged_answers_give_no_odd_values(from in 0_usize..400, length in 0_usize..40, patch in "[0-9a-zA-Z\",:{}\\[\\]<>/\\n-]{0,8}") {
        for provider in &PROVIDERS {
            let whole: Vec<char> = good(provider.kind).chars().collect();
            let from = from.min(whole.len());
            let to = (from + length).min(whole.len());
            let damaged: String = whole[..from].iter().copied().chain(patch.chars()).chain(whole[to..].iter().copied()).collect();
            if let Reading::Value(value) = (provider.parse)(&ok(&damaged)) {
                prop_assert!(value.is_finite(), "{} {damaged}", provider.kind);
            }
        }
    }

    /// No query, interval or address makes a builder panic or leave the vendor's host.
    #[test]
    fn no_query_breaks_a_builder(query in "\\PC{0,60}", interval in "[0-9a-z.]{0,6}") {
        for provider in &PROVIDERS {
            let mut trial = Trial::new(provider.kind, Some("https://api.example.com/base"), &query).every(&interval).secret(&[
                ("datadog_api_key", "k"), ("datadog_application_key", "k"), ("newrelic_account_id", "1"), ("newrelic_query_key", "k"),
                ("username", "u"), ("password", "p"), ("org", "o"), ("token", "t"), ("dynatrace_token", "t"), ("sf_token_key", "t"),
                ("project", "p"), ("aws_access_key_id", "i"), ("aws_secret_access_key", "s"),
            ]);
            trial.spec.region = Some("eu-west-1".into());
            if let Ok(question) = trial.ask() {
                let url = url::Url::parse(&question.request.url).unwrap();
                let host = url.host_str().unwrap().to_owned();
                prop_assert!(["api.example.com", "stream.example.com", "kubernetes.default.svc"].contains(&host.as_str()), "{host}");
                let is_below = url.path().starts_with("/base/") || host == "kubernetes.default.svc";
                prop_assert!(is_below, "{}", url.path());
            }
        }
    }
}
