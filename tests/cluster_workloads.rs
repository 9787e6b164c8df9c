//! Targets besides Deployments, and autoscalers, on a real control plane: the API server has its say about every copy.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    kinds::{install, is_installed},
    lab::{Lab, Room, text},
    objects::{NEW, OLD, canary, deployment, weight},
    process::Controller,
    until,
};
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
/// Node selector of a DaemonSet without pods.
const ZERO: &str = "flagger.app/scale-to-zero";
/// Annotation of a ScaledObject without pods.
const PAUSED: &str = "autoscaling.keda.sh/paused-replicas";

#[tokio::test]
async fn workloads() {
    let Some(lab) = Lab::open().await else { return };
    let rooms = [
        lab.room("daemons").await,
        lab.room("services").await,
        lab.room("types").await,
        lab.room("bounds").await,
        lab.room("keda").await,
    ];
    let [daemons, services, types, bounds, keda] = &rooms;
    let controller = Controller::start(&lab, "workloads", &[]).await;
    tokio::join!(
        daemon_set(daemons),
        service(services),
        service_types(types),
        hpa_bounds(bounds),
        scaled_object(keda, &lab),
    );
    let breaches = controller.series("aviary_invariant_violations_total").await;
    let broken = breaches
        .iter()
        .filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
    assert_eq!(broken.count(), 0, "{breaches:#?}");
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

/// The first container's image.
fn image(workload: &Value) -> &str {
    text(&workload["spec"]["template"]["spec"]["containers"][0]["image"])
}

/// A patch that gives the container of the fixtures another image.
fn release(image: &str) -> Value {
    let mut template = deployment("podinfo")["spec"]["template"].take();
    template["spec"]["containers"][0]["image"] = json!(image);
    json!({"spec": {"template": {"spec": {"containers": template["spec"]["containers"]}}}})
}

/// A canary of another kind of target, in two steps.
fn canary_of(kind: &str, version: &str) -> Value {
    let mut object = canary("podinfo");
    object["spec"]["targetRef"] = json!({"apiVersion": version, "kind": kind, "name": "podinfo"});
    object["spec"]["analysis"]["stepWeight"] = json!(25);
    object
}

/// Its pods go by a node selector, and the selector goes with them.
async fn daemon_set(room: &Room<'_>) {
    let mut target = deployment("podinfo");
    let spec = target["spec"].as_object_mut().unwrap();
    spec.remove("replicas");
    spec.remove("progressDeadlineSeconds");
    room.create("daemonsets", target).await;
    let mut object = canary_of("DaemonSet", "apps/v1");
    object["spec"]["revertOnDeletion"] = json!(true);
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    let selector = |set: Value| set["spec"]["template"]["spec"]["nodeSelector"].clone();
    assert_eq!(selector(room.get("daemonsets", "podinfo").await), json!({ZERO: "true"}));
    assert_eq!(selector(room.get("daemonsets", "podinfo-primary").await), Value::Null);
    until("the target has no pods", MINUTE, async || {
        let status = room.get("daemonsets", "podinfo").await["status"].take();
        (status["currentNumberScheduled"] == 0).then_some(())
    })
    .await;

    room.patch("daemonsets", "podinfo", release(NEW)).await;
    room.until_status("podinfo", "at 25", |status| status["canaryWeight"] == 25)
        .await;
    assert_eq!(selector(room.get("daemonsets", "podinfo").await), Value::Null);
    room.until_phase("podinfo", "Succeeded").await;
    let primary = room.get("daemonsets", "podinfo-primary").await;
    assert_eq!((image(&primary), selector(primary.clone())), (NEW, Value::Null));
    assert_eq!(selector(room.get("daemonsets", "podinfo").await), json!({ZERO: "true"}));

    let deleted = room.path("canaries", "podinfo");
    room.lab.call("DELETE", &deleted, None).await.unwrap();
    until("the canary is gone", MINUTE, async || {
        room.find("canaries", "podinfo").await.is_none().then_some(())
    })
    .await;
    assert_eq!(selector(room.get("daemonsets", "podinfo").await), Value::Null);
}

fn service_object(kind: &str, version: &str) -> Value {
    json!({"metadata": {"name": "podinfo"}, "spec": {
        "type": kind, "selector": {"version": version},
        "ports": [{"name": "http", "port": 9898, "targetPort": 9898}],
    }})
}

/// The user's Service is the release; the route shares traffic between two copies of it.
async fn service(room: &Room<'_>) {
    let target = room.create("services", service_object("ClusterIP", "one")).await;
    room.create("canaries", canary_of("Service", "v1")).await;
    room.until_phase("podinfo", "Initialized").await;
    let primary = room.get("services", "podinfo-primary").await;
    assert_ne!(primary["spec"]["clusterIP"], target["spec"]["clusterIP"]);
    assert_eq!(primary["spec"]["selector"], json!({"version": "one"}));
    assert_eq!(weight(&room.get("httproutes", "podinfo").await, "podinfo"), 0);

    room.patch("services", "podinfo", json!({"spec": {"selector": {"version": "two"}}}))
        .await;
    room.until_status("podinfo", "at 25", |status| status["canaryWeight"] == 25)
        .await;
    let copy = room.get("services", "podinfo-canary").await;
    assert_eq!(copy["spec"]["selector"], json!({"version": "two"}));
    assert_eq!(
        room.get("services", "podinfo-primary").await["spec"]["selector"],
        json!({"version": "one"})
    );
    room.until_phase("podinfo", "Succeeded").await;
    let promoted = room.get("services", "podinfo-primary").await;
    assert_eq!(promoted["spec"]["selector"], json!({"version": "two"}));
    assert_eq!(promoted["spec"]["clusterIP"], primary["spec"]["clusterIP"]);
    assert_eq!(
        promoted["metadata"]["ownerReferences"],
        primary["metadata"]["ownerReferences"]
    );
    // At rest the copies are not written again.
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    room.patch(
        "canaries",
        "podinfo",
        json!({"metadata": {"labels": {"look": "again"}}}),
    )
    .await;
    room.patch(
        "services",
        "podinfo",
        json!({"metadata": {"labels": {"look": "again"}}}),
    )
    .await;
    let after = room.get("services", "podinfo-canary").await;
    assert_eq!(version(&after), version(&copy));
}

/// What the API server refuses of the peer's copies (WL-6): each type, and from one type to the next.
async fn service_types(room: &Room<'_>) {
    let mut target = service_object("LoadBalancer", "one");
    target["spec"]["externalTrafficPolicy"] = json!("Local");
    target["spec"]["loadBalancerSourceRanges"] = json!(["10.0.0.0/8"]);
    room.create("services", target).await;
    let mut object = canary_of("Service", "v1");
    object["spec"]["provider"] = json!("kubernetes");
    object["spec"]["analysis"] = json!({"interval": "2s", "threshold": 2, "iterations": 1});
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    for name in ["podinfo-primary", "podinfo-canary"] {
        let spec = room.get("services", name).await["spec"].take();
        assert_eq!(spec["type"], "ClusterIP", "{name}: {spec}");
        assert_eq!(spec["ports"][0].get("nodePort"), None, "{name}: {spec}");
    }
    let next = [
        json!({"spec": {"type": "NodePort", "loadBalancerSourceRanges": null, "selector": {"version": "two"}}}),
        json!({"spec": {"type": "ExternalName", "externalName": "podinfo.example.net", "selector": null, "externalTrafficPolicy": null}}),
        json!({"spec": {"type": "ClusterIP", "externalName": null, "selector": {"version": "three"}}}),
    ];
    for patch in next {
        let before = room.get("canaries", "podinfo").await["status"]["lastPromotedSpec"].take();
        room.patch("services", "podinfo", patch.clone()).await;
        let promoted = |status: &Value| status["phase"] == "Succeeded" && status["lastPromotedSpec"] != before;
        room.until_status("podinfo", "promoted", promoted).await;
        let (target, primary) = (
            room.get("services", "podinfo").await,
            room.get("services", "podinfo-primary").await,
        );
        for field in ["selector", "externalName"] {
            assert_eq!(primary["spec"][field], target["spec"][field], "{patch}: {primary:#}");
        }
    }
}

fn hpa(name: &str, target: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": 2, "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
    }})
}

