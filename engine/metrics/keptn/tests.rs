use crate::metrics::{
    Access, Reading,
    provider::{
        provider,
        tests::{Trial, answer, failed, no_values, ok},
    },
};
use serde_json::{Value, json};

#[test]
fn metrics_are_read_and_analyses_made() {
    let metric = Trial::new("keptn", None, "KeptnMetric/prod/response-time/5m\n")
        .ask()
        .unwrap();
    assert_eq!(metric.access, Access::Cluster);
    assert!(
        metric
            .request
            .url
            .ends_with("/apis/metrics.keptn.sh/v1beta1/namespaces/prod/keptnmetrics/response-time")
    );

    let analysis = Trial::new("keptn", None, "analysis/prod/checkout/5m/svc=Cart;env=prod")
        .ask()
        .unwrap();
    let Access::Analysis { object, manifest } = analysis.access else {
        panic!("an analysis is made");
    };
    assert_eq!(object.to_string(), "Analysis checkout.prod");
    let spec = json!({"analysisDefinition": {"name": "checkout"}, "timeframe": {"recent": "5m"}, "args": {"svc": "Cart", "env": "prod"}});
    assert_eq!(
        serde_json::from_str::<Value>(&manifest).unwrap(),
        json!({ "spec": spec })
    );
    let short = Trial::new("keptn", None, "analyses/prod/checkout").ask().unwrap();
    assert!(matches!(short.access, Access::Analysis { manifest, .. } if manifest.contains("\"recent\":\"1m\"")));

    for query in [
        "",
        "a",
        "keptnmetric/prod",
        "secret/prod/x",
        "keptnmetric/../x",
        "keptnmetric/prod/x?y",
        "analysis/Prod/x",
    ] {
        assert!(Trial::new("keptn", None, query).ask().is_err(), "{query}");
    }
}

#[test]
fn answers_are_classified() {
    let parse = provider("keptn").unwrap().parse;
    let metric = |value| ok(json!({"kind": "KeptnMetric", "status": {"value": value}}));
    let cases = [
        (metric(json!("1.25")), Reading::Value(1.25)),
        (metric(json!("NaN")), no_values()),
        (metric(json!("")), no_values()),
        (metric(json!("slow")), failed("\"slow\" is no number")),
        (ok(json!({"kind": "KeptnMetric"})), no_values()),
        (
            ok(json!({"kind": "Analysis", "status": {"state": "Completed", "pass": true}})),
            Reading::Value(1.0),
        ),
        (
            ok(json!({"kind": "Analysis", "status": {"state": "Completed", "pass": false}})),
            Reading::Value(0.0),
        ),
        (
            ok(json!({"kind": "Analysis", "status": {"state": "Completed"}})),
            Reading::Value(0.0),
        ),
        (
            ok(json!({"kind": "Analysis", "status": {"state": "Pending"}})),
            failed("the analysis has no verdict"),
        ),
        (
            answer(404, "keptnmetrics \"x\" not found"),
            failed("error response: Status 404 Not Found: keptnmetrics \"x\" not found"),
        ),
    ];
    for (response, expected) in cases {
        assert_eq!(parse(&response), expected, "{response:?}");
    }
}
