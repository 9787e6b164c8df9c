//! A release on Istio's kinds with the account of deploy/kustomize/base: a mirror step, cookies, a foreign edit, and a VirtualService that
//! was there before.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    lab::{Lab, Room, text},
    objects::{NEW, canary, deployment},
    process::Controller,
    server::serve,
    until,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const MINUTE: Duration = Duration::from_mins(1);
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

#[tokio::test]
async fn a_release_on_istio() {
    let Some(lab) = Lab::open().await else { return };
    install(&lab).await;
    let room = lab.room("istio").await;
    let controller = Controller::start(&lab, "istio", &[]).await;
    releases(&room).await;
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

/// Istio's kinds without its schema: any field is kept, which is all that matters here.
async fn install(lab: &Lab) {
    for (plural, kind) in [
        ("virtualservices", "VirtualService"),
        ("destinationrules", "DestinationRule"),
    ] {
        let name = format!("{plural}.networking.istio.io");
        if lab.get(&format!("{CRDS}/{name}")).await.is_none() {
            let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
            let crd = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
                "spec": {
                    "group": "networking.istio.io", "scope": "Namespaced",
                    "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
                    "versions": [{"name": "v1beta1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
                },
            });
            lab.call("POST", CRDS, Some(&crd)).await.unwrap();
        }
        let served = async || lab.get(&format!("/apis/networking.istio.io/v1beta1/{plural}")).await;
        until(&format!("{plural} are served"), MINUTE, served).await;
    }
}

/// A gate that opens as often as it is told to, so that the run stands still while it is looked at.
fn gate() -> (Value, Arc<AtomicUsize>) {
    let approvals = Arc::new(AtomicUsize::new(0));
    let left = approvals.clone();
    let port = serve(move |_, _| {
        let approved = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        (if approved { 200 } else { 403 }, String::new())
    });
    let url = format!("http://127.0.0.1:{port}/");
    (
        json!([{"name": "step", "type": "confirm-traffic-increase", "url": url}]),
        approvals,
    )
}

async fn releases(room: &Room<'_>) {
    let (gate, approvals) = gate();
    let mine = json!({"hosts": ["web"], "http": [{"name": "mine", "route": [{"destination": {"host": "web"}}]}]});
    room.create("virtualservices", json!({"metadata": {"name": "web"}, "spec": mine}))
        .await;
    room.create("deployments", deployment("web")).await;
    let mut object = canary("web");
    object["spec"]["provider"] = json!("istio");
    object["spec"]["revertOnDeletion"] = json!(true);
    object["spec"]["service"] = json!({"port": 9898, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}});
    object["spec"]["analysis"] = json!({
        "interval": "2s", "threshold": 2, "stepWeight": 50, "maxWeight": 50, "mirror": true, "mirrorWeight": 10,
        "sessionAffinity": {"cookieName": "web", "path": "/shop"}, "webhooks": gate,
    });
    room.create("canaries", object).await;
    room.until_phase("web", "Initialized").await;
    for side in ["web-canary", "web-primary"] {
        let rule = room.get("destinationrules", side).await;
        assert_eq!(
            rule["spec"],
            json!({"host": side, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}})
        );
    }

    approvals.store(1, SeqCst);
    room.set_image("web", "podinfod", NEW);
    let mirror = until_route(room, "mirrored", |http| !http[0]["mirror"].is_null()).await;
    assert_eq!(mirror[0]["mirrorPercentage"], json!({"value": 10}));
    assert_eq!(weights(&mirror), [[100, 0]]);
    approvals.store(1, SeqCst);
    let half = until_route(room, "at one half", |http| weights(http) == [[0, 100], [50, 50]]).await;
    let cookie = text(&half[1]["route"][1]["headers"]["response"]["add"]["Set-Cookie"]).to_owned();
    assert!(
        cookie.starts_with("web=") && cookie.ends_with("; Max-Age=86400; Path=/shop"),
        "{cookie}"
    );

    // Somebody takes the sticky rule away and adds a host: both are mended, and nothing else moves.
    let foreign = json!({"spec": {"hosts": ["evil.example.com"], "http": [half[1]]}});
    room.patch("virtualservices", "web", foreign).await;
    let mended = async || {
        let route = room.get("virtualservices", "web").await;
        (route["spec"]["hosts"] == json!(["web"])).then(|| route["spec"]["http"].clone())
    };
    assert_eq!(until("the route is mended", MINUTE, mended).await, half);

    approvals.store(usize::MAX, SeqCst);
    room.until_phase("web", "Succeeded").await;
    let after = room.get("virtualservices", "web").await["spec"]["http"].clone();
    assert_eq!(weights(&after), [[100, 0], [100, 0]]);
    let taken_back = cookie.replace("86400", "-1");
    assert_eq!(after[0]["headers"]["response"]["add"]["Set-Cookie"], taken_back);
    let status = room.get("canaries", "web").await["status"].take();
    assert_eq!(
        status["previousSessionAffinityCookie"],
        cookie.split(';').next().unwrap()
    );

    let path = room.path("canaries", "web");
    room.lab.call("DELETE", &path, None).await.unwrap();
    let gone = async || room.find("canaries", "web").await.is_none().then_some(());
    until("the canary is gone", 2 * MINUTE, gone).await;
    assert_eq!(room.get("virtualservices", "web").await["spec"], mine);
}

async fn until_route(room: &Room<'_>, what: &str, wish: impl Fn(&Value) -> bool) -> Value {
    let look = async || {
        let http = room.get("virtualservices", "web").await["spec"]["http"].clone();
        wish(&http).then_some(http)
    };
    until(&format!("the route is {what}"), 2 * MINUTE, look).await
}

/// Weights of each route, in the order in which they stand there.
fn weights(http: &Value) -> Vec<Vec<i64>> {
    let routes = http.as_array().cloned().unwrap_or_default();
    let of = |route: &Value| {
        let destinations = route["route"].as_array().cloned().unwrap_or_default();
        destinations
            .iter()
            .map(|entry| entry["weight"].as_i64().unwrap_or(-1))
            .collect()
    };
    routes.iter().map(of).collect()
}
