//! A metrics server, or a template, that is bad in each known way: what its canary sees is bounded, classified, and told once per state;
//! canaries of another server notice nothing.

use engine::{
    http::{BODY_BYTES_MAX, Response},
    model::{answer, vector},
    seam::Trouble,
};
use serde_json::{Value, json};
use std::time::Duration;

use super::{
    manifests::NAMESPACE,
    outside::Manner,
    stage::{End, Life, Stage, simulate},
};

const BAD: &str = "http://bad.test";
const QUERY: &str = "sum(rate(errors[{{ interval }}]))";
/// Far beyond the time limit of a query.
const FOR_EVER: Duration = Duration::from_secs(100_000);

/// One way to be bad.
struct Case {
    name: &'static str,
    query: String,
    manner: Manner,
    /// What the Event says.
    says: &'static str,
    verdict: &'static str,
}

fn at_once(answer: Result<Response, Trouble>) -> Manner {
    (Duration::from_millis(3), answer)
}

fn server(name: &'static str, manner: Manner, says: &'static str) -> Case {
    Case {
        name,
        query: QUERY.into(),
        manner,
        says,
        verdict: "unavailable",
    }
}

fn template(name: &'static str, query: &str, says: &'static str) -> Case {
    Case {
        name,
        query: query.into(),
        manner: at_once(Ok(answer(200, &vector("1")))),
        says,
        verdict: "unavailable",
    }
}

fn cases() -> Vec<Case> {
    let unavailable = |text: &str| at_once(Err(Trouble::Unavailable(format!("{BAD}: {text}"))));
    let status = |status: u16, body: &str| at_once(Ok(answer(status, body)));
    let busy = Response {
        retry_after: Some("30".into()),
        ..answer(429, "slow down")
    };
    let no_data = Case {
        verdict: "no_data",
        ..server("nothing there", status(200, &vector("NaN")), "no values found")
    };
    vec![
        server(
            "wrong address",
            unavailable("failed to lookup address information"),
            "failed to lookup",
        ),
        server(
            "refused connection",
            unavailable("Connection refused"),
            "Connection refused",
        ),
        server(
            "expired certificate",
            at_once(Err(Trouble::Refused(format!(
                "{BAD}: invalid peer certificate: Expired"
            )))),
            "invalid peer certificate",
        ),
        server("401", status(401, "bad credentials"), "401"),
        server("403", status(403, "forbidden"), "403"),
        server("429", at_once(Ok(busy)), "429"),
        server("500", status(500, "oops"), "500"),
        server("HTML", status(200, "<!DOCTYPE html><title>Sign in</title>"), "JSON"),
        // What is left of 100 MB: tests/outbound.rs sees the rest being left unread.
        server("100 MB", status(200, &"x".repeat(BODY_BYTES_MAX)), "JSON"),
        server("endless body", (FOR_EVER, Ok(answer(200, ""))), "no answer within 5s"),
        no_data,
        template(
            "a loop",
            "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
            "query",
        ),
        template("too much", &"{{ namespace }}".repeat(4_200), "16384 bytes"),
        template("a mistake", "sum({{ nothing }})", "line 1, column"),
    ]
}

/// The series of a canary's checks of the metric `errors`.
fn checks(life: &Life, canary: &str, verdict: &str) -> u64 {
    let metrics = life.controller.metrics();
    let labels = format!("metric=\"errors\",name=\"{canary}\",namespace=\"{NAMESPACE}\",verdict=\"{verdict}\"");
    let prefix = format!("aviary_metric_checks_total{{{labels}}} ");
    let count = metrics.lines().find_map(|found| found.strip_prefix(&prefix));
    count.map_or(0, |count| count.parse().unwrap())
}

/// Steps that started more than 10 ms after their time.
fn late(life: &Life) -> u64 {
    let metrics = life.controller.metrics();
    let find = |name: &str| {
        let found = metrics.lines().find_map(|line| line.strip_prefix(name));
        found.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    let name = "aviary_step_lateness_seconds";
    find(&format!("{name}_count")) - find(&format!("{name}_bucket{{le=\"0.01\"}}"))
}

/// Kubernetes Events about the canary with this text, and how often they were said in all.
fn said(stage: &Stage, canary: &str, part: &str) -> (usize, i64) {
    let events = stage.sandbox.list("events", None).unwrap();
    let about = events.iter().filter(|event| {
        let message = event["message"].as_str().unwrap_or_default();
        event["involvedObject"]["name"] == canary && message.contains(part)
    });
    let counts: Vec<i64> = about.map(|event| event["count"].as_i64().unwrap_or(1)).collect();
    (counts.len(), counts.iter().sum())
}

fn install(stage: &Stage, case: &Case, annotations: &Value) {
    stage.outside.set_server(BAD, case.manner.clone());
    let errors = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "errors", "namespace": NAMESPACE},
        "spec": {"provider": {"type": "prometheus", "address": BAD}, "query": case.query},
    });
    stage.sandbox.create(errors).unwrap();
    let metric =
        json!({"name": "errors", "interval": "1m", "templateRef": {"name": "errors"}, "thresholdRange": {"max": 5}});
    stage.install("bad", &json!({"analysis": {"threshold": 3, "metrics": [metric]}}));
    let patch = json!({"metadata": {"annotations": annotations}});
    stage
        .sandbox
        .patch(super::manifests::CANARIES, NAMESPACE, "bad", &patch)
        .unwrap();
    stage.install("podinfo", &json!({}));
}

