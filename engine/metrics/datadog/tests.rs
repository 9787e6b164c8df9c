use crate::metrics::{
    Reading,
    provider::{
        BadProvider, provider,
        tests::{Trial, answer, failed, header, no_values, ok, pairs},
    },
};
use serde_json::{Value, json};

const KEYS: [(&str, &str); 2] = [("datadog_api_key", "api\n"), ("datadog_application_key", "app")];

#[test]
fn the_question_is_the_documented_one() {
    let question = Trial::new("datadog", None, "avg:app.errors{*}")
        .secret(&KEYS)
        .ask()
        .unwrap();
    assert!(
        question
            .request
            .url
            .starts_with("https://api.datadoghq.com/api/v1/query?")
    );
    let expected = [
        ("query", "avg:app.errors{*}"),
        ("from", "1699999400"),
        ("to", "1700000000"),
    ];
    assert_eq!(
        pairs(&question.request.url),
        expected.map(|(key, value)| (key.into(), value.into()))
    );
    assert_eq!(
        (header(&question, "DD-API-KEY"), header(&question, "DD-APPLICATION-KEY")),
        (Some("api"), Some("app"))
    );
    let probe = Trial::new("datadog", Some("https://api.datadoghq.eu/"), "")
        .secret(&KEYS)
        .probe()
        .unwrap();
    assert_eq!(probe.request.url, "https://api.datadoghq.eu/api/v1/validate");
    assert_eq!(header(&probe, "DD-API-KEY"), Some("api"));
    let none = Trial::new("datadog", None, "q").ask();
    assert_eq!(none.unwrap_err().to_string(), "datadog provider needs a secretRef");
    let odd = Trial::new("datadog", None, "q").secret(&KEYS).every("1min").ask();
    assert_eq!(odd, Err(BadProvider::Interval("1min".into())));
}

#[test]
fn the_newest_complete_bucket_counts() {
    let parse = provider("datadog").unwrap().parse;
    let series = |points: Value| {
        ok(json!({"status": "ok", "to_date": 180_000, "series": [{"interval": 60, "pointlist": points}]}))
    };
    let cases = [
        (
            series(json!([[0, 1.5], [60_000, 7.0], [120_000, 3.0]])),
            Reading::Value(3.0),
        ),
        (series(json!([[60_000, 1.5], [121_000, 9.0]])), Reading::Value(1.5)),
        (series(json!([[60_000, 7.0], [0, 1.5]])), Reading::Value(7.0)),
        (series(json!([[0, 1.5], [60_000, null]])), Reading::Value(1.5)),
        (series(json!([[130_000, 4]])), Reading::Value(4.0)),
        (series(json!([[0, null]])), no_values()),
        (series(json!([])), no_values()),
        (series(json!([[0]])), no_values()),
        (series(json!([[0, "1.5"]])), failed("\"1.5\" is no number")),
        (series(json!([[0, [1]]])), failed("a list is no number")),
        (ok(json!({"status": "ok", "series": []})), no_values()),
        (ok(json!({"status": "ok"})), no_values()),
        (
            ok(
                json!({"status": "ok", "series": [{"pointlist": [[1_700_000_000_000_i64, 1.5], [1_700_000_060_000_i64, 7.0]]}]}),
            ),
            Reading::Value(7.0),
        ),
        (
            ok(json!({"status": "error", "error": "Error parsing query"})),
            failed("error response: Error parsing query"),
        ),
        (
            ok(json!({"errors": ["Rate limit of 300 requests in 3600 seconds reached."]})),
            failed("error response: Rate limit of 300 requests in 3600 seconds reached."),
        ),
        (
            answer(403, json!({"errors": ["Forbidden"]})),
            failed("error response: Status 403 Forbidden: {\"errors\":[\"Forbidden\"]}"),
        ),
    ];
    for (response, expected) in cases {
        assert_eq!(parse(&response), expected, "{response:?}");
    }
}
