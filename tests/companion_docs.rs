//! Every command of docs/loadtester.md and docs/k6-webhook.md that needs no cluster gives the printed answer.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all tests of the companions, this one needs a part of them"
)]

mod cluster;
mod companions;

use companions::{Companion, PATIENCE, docs, folder, grpc, target::Target};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

/// Plays nGrinder: knows one test, which ends at the first look.
fn ngrinder() -> Target {
    Target::with(Arc::new(|request| {
        let is_known = request.contains("Basic YWRtaW46YWRtaW4=");
        let answer = match request.split(' ').nth(1).unwrap_or_default() {
            "/perftest/api/100/clone_and_start" if is_known && request.starts_with("POST") => json!({"id": 7}),
            "/perftest/api/7/status" if is_known => json!({"status": [{"status_id": "FINISHED"}]}),
            _ => json!({"success": false, "message": "unknown"}),
        };
        (200, answer.to_string())
    }))
}

/// Plays Concord: one process, which is done at the first look.
fn concord() -> Target {
    Target::with(Arc::new(|request| {
        if !request.to_lowercase().contains("authorization: the-api-key") {
            return (401, "{}".to_owned());
        }
        let answer = match request.split(' ').nth(1).unwrap_or_default() {
            "/api/v1/process" if request.contains("name=\"entryPoint\"") => json!({"instanceId": "one"}),
            "/api/v1/process/one" => json!({"status": "FINISHED"}),
            _ => json!({}),
        };
        (200, answer.to_string())
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_tester_answers_as_documented() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/companions");
    let here = folder("docs-loadtester-files");
    std::fs::write(here.join("key"), "the-api-key\n").unwrap();
    let (target, ngrinder, concord) = (Target::start(), ngrinder(), concord());
    let tester = Companion::loadtester("docs-loadtester", &["-namespace-regexp=^test$"], &[]).await;
    let replace = [
        ("http://localhost:8080", tester.url.clone()),
        ("podinfo-canary.test:9898", target.address.clone()),
        ("https://podinfo.example.com", format!("http://{}", target.address)),
        ("podinfo.test:9898", grpc::health().await),
        (
            "/tmp/ghz/health.proto",
            fixtures.join("health.proto").display().to_string(),
        ),
        (
            "/tests/acceptance.bats",
            fixtures.join("acceptance.bats").display().to_string(),
        ),
        ("/tmp/concord-api-key", here.join("key").display().to_string()),
        ("ngrinder-server:port", ngrinder.address.clone()),
        ("concord-server", concord.address.clone()),
    ];
    let examples = move || docs::run("loadtester.md", "```console", &replace);
    tokio::task::spawn_blocking(examples).await.unwrap();
    assert!(target.count() > 50, "the load came: {}", target.count());

    // What was answered with 202 and ends by itself went well, too.
    let ended = cluster::until("ghz and nGrinder have ended", PATIENCE, async || {
        let tasks = tester.json("/tasks").await["tasks"].as_array().unwrap().clone();
        let of = |word: &str| {
            tasks
                .iter()
                .find(|task| task["command"].as_str().unwrap().contains(word))
                .cloned()
        };
        let found = [of("--proto"), of("ngrinder"), of("ghz -z 1m")].map(Option::unwrap);
        found.iter().all(|task| task["state"] == "ended").then_some(found)
    });
    let [ghz, ngrinder, printed] = ended.await;
    for task in [&ghz, &ngrinder] {
        assert_eq!(task["success"], true, "{task:#}");
    }
    assert_eq!(printed["success"], false, "Flagger's own example: {printed:#}");
    assert_eq!(ngrinder["output"], "nGrinder test 7 started");

    let (status, said) = tester.terminate().await;
    assert!(status.success(), "{said}");
    assert!(!said.contains("the-api-key") && !said.contains("YWRtaW4="), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_k6_webhook_answers_as_documented() {
    let target = Target::start();
    let webhook = Companion::k6(
        "docs-k6",
        &[],
        &[
            ("SLACK_TOKEN", "xoxb-of-the-test"),
            ("SLACK_API_URL", "http://127.0.0.1:9"),
        ],
    )
    .await;
    let replace = [
        ("http://localhost:8000", webhook.url.clone()),
        ("podinfo-canary.test:9898", target.address.clone()),
    ];
    let examples = move || docs::run("k6-webhook.md", "```console", &replace);
    tokio::task::spawn_blocking(examples).await.unwrap();
    assert!(target.count() > 2, "the load came: {}", target.count());
    let test = cluster::until("the test in the background has ended", PATIENCE, async || {
        let tests: Value = webhook.json("/tests").await;
        tests["tests"]
            .as_array()
            .unwrap()
            .iter()
            .find(|test| test["name"] == "other" && test["state"] == "ended")
            .cloned()
    })
    .await;
    assert_eq!(test["fate"], "passed");
    let whole = webhook.json(&format!("/tests/{}", test["id"])).await;
    assert!(
        whole["output"].as_str().unwrap().contains("msg=\"value undefined\""),
        "{whole:#}"
    );
    let (status, said) = webhook.terminate().await;
    assert!(status.success(), "{said}");
}