/// Release both; gives the simulated milliseconds that the good one took.
async fn release_both(stage: &Stage) -> i128 {
    stage.reach("bad", &["Initialized"]).await;
    stage.reach("podinfo", &["Initialized"]).await;
    stage.set_version("bad", "2");
    stage.set_version("podinfo", "2");
    let begun = stage.world.now();
    stage.reach("podinfo", &["Succeeded"]).await;
    assert_eq!(stage.end("podinfo"), End::good("podinfo"));
    stage.world.now().duration_since(begun).as_millis()
}

#[test]
fn each_bad_server_fails_its_own_canary_and_delays_nobody() {
    let good = server("good", at_once(Ok(answer(200, &vector("1")))), "");
    let undisturbed = simulate(1, |stage| async move {
        let _life = stage.start().await;
        install(&stage, &good, &json!({}));
        release_both(&stage).await
    });
    for case in cases() {
        simulate(1, |stage| async move {
            let life = stage.start().await;
            install(&stage, &case, &json!({}));
            let took = release_both(&stage).await;
            // Looks at the simulation come every 200 ms of its own clock.
            assert!(
                (took - undisturbed).abs() <= 400,
                "{}: {took} ms, alone {undisturbed} ms",
                case.name
            );
            assert_eq!(late(&life), 0, "{}", case.name);

            stage.reach("bad", &["Failed"]).await;
            assert_eq!(stage.end("bad"), End::bad("bad"), "{}", case.name);
            assert_eq!(
                checks(&life, "bad", case.verdict),
                3,
                "{}: {:#?}",
                case.name,
                stage.events("bad")
            );
            stage.wait(5).await;
            // A failed check is a state: each is told, in one Event with a count.
            let (events, times) = said(&stage, "bad", case.says);
            assert!(events >= 1 && times <= 5, "{}: {:#?}", case.name, stage.events("bad"));
            let longest = stage.events("bad").iter().map(String::len).max();
            assert!(longest.unwrap() < 1_024, "{}: {longest:?}", case.name);
            let asked = stage.outside.count(BAD);
            assert!(asked <= 20, "{}: asked {asked} times", case.name);
            life.stop().await;
        });
    }
}

#[test]
fn a_server_that_is_waited_for_is_told_about_once() {
    for case in cases() {
        simulate(1, |stage| async move {
            let life = stage.start().await;
            install(
                &stage,
                &case,
                &json!({"aviary/on-metrics-error": "hold", "aviary/on-no-data": "hold"}),
            );
            stage.reach("bad", &["Initialized"]).await;
            stage.set_version("bad", "2");
            stage.reach("bad", &["Progressing"]).await;
            stage.wait(300).await;
            assert_eq!(stage.phase("bad"), "Progressing", "{}", case.name);
            let ticks = checks(&life, "bad", case.verdict);
            assert!(ticks >= 20, "{}: {ticks} ticks", case.name);
            let (events, times) = said(&stage, "bad", case.says);
            // Once before the run, where that can be seen without it, and once in it.
            assert!(
                (1..=2).contains(&events) && times <= 2,
                "{}: {times} of {ticks}: {:#?}",
                case.name,
                stage.events("bad")
            );
            life.stop().await;
        });
    }
}

/// AN-20: a check of five metrics on a slow server takes as long as a check of one.
#[test]
fn all_queries_of_a_check_are_asked_at_once() {
    let slow = Duration::from_secs(4);
    let took = |metrics: usize| {
        simulate(1, move |stage| async move {
            let life = stage.start().await;
            stage.outside.set_server(BAD, (slow, Ok(answer(200, &vector("1")))));
            let entries: Vec<Value> = (0..metrics)
                .map(|number| {
                    let name = format!("m{number}");
                    let query = format!("sum(rate(errors{number}[1m]))");
                    let template = json!({
                        "apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": name, "namespace": NAMESPACE},
                        "spec": {"provider": {"type": "prometheus", "address": BAD}, "query": query},
                    });
                    stage.sandbox.create(template).unwrap();
                    json!({"name": name, "templateRef": {"name": name}, "thresholdRange": {"max": 5}})
                })
                .collect();
            stage.install("podinfo", &json!({"analysis": {"metrics": entries}}));
            stage.reach("podinfo", &["Initialized"]).await;
            stage.set_version("podinfo", "2");
            let begun = stage.world.now();
            stage.reach("podinfo", &["Succeeded"]).await;
            assert!(
                stage.outside.count(BAD) >= 3 * metrics,
                "each check asks for each metric"
            );
            life.stop().await;
            stage.world.now().duration_since(begun).as_millis()
        })
    };
    let (one, five) = (took(1), took(5));
    // Looks at the simulation come every 200 ms of its own clock.
    assert!((five - one).abs() <= 400, "one metric: {one} ms, five: {five} ms");
}
