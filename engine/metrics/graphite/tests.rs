use crate::metrics::{
    Reading,
    provider::{
        provider,
        tests::{Trial, answer, failed, header, no_values, ok, pairs},
    },
};
use serde_json::json;

#[test]
fn the_query_string_is_taken_apart_and_put_together() {
    let query = "target=summarize(\n  asPercent(\n    sumSeries(a.{b,c}.*.count), sumSeries(a.*)\n  ),\n  1min,\n  'avg'\n)&from=-2min&format=raw";
    let question = Trial::new("graphite", Some("http://graphite.monitoring/base"), query)
        .every("1min")
        .ask()
        .unwrap();
    assert!(
        question
            .request
            .url
            .starts_with("http://graphite.monitoring/base/render?format=json&from=-2min&target=")
    );
    let target = "summarize( asPercent( sumSeries(a.{b,c}.*.count), sumSeries(a.*) ), 1min, 'avg' )";
    assert_eq!(pairs(&question.request.url)[2], ("target".into(), target.into()));
    assert_eq!(question.request.headers, []);

    let login = [("username", "u"), ("password", "p@s")];
    let mut secured = Trial::new("graphite", Some("https://g"), "target=a&target=b#c").secret(&login);
    secured.spec.insecure_skip_verify = Some(true);
    let question = secured.ask().unwrap();
    assert_eq!(question.request.url, "https://g/render?format=json&target=a&target=b");
    assert_eq!(header(&question, "Authorization"), Some("Basic dTpwQHM="));
    assert!(question.request.skip_tls_verify);
    assert_eq!(
        secured.probe().unwrap().request.url,
        "https://g/render?format=json&target=test"
    );

    assert!(
        Trial::new("graphite", Some("http://g"), "from=-2min").ask().is_err(),
        "a target is needed"
    );
    let none = Trial::new("graphite", None, "target=a").ask().unwrap_err();
    assert_eq!(none.to_string(), "graphite provider needs an address");
}

#[test]
fn the_newest_point_of_the_last_target_counts() {
    let provider = provider("graphite").unwrap();
    let cases = [
        (
            json!([{"target": "a", "datapoints": [[1, 1_700_000_000], [4.5, 1_700_000_010], [null, 1_700_000_020]]}]),
            Reading::Value(4.5),
        ),
        (json!([{"datapoints": [[4.5, 20], [1, 10]]}]), Reading::Value(4.5)),
        (
            json!([{"datapoints": [[1, 1]]}, {"datapoints": [[2, 1]]}, {"datapoints": [[null, 1]]}]),
            Reading::Value(2.0),
        ),
        (json!([{"datapoints": [["4.5", 1]]}]), Reading::Value(4.5)),
        (json!([{"datapoints": [["x", 1]]}]), failed("\"x\" is no number")),
        (json!([{"datapoints": [[null, 1]]}]), no_values()),
        (json!([{"datapoints": []}]), no_values()),
        (json!([]), no_values()),
        (json!({"error": "x"}), failed("the answer is no list of targets")),
    ];
    for (body, expected) in cases {
        assert_eq!((provider.parse)(&ok(&body)), expected, "{body}");
    }
    assert_eq!((provider.probed)(&ok("[]")), Ok(()));
    assert!((provider.probed)(&answer(401, "")).is_err());
}
