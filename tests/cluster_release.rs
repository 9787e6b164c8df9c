//! Whole releases on a real control plane, judged by a real Prometheus.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    lab::{Lab, Room, text},
    metrics::Prometheus,
    objects::{NEW, OLD, builtin_metrics, canary, deployment, weight},
    process::Controller,
    server::Hooks,
    until,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn releases() {
    let Some(lab) = Lab::open().await else { return };
    let rooms = [
        lab.room("good").await,
        lab.room("bad").await,
        lab.room("silent").await,
        lab.room("gated").await,
    ];
    let [good, bad, silent, gated] = &rooms;
    let errors = [(good.name.clone(), 0), (bad.name.clone(), 5), (gated.name.clone(), 0)];
    let prometheus = Prometheus::start(&lab, BTreeMap::from(errors)).await;
    let hooks = Hooks::start();
    let flags = [format!("-metrics-server={}", prometheus.url)];
    let controller = Controller::start(&lab, "release", &[&flags[0]]).await;
    tokio::join!(
        succeeds(good, &hooks),
        fails(bad),
        halts_without_metrics(silent),
        waits_at_gate(gated, &hooks),
    );
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

/// podinfo of the documents, from nothing to the new version.
async fn succeeds(room: &Room<'_>, hooks: &Hooks) {
    room.create(
        "configmaps",
        json!({"metadata": {"name": "settings"}, "data": {"colour": "blue"}}),
    )
    .await;
    room.create(
        "secrets",
        json!({"metadata": {"name": "token"}, "stringData": {"token": "old"}}),
    )
    .await;
    let mut target = deployment("podinfo");
    target["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "token"}}]);
    room.create("deployments", target).await;
    room.create("horizontalpodautoscalers", scaler()).await;
    let mut object = canary("podinfo");
    object["spec"]["autoscalerRef"] = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo",
        "primaryScalerReplicas": {"minReplicas": 3, "maxReplicas": 5},
    });
    object["spec"]["analysis"]["metrics"] = builtin_metrics();
    object["spec"]["analysis"]["webhooks"] = json!([{
        "name": "load-test", "url": hooks.url("/load"), "metadata": {"cmd": "hey -z 1m http://podinfo-canary.test:9898/"},
    }]);
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    initialised(room).await;

    let changed = json!({"data": {"colour": "green"}});
    room.patch("configmaps", "settings", changed).await;
    room.set_image("podinfo", "podinfod", NEW);
    let weights = weights_until_end(room).await;
    assert_eq!(weights, [10, 20, 30, 40, 50, 0]);
    let wait = [
        "-n",
        &room.name,
        "wait",
        "canary/podinfo",
        "--for=condition=promoted",
        "--timeout=60s",
    ];
    let output = room.lab.kubectl(&wait);
    assert!(output.status.success(), "{output:?}");
    room.until_phase("podinfo", "Succeeded").await;

    let primary = room.get("deployments", "podinfo-primary").await;
    assert_eq!(primary["spec"]["template"]["spec"]["containers"][0]["image"], NEW);
    assert_eq!(
        room.get("configmaps", "settings-primary").await["data"],
        json!({"colour": "green"})
    );
    assert_eq!(room.get("deployments", "podinfo").await["spec"]["replicas"], 0);
    let told = room.messages("podinfo").await;
    for weight in [10, 20, 30, 40, 50] {
        let wanted = format!("Advance podinfo.{} canary weight {weight}", room.name);
        assert!(told.contains(&wanted), "{wanted}: {told:#?}");
    }
    room.until_told("podinfo", &["Promotion completed! Scaling down podinfo."])
        .await;
    assert!(hooks.bodies("/load").iter().any(|body| body.contains("hey -z 1m")));
}

