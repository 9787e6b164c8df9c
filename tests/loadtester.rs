//! The load tester as a process, against what may happen to it: killed programs, full queues, bursts, huge bodies, forks, clients that
//! go away, restarts. It stays bounded, leaks nothing, and says what is going on.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all tests of the companions, this one needs a part of them"
)]

mod cluster;
mod companions;
#[path = "companions/guarded.rs"]
mod guarded;

use cluster::until;
use companions::{Companion, PATIENCE, folder, target::Target};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Command};

/// More than a Canary can hold, by far.
const HUGE_BYTES: usize = 50 * 1024 * 1024;
/// Memory that the process may have after a burst. Idle it has some 30 MiB in a debug build.
const MEMORY_MIB_MAX: u64 = 400;

fn task(name: &str, kind: &str, command: &str) -> Value {
    json!({"name": name, "namespace": "test", "metadata": {"type": kind, "cmd": command}})
}

async fn tasks(tester: &Companion) -> Vec<Value> {
    tester.json("/tasks").await["tasks"].as_array().unwrap().clone()
}

async fn until_no_children(tester: &Companion) {
    until("nothing is left running", PATIENCE, async || {
        tester.children().is_empty().then_some(())
    })
    .await;
}

/// Wait until a command runs; gives the processes that its task has started.
async fn until_running(tester: &Companion, word: &str) -> Vec<String> {
    until(&format!("{word} runs"), PATIENCE, async || {
        let children = tester.children();
        children.iter().any(|child| child.contains(word)).then_some(children)
    })
    .await
}

#[tokio::test]
async fn our_generator_sends_what_hey_sends() {
    let tester = Companion::loadtester("hey", &[], &[]).await;
    let target = Target::start();
    let url = format!("http://{}/", target.address);
    let hey = tester
        .post("/", &task("a", "bash", &format!("hey -n 200 -c 4 {url}")))
        .await;
    assert_eq!(hey.status, 200, "{hey:?}");
    assert_eq!(target.count(), 200);
    let load = json!({"type": "http", "url": url, "requests": 200, "connections": 4, "wait": true});
    let own = tester
        .post("/", &json!({"name": "a", "namespace": "test", "metadata": load}))
        .await;
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(target.count(), 400);
    let seen = tester
        .get(&format!("/tasks/{}", tasks(&tester).await[1]["id"]))
        .await
        .body;
    assert!(seen.contains("[200]\\t200 responses"), "{seen}");
    assert!(own.body.contains("[200] 200\n"), "{}", own.body);
    // The same figures have the same names.
    for figure in [
        "Total:",
        "Slowest:",
        "Fastest:",
        "Average:",
        "Requests/sec:",
        "Latency distribution:",
    ] {
        let in_both = own.body.contains(figure) && (seen.contains(figure) || seen.contains(&figure.to_lowercase()));
        assert!(
            in_both || (figure.starts_with("Latency") && seen.contains("Latency distribution")),
            "{figure}: {seen}"
        );
    }
    let metrics = tester.get("/metrics").await.body;
    assert!(
        metrics.contains("aviary_load_requests_total{code=\"200\",name=\"a\",namespace=\"test\"} 200"),
        "{metrics}"
    );
    assert!(metrics.contains("aviary_load_request_duration_seconds_count{name=\"a\",namespace=\"test\"} 200"));
}

