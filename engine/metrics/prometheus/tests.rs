use super::{Auth, availability_request, available, parse, request};
use crate::{
    http::{Method, Response},
    metrics::{
        Reading,
        provider::{BadProvider, Inquiry, provider, secret_ref},
        secret::BadSecret,
    },
    seam::Trouble,
};
use crds::metric_template::{Provider as Spec, SecretRef};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

fn response(status: u16, body: impl std::fmt::Display) -> Response {
    Response {
        status,
        body: format!("{body}"),
        retry_after: None,
    }
}

fn vector(elements: &Value) -> Response {
    response(
        200,
        json!({"status": "success", "data": {"resultType": "vector", "result": elements}}),
    )
}

#[test]
fn answers_are_classified() {
    let value = |text: &str| json!({"metric": {}, "value": [1_700_000_000.1, text]});
    let no_values = || Reading::NoData("no values found".into());
    let failed = |text: &str| Reading::Failed(text.into());
    let cases = [
        (vector(&json!([value("0.25")])), Reading::Value(0.25)),
        (vector(&json!([value("10"), value("100")])), Reading::Value(100.0)),
        (vector(&json!([value("10"), {"metric": {}}])), Reading::Value(10.0)),
        (vector(&json!([])), no_values()),
        (vector(&json!([{"metric": {}}])), no_values()),
        (vector(&json!([{"metric": {}, "value": []}])), no_values()),
        (
            vector(&json!([{"metric": {}, "value": [1, 2]}])),
            failed("the value 2 is no text"),
        ),
        (vector(&json!([value("NaN")])), no_values()),
        (
            vector(&json!([value("+Inf")])),
            Reading::NoData("no values found, +Inf is no measurement".into()),
        ),
        (
            vector(&json!([value("-Inf")])),
            Reading::NoData("no values found, -Inf is no measurement".into()),
        ),
        (vector(&json!([value("1e3")])), Reading::Value(1000.0)),
        (vector(&json!([value("garbage")])), failed("\"garbage\" is no number")),
        (
            vector(&json!([{"metric": {}, "values": [[1, "2"], [2, "3"]]}])),
            failed("multiple values returned: the result is a range vector"),
        ),
        (
            vector(&json!([{"metric": {}, "histogram": [1, {"count": "1"}]}])),
            failed("the result is a native histogram, a number is needed"),
        ),
        (
            response(200, json!({"data": {"resultType": "matrix", "result": []}})),
            failed("the result is a matrix, an instant vector is needed"),
        ),
        (
            response(200, json!({"data": {"resultType": "scalar", "result": [1, "2"]}})),
            failed("the result is a scalar, an instant vector is needed"),
        ),
        (
            response(200, json!({"data": {"result": "text"}})),
            failed("the result is no list of series"),
        ),
        (response(200, json!({"status": "success"})), no_values()),
        (
            response(
                200,
                json!({"status": "error", "errorType": "execution", "error": "too many samples"}),
            ),
            failed("error response: execution: too many samples"),
        ),
        (response(200, "<html>"), failed("the answer is no JSON: <html>")),
        (
            response(500, "boom\n"),
            failed("error response: Status 500 Internal Server Error: boom"),
        ),
        (response(302, ""), failed("error response: Status 302: ")),
    ];
    for (response, expected) in cases {
        assert_eq!(parse(&response), expected, "{response:?}");
    }
    let Reading::Failed(long) = parse(&response(502, "ä".repeat(5000))) else {
        panic!("a 502 is a failure");
    };
    assert!(long.chars().count() < 400, "an Event has no room for whole pages");
}

#[test]
fn probes_ask_for_one() {
    let probe = availability_request("http://prometheus:9090", &Auth::Open, &BTreeMap::new(), false).unwrap();
    assert_eq!(probe.url, "http://prometheus:9090/api/v1/query?query=vector%281%29");
    assert_eq!(available(&vector(&json!([{"value": [1, "1"]}]))), Ok(()));
    assert_eq!(
        available(&vector(&json!([{"value": [1, "0"]}]))),
        Err("vector(1) gave 0".into())
    );
    assert_eq!(available(&vector(&json!([]))), Err("no values found".into()));
    let prometheus = provider("prometheus").unwrap();
    let trouble = Err(Trouble::Unavailable("connection refused".into()));
    assert_eq!(
        prometheus.online(&trouble),
        Err("request failed: connection refused".into())
    );
    assert_eq!(
        prometheus.read(&trouble),
        Reading::Failed("request failed: connection refused".into())
    );
}