/// Bounds, metrics and behaviour reach the primary with a promotion; a copy that is lost comes back; one of the user's own is left alone.
async fn hpa_bounds(room: &Room<'_>) {
    room.create("deployments", deployment("podinfo")).await;
    room.create("horizontalpodautoscalers", hpa("podinfo", "podinfo")).await;
    let mut object = canary_of("Deployment", "apps/v1");
    object["spec"]["autoscalerRef"] = json!({
        "apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler", "name": "podinfo",
        "primaryScalerReplicas": {"minReplicas": 3},
    });
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    let bounds = async || {
        let spec = room.get("horizontalpodautoscalers", "podinfo-primary").await["spec"].take();
        (spec["minReplicas"].clone(), spec["maxReplicas"].clone())
    };
    assert_eq!(bounds().await, (json!(3), json!(4)));
    room.patch(
        "horizontalpodautoscalers",
        "podinfo",
        json!({"spec": {"maxReplicas": 7, "behavior": null}}),
    )
    .await;
    room.patch("deployments", "podinfo", release(NEW)).await;
    room.until_status("podinfo", "at 25", |status| status["canaryWeight"] == 25)
        .await;
    assert_eq!(
        room.get("deployments", "podinfo").await["spec"]["replicas"],
        2,
        "as many as its scaler keeps"
    );
    assert_eq!(bounds().await, (json!(3), json!(4)), "not before the promotion");
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(bounds().await, (json!(3), json!(7)));
    let copy = room.get("horizontalpodautoscalers", "podinfo-primary").await;
    assert_eq!(
        copy["spec"].get("behavior"),
        None,
        "what is gone from the target is gone from the primary"
    );

    room.lab
        .call(
            "DELETE",
            &room.path("horizontalpodautoscalers", "podinfo-primary"),
            None,
        )
        .await
        .unwrap();
    until("the copy is back", MINUTE, async || {
        room.find("horizontalpodautoscalers", "podinfo-primary").await.map(drop)
    })
    .await;
    assert_eq!(bounds().await, (json!(3), json!(7)));

    // A user who takes the copy over: from now on it is theirs.
    let own = json!({"metadata": {"ownerReferences": null}, "spec": {"minReplicas": 1, "maxReplicas": 2}});
    room.patch("horizontalpodautoscalers", "podinfo-primary", own).await;
    room.patch("deployments", "podinfo", release(OLD)).await;
    room.until_phase("podinfo", "Progressing").await;
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(bounds().await, (json!(1), json!(2)));
}

