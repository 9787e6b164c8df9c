//! The numbers are those of `promtool test rules` (Prometheus 2.42) for the same series, a sample a second, asked at 35 s.

use super::{
    Failure, NAME, Point, Value, evaluate,
    store::{Labels, Sample, Store},
};
use engine::metrics::{Builtin, Model, Observer};

const ASKED_AT: i64 = 35_000;

/// `name{a="b"}`
fn labels(text: &str) -> Labels {
    let (name, pairs) = text.trim_end_matches('}').split_once('{').unwrap();
    let pairs = pairs.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), value.trim_matches('"').to_owned())
    });
    let name = (!name.is_empty()).then(|| (NAME.to_owned(), name.to_owned()));
    pairs.chain(name).collect()
}

fn store() -> Store {
    let mut store = Store::default();
    let mut fill = |series: &str, from: i64, to: i64, value: fn(i64) -> i64| {
        for second in from..=to {
            let sample = Sample {
                at: second * 1000,
                value: value(second - from) as f64,
            };
            store.push(labels(series), sample);
        }
    };
    fill(r#"c_count{pod="new-1-a",status="200"}"#, 0, 40, |n| 9 * n);
    fill(r#"c_count{pod="new-1-a",status="500"}"#, 0, 40, |n| n);
    fill(r#"c_count{pod="late-1-a",status="200"}"#, 20, 40, |n| 5 + 3 * n);
    fill(r#"c_count{pod="reset-1-a",status="200"}"#, 0, 30, |n| {
        if n < 4 { 10 * n } else { 10 * n - 36 }
    });
    fill(r#"d_bucket{le="0.005"}"#, 0, 40, |n| n);
    fill(r#"d_bucket{le="0.01"}"#, 0, 40, |n| 7 * n);
    fill(r#"d_bucket{le="0.1"}"#, 0, 40, |n| 9 * n);
    fill(r#"d_bucket{le="+Inf"}"#, 0, 40, |n| 10 * n);
    store
}

fn vector(query: &str) -> Vec<Point> {
    match evaluate(query, &store(), ASKED_AT) {
        Ok(Value::Vector(points)) => points,
        other => panic!("{query}: {other:?}"),
    }
}

fn check(query: &str, expected: &[(&str, f64)]) {
    let mut found = vector(query);
    let mut expected: Vec<Point> = expected
        .iter()
        .map(|(text, value)| Point {
            labels: labels(text),
            value: *value,
        })
        .collect();
    found.sort_by(|one, other| one.labels.cmp(&other.labels));
    expected.sort_by(|one, other| one.labels.cmp(&other.labels));
    assert_eq!(found.len(), expected.len(), "{query}: {found:?}");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.labels, expected.labels, "{query}");
        assert!(
            (found.value - expected.value).abs() < 1e-12 * expected.value.abs().max(1.0),
            "{query}: {found:?}, not {expected:?}"
        );
    }
}

#[test]
fn functions_give_the_numbers_of_prometheus() {
    let cases: [(&str, &[(&str, f64)]); 14] = [
        ("vector(1)", &[("{}", 1.0)]),
        (
            r#"rate(c_count{pod="late-1-a"}[1m])"#,
            &[(r#"{pod="late-1-a",status="200"}"#, 0.775)],
        ),
        (
            r#"increase(c_count{pod="late-1-a"}[1m])"#,
            &[(r#"{pod="late-1-a",status="200"}"#, 46.5)],
        ),
        (
            r#"rate(c_count{pod="late-1-a"}[10s])"#,
            &[(r#"{pod="late-1-a",status="200"}"#, 3.0)],
        ),
        (
            r#"rate(c_count{pod="reset-1-a"}[20s])"#,
            &[(r#"{pod="reset-1-a",status="200"}"#, 7.75)],
        ),
        (
            r#"increase(c_count{pod="reset-1-a"}[32500ms])"#,
            &[(r#"{pod="reset-1-a",status="200"}"#, 264.0 * 28.0 / 27.0)],
        ),
        (
            r#"increase(c_count{pod="new-1-a",status="500"}[10s])"#,
            &[(r#"{pod="new-1-a",status="500"}"#, 10.0)],
        ),
        (
            "histogram_quantile(0.99, sum(rate(d_bucket[30s])) by (le))",
            &[("{}", 0.1)],
        ),
        (
            "histogram_quantile(0.5, sum(rate(d_bucket[30s])) by (le))",
            &[("{}", 1.0 / 120.0)],
        ),
        (
            "histogram_quantile(0.05, sum(rate(d_bucket[30s])) by (le))",
            &[("{}", 0.0025)],
        ),
        ("histogram_quantile(0.85, rate(d_bucket[30s]))", &[("{}", 0.0775)]),
        (
            r#"c_count{pod="reset-1-a"}"#,
            &[(r#"c_count{pod="reset-1-a",status="200"}"#, 264.0)],
        ),
        (r#"rate(c_count{pod="none"}[10s])"#, &[]),
        ("rate(c_count[1s])", &[]),
    ];
    for (query, expected) in cases {
        check(query, expected);
    }
}

#[test]
fn aggregations_and_operators_give_the_numbers_of_prometheus() {
    let cases: [(&str, &[(&str, f64)]); 16] = [
        (
            "sum(c_count) by (status)",
            &[(r#"{status="200"}"#, 629.0), (r#"{status="500"}"#, 35.0)],
        ),
        (
            r#"sum without (status) (c_count{pod="new-1-a"})"#,
            &[(r#"{pod="new-1-a"}"#, 350.0)],
        ),
        (r#"avg(c_count{pod="new-1-a"})"#, &[("{}", 175.0)]),
        ("max(c_count)", &[("{}", 315.0)]),
        (r#"min(c_count{pod="new-1-a"})"#, &[("{}", 35.0)]),
        ("count(c_count)", &[("{}", 4.0)]),
        (
            r#"c_count{status="200"} - ignoring(status) c_count{status="500"}"#,
            &[(r#"{pod="new-1-a"}"#, 280.0)],
        ),
        (
            r#"sum by (pod) (c_count) - on(pod) sum by (pod) (c_count{status="500"})"#,
            &[(r#"{pod="new-1-a"}"#, 315.0)],
        ),
        (
            r#"c_count{pod="new-1-a"} > 100"#,
            &[(r#"c_count{pod="new-1-a",status="200"}"#, 315.0)],
        ),
        (
            r#"c_count{pod="new-1-a"} > bool 100"#,
            &[
                (r#"{pod="new-1-a",status="200"}"#, 1.0),
                (r#"{pod="new-1-a",status="500"}"#, 0.0),
            ],
        ),
        (
            r#"-c_count{status="500"}"#,
            &[(r#"{pod="new-1-a",status="500"}"#, -35.0)],
        ),
        (
            r#"c_count{status="200"} and on(pod) c_count{status="500"}"#,
            &[(r#"c_count{pod="new-1-a",status="200"}"#, 315.0)],
        ),
        (
            r#"c_count{status="200"} unless on(pod) c_count{status="500"}"#,
            &[
                (r#"c_count{pod="late-1-a",status="200"}"#, 50.0),
                (r#"c_count{pod="reset-1-a",status="200"}"#, 264.0),
            ],
        ),
        (
            r#"c_count{status="500"} or c_count{pod="late-1-a"}"#,
            &[
                (r#"c_count{pod="late-1-a",status="200"}"#, 50.0),
                (r#"c_count{pod="new-1-a",status="500"}"#, 35.0),
            ],
        ),
        (
            r#"10 / c_count{status="500"}"#,
            &[(r#"{pod="new-1-a",status="500"}"#, 10.0 / 35.0)],
        ),
        ("vector(2 ^ 3 % 5 - 1)", &[("{}", 2.0)]),
    ];
    for (query, expected) in cases {
        check(query, expected);
    }
}

/// The controller's own queries, over series with the names and labels that they select.
#[test]
fn builtin_queries_are_answered() {
    let model = |target: &str| Model {
        namespace: "demo".into(),
        target: target.into(),
        interval: "10s".into(),
        ..Model::default()
    };
    let mut store = Store::default();
    let mut fill = |name: &str, pod: &str, more: &str, per_second: f64| {
        let text = format!(r#"{name}{{kubernetes_namespace="demo",kubernetes_pod_name="{pod}",{more}}}"#);
        for second in 0..=40 {
            let sample = Sample {
                at: second * 1000,
                value: per_second * second as f64,
            };
            store.push(labels(&text), sample);
        }
    };
    let (count, bucket) = (
        "http_request_duration_seconds_count",
        "http_request_duration_seconds_bucket",
    );
    fill(count, "app-5d8f-x7k2p", r#"status="200""#, 19.0);
    fill(count, "app-5d8f-x7k2p", r#"status="500""#, 1.0);
    fill(count, "app-primary-5d8f-x7k2p", r#"status="200""#, 50.0);
    fill(count, "broken-5d8f-x7k2p", r#"status="503""#, 4.0);
    fill(bucket, "app-5d8f-x7k2p", r#"status="200",le="0.01""#, 10.0);
    fill(bucket, "app-5d8f-x7k2p", r#"status="200",le="0.1""#, 19.0);
    fill(bucket, "app-5d8f-x7k2p", r#"status="200",le="+Inf""#, 19.0);
    let asked = |builtin: Builtin, target: &str| {
        let query = Observer::of("gatewayapi:v1").query(builtin, &model(target));
        match evaluate(&query, &store, ASKED_AT) {
            Ok(Value::Vector(points)) => points.iter().map(|point| point.value).collect::<Vec<f64>>(),
            other => panic!("{query}: {other:?}"),
        }
    };
    let near = |found: Vec<f64>, expected: f64| {
        assert!(
            found.len() == 1 && (found[0] - expected).abs() < 1e-9,
            "{found:?}, not {expected}"
        );
    };
    near(asked(Builtin::SuccessRate, "app"), 95.0);
    near(asked(Builtin::SuccessRate, "broken"), 0.0);
    assert_eq!(asked(Builtin::SuccessRate, "nobody"), Vec::<f64>::new());
    // rank 0.99 × 19 = 18.81 of the 9 between 10 and 19: 0.01 + 0.09 × 8.81 / 9
    near(asked(Builtin::Duration, "app"), 0.0981);
}

#[test]
fn what_it_does_not_know_is_refused_by_name() {
    let table = [
        ("rate(c_count[10s] offset 5m)", "offset"),
        ("max_over_time(rate(c_count[10s])[1m:1s])", "max_over_time"),
        ("c_count * on(pod) group_left c_count", "group_left"),
        ("topk(1, c_count)", "topk"),
        ("c_count[5m]", "rate"),
        ("c_count + ignoring(pod) c_count", "many points"),
        ("sum(1)", ""),
    ];
    for (query, part) in table {
        let failure = evaluate(query, &store(), ASKED_AT).unwrap_err();
        assert!(failure.to_string().contains(part), "{query}: {failure}");
    }
    assert!(matches!(evaluate("sum(", &store(), 0), Err(Failure::Syntax(_))));
    let long = format!("vector({})", "1".repeat(5_000));
    assert!(matches!(evaluate(&long, &store(), 0), Err(Failure::Execution(_))));
}

#[test]
fn scalars_are_calculated_and_zero_by_zero_is_no_number() {
    assert_eq!(evaluate("-(1 + 2 * 3 > bool 6)", &store(), 0), Ok(Value::Scalar(-1.0)));
    assert!(matches!(evaluate("0 / 0", &store(), 0), Ok(Value::Scalar(value)) if value.is_nan()));
}

#[test]
fn old_samples_and_silent_series_are_forgotten() {
    let mut store = Store::default();
    for second in 0..2_500 {
        let value = second as f64;
        store.push(
            labels("one{}"),
            Sample {
                at: second * 1000,
                value,
            },
        );
        store.push(
            labels(&format!(r#"many{{n="{second}"}}"#)),
            Sample {
                at: second * 1000,
                value,
            },
        );
    }
    let count = |query: &str, now: i64| match evaluate(query, &store, now) {
        Ok(Value::Vector(points)) => points.first().map(|point| point.value),
        other => panic!("{query}: {other:?}"),
    };
    assert_eq!(count("one", 2_499_000), Some(2_499.0));
    assert_eq!(count("one", 1_000_000), None, "the oldest samples are gone");
    assert_eq!(count(r#"many{n="400"}"#, 450_000), None, "the oldest series are gone");
    assert_eq!(count(r#"many{n="1000"}"#, 1_000_000), Some(1_000.0));
}
