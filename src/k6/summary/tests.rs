use super::*;
use serde_json::json;

#[test]
fn crossed_thresholds_are_named() {
    let text = json!({"metrics": {
        "http_req_duration": {"p(95)": 16.8, "thresholds": {"p(95)<50": true, "avg<100": false}},
        "http_req_failed": {"value": 0.5, "thresholds": {"rate<0.01": true}},
        "http_reqs": {"count": 3},
    }});
    let summary = Summary::read(&text.to_string());
    assert_eq!(
        summary.crossed,
        ["http_req_duration p(95)<50", "http_req_failed rate<0.01"]
    );
    assert_eq!(summary.metrics["http_reqs"]["count"], 3);
    let explained = "thresholds have been crossed: http_req_duration p(95)<50, http_req_failed rate<0.01";
    assert_eq!(explain(Some(99), &summary), explained);
}

#[test]
fn without_a_summary_the_code_speaks() {
    let empty = Summary::default();
    for text in ["", "{", "[]", "{\"metrics\": 7}"] {
        assert_eq!(Summary::read(text), empty, "{text}");
    }
    assert_eq!(explain(Some(99), &empty), "thresholds have been crossed");
    assert_eq!(explain(Some(107), &empty), "the script threw an exception");
    assert_eq!(explain(Some(1), &empty), "");
    assert_eq!(explain(None, &empty), "");
}

#[test]
fn a_huge_summary_is_not_kept() {
    let mut metrics = Map::new();
    for number in 0..5000 {
        metrics.insert(
            format!("metric_{number}"),
            json!({"count": number, "thresholds": {"count<1": number == 7}}),
        );
    }
    let summary = Summary::read(&json!({ "metrics": metrics }).to_string());
    assert!(summary.metrics.is_empty());
    assert_eq!(summary.crossed, ["metric_7 count<1"], "what was crossed is still told");
}