/// KEDA is installed after the controller has started: the kind is noticed, and the canary that waits for it goes on.
async fn scaled_object(room: &Room<'_>, lab: &Lab) {
    room.create("deployments", deployment("podinfo")).await;
    let mut object = canary_of("Deployment", "apps/v1");
    object["spec"]["autoscalerRef"] = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo",
        "primaryScalerReplicas": {"maxReplicas": 9},
        "primaryScalerQueries": {"own": "sum(own)"},
    });
    room.create("canaries", object).await;
    let known = is_installed(lab, "scaledobjects.keda.sh").await;
    if !known {
        room.until_told("podinfo", &["ScaledObject keda.sh/v1alpha1 is not installed"])
            .await;
    }
    assert_eq!(install(lab, "keda.sh", "v1alpha1", "ScaledObject").await, !known);
    let source = json!({
        "metadata": {"name": "podinfo", "annotations": {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}},
        "spec": {
            "scaleTargetRef": {"name": "podinfo"}, "minReplicaCount": 2, "maxReplicaCount": 4, "initialCooldownPeriod": 5,
            "triggers": [
                {"type": "prometheus", "metadata": {"serverAddress": "http://p", "threshold": "1", "query": "rate(podinfo_hits{app=\"podinfo\"}[1m])"}},
                {"type": "prometheus", "name": "own", "metadata": {"serverAddress": "http://p", "threshold": "1", "query": "x"}},
            ],
        },
    });
    room.create("scaledobjects", source.clone()).await;
    room.until_phase("podinfo", "Initialized").await;
    let annotations = async |name: &str| room.get("scaledobjects", name).await["metadata"]["annotations"].take();
    assert_eq!(annotations("podinfo").await[PAUSED], "0");
    assert_eq!(
        annotations("podinfo-primary").await,
        json!({"scaledobject.keda.sh/transfer-hpa-ownership": "true"})
    );
    let copy = room.get("scaledobjects", "podinfo-primary").await["spec"].take();
    assert_eq!(copy["scaleTargetRef"]["name"], "podinfo-primary");
    assert_eq!(
        (&copy["minReplicaCount"], &copy["maxReplicaCount"]),
        (&json!(2), &json!(9))
    );
    assert_eq!(copy["initialCooldownPeriod"], 5);
    assert_eq!(
        copy["triggers"][0]["metadata"]["query"],
        "rate(podinfo_hits{app=\"podinfo-primary\"}[1m])"
    );
    assert_eq!(copy["triggers"][1]["metadata"]["query"], "sum(own)");

    room.patch("scaledobjects", "podinfo", json!({"spec": {"minReplicaCount": 3}}))
        .await;
    room.patch("deployments", "podinfo", release(NEW)).await;
    room.until_status("podinfo", "at 25", |status| status["canaryWeight"] == 25)
        .await;
    assert_eq!(annotations("podinfo").await[PAUSED], Value::Null);
    assert_eq!(room.get("deployments", "podinfo").await["spec"]["replicas"], 3);
    assert_eq!(
        room.get("scaledobjects", "podinfo-primary").await["spec"]["minReplicaCount"],
        2
    );
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(annotations("podinfo").await[PAUSED], "0");
    assert_eq!(
        room.get("scaledobjects", "podinfo-primary").await["spec"]["minReplicaCount"],
        3
    );
    let spec = room.get("scaledobjects", "podinfo").await["spec"].take();
    assert_eq!(
        spec["triggers"], source["spec"]["triggers"],
        "the user's own is not rewritten"
    );
}
