//! A release with every kind of object that a canary can have around it in its namespace: copies of configs, a scaler, a template with a
//! Secret, a chat with a Secret, hooks, and a deletion that puts back what was there.

use serde_json::{Value, json};
use std::time::Duration;

use crate::cluster::{
    lab::Room,
    objects::{NEW, canary, deployment},
    server::Hooks,
    until,
};

const NAME: &str = "whole";

/// From nothing to a release, to another one for a config, to nothing again.
pub(crate) async fn lives(room: &Room<'_>, prometheus: &str) {
    let hooks = Hooks::start();
    create(room, prometheus, &hooks).await;
    room.until_phase(NAME, "Initialized").await;
    for (kind, name) in [
        ("configmaps", "whole-settings-primary"),
        ("secrets", "whole-token-primary"),
        ("horizontalpodautoscalers", "whole-primary"),
    ] {
        room.get(kind, name).await;
    }

    room.set_image(NAME, "podinfod", NEW);
    promoted(room).await;
    let changed = json!({"data": {"colour": "green"}});
    room.patch("configmaps", "whole-settings", changed.clone()).await;
    promoted(room).await;
    let copy = room.get("configmaps", "whole-settings-primary").await;
    assert_eq!(copy["data"], changed["data"]);
    assert!(!hooks.bodies("/chat").is_empty(), "nobody was told");
    assert!(hooks.bodies("/load").len() >= 2, "the load test was not asked for");

    let path = room.path("canaries", NAME);
    room.lab.call("DELETE", &path, None).await.unwrap();
    until("the canary is gone", Duration::from_mins(1), async || {
        room.find("canaries", NAME).await.is_none().then_some(())
    })
    .await;
    // Its target serves again.
    assert_ne!(room.get("deployments", NAME).await["spec"]["replicas"], 0);
    assert_eq!(
        room.get("services", NAME).await["spec"]["selector"],
        json!({"app": NAME})
    );
}

async fn promoted(room: &Room<'_>) {
    room.until_phase(NAME, "Progressing").await;
    room.until_phase(NAME, "Succeeded").await;
}

async fn create(room: &Room<'_>, prometheus: &str, hooks: &Hooks) {
    let named = |name: &str, more: Value| {
        let mut object = json!({"metadata": {"name": name}});
        object
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        object
    };
    let mut target = deployment(NAME);
    target["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": "whole-settings"}}, {"secretRef": {"name": "whole-token"}}]);
    let scaler = json!({"spec": {
        "minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 90}}}],
    }});
    let chat = json!({"stringData": {"address": hooks.url("/chat")}});
    let provider = json!({"type": "prometheus", "address": prometheus, "secretRef": {"name": "whole-prometheus"}});
    let template = json!({"spec": {"provider": provider, "query": "vector(1)"}});
    for (kind, name, more) in [
        ("configmaps", "whole-settings", json!({"data": {"colour": "blue"}})),
        ("secrets", "whole-token", json!({"stringData": {"token": "old"}})),
        ("secrets", "whole-chat", chat),
        (
            "secrets",
            "whole-prometheus",
            json!({"stringData": {"username": "a", "password": "b"}}),
        ),
        ("horizontalpodautoscalers", NAME, scaler),
        ("metrictemplates", NAME, template),
        (
            "alertproviders",
            NAME,
            json!({"spec": {"type": "slack", "channel": "all", "secretRef": {"name": "whole-chat"}}}),
        ),
    ] {
        room.create(kind, named(name, more)).await;
    }
    let service = json!({"spec": {"selector": {"app": NAME}, "ports": [{"name": "http", "port": 9898, "targetPort": 9898}]}});
    room.create("services", named(NAME, service)).await;
    room.create("deployments", target).await;
    let mut object = canary(NAME);
    object["spec"]["revertOnDeletion"] = json!(true);
    object["spec"]["autoscalerRef"] =
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": NAME});
    let analysis = &mut object["spec"]["analysis"];
    analysis["stepWeight"] = json!(25);
    analysis["metrics"] =
        json!([{"name": "one", "templateRef": {"name": NAME}, "thresholdRange": {"min": 1}, "interval": "1m"}]);
    analysis["alerts"] = json!([{"name": "all", "severity": "info", "providerRef": {"name": NAME}}]);
    analysis["webhooks"] = json!([
        {"name": "load", "url": hooks.url("/load")},
        {"name": "tell", "type": "event", "url": hooks.url("/tell")},
    ]);
    room.create("canaries", object).await;
}
