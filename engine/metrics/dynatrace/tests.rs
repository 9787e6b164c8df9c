use crate::metrics::{
    Reading,
    provider::{
        provider,
        tests::{Trial, answer, failed, header, no_values, ok, pairs},
    },
};
use serde_json::json;

#[test]
fn the_question_is_the_documented_one() {
    let selector =
        "builtin:service.response.time:filter(eq(dt.entity.service,SERVICE-ABCDEFG0123456789)):percentile(95)";
    let token = [("dynatrace_token", "dt0c01")];
    let query = format!("{selector}\n");
    let trial = Trial::new("dynatrace", Some("https://xxxxxxxx.live.dynatrace.com"), &query).secret(&token);
    let question = trial.ask().unwrap();
    assert!(
        question
            .request
            .url
            .starts_with("https://xxxxxxxx.live.dynatrace.com/api/v2/metrics/query?")
    );
    let expected = [
        ("metricSelector", selector),
        ("resolution", "Inf"),
        ("from", "1699999400000"),
        ("to", "1700000000000"),
    ];
    assert_eq!(
        pairs(&question.request.url),
        expected.map(|(key, value)| (key.into(), value.into()))
    );
    assert_eq!(header(&question, "Authorization"), Some("Api-Token dt0c01"));
    assert_eq!(
        trial.probe().unwrap().request.url,
        "https://xxxxxxxx.live.dynatrace.com/api/v2/metrics?pageSize=1"
    );
    let none = Trial::new("dynatrace", Some("https://x"), "q").ask().unwrap_err();
    assert_eq!(none.to_string(), "dynatrace provider needs a secretRef");
}

#[test]
fn answers_are_classified() {
    let parse = provider("dynatrace").unwrap().parse;
    let data = |data| json!({"totalCount": 1, "nextPageKey": null, "result": [{"metricId": "m", "data": data}]});
    let cases = [
        (
            data(json!([{"timestamps": [1_700_000_000_000_i64], "values": [87.5]}])),
            Reading::Value(87.5),
        ),
        (
            data(json!([{"timestamps": [2, 1], "values": [5, 6]}])),
            Reading::Value(5.0),
        ),
        (
            data(json!([{"timestamps": [1], "values": [5]}, {"timestamps": [1], "values": [6]}])),
            Reading::Value(6.0),
        ),
        (data(json!([{"timestamps": [1], "values": [null]}])), no_values()),
        (data(json!([{"timestamps": [], "values": []}])), no_values()),
        (data(json!([])), no_values()),
        (json!({"result": []}), no_values()),
        (
            data(json!([{"timestamps": [1], "values": ["5"]}])),
            failed("\"5\" is no number"),
        ),
        (json!({"error": {"code": 400}}), failed("the answer has no result")),
    ];
    for (body, expected) in cases {
        assert_eq!(parse(&ok(&body)), expected, "{body}");
    }
    let limited = answer(429, json!({"error": {"code": 429, "message": "Too many requests"}}));
    assert!(matches!(parse(&limited), Reading::Failed(cause) if cause.contains("Status 429 Too Many Requests")));
}
