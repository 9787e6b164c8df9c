//! Against a server that is played, in paused time.

use super::*;
use engine::http::Response;
use parking_lot::Mutex;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

fn read(changes: &[(&str, &str)]) -> Result<Ngrinder, Refusal> {
    let mut metadata: BTreeMap<String, String> = [
        ("server", "http://ngrinder.test/base/"),
        ("clone", "100"),
        ("username", "admin"),
        ("passwd", "YWRtaW4="),
        ("pollInterval", "5s"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    for (key, value) in changes {
        metadata.insert((*key).to_owned(), (*value).to_owned());
    }
    Ngrinder::read(&Payload {
        metadata,
        ..Payload::default()
    })
}

type Calls = Vec<(Method, String, String)>;

/// Run for at most a minute against this answer to the start and these statuses, the last one for ever.
async fn play(start: serde_json::Value, statuses: &'static [&'static str], stop_it: bool) -> (Outcome, Calls) {
    let world = World::threads(tokio::runtime::Handle::current(), Vec::new());
    let seen: Arc<Mutex<Calls>> = Arc::default();
    let heard = seen.clone();
    let outbound = outbound::scripted(move |request| {
        let mut seen = heard.lock();
        let credential = request.headers[0].1.clone();
        seen.push((request.method, request.url.clone(), credential));
        let looks = seen.iter().filter(|(method, ..)| *method == Method::Get).count().max(1);
        let body = match request.method {
            Method::Post => start.clone(),
            Method::Get => json!({"status": [{"status_id": statuses[(looks - 1).min(statuses.len() - 1)]}]}),
            Method::Put => json!({"success": true}),
        };
        let response = Response {
            status: 200,
            body: body.to_string(),
            retry_after: None,
        };
        (Duration::from_millis(10), Ok(response))
    });
    let (brake, stop) = crate::companion::brake::Brake::new();
    if stop_it {
        brake.pull(Why::NewRevision);
    }
    let grinder = read(&[]).unwrap();
    let outcome = grinder
        .run(&world, &outbound, &Output::default(), Duration::from_mins(1), stop)
        .await;
    let seen = seen.lock().clone();
    (outcome, seen)
}

#[test]
fn what_is_wrong_is_named() {
    for (key, value, words) in [
        ("server", "", "server, clone, username and passwd are required metadata"),
        ("clone", "x", "metadata clone must be integer"),
        ("passwd", "%", "metadata password is invalid"),
        ("server", "no url", "invalid url"),
    ] {
        let refusal = read(&[(key, value)]).unwrap_err();
        assert!(refusal.status == 400 && refusal.text.contains(words), "{refusal}");
    }
    for (text, poll) in [("5s", 5), ("1s", 1), ("10s", 10), ("0s", 1), ("-3s", 1), ("soon", 1)] {
        assert_eq!(
            read(&[("pollInterval", text)]).unwrap().poll,
            Duration::from_secs(poll),
            "LT-4: {text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_documented_calls_are_made() {
    let (outcome, seen) = play(json!({"id": 7}), &["TESTING", "FINISHED"], false).await;
    assert!(outcome.success, "{outcome:?}");
    let base = "http://ngrinder.test/base/perftest/api";
    let basic = "Basic YWRtaW46YWRtaW4=".to_owned();
    assert_eq!(
        seen,
        [
            (Method::Post, format!("{base}/100/clone_and_start"), basic.clone()),
            (Method::Get, format!("{base}/7/status"), basic.clone()),
            (Method::Get, format!("{base}/7/status"), basic),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn every_end_is_an_end() {
    for (start, statuses, cause) in [
        (
            json!({"id": 7}),
            &["STOP_BY_ERROR"][..],
            "nGrinder test 7 ended as STOP_BY_ERROR",
        ),
        (json!({}), &[""], "nGrinder's answer has no id"),
        (
            json!({"success": false, "message": "no"}),
            &[""],
            "nGrinder refused: no",
        ),
    ] {
        let (outcome, _) = play(start, statuses, false).await;
        assert_eq!((outcome.success, outcome.cause.as_str()), (false, cause));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_here_is_stopped_there() {
    for (stop_it, cause) in [
        (true, "stopped: the canary has a new revision"),
        (false, "time limit of 60s exceeded"),
    ] {
        let (outcome, seen) = play(json!({"id": 7}), &["TESTING"], stop_it).await;
        assert_eq!(outcome.cause, cause);
        let last = seen.last().unwrap();
        assert_eq!(last.0, Method::Put);
        assert!(last.1.ends_with("/perftest/api/7?action=stop"), "{}", last.1);
    }
}
