use super::*;
use crate::{
    catalogue::refreshed,
    outbound::scripted,
    testing::{answer, post, simulate},
    webhook,
};
use crds::CanarySpec;
use engine::seam::{Ask, Check, HookCall, Trouble, Verdict};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn canary(name: &str, target: &str) -> Canary {
    let mut spec = CanarySpec::default();
    spec.target_ref.name = target.into();
    let mut canary = Canary::new(name, spec);
    canary.metadata.namespace = Some("test".into());
    canary
}

fn series() -> Series {
    Series::new("1.2.3", "istio").unwrap()
}

/// The lines of these series, without comments.
fn lines(text: &str, prefix: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

#[test]
fn shows_what_the_peer_shows() {
    let series = series();
    let canary = canary("release", "podinfo");
    let metric = Measure::Metric {
        name: "latency".into(),
        value: 0.5,
    };
    let measures = [
        Measure::Status(Phase::Failed),
        Measure::Weight { primary: 95, canary: 5 },
        metric,
        Measure::Ended {
            promoted: false,
            skipped: false,
        },
        Measure::Ended {
            promoted: true,
            skipped: true,
        },
    ];
    for measure in &measures {
        series.apply(&canary, measure);
    }
    series.checked(&canary, 0.3);
    series.count_canaries(&BTreeMap::from([("test".into(), 1)]));
    let text = series.render();
    let expected = [
        r#"flagger_canary_failures_total{analysis_status="completed",deployment_strategy="canary",name="podinfo",namespace="test"} 1"#,
        r#"flagger_canary_metric_analysis{metric="latency",name="podinfo",namespace="test"} 0.5"#,
        r#"flagger_canary_status{name="podinfo",namespace="test"} 2"#,
        r#"flagger_canary_successes_total{analysis_status="skipped",deployment_strategy="canary",name="podinfo",namespace="test"} 1"#,
        r#"flagger_canary_total{namespace="test"} 1"#,
        r#"flagger_canary_weight{namespace="test",workload="podinfo"} 5"#,
        r#"flagger_canary_weight{namespace="test",workload="podinfo-primary"} 95"#,
        r#"flagger_info{mesh_provider="istio",version="1.2.3"} 1"#,
    ];
    let histogram = "flagger_canary_duration_seconds";
    let shown: Vec<_> = lines(&text, "flagger_")
        .into_iter()
        .filter(|line| !line.starts_with(histogram))
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(
        lines(&text, "flagger_canary_duration_seconds_bucket")[5..7],
        [
            r#"flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="0.25"} 0"#,
            r#"flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="0.5"} 1"#,
        ]
    );
    let kinds = [
        "info gauge",
        "canary_total gauge",
        "canary_status gauge",
        "canary_weight gauge",
        "canary_metric_analysis gauge",
        "canary_duration_seconds histogram",
        "canary_successes_total counter",
        "canary_failures_total counter",
    ];
    for kind in kinds {
        assert!(text.contains(&format!("# TYPE flagger_{kind}\n")), "{kind}");
    }
}

#[test]
fn a_deleted_canary_leaves_no_series() {
    let series = series();
    let canary = canary("release", "podinfo");
    series.apply(&canary, &Measure::Status(Phase::Failed));
    series.apply(
        &canary,
        &Measure::Weight {
            primary: 100,
            canary: 0,
        },
    );
    series.apply(
        &canary,
        &Measure::Metric {
            name: "latency".into(),
            value: 1.0,
        },
    );
    series.apply(
        &canary,
        &Measure::Ended {
            promoted: false,
            skipped: false,
        },
    );
    series.checked(&canary, 1.0);
    series.remove(canary.namespace(), canary.name());
    assert_eq!(lines(&series.render(), "flagger_canary"), Vec::<String>::new());
    assert_eq!(
        lines(&series.render(), "aviary_canaries"),
        [r#"aviary_canaries{phase="Failed"} 0"#]
    );
}

#[test]
fn two_canaries_with_one_target_name_share_series() {
    let series = series();
    let (first, second) = (canary("first", "podinfo"), canary("second", "podinfo"));
    series.apply(&first, &Measure::Status(Phase::Failed));
    series.apply(
        &first,
        &Measure::Metric {
            name: "latency".into(),
            value: 1.0,
        },
    );
    series.apply(&second, &Measure::Status(Phase::Progressing));
    series.remove(first.namespace(), first.name());
    let status = r#"flagger_canary_status{name="podinfo",namespace="test"} 0"#;
    assert_eq!(lines(&series.render(), "flagger_canary_status"), [status]);
    series.remove(second.namespace(), second.name());
    assert_eq!(lines(&series.render(), "flagger_canary"), Vec::<String>::new());
}

#[test]
fn a_canary_with_a_new_target_leaves_the_old_series() {
    let series = series();
    series.apply(&canary("release", "old"), &Measure::Status(Phase::Failed));
    series.apply(&canary("release", "new"), &Measure::Status(Phase::Succeeded));
    let status = r#"flagger_canary_status{name="new",namespace="test"} 1"#;
    assert_eq!(lines(&series.render(), "flagger_canary_status"), [status]);
    let phases = [
        r#"aviary_canaries{phase="Failed"} 0"#,
        r#"aviary_canaries{phase="Succeeded"} 1"#,
    ];
    assert_eq!(lines(&series.render(), "aviary_canaries"), phases);
}

#[test]
fn an_empty_namespace_shows_zero_once() {
    let series = series();
    let total = |series: &Series| lines(&series.render(), "flagger_canary_total");
    series.count_canaries(&BTreeMap::from([("a".into(), 2), ("b".into(), 1)]));
    series.count_canaries(&BTreeMap::from([("a".into(), 3)]));
    let (a, b) = (
        r#"flagger_canary_total{namespace="a"} 3"#,
        r#"flagger_canary_total{namespace="b"} 0"#,
    );
    assert_eq!(total(&series), [a, b]);
    assert_eq!(total(&series), [a]);
    series.count_canaries(&BTreeMap::from([("a".into(), 3), ("b".into(), 1)]));
    assert_eq!(total(&series).len(), 2);
}

#[test]
fn counts_what_the_house_does() {
    let series = series();
    series.restarted("canary");
    series.requested("patch", "conflict");
    series.stepped("advance", 0.1);
    series.dropped("webhook");
    series.undelivered("alert");
    series.violated("S1-sum");
    let text = series.render();
    let expected = [
        r#"aviary_actor_restarts_total{actor="canary"} 1"#,
        r#"aviary_api_requests_total{result="conflict",verb="patch"} 1"#,
        r#"aviary_invariant_violations_total{id="S1-sum"} 1"#,
        r#"aviary_notices_dropped_total{lane="webhook"} 1"#,
        r#"aviary_notices_failed_total{lane="alert"} 1"#,
        r#"aviary_step_duration_seconds_count{verb="advance"} 1"#,
    ];
    for line in expected {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    assert!(text.contains("process_resident_memory_bytes "));
}

#[test]
fn counts_what_others_were_asked() {
    let series = series();
    let query = Ask::Query(post("http://prometheus.test/api/v1/query"));
    let hook = Ask::Hook(HookCall {
        name: "load".into(),
        request: post("http://tester.test/"),
        retries: 0,
    });
    let trouble = |text: &str| text.to_owned();
    let answers = [
        (&query, answer(200), "2xx"),
        (&query, answer(302), "3xx"),
        (&query, answer(429), "4xx"),
        (&query, answer(503), "5xx"),
        (&query, Err(Trouble::Unavailable(trouble("no answer"))), "unavailable"),
        (&query, Err(Trouble::Refused(trouble("bad certificate"))), "refused"),
        (&hook, answer(403), "4xx"),
    ];
    for (ask, answer, result) in answers {
        let name = match ask {
            Ask::Hook(_) => "hook_calls",
            _ => "queries",
        };
        let line = |count| format!("aviary_{name}_total{{result=\"{result}\"}} {count}");
        assert_eq!(lines(&series.render(), &line(0)).len(), 1, "a zero to begin with");
        series.asked(ask, &answer, 0.3);
        assert_eq!(lines(&series.render(), &line(1)).len(), 1);
    }
    let text = series.render();
    assert_eq!(lines(&text, "aviary_query_duration_seconds_count 6").len(), 1, "{text}");
    assert_eq!(lines(&text, "aviary_hook_duration_seconds_count 1").len(), 1, "{text}");
}

#[test]
fn queues_are_read_when_they_are_shown() {
    simulate(|world| async move {
        let series = Arc::new(series());
        let mail = webhook::start(&world, &scripted(|_| (Duration::from_secs(4), answer(200))));
        series.watch_mail("hooks", mail.meter());
        let depth = Arc::new(AtomicUsize::new(7));
        let shown = depth.clone();
        series.watch_lane("alert", move || shown.load(Ordering::Relaxed));
        let line = |text: &str| lines(&series.render(), text).len();
        assert_eq!(line(r#"aviary_mail_depth{mail="hooks"} 0"#), 1);
        assert_eq!(line(r#"aviary_notices_pending{lane="alert"} 7"#), 1);
        // All permits and one more.
        for _ in 0..=webhook::CALLS_MAX {
            let mail = mail.clone();
            let call = HookCall {
                name: "load".into(),
                request: post("http://tester.test/"),
                retries: 0,
            };
            world.spawn(async move {
                mail.send(webhook::Call(call)).await.ok();
            });
        }
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(
            line(&format!("aviary_mail_depth{{mail=\"hooks\"}} {}", webhook::CALLS_MAX)),
            1
        );
        assert_eq!(line(r#"aviary_mail_waits_total{mail="hooks"} 1"#), 1);
        world.sleep(Duration::from_mins(1)).await;
        assert_eq!(line(r#"aviary_mail_depth{mail="hooks"} 0"#), 1);
        assert_eq!(
            line(r#"aviary_mail_waits_total{mail="hooks"} 1"#),
            1,
            "counted once, however often it is shown"
        );
    });
}

#[test]
fn the_page_of_series_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let fresh = refreshed(&page, "controller", &series().table()).unwrap();
    if std::env::var("AVIARY_REGENERATE").is_ok_and(|value| value == "1") {
        fs::write(&path, &fresh).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap();
    assert!(page == fresh, "docs/metrics.md is stale: see there how it is made");
    // What a user may look for, by what the issue calls it.
    for name in [
        "flagger_canary_status",
        "flagger_canary_weight",
        "flagger_canary_metric_analysis",
        "aviary_step_duration_seconds",
        "aviary_step_lateness_seconds",
        "aviary_mail_depth",
        "aviary_queries_total",
        "aviary_hook_calls_total",
        "aviary_actor_restarts_total",
        "aviary_api_requests_total",
        "aviary_metric_checks_total",
        "aviary_notices_failed_total",
    ] {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn no_data_and_a_dead_provider_are_different_series() {
    let series = Series::new("1", "istio").unwrap();
    let canary = canary("app", "test");
    let check = |verdict| Check {
        name: "request-success-rate".into(),
        verdict,
        value: None,
        why: String::new(),
    };
    series.judged(
        &canary,
        &[
            check(Verdict::Pass),
            check(Verdict::NotEnough),
            check(Verdict::Unavailable),
            check(Verdict::Unavailable),
        ],
    );
    let text = series.render();
    for (verdict, count) in [("pass", 1), ("fail", 0), ("no_data", 1), ("unavailable", 2)] {
        let labels = format!("metric=\"request-success-rate\",name=\"app\",namespace=\"test\",verdict=\"{verdict}\"");
        let line = format!("aviary_metric_checks_total{{{labels}}} {count}");
        assert!(text.contains(&line), "{line}: {text}");
    }
    series.remove("test", "app");
    assert!(!series.render().contains("aviary_metric_checks_total{"));
}

#[test]
fn shows_how_late_steps_start() {
    let series = series();
    for seconds in [0.0005, 0.004, 30.0] {
        series.late(seconds);
    }
    let shown = lines(&series.render(), "aviary_step_lateness_seconds");
    let expected = [
        r#"aviary_step_lateness_seconds_bucket{le="0.001"} 1"#,
        r#"aviary_step_lateness_seconds_bucket{le="0.003"} 1"#,
        r#"aviary_step_lateness_seconds_bucket{le="0.005"} 2"#,
        r#"aviary_step_lateness_seconds_bucket{le="10"} 2"#,
        r#"aviary_step_lateness_seconds_bucket{le="+Inf"} 3"#,
        "aviary_step_lateness_seconds_count 3",
    ];
    for line in expected {
        assert!(shown.iter().any(|found| found == line), "{line}: {shown:#?}");
    }
}
