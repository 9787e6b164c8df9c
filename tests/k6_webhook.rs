//! The k6 webhook as a process with a real k6, against what may happen to it. Slots are never leaked.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all tests of the companions, this one needs a part of them"
)]

mod cluster;
mod companions;
#[path = "companions/k6_guarded.rs"]
mod guarded;

use cluster::until;
use companions::{Companion, PATIENCE, folder, target::Target};
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Command, sync::Arc};

/// Runs until it is stopped, a quarter of an hour at most; its teardown says so.
const ENDLESS: &str = "import { sleep } from 'k6';
    export const options = { vus: 1, duration: '15m' };
    export function teardown() { console.log('torn down'); }
    export default function () { if (__ITER === 0) { console.log('it runs'); } sleep(0.1); }";

fn test(name: &str, script: &str, more: &Value) -> Value {
    let mut metadata = json!({"script": script});
    for (key, value) in more.as_object().unwrap() {
        metadata[key] = value.clone();
    }
    json!({"name": name, "namespace": "test", "phase": "Progressing", "checksum": "one", "metadata": metadata})
}

async fn free_slots(webhook: &Companion) -> Value {
    webhook.json("/tests").await["freeSlots"].clone()
}

async fn until_free(webhook: &Companion, slots: u64) {
    until("all slots are free", PATIENCE, async || {
        (free_slots(webhook).await == slots).then_some(())
    })
    .await;
    until("no k6 is left", PATIENCE, async || {
        webhook.children().is_empty().then_some(())
    })
    .await;
}

async fn until_up(webhook: &Companion) {
    until("k6 runs the script", PATIENCE, async || {
        let tests = webhook.json("/tests").await["tests"].clone();
        tests[0]["output"].as_str()?.contains("it runs").then_some(())
    })
    .await;
}

