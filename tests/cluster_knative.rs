//! A Knative Service on a real control plane. Knative itself is not there: the test makes the revisions.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    kinds::install,
    lab::{Lab, Room, text},
    objects::canary,
    process::Controller,
};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn knative() {
    let Some(lab) = Lab::open().await else { return };
    let room = lab.room("knative").await;
    let controller = Controller::start(&lab, "knative", &[]).await;
    knative_service(&room, &lab).await;
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

/// The Service shares its traffic between revisions. This test plays Knative: it makes the revisions and says what the latest is.
async fn knative_service(room: &Room<'_>, lab: &Lab) {
    let version = "serving.knative.dev/v1";
    for kind in ["Service", "Revision"] {
        install(lab, "serving.knative.dev", "v1", kind).await;
    }
    let path = |plural: &str, name: &str| format!("/apis/{version}/namespaces/{}/{plural}/{name}", room.name);
    let make = async |plural: &str, kind: &str, name: &str, spec: Value, status: Value| {
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec});
        let list = path(plural, "");
        lab.call("POST", list.trim_end_matches('/'), Some(&object))
            .await
            .unwrap();
        let at = format!("{}/status", path(plural, name));
        lab.call("PATCH", &at, Some(&json!({"status": status}))).await.unwrap();
    };
    let ready = json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]});
    let latest = |name: &str| json!({"latestCreatedRevisionName": name});
    make("revisions", "Revision", "podinfo-1", json!({}), ready.clone()).await;
    make(
        "services",
        "Service",
        "podinfo",
        json!({"template": {"spec": {"future": 1}}}),
        latest("podinfo-1"),
    )
    .await;
    let mut object = canary("podinfo");
    object["spec"]["targetRef"] = json!({"apiVersion": version, "kind": "Service", "name": "podinfo"});
    object["spec"]["analysis"]["stepWeight"] = json!(25);
    object["spec"]["provider"] = json!("knative");
    object["spec"].as_object_mut().unwrap().remove("service");
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    let shown = async || {
        let service = lab.get(&path("services", "podinfo")).await.unwrap();
        let primary = service["metadata"]["annotations"]["flagger.app/primary-revision"].clone();
        (text(&primary).to_owned(), service["spec"]["traffic"].clone())
    };
    let shares = |canary: i64, primary: &str| json!([{"latestRevision": true, "percent": canary}, {"revisionName": primary, "percent": 100 - canary}]);
    assert_eq!(shown().await, ("podinfo-1".to_owned(), shares(0, "podinfo-1")));

    make("revisions", "Revision", "podinfo-2", json!({}), ready).await;
    let status = format!("{}/status", path("services", "podinfo"));
    lab.call("PATCH", &status, Some(&json!({"status": latest("podinfo-2")})))
        .await
        .unwrap();
    room.until_status("podinfo", "at 25", |status| status["canaryWeight"] == 25)
        .await;
    assert_eq!(shown().await, ("podinfo-1".to_owned(), shares(25, "podinfo-1")));
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(shown().await, ("podinfo-2".to_owned(), shares(0, "podinfo-2")));
    let service = lab.get(&path("services", "podinfo")).await.unwrap();
    assert_eq!(service["spec"]["template"], json!({"spec": {"future": 1}}));
}
