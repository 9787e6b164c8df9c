//! The controller drives the load tester and the k6 webhook, both as processes, on a real control plane: acceptance tests halt, loads run,
//! crossed thresholds roll back, gates are opened and closed by curl. Helm and kubectl talk to the real API server.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all cluster tests, this one needs a part of them"
)]

mod cluster;
mod companions;

use cluster::{
    lab::{Lab, Room},
    objects::{NEW, OLD, canary, deployment},
    process::Controller,
    until,
};
use companions::{Companion, PATIENCE, docs, folder, target::Target};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The longest run here has six checks, two seconds apart.
const RUN: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions() {
    let Some(lab) = Lab::open().await else { return };
    hooks_reach_the_companions(&lab).await;
    helm_and_kubectl_talk_to_the_api_server(&lab).await;
    lab.close().await;
}

async fn hooks_reach_the_companions(lab: &Lab) {
    let rooms = [
        lab.room("bats").await,
        lab.room("load").await,
        lab.room("k6").await,
        lab.room("gates").await,
        lab.room("once").await,
    ];
    let [bats, load, k6, gates, once] = &rooms;
    let storage = format!("-gate-storage=configmap:{}/gates", gates.name);
    let kubeconfig = format!("-kubeconfig={}", lab.env("AVIARY_ADMIN_KUBECONFIG"));
    let tester = Companion::loadtester("cluster-loadtester", &[&storage, &kubeconfig], &[]).await;
    let webhook = Companion::k6("cluster-k6", &[], &[]).await;
    let target = Target::start();
    let controller = Controller::start(lab, "tester", &[]).await;
    tokio::join!(
        a_failed_acceptance_test_halts(bats, &tester),
        load_is_made_at_each_check(load, &tester, &target),
        a_crossed_threshold_rolls_back(k6, &webhook, &target),
        gates_are_opened_by_curl(gates, &tester),
        one_approval_is_for_one_release(once, &tester),
    );
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    for companion in [tester, webhook] {
        let (status, said) = companion.terminate().await;
        assert!(status.success(), "{said}");
    }
}

/// A canary with these hooks, and its first version initialised; then the new one.
async fn release(room: &Room<'_>, webhooks: Value) {
    room.create("deployments", deployment("podinfo")).await;
    let mut object = canary("podinfo");
    object["spec"]["analysis"]["webhooks"] = webhooks;
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    room.set_image("podinfo", "podinfod", NEW);
}

