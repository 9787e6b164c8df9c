use crate::metrics::{
    Reading,
    provider::{
        provider,
        tests::{Trial, answer, failed, header, no_values, ok, pairs},
    },
};
use serde_json::{Value, json};

const KEYS: [(&str, &str); 2] = [("newrelic_account_id", "42"), ("newrelic_query_key", "k3y")];

#[test]
fn the_question_is_the_documented_one() {
    let question = Trial::new("newrelic", None, "SELECT 1")
        .secret(&KEYS)
        .every("90s")
        .ask()
        .unwrap();
    assert!(
        question
            .request
            .url
            .starts_with("https://insights-api.newrelic.com/v1/accounts/42/query?")
    );
    assert_eq!(
        pairs(&question.request.url),
        [("nrql".into(), "SELECT 1 SINCE 90 seconds ago".into())]
    );
    assert_eq!(header(&question, "X-Query-Key"), Some("k3y"));
    let probe = Trial::new("newrelic", None, "").secret(&KEYS).probe().unwrap();
    assert_eq!(
        pairs(&probe.request.url),
        [("nrql".into(), "SELECT * FROM Metric SINCE 60 seconds ago".into())]
    );

    let graph = Trial::new("newrelic", Some("https://api.newrelic.com/graphql"), "SELECT 1")
        .secret(&KEYS)
        .ask()
        .unwrap();
    assert_eq!(graph.request.url, "https://api.newrelic.com/graphql");
    assert_eq!(
        (header(&graph, "API-Key"), header(&graph, "Content-Type")),
        (Some("k3y"), Some("application/json"))
    );
    let body: Value = serde_json::from_str(&graph.request.body).unwrap();
    assert_eq!(
        body["variables"],
        json!({"account": 42, "nrql": "SELECT 1 SINCE 60 seconds ago"})
    );

    let path = [("newrelic_account_id", "42/../../x"), ("newrelic_query_key", "k")];
    assert!(Trial::new("newrelic", None, "q").secret(&path).ask().is_err());
}

#[test]
fn answers_are_classified() {
    let parse = provider("newrelic").unwrap().parse;
    let graph = |results: Value| ok(json!({"data": {"actor": {"account": {"nrql": {"results": results}}}}}));
    let cases = [
        (ok(json!({"results": [{"result": 3.2}]})), Reading::Value(3.2)),
        (ok(json!({"results": [{"result": null}]})), no_values()),
        (ok(json!({"results": [{"result": "3"}]})), failed("\"3\" is no number")),
        (ok(json!({"results": []})), no_values()),
        (
            ok(json!({"results": [{"result": 1}, {"result": 2}]})),
            Reading::NoData("no values found, the query gives several results".into()),
        ),
        (
            ok(json!({"results": [{"count": 5}]})),
            Reading::NoData("no values found: the query gives count in place of a calculated result".into()),
        ),
        (ok(json!({"results": 5})), failed("the results are no list")),
        (graph(json!([{"result": 3.2}])), Reading::Value(3.2)),
        (
            ok(json!({"errors": [{"message": "NRQL Syntax Error"}], "data": {"actor": {"account": null}}})),
            failed("error response: NRQL Syntax Error"),
        ),
        (
            ok(json!({"error": "Invalid query key"})),
            failed("error response: Invalid query key"),
        ),
        (
            answer(403, "denied"),
            failed("error response: Status 403 Forbidden: denied"),
        ),
    ];
    for (response, expected) in cases {
        assert_eq!(parse(&response), expected, "{response:?}");
    }
}
