//! Against a server that is played, in paused time.

use super::*;
use engine::http::Response;
use parking_lot::Mutex;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

fn key_file() -> String {
    static WRITTEN: OnceLock<String> = OnceLock::new();
    let write = || {
        let path = std::env::temp_dir().join(format!("aviary-concord-key-{}", std::process::id()));
        std::fs::write(&path, "the-api-key\n").unwrap();
        path.display().to_string()
    };
    WRITTEN.get_or_init(write).clone()
}

fn metadata() -> BTreeMap<String, String> {
    [
        ("server", "http://concord.test/base/"),
        ("org", "o"),
        ("project", "p"),
        ("repo", "r"),
        ("entrypoint", "e"),
        ("endpoint", "https://canary-endpoint/"),
        ("pollInterval", "5"),
        ("pollTimeout", "60"),
        ("arguments.more", "m"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .chain([("apiKeyPath".to_owned(), key_file())])
    .collect()
}

fn read(metadata: BTreeMap<String, String>) -> Result<Concord, Refusal> {
    Concord::read(&Payload {
        metadata,
        ..Payload::default()
    })
}

fn answer(body: &serde_json::Value) -> Response {
    Response {
        status: 200,
        body: body.to_string(),
        retry_after: None,
    }
}

/// Run against these statuses, the last one for ever; gives the outcome and the requests.
async fn play(statuses: &'static [&'static str]) -> (Outcome, Vec<Request>) {
    let world = World::threads(tokio::runtime::Handle::current(), Vec::new());
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let heard = seen.clone();
    let outbound = outbound::scripted(move |request| {
        let mut seen = heard.lock();
        seen.push(request.clone());
        let status = statuses[(seen.len().max(2) - 2).min(statuses.len() - 1)];
        let body = match request.method {
            Method::Post => json!({"instanceId": "id-1", "ok": true}),
            _ => json!({"status": status}),
        };
        (Duration::from_millis(10), Ok(answer(&body)))
    });
    let (_brake, stop) = crate::companion::brake::Brake::new();
    let outcome = read(metadata())
        .unwrap()
        .run(&world, &outbound, &Output::default(), stop)
        .await;
    let seen = seen.lock().clone();
    (outcome, seen)
}

#[test]
fn what_is_missing_is_named() {
    for key in REQUIRED {
        let mut metadata = metadata();
        metadata.remove(key);
        let refusal = read(metadata).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.text),
            (500, format!("`{key}` is required with type concord"))
        );
    }
    for (key, value, words) in [
        (
            "apiKeyPath",
            "/no/such/key",
            "`apiKeyPath` file doesn't exist /no/such/key",
        ),
        ("apiKeyPath", "/proc/self/environ", "is not the file of a key"),
        ("apiKeyPath", "/tmp/../proc/self/environ", "is not the file of a key"),
        ("pollInterval", "5s", "unable to convert `pollInterval` to int"),
        ("pollInterval", "0", "unable to convert `pollInterval` to int"),
        ("pollTimeout", "-1", "unable to convert `pollTimeout` to int"),
        ("arguments.endpoint", "x", "`arguments.endpoint`"),
    ] {
        let mut metadata = metadata();
        metadata.insert(key.into(), value.into());
        let refusal = read(metadata).unwrap_err();
        assert!(
            refusal.status == 500 && refusal.text.contains(words),
            "{key}: {refusal}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_documented_calls_are_made() {
    let (outcome, seen) = play(&["RUNNING", "FINISHED"]).await;
    assert!(outcome.success, "{outcome:?}");
    assert_eq!(seen.len(), 3);
    let start = &seen[0];
    assert_eq!(
        (start.method, start.url.as_str()),
        (Method::Post, "http://concord.test/api/v1/process")
    );
    assert!(start.headers.contains(&("Authorization".into(), "the-api-key".into())));
    let names: Vec<&str> = start
        .body
        .split("name=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .collect();
    assert_eq!(
        names,
        [
            "org",
            "project",
            "repo",
            "entryPoint",
            "arguments.endpoint",
            "arguments.more"
        ]
    );
    let boundary = "multipart/form-data; boundary=aviary-form";
    assert!(start.headers.contains(&("Content-Type".into(), boundary.into())));
    assert!(start.body.ends_with("--aviary-form--\r\n"));
    assert_eq!(
        (seen[1].method, seen[1].url.as_str()),
        (Method::Get, "http://concord.test/api/v1/process/id-1")
    );
}

#[tokio::test(start_paused = true)]
async fn every_end_is_an_end() {
    for (statuses, cause) in [
        (&["FAILED"][..], "concord instanceID: id-1 failed"),
        (&["CANCELLED"], "concord instanceID: id-1 ended as CANCELLED"),
        (&["RUNNING"], "concord process timed out, after 60 seconds"),
    ] {
        let began = tokio::time::Instant::now();
        let (outcome, _) = play(statuses).await;
        assert_eq!((outcome.success, outcome.cause.as_str()), (false, cause));
        assert!(began.elapsed() <= Duration::from_secs(61), "LT-12: one deadline");
    }
}
