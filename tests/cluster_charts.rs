//! What the documents install, tried as a new user would: charts and overlays on a control plane that nothing was installed on, with a
//! real Helm; the controller, started as the chart says and with the rights that the chart gives, releases podinfo.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all cluster tests, this one needs a part of them"
)]

mod charts;
mod cluster;
mod companions;

use charts::{
    Ground, HOME,
    boards::{Asked, boards, queries},
    chart, chores, everything, file, judgement, lifecycle,
};
use cluster::{
    lab::{items, text},
    metrics::{Prometheus, scraping},
    objects::{NEW, canary, deployment},
    until,
};
use companions::target::Target;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, time::Duration};

/// How long a controller may take to end: what it does is a few requests.
const STOP: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts() {
    let Some(ground) = Ground::up("cluster-charts").await else {
        return;
    };
    prepare(&ground);
    a_release_lives(&ground).await;
    works_in_one_namespace(&ground).await;
    judgement::others_kinds(&ground).await;
    judgement::all_values(&ground);
    judgement::overlays(&ground);
    lifecycle::come_and_go(&ground);
    works_with_an_overlay(&ground).await;
}

/// The Gateway API, and namespaces: ours refuses pods that are not restricted.
fn prepare(ground: &Ground) {
    let kubectl = std::path::Path::new(ground.lab().env("AVIARY_KUBECTL"));
    let gateway = kubectl.ancestors().nth(2).unwrap().join("gateway-api");
    ground.kubectl(&["apply", "--server-side", "-f", &gateway.to_string_lossy()]);
    for namespace in [HOME, "flagger-system"] {
        ground.kubectl(&["create", "namespace", namespace]);
        let label = "pod-security.kubernetes.io/enforce=restricted";
        ground.kubectl(&["label", "namespace", namespace, label]);
    }
}

/// Install an earlier version, upgrade it, release podinfo, uninstall.
async fn a_release_lives(ground: &Ground) {
    let lab = ground.lab();
    let room = lab.room("charted").await;
    let prometheus = Prometheus::start(lab, BTreeMap::from([(room.name.clone(), 0)])).await;
    let server = format!("metricsServer={}", prometheus.url);
    let values = [
        "--set",
        &server,
        "--set",
        "meshProvider=gatewayapi:v1",
        "--wait",
        "--timeout=90s",
    ];
    upgraded(ground, &values);
    let deployment = lab
        .get("/apis/apps/v1/namespaces/aviary-system/deployments/aviary")
        .await
        .unwrap();
    assert_eq!(deployment["status"]["readyReplicas"], 2, "{:#}", deployment["status"]);
    assert!(
        !deployment.to_string().contains("127.0.0.1:9"),
        "an address is in the pod's template"
    );
    let controller = chores::controller(lab, HOME, "aviary").await;
    let folder = companions::folder("cluster-charts-scraped");
    let (_scraper, scraped) = scraping(&folder, controller.port(), &folder.join("log"));
    chores::begin(&room).await;
    chores::release(&room).await;
    nothing_is_empty(&Asked::at(&scraped), &room.name).await;
    let ended = controller.terminate(STOP).await;
    assert!(ended.success(), "{ended}");

    let before = chores::census(&room).await;
    ground.helm(&["uninstall", "aviary", "--wait", "-n", HOME]);
    for path in [
        "/apis/apps/v1/namespaces/aviary-system/deployments/aviary",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/aviary",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/aviary-canaries",
        "/api/v1/namespaces/aviary-system/secrets/aviary-addresses",
    ] {
        assert_eq!(lab.get(path).await, None, "{path} is still there");
    }
    let after = chores::census(&room).await;
    assert_eq!(after, before, "an uninstalled chart takes releases along");
    no_refusals(ground);
}

/// The earlier version with these values, and this one over it, with more.
fn upgraded(ground: &Ground, values: &[&str]) {
    let place = ["-n", HOME];
    let earlier = lifecycle::earlier_version("aviary");
    ground.helm(&[&["install", "aviary", &earlier], &place[..], values].concat());
    let current = chart("aviary");
    let words = ["upgrade", "-i", "aviary", &current, "--set"];
    let more =
        ["leaderElection.replicaCount=2,podDisruptionBudget.enabled=true,eventWebhook=http://127.0.0.1:9/nobody"];
    ground.helm(&[&words[..], &more[..], &place[..], values].concat());
    let charts = lifecycle::history(ground, "aviary", HOME);
    assert_eq!(charts, ["aviary-0.0.1", concat!("aviary-", env!("CARGO_PKG_VERSION"))]);
}