/// Files of tests that a process has left.
fn files_of(webhook: &Companion) -> usize {
    let prefix = format!("aviary-k6-{}-", webhook.process.id());
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_against_one_slot() {
    let webhook = Companion::k6("k6-burst", &[], &[("MAX_CONCURRENT_TESTS", "1")]).await;
    let background = test("first", ENDLESS, &json!({"wait_for_results": "false"}));
    let started = webhook.post("/launch-test", &background).await;
    assert_eq!((started.status, started.body.as_str()), (200, ""));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/launch-test", webhook.url);
    let answers = stream::iter(0..10_000_u32).map(|number| {
        let request = client
            .post(&url)
            .body(test(&format!("canary-{}", number % 50), ENDLESS, &json!({})).to_string());
        async move {
            let answer = request.send().await.unwrap();
            let after = answer
                .headers()
                .get("retry-after")
                .map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
            (answer.status().as_u16(), after)
        }
    });
    let mut counts: BTreeMap<(u16, Option<u64>), u32> = BTreeMap::new();
    let mut answers = answers.buffer_unordered(200);
    while let Some(answer) = answers.next().await {
        *counts.entry(answer).or_default() += 1;
    }
    assert_eq!(counts, [((429, Some(60)), 10_000)].into());
    let full = webhook.post("/launch-test", &test("x", "x", &json!({}))).await;
    assert_eq!(full.body, "Maximum concurrent test runs reached\n");
    let metrics = webhook.get("/metrics").await.body;
    for line in [
        "launch_requests_total{code=\"200\"} 1",
        "launch_requests_total{code=\"429\"} 10001",
        "launch_max_concurrent_tests 1",
        "launch_available_concurrent_tests 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // What cannot run is told so, however full it is.
    assert_eq!(webhook.post("/launch-test", &"{}").await.status, 400);
    assert_eq!(webhook.children().len(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_and_a_killed_k6_give_the_slot_back() {
    let webhook = Companion::k6("k6-away", &["-max-concurrent-tests=1"], &[]).await;
    let asking = webhook
        .request("/launch-test", &test("away", ENDLESS, &json!({})))
        .send();
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        () = until_up(&webhook) => {}
    }
    until_free(&webhook, 1).await;
    let tests = webhook.json("/tests/1").await;
    assert_eq!(tests["fate"], "stopped", "{tests:#}");
    let output = tests["output"].as_str().unwrap();
    assert!(output.contains("torn down"), "K6-13: {output}");

    let killed = test("killed", ENDLESS, &json!({}));
    let asking = webhook.post("/launch-test", &killed);
    let killing = async {
        until_up(&webhook).await;
        let found = Command::new("pgrep")
            .args(["-P", &webhook.process.id().to_string(), "k6"])
            .output()
            .unwrap();
        let pid = String::from_utf8(found.stdout).unwrap();
        assert!(
            Command::new("kill")
                .args(["-9", pid.trim()])
                .status()
                .unwrap()
                .success()
        );
    };
    let (answer, ()) = tokio::join!(asking, killing);
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.starts_with("failed to run: signal: killed\n"),
        "{}",
        answer.body
    );
    until_free(&webhook, 1).await;
    assert_eq!(files_of(&webhook), 0, "K6-9");
}

#[tokio::test]
async fn a_huge_script_and_a_forking_one() {
    let webhook = Companion::k6("k6-huge", &["-max-concurrent-tests=2", "-timeout=5s"], &[]).await;
    let file = folder("k6-huge-file").join("body");
    let body = test("huge", &"x".repeat(50 * 1024 * 1024), &json!({})).to_string();
    std::fs::write(&file, body).unwrap();
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "--noproxy",
        "*",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--data-binary",
    ]);
    let output = curl
        .arg(format!("@{}", file.display()))
        .arg(format!("{}/launch-test", webhook.url))
        .output();
    assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), "413");
    std::fs::remove_file(&file).unwrap();
    // A script that is as large as a Canary can hold runs.
    let large = format!(
        "// {}\nexport const options = {{ iterations: 1 }}; export default function () {{}}",
        "x".repeat(1_400_000)
    );
    let answer = webhook.post("/launch-test", &test("large", &large, &json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // k6 cannot fork; what it can do is to go on for ever.
    let answer = webhook
        .post("/launch-test", &test("endless", ENDLESS, &json!({})))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("time limit of 5s exceeded"), "{}", answer.body);
    until_free(&webhook, 2).await;
    assert_eq!(files_of(&webhook), 0);
}

type Told = Arc<Mutex<Vec<(String, String)>>>;

/// Plays Slack; gives what it was told: method and text.
fn slack() -> (Target, Told) {
    let told: Told = Arc::default();
    let heard = told.clone();
    let address: Arc<Mutex<String>> = Arc::default();
    let own = address.clone();
    let target = Target::with(Arc::new(move |request| {
        let method = request
            .split(' ')
            .nth(1)
            .unwrap_or_default()
            .trim_start_matches("/api/")
            .to_owned();
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        let value: Value = serde_json::from_str(body).unwrap_or_default();
        let text = value["text"]
            .as_str()
            .map_or_else(|| body.chars().take(200).collect(), str::to_owned);
        heard.lock().push((method.clone(), text));
        let answer = match method.as_str() {
            "chat.postMessage" => json!({"ok": true, "channel": "C1", "ts": "1.1"}),
            "files.getUploadURLExternal" => {
                json!({"ok": true, "upload_url": format!("http://{}/put", own.lock()), "file_id": "F1"})
            }
            _ => json!({"ok": true}),
        };
        (200, answer.to_string())
    }));
    target.address.clone_into(&mut address.lock());
    (target, told)
}

