//! What is played on both clusters. Nothing in here knows which one it is.

use futures::future::{FutureExt, LocalBoxFuture};
use serde_json::{Value, json};

use super::{Ground, Room};

/// All scenarios, to be played side by side.
pub(crate) fn all(ground: &Ground) -> Vec<LocalBoxFuture<'_, ()>> {
    vec![
        good_release(ground).boxed_local(),
        bad_release(ground).boxed_local(),
        gate(ground).boxed_local(),
        changed_config(ground).boxed_local(),
        drift(ground).boxed_local(),
        late_target(ground).boxed_local(),
        suspension(ground).boxed_local(),
    ]
}

async fn good_release(ground: &Ground) {
    let room = initialised(ground, "good", &json!({})).await;
    release(&room).await;
    for weight in [20, 40, 60] {
        room.until("httproutes", "app", "at the next weight", |route| {
            share(route) == weight
        })
        .await;
    }
    room.phase("Succeeded").await;
    let primary = room.get("deployments", "app-primary").await;
    assert_eq!(image(&primary), "app:2");
    assert_eq!(primary["metadata"]["ownerReferences"][0]["kind"], "Canary");
    assert_eq!(room.get("deployments", "app").await["spec"]["replicas"], 0);
    assert_eq!(share(&room.get("httproutes", "app").await), 0);
    for (service, selected) in [
        ("app", "app-primary"),
        ("app-primary", "app-primary"),
        ("app-canary", "app"),
    ] {
        assert_eq!(
            room.get("services", service).await["spec"]["selector"],
            json!({"app": selected})
        );
    }
}

async fn bad_release(ground: &Ground) {
    let room = initialised(ground, "bad", &json!({})).await;
    release(&room).await;
    room.phase("Failed").await;
    assert_eq!(image(&room.get("deployments", "app-primary").await), "app:1");
    assert_eq!(room.get("deployments", "app").await["spec"]["replicas"], 0);
    assert_eq!(share(&room.get("httproutes", "app").await), 0);
}

async fn gate(ground: &Ground) {
    let hook = json!([{"name": "gate", "type": "confirm-rollout", "url": "http://hooks.test/gate"}]);
    let room = initialised(ground, "gate", &json!({"analysis": {"webhooks": hook}})).await;
    room.gate(false);
    release(&room).await;
    room.phase("Waiting").await;
    assert_eq!(room.get("deployments", "app").await["spec"]["replicas"], 0);
    room.gate(true);
    room.phase("Succeeded").await;
}

async fn changed_config(ground: &Ground) {
    let room = ground.room("config").await;
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"color": "red"}});
    room.create("configmaps", &config).await;
    let mut target = deployment();
    target["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "conf"}}]);
    room.create("deployments", &target).await;
    room.create(
        "canaries",
        &canary(&json!({"analysis": {"stepWeight": 50, "maxWeight": 50}})),
    )
    .await;
    room.phase("Initialized").await;
    let made = room.get("configmaps", "conf-primary").await;
    assert_eq!(made["data"]["color"], "red");
    room.patch("configmaps", "conf", &json!({"data": {"color": "blue"}}))
        .await;
    room.phase("Progressing").await;
    assert_eq!(room.get("configmaps", "conf-primary").await["data"]["color"], "red");
    room.phase("Succeeded").await;
    assert_eq!(room.get("configmaps", "conf-primary").await["data"]["color"], "blue");
}

async fn drift(ground: &Ground) {
    let room = initialised(ground, "drift", &json!({"analysis": {"interval": "4s"}})).await;
    release(&room).await;
    room.until("httproutes", "app", "at 40", |route| share(route) == 40)
        .await;
    room.patch(
        "httproutes",
        "app",
        &json!({"spec": {"hostnames": ["evil.example.com"]}}),
    )
    .await;
    let mended = room
        .until("httproutes", "app", "mended", |route| {
            route["spec"]["hostnames"] == json!(["app.example.com"])
        })
        .await;
    assert!(share(&mended) >= 40, "the weight is kept: {mended:#}");
    room.delete("services", "app-canary").await;
    room.until("services", "app-canary", "back", |service| !service.is_null())
        .await;
    room.phase("Succeeded").await;
}

async fn late_target(ground: &Ground) {
    let room = ground.room("late").await;
    room.create("canaries", &canary(&json!({}))).await;
    let accepted = |canary: &Value| {
        let conditions = canary["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == "Accepted")
    };
    room.until("canaries", "app", "refused", |canary| {
        accepted(canary).is_some_and(|condition| condition["reason"] == "TargetNotFound")
    })
    .await;
    room.create("deployments", &deployment()).await;
    let canary = room.phase("Initialized").await;
    assert_eq!(accepted(&canary), None);
}

async fn suspension(ground: &Ground) {
    let room = initialised(ground, "suspend", &json!({"suspend": true})).await;
    let held = |canary: &Value| canary["status"]["conditions"].to_string().contains("Suspended");
    room.until("canaries", "app", "held", held).await;
    release(&room).await;
    assert_eq!(room.get("canaries", "app").await["status"]["phase"], "Initialized");
    room.patch("canaries", "app", &json!({"spec": {"suspend": false}}))
        .await;
    let canary = room.phase("Succeeded").await;
    assert!(!held(&canary));
}

/// A Deployment with an initialised Canary. What is suspended from the start is suspended once it is initialised.
async fn initialised(ground: &Ground, name: &str, spec: &Value) -> Room {
    let room = ground.room(name).await;
    room.create("deployments", &deployment()).await;
    let mut object = canary(spec);
    object["spec"]["suspend"] = false.into();
    room.create("canaries", &object).await;
    room.phase("Initialized").await;
    if spec["suspend"] == true {
        room.patch("canaries", "app", &json!({"spec": {"suspend": true}})).await;
    }
    room
}

async fn release(room: &Room) {
    let mut containers = deployment()["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["image"] = "app:2".into();
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    room.patch("deployments", "app", &patch).await;
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app", "labels": {"app": "app"}},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 9898}]}]},
            },
        },
    })
}

fn canary(spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "app"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 9898, "hosts": ["app.example.com"], "gatewayRefs": [{"name": "gw", "namespace": "default"}]},
            "analysis": {
                "interval": "2s", "threshold": 2, "stepWeight": 20, "maxWeight": 60,
                "metrics": [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}],
            },
        },
    });
    engine::json::merge(&mut object["spec"], spec);
    object
}

fn image(deployment: &Value) -> &str {
    deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
}

/// Percent of the canary.
fn share(route: &Value) -> i64 {
    route["spec"]["rules"][0]["backendRefs"][1]["weight"]
        .as_i64()
        .unwrap_or(-1)
}
