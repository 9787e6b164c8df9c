//! Objects as Flagger leaves them on the Gateway API, from recordings: names, labels, owners, annotations, and hashes in its alphabet.

use serde_json::{Value, json};

use crate::cluster::{
    lab::{Room, text},
    objects::{NEW, OLD, canary, deployment},
};

/// Annotations that keep GitOps tools away from what it made.
fn unmanaged() -> Value {
    json!({
        "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
        "helm.toolkit.fluxcd.io/driftDetection": "disabled",
    })
}

/// A canary at rest and all that belongs to it: its target has the new version and no pods; the primary has the new one, too, or,
/// after a failed run, the old one.
pub(crate) async fn leave(room: &Room<'_>, name: &str, failed: bool) {
    let mut target = deployment(name);
    target["spec"]["replicas"] = json!(0);
    target["spec"]["template"]["spec"]["containers"][0]["image"] = json!(NEW);
    room.create("deployments", target).await;
    let mut object = canary(name);
    object["metadata"]["finalizers"] = json!([]);
    let owner = room.create("canaries", object).await;
    let owner = json!([{
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": name, "uid": owner["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }]);
    let mut primary = deployment(&format!("{name}-primary"));
    primary["metadata"]["ownerReferences"] = owner.clone();
    primary["metadata"]["labels"] = json!({"app": format!("{name}-primary")});
    primary["spec"]["template"]["metadata"]["annotations"] =
        json!({"flagger-id": "0f6e7d1c-7d7a-4f8e-9a55-6f0f4ab0c7c1"});
    primary["spec"]["template"]["spec"]["containers"][0]["image"] = json!(if failed { OLD } else { NEW });
    room.create("deployments", primary).await;
    for (service, selected) in [
        (name.to_owned(), format!("{name}-primary")),
        (format!("{name}-primary"), format!("{name}-primary")),
        (format!("{name}-canary"), name.to_owned()),
    ] {
        let object = json!({
            "metadata": {"name": service, "labels": {"app": service}, "ownerReferences": owner, "annotations": unmanaged()},
            "spec": {"type": "ClusterIP", "selector": {"app": selected},
                "ports": [{"name": "http", "port": 9898, "protocol": "TCP", "targetPort": 9898}]},
        });
        room.create("services", object).await;
    }
    let backend = |role: &str, weight: i64| json!({"group": "", "kind": "Service", "name": format!("{name}-{role}"), "port": 9898, "weight": weight});
    let route = json!({
        "metadata": {"name": name, "ownerReferences": owner, "annotations": unmanaged()},
        "spec": {
            "hostnames": [format!("{name}.example.com")],
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "gateways"}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [backend("primary", 100), backend("canary", 0)],
            }],
        },
    });
    room.create("httproutes", route).await;
    remember(room, name, failed).await;
}

/// What it keeps in the status: numbers of 32 bits, in digits that make no words.
async fn remember(room: &Room<'_>, name: &str, failed: bool) {
    let (phase, promoted, reason) = if failed {
        ("Failed", "6b9f54c7d8", "Failed")
    } else {
        ("Succeeded", "5d7c9b8f46", "Succeeded")
    };
    let time = "2026-01-02T03:04:05Z";
    let status = json!({"status": {
        "phase": phase, "canaryWeight": 0, "failedChecks": 0, "iterations": 0, "lastTransitionTime": time, "trackedConfigs": {},
        "lastAppliedSpec": "5d7c9b8f46", "lastPromotedSpec": promoted,
        "conditions": [{
            "type": "Promoted", "status": if failed { "False" } else { "True" }, "reason": reason,
            "message": "as it was left", "lastTransitionTime": time, "lastUpdateTime": time,
        }],
    }});
    let path = room.path("canaries", name) + "/status";
    room.lab.call("PATCH", &path, Some(&status)).await.unwrap();
}

/// Whether a status holds hashes of Flagger.
pub(crate) fn has_its_hashes(status: &Value) -> bool {
    let applied = text(&status["lastAppliedSpec"]);
    applied.chars().all(|c| "456789bcdf".contains(c)) && !applied.is_empty()
}