/// Every panel about the controller shows something after a release.
async fn nothing_is_empty(prometheus: &Asked, namespace: &str) {
    let ended = r#"flagger_canary_successes_total{name="podinfo"}"#;
    let minute = Duration::from_mins(1);
    until("Prometheus answers", minute, async || {
        prometheus.is_ready().await.then_some(())
    })
    .await;
    until("the end of the run is scraped", minute, async || {
        (!prometheus.values(ended).await.is_empty()).then_some(())
    })
    .await;
    let variables = [("namespace", namespace), ("canary", "podinfo"), ("target", "podinfo")];
    let mut empty = Vec::new();
    for (name, board) in boards().iter().filter(|(name, _)| name != "traffic") {
        for query in queries(name, board, &variables) {
            let values = prometheus.values(&query.expr).await;
            if values.is_empty() || values.iter().all(|value| value.is_nan()) {
                empty.push(format!("{} of {name}: {values:?}: {}", query.panel, query.expr));
            }
        }
    }
    assert!(empty.is_empty(), "{empty:#?}");
    let state = prometheus.values("flagger_canary_status").await;
    assert_eq!(state, [1.0]);
}

/// With `namespace` there is a Role, and it is enough: nothing outside of that namespace is asked for.
async fn works_in_one_namespace(ground: &Ground) {
    let lab = ground.lab();
    let room = lab.room("alone").await;
    let prometheus = Prometheus::start(lab, BTreeMap::from([(room.name.clone(), 0)])).await;
    let asked_before = audit(ground).len();
    let values = format!(
        "namespace={},meshProvider=gatewayapi:v1,metricsServer={}",
        room.name, prometheus.url
    );
    ground.helm(&[
        "install",
        "aviary",
        &chart("aviary"),
        "-n",
        HOME,
        "--wait",
        "--timeout=90s",
        "--set",
        &values,
    ]);
    for kind in ["clusterroles", "clusterrolebindings"] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}/aviary");
        assert_eq!(lab.get(&path).await, None, "{path} is there");
    }
    let controller = chores::controller(lab, HOME, "aviary").await;
    chores::begin(&room).await;
    chores::release(&room).await;
    everything::lives(&room, &prometheus.url).await;
    let ended = controller.terminate(STOP).await;
    assert!(ended.success(), "{ended}");
    ground.helm(&["uninstall", "aviary", "-n", HOME, "--wait"]);

    let inside = format!("/namespaces/{}/", room.name);
    let asked = audit(ground).split_off(asked_before);
    let outside: Vec<&String> = asked
        .iter()
        .map(|(_, uri)| uri)
        .filter(|uri| !uri.contains(&inside))
        .collect();
    assert!(!asked.is_empty());
    let discovery = |uri: &&&String| uri.as_str() == "/apis/flagger.app/v1beta1";
    assert!(outside.iter().all(|uri| discovery(&uri)), "{outside:#?}");
    no_refusals(ground);
}

/// Status and address of every request of the controller's account so far.
fn audit(ground: &Ground) -> Vec<(i64, String)> {
    let log = fs::read_to_string(ground.lab().env("AVIARY_AUDIT_LOG")).unwrap();
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let asked = entries.map(|entry| {
        let status = entry["responseStatus"]["code"].as_i64().unwrap_or_default();
        (status, text(&entry["requestURI"]).to_owned())
    });
    asked.collect()
}

fn no_refusals(ground: &Ground) {
    let refused = audit(ground).into_iter().filter(|(status, _)| *status == 403);
    let refused: Vec<String> = refused.map(|(_, uri)| uri).collect();
    assert!(refused.is_empty(), "RBAC forbids: {refused:#?}");
}

/// `kubectl apply -k` of an overlay, and the load tester beside it.
async fn works_with_an_overlay(ground: &Ground) {
    let lab = ground.lab();
    let room = lab.room("overlaid").await;
    let prometheus = Prometheus::start(lab, BTreeMap::from([(room.name.clone(), 0)])).await;
    ground.kubectl(&["delete", "namespace", HOME, "--wait"]);
    for name in ["gatewayapi", "tester"] {
        let folder = file("deploy/kustomize").join(name);
        ground.kubectl(&[
            "apply",
            "--server-side",
            "--force-conflicts",
            "-k",
            &folder.to_string_lossy(),
        ]);
    }
    let server = format!("METRICS_SERVER={}", prometheus.url);
    ground.kubectl(&["-n", HOME, "set", "env", "deployment/aviary", &server]);
    for (namespace, name) in [
        (HOME, "aviary"),
        (HOME, "aviary-prometheus"),
        ("test", "flagger-loadtester"),
    ] {
        let target = format!("deployment/{name}");
        ground.kubectl(&["-n", namespace, "rollout", "status", &target, "--timeout=90s"]);
    }
    let controller = chores::controller(lab, HOME, "aviary").await;
    chores::begin(&room).await;
    chores::release(&room).await;
    k6_tests_first(ground).await;
    a_gate_is_opened(ground).await;
    let ended = controller.terminate(STOP).await;
    assert!(ended.success(), "{ended}");
    no_refusals(ground);
    let services = items(lab.get("/api/v1/namespaces/test/services").await);
    assert!(
        services
            .iter()
            .any(|it| it["metadata"]["name"] == "flagger-loadtester" && it["spec"]["ports"][0]["port"] == 80)
    );
}