async fn image(room: &Room<'_>) -> Value {
    let primary = room.get("deployments", "podinfo-primary").await;
    primary["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

async fn a_failed_acceptance_test_halts(room: &Room<'_>, tester: &Companion) {
    let file = folder("cluster-bats").join("acceptance.bats");
    fs::write(&file, "@test \"the answer\" {\n  [ 41 -eq 42 ]\n}\n").unwrap();
    let metadata = json!({"type": "bash", "cmd": format!("bats {}", file.display())});
    let hook = json!([{"name": "acceptance tests", "type": "pre-rollout", "url": format!("{}/", tester.url), "timeout": "1m", "metadata": metadata}]);
    release(room, hook).await;
    let halt = format!(
        "Halt podinfo.{} advancement pre-rollout check acceptance tests failed",
        room.name
    );
    let told = room.until_told("podinfo", &[&halt]).await;
    assert!(told.contains("not ok 1 the answer"), "the event says why: {told}");
    room.until_phase("podinfo", "Failed").await;
    assert_eq!(image(room).await, OLD);
}

async fn load_is_made_at_each_check(room: &Room<'_>, tester: &Companion, target: &Target) {
    let url = format!("http://{}/load", target.address);
    let hook = |name: &str, metadata: Value| json!({"name": name, "url": format!("{}/", tester.url), "timeout": "5s", "metadata": metadata});
    let hooks = json!([
        hook(
            "hey",
            json!({"cmd": format!("hey -z 5s -q 10 -c 2 {url}"), "logCmdOutput": "true"})
        ),
        hook(
            "own",
            json!({"type": "http", "url": url, "duration": "5s", "rate": "20"})
        ),
    ]);
    release(room, hooks).await;
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(image(room).await, NEW);
    assert!(target.count() > 50, "{}", target.count());
    let tasks = tester.json("/tasks").await["tasks"].as_array().unwrap().clone();
    let ours: Vec<&Value> = tasks.iter().filter(|task| task["namespace"] == room.name).collect();
    for kind in ["cmd", "http"] {
        let of_kind = ours.iter().filter(|task| task["type"] == kind);
        let calls: u64 = of_kind.clone().map(|task| task["calls"].as_u64().unwrap()).sum();
        assert!(calls >= 5, "one call at each check, {kind}: {calls}");
        assert!((of_kind.count() as u64) < calls, "but not one run for each");
    }
    assert!(
        ours.iter().all(|task| !task["checksum"].as_str().unwrap().is_empty()),
        "{ours:#?}"
    );
}

async fn a_crossed_threshold_rolls_back(room: &Room<'_>, webhook: &Companion, target: &Target) {
    let script = format!(
        "import http from 'k6/http';
         export const options = {{ iterations: 2, thresholds: {{ http_req_duration: ['p(95)<0.001'] }} }};
         export default function () {{ http.get('http://{}/k6'); }}",
        target.address
    );
    let hook = json!([{
        "name": "k6-load-test", "type": "rollout", "url": format!("{}/launch-test", webhook.url), "timeout": "1m",
        "metadata": {"script": script, "min_failure_delay": "1m"},
    }]);
    release(room, hook).await;
    let told = room
        .until_told("podinfo", &["k6-load-test failed", "exit status 99"])
        .await;
    assert!(
        told.contains("thresholds have been crossed: http_req_duration p(95)<0.001"),
        "{told}"
    );
    room.until_phase("podinfo", "Failed").await;
    assert_eq!(image(room).await, OLD);
    room.until_told(
        "podinfo",
        &["Rolling back podinfo.", "failed checks threshold reached 2"],
    )
    .await;
    room.until_told(
        "podinfo",
        &["k6-load-test failed", "not enough time since last failure"],
    )
    .await;
    let tests = webhook.json("/tests").await["tests"].clone();
    assert_eq!(
        tests.as_array().unwrap().len(),
        1,
        "the pause kept it from running again: {tests:#}"
    );
}

async fn gates_are_opened_by_curl(room: &Room<'_>, tester: &Companion) {
    let hook = |kind: &str, path: &str| json!({"name": kind, "type": kind, "url": format!("{}{path}", tester.url)});
    let hooks = json!([
        hook("confirm-rollout", "/gate/check"),
        hook("confirm-promotion", "/gate/check"),
        hook("rollback", "/rollback/check"),
    ]);
    release(room, hooks).await;
    let curl = |path: &str| {
        let body = format!("{{\"name\": \"podinfo\",\"namespace\":\"{}\"}}", room.name);
        let url = format!("{}{path}", tester.url);
        let args = [
            "-s",
            "--noproxy",
            "*",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-d",
            &body,
            &url,
        ];
        let output = Command::new("curl").args(args).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "202", "{path}");
    };
    room.until_phase("podinfo", "Waiting").await;
    curl("/gate/open");
    room.until_phase("podinfo", "Progressing").await;
    curl("/gate/close");
    room.until_phase("podinfo", "WaitingPromotion").await;
    curl("/rollback/open");
    room.until_phase("podinfo", "Failed").await;
    assert_eq!(image(room).await, OLD);
    let stored = room.get("configmaps", "gates").await["data"]["gates.json"].clone();
    let stored: Vec<Value> = serde_json::from_str(stored.as_str().unwrap()).unwrap();
    let mine = stored.iter().filter(|gate| gate["namespace"] == room.name);
    let open: Vec<&Value> = mine.filter(|gate| gate["open"] == true).collect();
    assert_eq!(open.len(), 1, "only the rollback gate: {stored:#?}");
    curl("/rollback/close");
}

async fn one_approval_is_for_one_release(room: &Room<'_>, tester: &Companion) {
    let check = format!("{}/gate/check", tester.url);
    release(
        room,
        json!([{"name": "approval", "type": "confirm-rollout", "url": check}]),
    )
    .await;
    room.until_phase("podinfo", "Waiting").await;
    let approval = json!({"name": "podinfo", "namespace": room.name, "metadata": {"once": "true"}});
    assert_eq!(tester.post("/gate/open", &approval).await.status, 202);
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(image(room).await, NEW);
    room.set_image("podinfo", "podinfod", OLD);
    room.until_phase("podinfo", "Waiting").await;
    let asked = json!({"name": "podinfo", "namespace": room.name});
    assert_eq!(
        tester.post("/gate/check", &asked).await.status,
        403,
        "closed for all but the first"
    );
    let gates = tester.json("/gates").await;
    let mine = gates
        .as_array()
        .unwrap()
        .iter()
        .find(|gate| gate["namespace"] == room.name);
    let mine = mine.unwrap();
    let bound = mine["checksum"].as_str().unwrap_or_default();
    assert!(
        mine["open"] == true && !bound.is_empty(),
        "open for the first release only: {mine}"
    );
    assert_eq!(tester.post("/gate/open", &approval).await.status, 202);
    room.until_phase("podinfo", "Progressing").await;
    assert_ne!(image(room).await, OLD);
}

/// Helm and kubectl as documented, against the real API server; pods that end are played by a stage of kwok.
async fn helm_and_kubectl_talk_to_the_api_server(lab: &Lab) {
    let room = lab.room("helm").await;
    room.create(
        "secrets",
        json!({"metadata": {"name": "secret-name"}, "stringData": {"secret-key": "hunter2-now"}}),
    )
    .await;
    until("the namespace has its account", PATIENCE, async || {
        lab.get(&format!("/api/v1/namespaces/{}/serviceaccounts/default", room.name))
            .await
    })
    .await;
    let kubeconfig = lab.env("AVIARY_ADMIN_KUBECONFIG").to_owned();
    let bin = Path::new(lab.env("AVIARY_KUBECTL")).parent().unwrap().to_path_buf();
    let path = companions::path(&[&bin]).into_string().unwrap();
    for (release, end) in [("podinfo", "succeeds"), ("broken", "fails")] {
        let chart = chart(release, end);
        let mut helm = Command::new(companions::testers().join("helm"));
        helm.args(["install", release, "-n", &room.name, "--kubeconfig", &kubeconfig])
            .arg(chart);
        let installed = helm.output().unwrap();
        assert!(
            installed.status.success(),
            "{}",
            String::from_utf8_lossy(&installed.stderr)
        );
    }
    let variables = [("KUBECONFIG", kubeconfig.as_str()), ("PATH", path.as_str())];
    let tester = Companion::loadtester("helm-loadtester", &[], &variables).await;
    let replace = [
        ("http://localhost:8080", tester.url.clone()),
        ("-n test", format!("-n {}", room.name)),
    ];
    let examples = move || docs::run("loadtester.md", "```console cluster", &replace);
    tokio::task::spawn_blocking(examples).await.unwrap();
    let tasks = tester.json("/tasks").await["tasks"].clone();
    let broken = tasks
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["command"].as_str().unwrap().contains("broken"));
    assert_eq!(broken.unwrap()["exitCode"], 1, "{broken:?}");
    the_documented_rights_do(&room, &path).await;

    let flag = format!("--kubeconfig={kubeconfig}");
    let webhook = Companion::k6("helm-k6", &[&flag], &[]).await;
    let replace = [
        ("http://localhost:8000", webhook.url.clone()),
        ("\"namespace\": \"test\"", format!("\"namespace\": \"{}\"", room.name)),
        ("\\\"test/secret-name", format!("\\\"{}/secret-name", room.name)),
        ("secret test/", format!("secret {}/", room.name)),
    ];
    let examples = move || docs::run("k6-webhook.md", "```console cluster", &replace);
    tokio::task::spawn_blocking(examples).await.unwrap();
    assert!(!webhook.said().contains("hunter2") && !webhook.get("/tests/1").await.body.contains("hunter2"));
}

