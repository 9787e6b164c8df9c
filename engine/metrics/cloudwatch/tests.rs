use crate::metrics::{
    Access, Reading,
    provider::{
        BadProvider, provider,
        tests::{Trial, answer, failed, header, no_values, ok, pairs},
    },
};

/// The example of the documents.
const DOCUMENTED: &str = r#"[
 {"Id": "e1", "Expression": "m1 / m2", "Label": "ErrorRate"},
 {"id": "m1", "MetricStat": {"Metric": {"Namespace": "MyKubernetesCluster", "MetricName": "ErrorCount",
   "Dimensions": [{"Name": "appName", "Value": "podinfo.test"}]}, "Period": 60, "Stat": "Sum", "Unit": "Count"},
  "ReturnData": false, "Unknown": 1}
]"#;

fn trial(query: &str) -> Trial<'_> {
    let mut trial = Trial::new("cloudwatch", None, query);
    trial.spec.region = Some("ap-northeast-1".into());
    trial
}

#[test]
fn the_question_is_a_form_in_the_query_protocol() {
    let question = trial(DOCUMENTED).ask().unwrap();
    assert_eq!(question.request.url, "https://monitoring.ap-northeast-1.amazonaws.com/");
    assert_eq!(
        header(&question, "Content-Type"),
        Some("application/x-www-form-urlencoded; charset=utf-8")
    );
    let member = "MetricDataQueries.member";
    let expected = [
        ("Action".to_owned(), "GetMetricData"),
        ("Version".into(), "2010-08-01"),
        ("StartTime".into(), "2023-11-14T22:03:20Z"),
        ("EndTime".into(), "2023-11-14T22:13:20Z"),
        ("MaxDatapoints".into(), "20"),
        (format!("{member}.1.Expression"), "m1 / m2"),
        (format!("{member}.1.Id"), "e1"),
        (format!("{member}.1.Label"), "ErrorRate"),
        (
            format!("{member}.2.MetricStat.Metric.Dimensions.member.1.Name"),
            "appName",
        ),
        (
            format!("{member}.2.MetricStat.Metric.Dimensions.member.1.Value"),
            "podinfo.test",
        ),
        (format!("{member}.2.MetricStat.Metric.MetricName"), "ErrorCount"),
        (format!("{member}.2.MetricStat.Metric.Namespace"), "MyKubernetesCluster"),
        (format!("{member}.2.MetricStat.Period"), "60"),
        (format!("{member}.2.MetricStat.Stat"), "Sum"),
        (format!("{member}.2.MetricStat.Unit"), "Count"),
        (format!("{member}.2.ReturnData"), "false"),
        (format!("{member}.2.Id"), "m1"),
    ];
    let mut expected = expected.map(|(key, value)| (key, value.to_owned())).to_vec();
    let mut sent = pairs(&question.request.body);
    assert_eq!(sent[..5], expected[..5]);
    sent.sort();
    expected.sort();
    assert_eq!(sent, expected);
    let Access::Aws(signing) = question.access else {
        panic!("it is signed");
    };
    assert_eq!(
        (signing.region.as_str(), signing.service, signing.keys),
        ("ap-northeast-1", "monitoring", None)
    );
}

#[test]
fn what_cannot_be_asked_is_told() {
    let text = |trial: &Trial<'_>| trial.ask().unwrap_err().to_string();
    assert_eq!(
        text(&Trial::new("cloudwatch", None, DOCUMENTED)),
        "cloudwatch provider needs a region"
    );
    for query in ["", "{}", "[]", "SELECT 1"] {
        assert!(
            text(&trial(query)).starts_with("the query must be a JSON list of metric data queries"),
            "{query}"
        );
    }
    let mut away = trial(DOCUMENTED);
    away.spec.address = Some("https://collector.example.com".into());
    assert_eq!(away.ask(), Err(BadProvider::Ambient("collector.example.com".into())));
    let mut own = trial(DOCUMENTED).secret(&[("aws_access_key_id", "i"), ("aws_secret_access_key", "s")]);
    own.spec.address = Some("https://collector.example.com".into());
    assert_eq!(own.ask().unwrap().request.url, "https://collector.example.com/");
}

fn results(body: &str) -> String {
    format!(
        "<GetMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><GetMetricDataResult><MetricDataResults>{body}\
         </MetricDataResults><Messages/></GetMetricDataResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></GetMetricDataResponse>"
    )
}

fn member(times: &[&str], values: &[&str], status: &str) -> String {
    let list = |items: &[&str]| {
        let items: Vec<String> = items.iter().map(|item| format!("<member>{item}</member>")).collect();
        items.concat()
    };
    format!(
        "<member><Id>e</Id><Label>l</Label><Timestamps>{}</Timestamps><Values>{}</Values><StatusCode>{status}</StatusCode></member>",
        list(times),
        list(values)
    )
}

#[test]
fn answers_are_classified() {
    let provider = provider("cloudwatch").unwrap();
    let (old, new) = ("2023-11-14T22:11:00Z", "2023-11-14T22:12:00Z");
    let cases = [
        (
            results(&member(&[new, old], &["0.4", "0.9"], "Complete")),
            Reading::Value(0.4),
        ),
        (
            results(&member(&[old, new], &["0.9", "0.4"], "Complete")),
            Reading::Value(0.4),
        ),
        (results(&member(&[], &["0.4", "0.9"], "Complete")), Reading::Value(0.4)),
        (
            results(&(member(&[new], &["1"], "Complete") + &member(&[new], &["2"], "Complete"))),
            Reading::Value(1.0),
        ),
        (results(&member(&[new], &["NaN"], "Complete")), no_values()),
        (results(&member(&[], &[], "Complete")), no_values()),
        (results(""), no_values()),
        (
            results(&member(&[new], &["many"], "Complete")),
            failed("\"many\" is no number"),
        ),
        (
            results(&member(&[], &[], "InternalError")),
            failed("error response: InternalError:"),
        ),
        ("<Other/>".into(), failed("the answer has no results")),
    ];
    for (body, expected) in cases {
        assert_eq!((provider.parse)(&ok(&body)), expected, "{body}");
    }
    let throttled = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
    assert_eq!(
        (provider.parse)(&answer(400, throttled)),
        failed("error response: Status 400 Bad Request: Throttling: Rate exceeded")
    );
    assert_eq!((provider.probed)(&answer(400, throttled)), Ok(()));
    assert!((provider.probed)(&answer(403, throttled)).is_err());
}
