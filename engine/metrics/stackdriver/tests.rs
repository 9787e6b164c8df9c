use crate::metrics::{
    Access, Reading,
    provider::{
        BadProvider, provider,
        tests::{Trial, answer, failed, no_values, ok},
    },
};
use serde_json::{Value, json};

const MQL: &str = "fetch k8s_container | metric 'istio.io/service/server/response_latencies'";

#[test]
fn the_question_is_the_documented_one() {
    let question = Trial::new("stackdriver", None, MQL)
        .secret(&[("project", "p1")])
        .ask()
        .unwrap();
    assert_eq!(
        question.request.url,
        "https://monitoring.googleapis.com/v3/projects/p1/timeSeries:query"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&question.request.body).unwrap(),
        json!({"query": MQL})
    );
    assert_eq!(question.access, Access::Google(None));
    let probe = Trial::new("stackdriver", None, "")
        .secret(&[("project", "p1")])
        .probe()
        .unwrap();
    assert_eq!(probe.request.body, "{\"query\":\"\"}");

    let away = Trial::new("stackdriver", Some("https://collector.example.com"), MQL)
        .secret(&[("project", "p1")])
        .ask();
    assert_eq!(away, Err(BadProvider::Ambient("collector.example.com".into())));
    for project in ["", "p/../x", "p?x"] {
        assert!(
            Trial::new("stackdriver", None, MQL)
                .secret(&[("project", project)])
                .ask()
                .is_err(),
            "{project}"
        );
    }
    let bare = Trial::new("stackdriver", None, MQL).ask().unwrap_err();
    assert_eq!(bare.to_string(), "stackdriver provider needs a secretRef");
    let broken = Trial::new("stackdriver", None, MQL)
        .secret(&[("project", "p1"), ("serviceAccountKey", "{}")])
        .ask();
    assert!(matches!(broken, Err(BadProvider::Secret(_))), "{broken:?}");
}

#[test]
fn answers_are_classified() {
    let provider = provider("stackdriver").unwrap();
    let points =
        |points| ok(json!({"timeSeriesDescriptor": {}, "timeSeriesData": [{"labelValues": [], "pointData": points}]}));
    let at = |end: &str, value: Value| json!({"values": [value], "timeInterval": {"startTime": end, "endTime": end}});
    let double = |value: f64| json!({"doubleValue": value});
    let (old, new) = ("2020-05-18T09:47:00Z", "2020-05-18T09:48:00Z");
    let cases = [
        (
            points(json!([{"values": [{"doubleValue": 12.5}]}])),
            Reading::Value(12.5),
        ),
        (
            points(json!([at(new, double(2.0)), at(old, double(1.0))])),
            Reading::Value(2.0),
        ),
        (
            points(json!([at(old, double(1.0)), at(new, double(2.0))])),
            Reading::Value(2.0),
        ),
        (
            points(json!([{"values": [double(2.0)]}, {"values": [double(1.0)]}])),
            Reading::Value(2.0),
        ),
        (
            points(json!([{"values": [{"int64Value": "42"}]}])),
            Reading::Value(42.0),
        ),
        (points(json!([{"values": [{"doubleValue": "NaN"}]}])), no_values()),
        (points(json!([{"values": []}])), no_values()),
        (points(json!([])), no_values()),
        (
            points(json!([{"values": [{"distributionValue": {"count": "1"}}]}])),
            failed("the value is a distributionValue, a number is needed"),
        ),
        (
            points(json!([{"values": [{"boolValue": true}]}])),
            failed("the value is a boolValue, a number is needed"),
        ),
        (ok(json!({"timeSeriesData": []})), no_values()),
        (ok(json!({})), no_values()),
        (
            ok(json!({"partialErrors": [{"code": 8, "message": "quota"}]})),
            failed("error response: quota"),
        ),
    ];
    for (response, expected) in cases {
        assert_eq!((provider.parse)(&response), expected, "{response:?}");
    }
    let invalid = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "empty query"}});
    assert_eq!((provider.probed)(&answer(400, &invalid)), Ok(()));
    let denied = json!({"error": {"code": 403, "status": "PERMISSION_DENIED"}});
    assert!((provider.probed)(&answer(403, denied)).is_err());
}