#[tokio::test]
async fn slack_hears_of_a_test_in_the_background_even_at_a_shutdown() {
    let (slack, told) = slack();
    let api = format!("http://{}/api/", slack.address);
    let webhook = Companion::k6("k6-slack", &[], &[("SLACK_TOKEN", "xoxb-1"), ("SLACK_API_URL", &api)]).await;
    let passing = "export const options = { iterations: 1 }; export default function () {}";
    let more = json!({"wait_for_results": "false", "slack_channels": "tests"});
    assert_eq!(
        webhook
            .post("/launch-test", &test("quick", passing, &more))
            .await
            .status,
        200
    );
    let subject = |name: &str, emoji: &str, status: &str| {
        format!("{emoji} Load testing of `{name}` in namespace `test` {status}")
    };
    until("its end is told", PATIENCE, async || {
        let wanted = (
            "chat.update".to_owned(),
            subject("quick", ":large_green_circle:", "has succeeded"),
        );
        told.lock().contains(&wanted).then_some(())
    })
    .await;
    let methods: Vec<String> = told.lock().iter().map(|(method, _)| method.clone()).collect();
    let wanted = [
        "chat.postMessage",
        "files.getUploadURLExternal",
        "/put",
        "files.completeUploadExternal",
        "chat.update",
    ];
    assert_eq!(methods, wanted, "one message, edited");
    assert_eq!(told.lock()[0].1, subject("quick", ":warning:", "has started"));

    assert_eq!(
        webhook
            .post("/launch-test", &test("endless", ENDLESS, &more))
            .await
            .status,
        200
    );
    let waiting = webhook
        .request("/launch-test", &test("waits", ENDLESS, &json!({})))
        .send();
    #[expect(clippy::disallowed_methods, reason = "a client of the test, outside any World")]
    let waiting = tokio::spawn(waiting);
    until("both run", PATIENCE, async || {
        let tests = webhook.json("/tests").await["tests"].clone();
        let up = |test: &Value| test["output"].as_str().is_some_and(|text| text.contains("it runs"));
        (tests[0]["name"] == "waits" && up(&tests[0]) && up(&tests[1])).then_some(())
    })
    .await;
    let (status, said) = webhook.terminate().await;
    assert!(status.success(), "K6-17: {said}");
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status(), 400);
    assert!(
        answer.text().await.unwrap().starts_with("failed to run: "),
        "who waits is answered"
    );
    let last = told.lock().last().cloned().unwrap();
    assert_eq!(
        last,
        ("chat.update".into(), subject("endless", ":red_circle:", "has failed"))
    );
    assert!(said.contains("the server is shutting down"), "{said}");
    assert!(!said.contains("xoxb-1"), "{said}");
}

#[tokio::test]
async fn results_go_to_the_cloud_with_a_token_that_scripts_do_not_see() {
    let tokens: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = tokens.clone();
    let cloud = Target::with(Arc::new(move |request| {
        let token = request
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("authorization: ").map(str::to_owned));
        heard.lock().extend(token);
        (200, json!({"reference_id": "4711", "config": {}}).to_string())
    }));
    let host = format!("http://{}", cloud.address);
    let host = ("K6_CLOUD_HOST", host.as_str());
    // The flag and the variable are the same (K6-6).
    let flagged = Companion::k6("k6-cloud-flag", &["--cloud-token=cloud-token-1"], &[host]).await;
    cloud_run(&flagged, &tokens).await;
    let webhook = Companion::k6("k6-cloud", &[], &[("K6_CLOUD_TOKEN", "cloud-token-1"), host]).await;
    cloud_run(&webhook, &tokens).await;
}

/// A run with its results in the cloud.
async fn cloud_run(webhook: &Companion, tokens: &Mutex<Vec<String>>) {
    tokens.lock().clear();
    let script = "export const options = { iterations: 1, cloud: { projectID: 1 } };
        export default function () { console.log('token ' + __ENV.K6_CLOUD_TOKEN); }";
    let answer = webhook
        .post(
            "/launch-test",
            &test("cloud", script, &json!({"upload_to_cloud": "true"})),
        )
        .await;
    assert!(
        answer.body.contains("output: cloud (https://app.k6.io/runs/4711)"),
        "{}",
        answer.body
    );
    assert!(answer.body.contains("token undefined"), "{}", answer.body);
    assert!(
        tokens.lock().contains(&"token cloud-token-1".to_owned()),
        "{:?}",
        tokens.lock()
    );
    assert!(!answer.body.contains("cloud-token-1") && !webhook.said().contains("cloud-token-1"));
    assert_eq!(files_of(webhook), 0);
}