/// What stands there when a canary is initialised.
async fn initialised(room: &Room<'_>) {
    let primary = room.get("deployments", "podinfo-primary").await;
    let container = &primary["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], OLD);
    let from = json!([{"configMapRef": {"name": "settings-primary"}}, {"secretRef": {"name": "token-primary"}}]);
    assert_eq!(container["envFrom"], from);
    assert_eq!(
        primary["spec"]["selector"]["matchLabels"],
        json!({"app": "podinfo-primary"})
    );
    for (service, selected) in [
        ("podinfo", "podinfo-primary"),
        ("podinfo-primary", "podinfo-primary"),
        ("podinfo-canary", "podinfo"),
    ] {
        let service = room.get("services", service).await;
        assert_eq!(service["spec"]["selector"], json!({"app": selected}));
        assert_eq!(service["spec"]["ports"][0]["port"], 9898);
    }
    assert_eq!(
        room.get("configmaps", "settings-primary").await["data"],
        json!({"colour": "blue"})
    );
    assert_eq!(
        room.get("secrets", "token-primary").await["data"],
        json!({"token": "b2xk"})
    );
    let copy = &room.get("horizontalpodautoscalers", "podinfo-primary").await["spec"];
    assert_eq!((&copy["minReplicas"], &copy["maxReplicas"]), (&json!(3), &json!(5)));
    assert_eq!(copy["scaleTargetRef"]["name"], "podinfo-primary");
    let route = room.get("httproutes", "podinfo").await;
    assert_eq!(route["spec"]["hostnames"], json!(["podinfo.example.com"]));
    assert_eq!(weight(&route, "podinfo"), 0);
    at_zero(room).await;
}

fn scaler() -> Value {
    json!({
        "metadata": {"name": "podinfo"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "minReplicas": 2, "maxReplicas": 4,
            "metrics": [{
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 99}},
            }],
        },
    })
}

/// The canary's weights, each once, until all traffic is back on the primary. A weight stays for two seconds and is looked for five
/// times a second.
async fn weights_until_end(room: &Room<'_>) -> Vec<i64> {
    let mut seen = Vec::new();
    until("the route ends at the primary", 2 * MINUTE, async || {
        let now = weight(&room.get("httproutes", "podinfo").await, "podinfo");
        if seen.last().is_none_or(|last| *last != now) {
            seen.push(now);
        }
        (seen.len() > 1 && now == 0 && seen.iter().any(|weight| *weight > 0)).then_some(())
    })
    .await;
    seen.retain({
        let mut first = true;
        move |weight| !(std::mem::take(&mut first) && *weight == 0)
    });
    seen
}

async fn at_zero(room: &Room<'_>) {
    until("the target is at zero", MINUTE, async || {
        let target = room.get("deployments", "podinfo").await;
        (target["spec"]["replicas"] == 0).then_some(())
    })
    .await;
}

async fn prepare(room: &Room<'_>, change: impl FnOnce(&mut Value)) {
    room.create("deployments", deployment("podinfo")).await;
    let mut object = canary("podinfo");
    object["spec"]["analysis"]["metrics"] = builtin_metrics();
    change(&mut object);
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    room.set_image("podinfo", "podinfod", NEW);
}

/// All traffic on the old version, the new one scaled down.
async fn is_rolled_back(room: &Room<'_>) {
    room.until_phase("podinfo", "Failed").await;
    assert_eq!(weight(&room.get("httproutes", "podinfo").await, "podinfo"), 0);
    at_zero(room).await;
    let primary = room.get("deployments", "podinfo-primary").await;
    assert_eq!(primary["spec"]["template"]["spec"]["containers"][0]["image"], OLD);
    assert!(primary["status"]["readyReplicas"].as_i64().unwrap() > 0);
    room.until_told(
        "podinfo",
        &["Rolling back podinfo.", "failed checks threshold reached 2"],
    )
    .await;
}

/// One request in twenty fails.
async fn fails(room: &Room<'_>) {
    prepare(room, |_| ()).await;
    is_rolled_back(room).await;
    let halt = format!("Halt podinfo.{} advancement success rate 9", room.name);
    room.until_told("podinfo", &[&halt, "< 99%"]).await;
}

async fn halts_without_metrics(room: &Room<'_>) {
    prepare(room, |_| ()).await;
    is_rolled_back(room).await;
    let why = "no values found for gatewayapi:v1 metric request-success-rate probably podinfo.";
    room.until_told("podinfo", &["Halt advancement", why, "is not receiving traffic"])
        .await;
}

async fn waits_at_gate(room: &Room<'_>, hooks: &Hooks) {
    hooks.answer("/gate", 403);
    prepare(room, |object| {
        object["spec"]["analysis"]["webhooks"] =
            json!([{"name": "ask", "type": "confirm-rollout", "url": hooks.url("/gate")}]);
    })
    .await;
    room.until_phase("podinfo", "Waiting").await;
    let asked = hooks.bodies("/gate").len();
    until("the gate is asked twice more", MINUTE, async || {
        (hooks.bodies("/gate").len() >= asked + 2).then_some(())
    })
    .await;
    let status = room.get("canaries", "podinfo").await["status"].take();
    assert_eq!(text(&status["phase"]), "Waiting");
    assert_eq!(weight(&room.get("httproutes", "podinfo").await, "podinfo"), 0);
    at_zero(room).await;
    hooks.answer("/gate", 200);
    room.until_phase("podinfo", "Succeeded").await;
}