#[test]
fn requests_are_escaped_and_keep_the_path() {
    let cases = [
        (
            "http://p:9090",
            "up{job=\"x\"}",
            "http://p:9090/api/v1/query?query=up%7Bjob%3D%22x%22%7D",
        ),
        (
            "http://mimir/prometheus/",
            "up",
            "http://mimir/prometheus/api/v1/query?query=up",
        ),
        ("https://p/?a=b#c", "a + b", "https://p/api/v1/query?query=a+%2B+b"),
        ("http://p", " \n a\n\t  b \n", "http://p/api/v1/query?query=a+b"),
        (
            "http://p",
            "x{a=\"b  \\\"  c\"}  + 1",
            "http://p/api/v1/query?query=x%7Ba%3D%22b++%5C%22++c%22%7D+%2B+1",
        ),
        ("http://p", "a # why\n+ b # end", "http://p/api/v1/query?query=a+%2B+b+"),
    ];
    for (address, query, url) in cases {
        let request = request(address, query, &Auth::Open, &BTreeMap::new(), true).unwrap();
        assert_eq!(request.url, url);
        assert_eq!((request.method, request.timeout), (Method::Get, Duration::from_secs(5)));
        assert!(request.skip_tls_verify && request.headers.is_empty());
    }
}

#[test]
fn one_authorization_is_sent() {
    let tenant = ("X-Scope-OrgID".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
    let own = ("authorization".to_owned(), vec!["Bearer own".to_owned()]);
    let headers = BTreeMap::from([tenant, own]);
    let bearer = Auth::Bearer("t0ken".into());
    let sent = |address: &str, auth: &Auth| request(address, "up", auth, &headers, false).unwrap().headers;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let tenants = [pair("X-Scope-OrgID", "a"), pair("X-Scope-OrgID", "b")];
    let expected = [tenants.as_slice(), &[pair("Authorization", "Bearer t0ken")]].concat();
    assert_eq!(sent("http://p", &bearer), expected);
    assert_eq!(
        sent("http://u:p@p", &bearer),
        expected,
        "the secret wins over the address"
    );
    let basic = [tenants.as_slice(), &[pair("Authorization", "Basic dTpwQHM=")]].concat();
    assert_eq!(sent("http://u:p%40s@p", &Auth::Open), basic);
    let open = [tenants.as_slice(), &[pair("authorization", "Bearer own")]].concat();
    assert_eq!(sent("http://p", &Auth::Open), open);
    let request = request("http://u:p%40s@p", "up", &bearer, &headers, false).unwrap();
    assert_eq!(request.url, "http://p/api/v1/query?query=up");
    assert_eq!(format!("{bearer:?}"), "Bearer(…)");
}

#[test]
fn templates_name_their_server() {
    let mut spec = Spec {
        kind: "prometheus".into(),
        address: Some("http://p".into()),
        insecure_skip_verify: Some(true),
        ..Spec::default()
    };
    let ask = |spec: &Spec, secret: Option<&Value>| {
        let inquiry = Inquiry {
            spec,
            secret,
            query: "up",
            interval: "1m",
            now: Timestamp::UNIX_EPOCH,
        };
        (provider(&spec.kind)?.request)(&inquiry)
    };
    assert_eq!(ask(&spec, None).unwrap().request.headers, []);
    assert!(ask(&spec, None).unwrap().request.skip_tls_verify);
    assert_eq!(secret_ref(&spec, "ns"), None);
    spec.secret_ref = Some(SecretRef { name: "s".into() });
    assert_eq!(secret_ref(&spec, "ns").unwrap().to_string(), "Secret s.ns");
    assert_eq!(ask(&spec, None), Err(BadProvider::NoSecret("s".into())));
    let basic = json!({"data": {"username": "dQ==", "password": "cEBz"}});
    assert_eq!(
        ask(&spec, Some(&basic)).unwrap().request.headers,
        [("Authorization".into(), "Basic dTpwQHM=".into())]
    );
    let token = json!({"data": {"token": "dDBrZW4K", "username": "dQ=="}});
    assert_eq!(
        ask(&spec, Some(&token)).unwrap().request.headers,
        [("Authorization".into(), "Bearer t0ken".into())]
    );
    let half = json!({"data": {"username": "dQ=="}});
    assert_eq!(ask(&spec, Some(&half)), Err(BadSecret::Missing("password").into()));
    spec.secret_ref = None;
    spec.headers = BTreeMap::from([("bad name".into(), vec!["x".into()])]);
    assert_eq!(ask(&spec, None), Err(BadProvider::Header("bad name".into())));
    spec.address = Some("prometheus:9090".into());
    assert!(matches!(ask(&spec, None), Err(BadProvider::Address(_))));
    spec.address = None;
    assert_eq!(
        ask(&spec, None).unwrap_err().to_string(),
        "prometheus provider needs an address"
    );
    spec.kind = "zabbix".into();
    let unknown = ask(&spec, None).unwrap_err().to_string();
    assert_eq!(unknown, "metric provider type zabbix is not known");
}
