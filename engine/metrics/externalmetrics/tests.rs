use crate::metrics::{
    Access, Reading,
    provider::{
        provider,
        tests::{Trial, failed, header, no_values, ok, pairs},
    },
};
use serde_json::json;

const API: &str = "/apis/external.metrics.k8s.io/v1beta1";

#[test]
fn the_api_server_is_asked_with_own_rights_and_others_with_theirs() {
    let own = Trial::new("externalmetrics", None, "shop/queue-depth?labelSelector=env%3Dprod\n")
        .ask()
        .unwrap();
    assert_eq!(own.access, Access::Cluster);
    assert!(own.request.url.starts_with(&format!(
        "https://kubernetes.default.svc{API}/namespaces/shop/queue-depth?"
    )));
    assert_eq!(pairs(&own.request.url), [("labelSelector".into(), "env=prod".into())]);

    let short = Trial::new("externalmetrics", None, "queue-depth").ask().unwrap();
    assert!(
        short
            .request
            .url
            .ends_with(&format!("{API}/namespaces/default/queue-depth")),
        "{}",
        short.request.url
    );

    let away = Trial::new("externalmetrics", Some("https://adapter:6443"), "a")
        .secret(&[("token", "t0ken")])
        .ask()
        .unwrap();
    assert_eq!(away.access, Access::Open);
    assert_eq!(
        away.request.url,
        format!("https://adapter:6443{API}/namespaces/default/a")
    );
    assert_eq!(header(&away, "Authorization"), Some("Bearer t0ken"));
    let bare = Trial::new("externalmetrics", Some("https://adapter:6443"), "a")
        .ask()
        .unwrap();
    assert_eq!(
        (bare.access, bare.request.headers),
        (Access::Open, vec![]),
        "nobody's token goes elsewhere"
    );
    let probe = Trial::new("externalmetrics", None, "").probe().unwrap();
    assert!(probe.request.url.ends_with(API));
}

#[test]
fn other_forms_are_refused() {
    for query in [
        "",
        "a/b/c",
        "../secrets",
        "a b",
        "ns/",
        "a/..",
        "?labelSelector=a",
        "a%2Fb",
    ] {
        assert!(Trial::new("externalmetrics", None, query).ask().is_err(), "{query}");
    }
}

#[test]
fn answers_are_classified() {
    let parse = provider("externalmetrics").unwrap().parse;
    let list = |items| json!({"kind": "ExternalMetricValueList", "items": items});
    let cases = [
        (
            list(json!([{"metricName": "queue-depth", "value": "2500m"}])),
            Reading::Value(2.5),
        ),
        (list(json!([{"value": 3}])), Reading::Value(3.0)),
        (list(json!([{"value": "1"}, {"value": "2"}])), Reading::Value(1.0)),
        (list(json!([])), no_values()),
        (list(json!(null)), no_values()),
        (list(json!([{}])), no_values()),
        (list(json!([{"value": "many"}])), failed("\"many\" is no quantity")),
        (
            json!({"kind": "Status"}),
            failed("the answer is no list of metric values"),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(parse(&ok(&body)), expected, "{body}");
    }
}