/// examples/k6: the chart with its values, a real k6, and a release that waits for it.
async fn k6_tests_first(ground: &Ground) {
    let lab = ground.lab();
    let room = lab.room("k6").await;
    let example = |name: &str| fs::read_to_string(file("examples/k6").join(name)).unwrap();
    let canary: Value = serde_saphyr::from_str(&example("canary.yaml")).unwrap();
    let script = text(&canary["spec"]["analysis"]["webhooks"][0]["metadata"]["script"]).to_owned();
    assert_eq!(
        script.trim_end(),
        example("script.js").trim_end(),
        "the Canary has another script"
    );

    let values = file("examples/k6/values.yaml");
    let words = [
        "upgrade",
        "-i",
        "k6-loadtester",
        &chart("k6-webhook"),
        "-n",
        "k6",
        "--create-namespace",
        "--wait",
        "-f",
    ];
    ground.helm(&[&words[..], &[&values.to_string_lossy()]].concat());
    let (process, url) = chores::companion(lab, "k6", "k6-loadtester").await;
    let target = Target::start();
    let literal = format!("--from-literal=target={}", target.address);
    ground.kubectl(&["-n", "k6", "create", "secret", "generic", "extra", &literal]);
    let quick = example("canary.yaml")
        .replace("http://k6-loadtester.k6:8000", &url)
        // Where the test is comes from a Secret of the webhook's namespace, which its role may read.
        .replace(
            r#"env_vars: '{"TARGET": "podinfo-canary.test:9898"}'"#,
            r#"kubernetes_secrets: '{"TARGET": "k6/extra/target"}'"#,
        )
        .replace("duration: '30s'", "duration: '3s'")
        .replace("interval: 30s", "interval: 2s")
        // What is slow here is the machine.
        .replace("p(95)<500", "p(95)<20000");
    for (name, manifest) in [("podinfo", example("podinfo.yaml")), ("canary", quick)] {
        let path = lab.log(name).with_extension("yaml");
        fs::write(&path, manifest).unwrap();
        ground.kubectl(&["-n", &room.name, "apply", "-f", &path.to_string_lossy()]);
    }
    room.until_phase("podinfo", "Initialized").await;
    let image = "ghcr.io/stefanprodan/podinfo:6.0.1";
    room.set_image("podinfo", "podinfod", image);
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(chores::image(&room).await, image);
    assert!(target.count() >= 10, "k6 has asked {} times", target.count());
    drop(process);
}

/// The load tester of its chart, with gates in a ConfigMap.
async fn a_gate_is_opened(ground: &Ground) {
    let lab = ground.lab();
    let place = ["-n", "test"];
    ground.helm(
        &[
            &[
                "upgrade",
                "-i",
                "gatekeeper",
                &chart("loadtester"),
                "--wait",
                "--set",
                "gates.shared=true",
            ],
            &place[..],
        ]
        .concat(),
    );
    let room = lab.room("gatekept").await;
    let (process, url) = chores::companion(lab, "test", "gatekeeper").await;
    room.create("deployments", deployment("podinfo")).await;
    let mut object = canary("podinfo");
    object["spec"]["analysis"]["webhooks"] = json!([
        {"name": "gate", "type": "confirm-rollout", "url": format!("{url}/gate/check")},
        {"name": "acceptance", "type": "pre-rollout", "url": format!("{url}/"), "timeout": "1m",
            "metadata": {"type": "bash", "cmd": "test -w \"$TMPDIR\" && bats --version | grep Bats"}},
    ]);
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    room.set_image("podinfo", "podinfod", NEW);
    room.until_phase("podinfo", "Waiting").await;
    let gate = json!({"name": "podinfo", "namespace": room.name}).to_string();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let opened = http.post(format!("{url}/gate/open")).body(gate).send().await.unwrap();
    assert_eq!(opened.status(), 202);
    room.until_phase("podinfo", "Succeeded").await;
    let kept = lab
        .get("/api/v1/namespaces/test/configmaps/gatekeeper-gates")
        .await
        .unwrap();
    assert!(kept["data"].to_string().contains(&room.name), "{kept}");
    drop(process);
}
