//! What is lost or taken over comes back as it was, on a real control plane: its own controllers keep the history, its API server the ports.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    lab::{Lab, Room, text},
    objects::{NEW, OLD, canary, deployment},
    process::Controller,
    until,
};
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
/// A port of this machine that nobody listens on: a hook that fails.
const NOBODY: &str = "http://127.0.0.1:9/";

#[tokio::test]
async fn what_was_there_comes_back() {
    let Some(lab) = Lab::open().await else { return };
    let rooms = [
        lab.room("replicas").await,
        lab.room("daemons").await,
        lab.room("apex").await,
    ];
    let [replicas, daemons, apex] = &rooms;
    let controller = Controller::start(&lab, "lost", &[]).await;
    tokio::join!(
        lost_primary(replicas, "Deployment"),
        lost_primary(daemons, "DaemonSet"),
        adopted_apex(apex),
    );
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

fn image(workload: &Value) -> &str {
    text(&workload["spec"]["template"]["spec"]["containers"][0]["image"])
}

async fn delete(room: &Room<'_>, plural: &str, name: &str) {
    room.lab.call("DELETE", &room.path(plural, name), None).await.unwrap();
}

/// WL-7: the target has a revision that has failed. The primary comes back as what was promoted, from the history that the cluster keeps.
async fn lost_primary(room: &Room<'_>, kind: &str) {
    let plural = format!("{}s", kind.to_lowercase());
    let mut target = deployment("podinfo");
    if kind == "DaemonSet" {
        let spec = target["spec"].as_object_mut().unwrap();
        spec.retain(|field, _| field != "replicas" && field != "progressDeadlineSeconds");
    }
    room.create(&plural, target).await;
    let mut object = canary("podinfo");
    object["spec"]["targetRef"]["kind"] = json!(kind);
    object["spec"]["analysis"]["webhooks"] =
        json!([{"name": "down", "type": "rollout", "url": NOBODY, "timeout": "1s"}]);
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    room.patch(&plural, "podinfo", release(NEW)).await;
    room.until_phase("podinfo", "Failed").await;
    let before = room.get(&plural, "podinfo-primary").await;

    delete(room, &plural, "podinfo-primary").await;
    let again = until("the primary is back", MINUTE, async || {
        let primary = room.find(&plural, "podinfo-primary").await?;
        (primary["metadata"]["uid"] != before["metadata"]["uid"]).then_some(primary)
    })
    .await;
    assert_eq!((image(&again), image(&room.get(&plural, "podinfo").await)), (OLD, NEW));
    assert_eq!(
        again["spec"]["template"]["metadata"]["labels"],
        json!({"app": "podinfo-primary"})
    );
    room.until_told(
        "podinfo",
        &["was gone and is made again from the revision that was promoted"],
    )
    .await;

    // The next release is a release like any other.
    let mended = json!({"spec": {"analysis": {"webhooks": null}}});
    room.patch("canaries", "podinfo", mended).await;
    room.patch(&plural, "podinfo", release("stefanprodan/podinfo:3.1.0"))
        .await;
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(
        image(&room.get(&plural, "podinfo-primary").await),
        "stefanprodan/podinfo:3.1.0"
    );
}

/// A patch that gives the container of the fixtures another image.
fn release(image: &str) -> Value {
    let mut containers = deployment("podinfo")["spec"]["template"]["spec"]["containers"].take();
    containers[0]["image"] = json!(image);
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

/// SV-13, SV-14: a Service that was there before the Canary is as it was when the Canary is gone, node ports included.
async fn adopted_apex(room: &Room<'_>) {
    let service = json!({
        "metadata": {"name": "podinfo", "labels": {"mine": "yes"}, "annotations": {"mine": "yes"}},
        "spec": {
            "type": "NodePort", "selector": {"app": "podinfo"},
            "ports": [{"name": "web", "port": 80, "targetPort": 9898}, {"name": "admin", "port": 81}],
        },
    });
    let told = |service: &Value| {
        let metadata = &service["metadata"];
        json!({"labels": metadata["labels"], "annotations": metadata["annotations"], "spec": service["spec"]})
    };
    let before = told(&room.create("services", service).await);
    room.create("deployments", deployment("podinfo")).await;
    let mut object = canary("podinfo");
    object["spec"]["revertOnDeletion"] = json!(true);
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    let adopted = room.get("services", "podinfo").await;
    assert_eq!(adopted["spec"]["selector"], json!({"app": "podinfo-primary"}));
    assert_ne!(adopted["spec"]["ports"], before["spec"]["ports"]);
    delete(room, "canaries", "podinfo").await;
    until("the canary is gone", MINUTE, async || {
        room.find("canaries", "podinfo").await.is_none().then_some(())
    })
    .await;
    assert_eq!(told(&room.get("services", "podinfo").await), before);
    assert_eq!(
        room.get("deployments", "podinfo").await["status"]["availableReplicas"],
        2
    );
}
