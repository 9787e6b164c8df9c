//! Reading objects, and Go durations.

use super::*;
use crate::{MetricTemplate, Phase};
use proptest::prelude::*;
use serde_json::json;

fn sound() -> Value {
    json!({
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "app", "namespace": "test"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 9898, "targetPort": "http"},
            "analysis": {"interval": "1m", "threshold": 10, "stepWeight": 5, "maxWeight": 50},
        },
        "status": {"phase": "Progressing", "failedChecks": 1, "canaryWeight": 10, "iterations": 0},
    })
}

#[test]
fn a_sound_canary_round_trips() {
    let (read, translations) = canary(&sound()).unwrap();
    assert_eq!(translations, []);
    let written = json!(read);
    for part in ["apiVersion", "kind", "metadata", "spec", "status"] {
        assert_eq!(written[part], sound()[part], "{part}");
    }
}

#[test]
fn leniently_read() {
    let mut object = sound();
    object["spec"]["analysis"]["stepWeight"] = json!(2.5);
    object["spec"]["analysis"]["alerts"] = json!(null);
    object["spec"]["analysis"]["webhooks"] = json!([
        {"name": "load", "url": "http://tester/", "metadata": {"clone": 100, "on": true, "type": "ngrinder", "gone": null}},
    ]);
    object["spec"]["somethingNew"] = json!({"a": 1});
    object["status"]["canaryWeight"] = json!(12.5);
    object["status"]["iterations"] = json!(2.0);
    object["status"]["lastTransitionTime"] = json!("yesterday");
    object["status"]["conditions"] = json!([
        {"type": "Promoted", "status": "Unknown", "reason": "Progressing", "lastUpdateTime": "2019-07-10T08:23:18Z"},
    ]);
    let (read, _) = canary(&object).unwrap();
    let analysis = read.spec.analysis.unwrap();
    assert_eq!(json!(analysis.step_weight), json!(2.5));
    let data = &analysis.webhooks[0].metadata;
    let data: Vec<(&str, &str)> = data.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(data, [("clone", "100"), ("on", "true"), ("type", "ngrinder")]);
    let status = read.status.unwrap();
    assert_eq!(
        (status.canary_weight, status.iterations, status.phase),
        (12, 2, Phase::Progressing)
    );
    assert_eq!(status.last_transition_time, None);
    let condition = status.condition("Promoted").unwrap();
    assert_eq!(condition.last_update_time.unwrap().to_string(), "2019-07-10T08:23:18Z");
}

#[test]
fn unreadable_with_a_path() {
    let cases: [(&str, Value, &str); 8] = [
        ("/spec", json!(null), "spec"),
        ("/spec/targetRef", json!(null), "spec.targetRef"),
        ("/spec/targetRef", json!({"kind": "Deployment"}), "spec.targetRef"),
        ("/spec/service/port", json!("http"), "spec.service.port"),
        ("/spec/analysis/stepWeight", json!("5"), "spec.analysis.stepWeight"),
        ("/spec/analysis/interval", json!(60), "spec.analysis.interval"),
        ("/status/phase", json!("Dancing"), "status.phase"),
        ("/status/failedChecks", json!("1"), "status.failedChecks"),
    ];
    for (place, value, path) in cases {
        let mut object = sound();
        *object.pointer_mut(place).unwrap() = value;
        assert_eq!(canary(&object).unwrap_err().path, path, "{place}");
    }
    for object in [json!(null), json!([]), json!({}), json!({"spec": 5})] {
        canary(&object).unwrap_err();
    }
    let error = decode::<MetricTemplate>(&json!({"metadata": {}, "spec": {"query": "up"}})).unwrap_err();
    assert_eq!(error.to_string(), "cannot read spec: missing field `provider`");
}

#[test]
fn old_forms_are_translated_before_reading() {
    let mut object = sound();
    object["apiVersion"] = json!("flagger.app/v1alpha3");
    let analysis = object["spec"].as_object_mut().unwrap().remove("analysis").unwrap();
    object["spec"]["canaryAnalysis"] = analysis;
    let (read, translations) = canary(&object).unwrap();
    assert_eq!(json!(read.spec), sound()["spec"]);
    let paths: Vec<&str> = translations.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["apiVersion", "spec.canaryAnalysis"]);
}

#[test]
fn go_durations() {
    let readable = [
        ("0", 0),
        ("+0", 0),
        ("1m", 60_000_000_000),
        ("1m30s", 90_000_000_000),
        ("+5s", 5_000_000_000),
        ("1h", 3_600_000_000_000),
        ("1.5h", 5_400_000_000_000),
        ("500ms", 500_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("0.1s", 100_000_000),
        ("1us", 1_000),
        ("1µs", 1_000),
        ("1μs", 1_000),
        ("7ns", 7),
        ("0.5ns", 0),
        ("10s5m", 310_000_000_000),
        ("0.3333333333333333333333h", 1_199_999_999_999),
        ("9223372036s", 9_223_372_036_000_000_000),
    ];
    for (text, nanoseconds) in readable {
        assert_eq!(go_duration(text), Some(Duration::from_nanos(nanoseconds)), "{text}");
    }
    let unreadable = [
        "",
        "+",
        "-",
        "-5s",
        "--5s",
        "5",
        "s",
        ".s",
        ".",
        "1minute",
        "1 m",
        " 1m",
        "1m ",
        "1..5s",
        "1.2.3s",
        "1d",
        "1M",
        "１s",
        "9223372037s",
        "99999999999999999999h",
        "3e5s",
        "µ",
        "m1",
    ];
    for text in unreadable {
        assert_eq!(go_duration(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_go_prints_is_read(hours in 0_u64..100_000, minutes in 0_u64..60, seconds in 0_u64..60, millis in 0_u64..1000) {
        let text = format!("{hours}h{minutes}m{seconds}.{millis:03}s");
        let expected = Duration::from_millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis);
        prop_assert_eq!(go_duration(&text), Some(expected));
    }

    #[test]
    fn no_text_panics(text in "[+-]?[0-9.hmsnuµ ]{0,40}|.*") {
        let _ = go_duration(&text);
    }
}
