use super::{exported, judge, unusable};
use crate::{
    metrics::{Builtin, Reading, Source},
    seam::Verdict,
};
use crds::{
    Canary, CanarySpec, Number,
    analysis::{Metric, ThresholdRange},
};

const SUCCESS: Source = Source::Builtin(Builtin::SuccessRate);
const DURATION: Source = Source::Builtin(Builtin::Duration);

fn inline() -> Source {
    Source::Inline("up".into())
}

fn template() -> Source {
    Source::Template {
        namespace: "ns".into(),
        name: "errors".into(),
    }
}

fn canary() -> Canary {
    let mut spec = CanarySpec::default();
    spec.target_ref.name = "podinfo".into();
    let mut canary = Canary::new("podinfo", spec);
    canary.metadata.namespace = Some("test".into());
    canary
}

fn metric(name: &str, min: Option<f64>, max: Option<f64>) -> Metric {
    Metric {
        name: name.into(),
        threshold_range: Some(ThresholdRange {
            min: min.map(Number),
            max: max.map(Number),
        }),
        ..Metric::default()
    }
}

fn legacy(name: &str, threshold: Option<f64>) -> Metric {
    Metric {
        name: name.into(),
        threshold: threshold.map(Number),
        ..Metric::default()
    }
}

#[test]
fn breaches_read_as_documented() {
    let cases = [
        (
            metric("request-success-rate", Some(99.0), None),
            SUCCESS,
            98.69,
            "success rate 98.69% < 99%",
        ),
        (
            metric("request-success-rate", Some(99.9), None),
            SUCCESS,
            1.0,
            "success rate 1.00% < 99.9%",
        ),
        (
            metric("request-success-rate", None, Some(50.0)),
            SUCCESS,
            50.001,
            "success rate 50.00% > 50%",
        ),
        (
            legacy("request-success-rate", Some(99.0)),
            SUCCESS,
            98.0,
            "success rate 98.00% < 99%",
        ),
        (
            metric("request-duration", None, Some(500.0)),
            DURATION,
            1.515,
            "request duration 1.515s > 500ms",
        ),
        (
            metric("request-duration", Some(5.0), None),
            DURATION,
            0.0021,
            "request duration 2ms < 5ms",
        ),
        (
            legacy("request-duration", Some(500.0)),
            DURATION,
            0.502,
            "request duration 502ms > 500ms",
        ),
        (
            legacy("request-duration", None),
            DURATION,
            0.001,
            "request duration 1ms > 0s",
        ),
        (
            metric("404s percentage", None, Some(5.0)),
            template(),
            6.2,
            "404s percentage 6.20 > 5",
        ),
        (
            metric("bytes", None, Some(1e6)),
            inline(),
            2e6,
            "bytes 2000000.00 > 1e+06",
        ),
        (metric("rate", Some(0.5), None), inline(), 0.25, "rate 0.25 < 0.5"),
        (legacy("errors", None), template(), 0.1, "errors 0.10 > 0"),
    ];
    for (metric, source, value, expected) in cases {
        let check = judge(&metric, &source, &Reading::Value(value), &canary(), "gatewayapi:v1");
        assert_eq!(check.verdict, Verdict::Fail, "{expected}");
        assert_eq!(check.why, format!("Halt podinfo.test advancement {expected}"));
    }
}

#[test]
fn limits_are_inclusive_and_missing_ones_open() {
    let cases = [
        (metric("request-success-rate", Some(99.0), None), SUCCESS, 99.0),
        (legacy("request-success-rate", None), SUCCESS, 0.0),
        (metric("request-duration", None, Some(500.0)), DURATION, 0.5),
        (metric("request-duration", None, Some(500.9)), DURATION, 0.500_9),
        (legacy("request-duration", None), DURATION, 0.000_9),
        (metric("x", Some(1.0), Some(5.0)), inline(), 1.0),
        (metric("x", Some(1.0), Some(5.0)), inline(), 5.0),
        (metric("x", None, None), template(), -1e300),
        (legacy("x", None), template(), 0.0),
    ];
    for (metric, source, value) in cases {
        let check = judge(&metric, &source, &Reading::Value(value), &canary(), "gatewayapi:v1");
        assert_eq!(
            (check.verdict, check.why.as_str()),
            (Verdict::Pass, ""),
            "{metric:?} {value}"
        );
    }
    let both = Metric {
        threshold: Some(Number(1.0)),
        ..metric("x", None, Some(5.0))
    };
    let check = judge(&both, &inline(), &Reading::Value(3.0), &canary(), "istio");
    assert_eq!(
        check.verdict,
        Verdict::Pass,
        "the range makes the legacy threshold void"
    );
}

#[test]
fn durations_are_judged_in_milliseconds_and_exported_in_seconds() {
    let limits = metric("request-duration", None, Some(500.0));
    let http = judge(&limits, &DURATION, &Reading::Value(0.2), &canary(), "kubernetes");
    let istio = judge(&limits, &DURATION, &Reading::Value(200.0), &canary(), "istio");
    assert_eq!((http.value, istio.value), (Some(200.0), Some(200.0)));
    assert!((exported(&DURATION, 200.0) - 0.2).abs() < 1e-12);
    assert!((exported(&SUCCESS, 99.5) - 99.5).abs() < 1e-12);
}

#[test]
fn no_data_and_no_answer_are_neither_good_nor_bad() {
    let nothing = Reading::NoData("no values found".into());
    let broken = Reading::Failed("error response: Status 500 Internal Server Error: boom".into());
    let success = metric("request-success-rate", Some(99.0), None);
    let own = metric("404s", None, Some(5.0));
    let traffic = "probably podinfo.test is not receiving traffic";
    let cases = [
        (
            &success,
            SUCCESS,
            &nothing,
            "gatewayapi:v1",
            Verdict::NotEnough,
            format!(
                "Halt advancement no values found for gatewayapi:v1 metric request-success-rate {traffic}: no values found"
            ),
        ),
        (
            &success,
            SUCCESS,
            &nothing,
            "istio",
            Verdict::NotEnough,
            format!(
                "Halt advancement no values found for istio metric request-success-rate {traffic}: \
                 running query failed: no values found"
            ),
        ),
        (
            &own,
            inline(),
            &nothing,
            "istio",
            Verdict::NotEnough,
            "Halt advancement no values found for metric 404s: no values found".into(),
        ),
        (
            &own,
            template(),
            &nothing,
            "istio",
            Verdict::NotEnough,
            "Halt advancement no values found for custom metric 404s: no values found".into(),
        ),
        (
            &success,
            SUCCESS,
            &broken,
            "gatewayapi:v1",
            Verdict::Unavailable,
            "Prometheus query failed: error response: Status 500 Internal Server Error: boom".into(),
        ),
        (
            &own,
            template(),
            &broken,
            "istio",
            Verdict::Unavailable,
            "Metric query failed for 404s: error response: Status 500 Internal Server Error: boom".into(),
        ),
    ];
    for (metric, source, reading, provider, verdict, why) in cases {
        let check = judge(metric, &source, reading, &canary(), provider);
        assert_eq!((check.verdict, check.value, check.why), (verdict, None, why));
    }
}

#[test]
fn a_query_that_cannot_be_made_says_why() {
    let own = metric("404s", None, Some(5.0));
    let check = unusable(&own, &template(), "not found");
    assert_eq!(check.verdict, Verdict::Unavailable);
    assert_eq!(check.why, "Metric template errors.ns of 404s cannot be used: not found");
    assert_eq!(
        unusable(&own, &Source::Nothing, "").why,
        "Metric 404s has no usable template or query"
    );
}