#[tokio::test]
async fn a_killed_program_is_told_about_and_its_place_is_free() {
    let tester = Companion::loadtester("killed", &["-concurrency=1"], &[]).await;
    assert_eq!(
        tester.post("/", &task("a", "cmd", "tail -f /dev/null")).await.status,
        202
    );
    until_running(&tester, "tail").await;
    // Its group has the number of its first process.
    let found = Command::new("pgrep")
        .args(["-P", &tester.process.id().to_string(), "tail"])
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
    let ended = until("its end is known", PATIENCE, async || {
        tasks(&tester).await.into_iter().find(|task| task["state"] == "ended")
    })
    .await;
    assert_eq!(
        (&ended["success"], &ended["cause"]),
        (&json!(false), &json!("signal: killed"))
    );
    assert_eq!(tester.post("/", &task("a", "cmd", "true")).await.status, 202);
    until("the next one has run", PATIENCE, async || {
        let all = tasks(&tester).await;
        (all[0]["command"] == "true" && all[0]["success"] == true).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back_and_a_new_revision_makes_room() {
    let tester = Companion::loadtester("full", &["-concurrency=1", "-queue=2"], &[]).await;
    let ask = |command: &str, checksum: &str| {
        let mut body = task("a", "cmd", command);
        body["checksum"] = json!(checksum);
        body
    };
    for command in ["tail -f /dev/null", "sleep 1001", "sleep 1002"] {
        assert_eq!(tester.post("/", &ask(command, "one")).await.status, 202, "{command}");
    }
    let full = tester.post("/", &ask("sleep 1003", "one")).await;
    assert_eq!(full.status, 429, "{full:?}");
    assert!((1..=60).contains(&full.retry_after.unwrap().parse::<u64>().unwrap()));
    assert!(full.body.contains("try again later"));
    assert_eq!(tester.post("/", &ask("true", "two")).await.status, 202);
    until("the old revision's tasks are gone", PATIENCE, async || {
        let all = tasks(&tester).await;
        let old: Vec<&Value> = all.iter().filter(|task| task["checksum"] == "one").collect();
        assert_eq!(old.len(), 3);
        old.iter().all(|task| task["stopped"] == true).then_some(())
    })
    .await;
    until_no_children(&tester).await;
    let metrics = tester.get("/metrics").await.body;
    assert!(
        metrics.contains("aviary_loadtester_refused_total{code=\"429\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_in_a_burst_leave_it_as_it_was() {
    let tester = Companion::loadtester("burst", &["-concurrency=4", "-queue=20"], &[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = tester.url.clone();
    let answers = stream::iter(0..10_000_u32).map(|number| {
        let body = task(&format!("canary-{}", number % 97), "cmd", "tail -f /dev/null").to_string();
        let request = client.post(&url).body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
    let mut answers = answers.buffer_unordered(200);
    while let Some(status) = answers.next().await {
        *counts.entry(status).or_default() += 1;
    }
    assert_eq!(counts.values().sum::<u32>(), 10_000);
    assert_eq!(counts.keys().collect::<Vec<_>>(), [&202, &429], "{counts:?}");
    let active = tasks(&tester)
        .await
        .iter()
        .filter(|task| task["state"] != "ended")
        .count();
    assert_eq!(active, 24, "4 run and 20 wait");
    assert!(tester.children().len() <= 4);
    assert!(memory_mib(&tester) < MEMORY_MIB_MAX, "{}", memory_mib(&tester));
    let children = tester.children();
    let (status, said) = tester.terminate().await;
    assert!(status.success(), "{said}");
    assert_eq!(children.len(), 4);
}

fn memory_mib(tester: &Companion) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", tester.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn a_huge_body_is_refused_and_not_kept() {
    let tester = Companion::loadtester("huge", &[], &[]).await;
    let file = folder("huge-file").join("body");
    let mut body = br#"{"name":"a","namespace":"test","metadata":{"type":"bash","cmd":""#.to_vec();
    body.resize(HUGE_BYTES, b'x');
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
        .arg(&tester.url)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "413");
    std::fs::remove_file(&file).unwrap();
    assert!(memory_mib(&tester) < MEMORY_MIB_MAX);
    assert_eq!(tester.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_script_that_forks_is_gone_with_all_it_forked() {
    let tester = Companion::loadtester("forks", &["-timeout=3s"], &[]).await;
    // Ordinary children, children of children, and some that leave their group and their session.
    let script =
        "for i in 1 2 3 4 5; do (tail -f /dev/null & tail -f /dev/null) & setsid tail -f /dev/null & done; wait";
    let answer = tester.post("/", &task("a", "bash", script)).await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("time limit of 3s exceeded"), "{}", answer.body);
    until_no_children(&tester).await;
    // One that ends by itself leaves nothing, either.
    let quick = "setsid tail -f /dev/null >/dev/null 2>&1 & echo done";
    assert_eq!(tester.post("/", &task("a", "bash", quick)).await.status, 200);
    until_no_children(&tester).await;
}

#[tokio::test]
async fn a_chatty_program_is_cut() {
    let tester = Companion::loadtester("chatty", &[], &[]).await;
    let mut body = task(
        "a",
        "bash",
        "echo begin; head -c 20000000 /dev/zero | tr '\\0' x; echo end",
    );
    body["metadata"]["returnCmdOutput"] = json!("true");
    let answer = tester.post("/", &body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("begin\n") && answer.body.ends_with("end\n"));
    assert!(
        answer.body.contains("bytes left out") && answer.body.len() < 300_000,
        "{}",
        answer.body.len()
    );
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_test_along() {
    let tester = Companion::loadtester("away", &["-concurrency=1"], &[]).await;
    let asking = tester.request("/", &task("a", "bash", "tail -f /dev/null")).send();
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        _ = until_running(&tester, "tail") => {}
    }
    until_no_children(&tester).await;
    let all = tasks(&tester).await;
    assert!(
        all[0]["cause"].as_str().unwrap().contains("the client is gone"),
        "{all:#?}"
    );
    assert_eq!(
        tester.post("/", &task("a", "bash", "true")).await.status,
        200,
        "its place is free"
    );
}

#[tokio::test]
async fn several_clients_share_a_test() {
    let tester = Companion::loadtester("share", &[], &[]).await;
    let file = folder("share-file").join("runs");
    // It ends when the third client is counted.
    let script = format!(
        "echo x >> {}; until [ -e {}.go ]; do :; done",
        file.display(),
        file.display()
    );
    let go = async {
        until("three clients wait", PATIENCE, async || {
            (tasks(&tester).await.first()?["calls"] == 3).then_some(())
        })
        .await;
        std::fs::write(format!("{}.go", file.display()), "").unwrap();
    };
    let body = task("a", "bash", &script);
    let ask = || tester.post("/", &body);
    let (one, two, three, ()) = tokio::join!(ask(), ask(), ask(), go);
    assert_eq!([one.status, two.status, three.status], [200; 3]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n", "it ran once");
}

#[tokio::test]
async fn gates_in_a_file_survive_a_crash() {
    let file = folder("gates-file").join("gates.json");
    let storage = format!("-gate-storage=file:{}", file.display());
    let first = Companion::loadtester("gates-one", &[&storage], &[]).await;
    let canary = json!({"name": "podinfo", "namespace": "test"});
    assert_eq!(first.post("/gate/open", &canary).await.status, 202);
    drop(first); // SIGKILL
    let second = Companion::loadtester("gates-two", &[&storage], &[]).await;
    assert_eq!(second.post("/gate/check", &canary).await.body, "Approved");
    assert_eq!(second.post("/rollback/check", &canary).await.status, 403);
}

#[tokio::test]
async fn a_shutdown_answers_who_waits_and_leaves_nothing() {
    let tester = Companion::loadtester("shutdown", &[], &[]).await;
    assert_eq!(
        tester.post("/", &task("load", "cmd", "tail -f /dev/null")).await.status,
        202
    );
    let waiting = tester
        .request("/", &task("a", "bash", "tail -n +1 -f /dev/null"))
        .send();
    #[expect(clippy::disallowed_methods, reason = "a client of the test, outside any World")]
    let waiting = tokio::spawn(waiting);
    until_running(&tester, "+1").await;
    until_running(&tester, "tail -f").await;
    let (status, said) = tester.terminate().await;
    assert!(status.success(), "{said}");
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status(), 500);
    assert!(answer.text().await.unwrap().contains("the server is shutting down"));
    assert_eq!(said.matches("command stopped").count(), 2, "each is told about: {said}");
}