/// `helm test` under an account with the rights of docs/loadtester.md and no others.
async fn the_documented_rights_do(room: &Room<'_>, path: &str) {
    let page = include_str!("../docs/loadtester.md");
    let block = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let values: Value = serde_saphyr::from_str(block).unwrap();
    let kind = "rbac.authorization.k8s.io/v1";
    let (at, name) = (json!({"name": "tester", "namespace": room.name}), "tester");
    let account = json!({"kind": "ServiceAccount", "name": name, "namespace": room.name});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
    let all = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": at},
        {"apiVersion": kind, "kind": "Role", "metadata": at, "rules": values["rbac"]["rules"]},
        {"apiVersion": kind, "kind": "RoleBinding", "metadata": at, "roleRef": role, "subjects": [account]},
    ]});
    let here = folder("rights");
    fs::write(here.join("all.json"), all.to_string()).unwrap();
    let applied = room
        .lab
        .kubectl(&["apply", "-f", &here.join("all.json").to_string_lossy()]);
    assert!(applied.status.success(), "{applied:?}");
    let token = room
        .lab
        .kubectl(&["-n", &room.name, "create", "token", name, "--duration=1h"]);
    let token = String::from_utf8(token.stdout).unwrap();
    let cluster =
        json!({"server": room.lab.env("AVIARY_API_SERVER"), "certificate-authority": room.lab.env("AVIARY_CA")});
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token.trim()}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    });
    let kubeconfig = here.join("kubeconfig");
    fs::write(&kubeconfig, config.to_string()).unwrap();
    let variables = [("KUBECONFIG", kubeconfig.to_str().unwrap()), ("PATH", path)];
    let tester = Companion::loadtester("rights-loadtester", &[], &variables).await;
    let hook = |command: String| {
        json!({"name": "podinfo", "namespace": room.name,
            "metadata": {"type": "helmv3", "cmd": command, "returnCmdOutput": "true"}})
    };
    let answer = tester
        .post("/", &hook(format!("test podinfo --timeout 1m -n {}", room.name)))
        .await;
    assert!(
        answer.status == 200 && answer.body.contains("Phase:          Succeeded"),
        "{answer:?}"
    );
    // Elsewhere it has none.
    let answer = tester.post("/", &hook("list -n kube-system".to_owned())).await;
    assert!(answer.status == 500 && answer.body.contains("forbidden"), "{answer:?}");
}

/// A chart with nothing but a test, whose pod ends as it should.
fn chart(release: &str, end: &str) -> PathBuf {
    let chart = folder(&format!("chart-{release}"));
    fs::create_dir(chart.join("templates")).unwrap();
    fs::write(
        chart.join("Chart.yaml"),
        format!("apiVersion: v2\nname: {release}\nversion: 0.1.0\n"),
    )
    .unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{release}-test"), "annotations": {"helm.sh/hook": "test", "aviary.test/ready": end}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "test", "image": "alpine"}]},
    });
    fs::write(chart.join("templates/test.yaml"), pod.to_string()).unwrap();
    chart
}
