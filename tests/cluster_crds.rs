//! The resource definitions, as the real API server understands them.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    lab::{Lab, Room, text},
    objects::canary,
};
use serde_json::{Value, json};

/// Columns that Flagger's users know; `-o wide` shows all.
const COLUMNS: [&str; 11] = [
    "NAME",
    "STATUS",
    "WEIGHT",
    "SUSPENDED",
    "FAILEDCHECKS",
    "INTERVAL",
    "MIRROR",
    "STEPWEIGHT",
    "STEPWEIGHTS",
    "MAXWEIGHT",
    "LASTTRANSITIONTIME",
];

#[tokio::test]
async fn definitions() {
    let Some(lab) = Lab::open().await else { return };
    let room = lab.room("crds").await;
    documents(&room).await;
    fractions(&room).await;
    columns(&room).await;
    legacy(&room).await;
    lab.close().await;
}

/// A sound Canary with this laid over it.
fn over(base: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = json!({});
    }
    for (key, value) in patch {
        over(&mut base[key.as_str()], value);
    }
}

/// Every object that the documents show is accepted, and comes back with the content that the server knows.
async fn documents(room: &Room<'_>) {
    let documents: Vec<Value> = serde_saphyr::from_multiple(include_str!("../crds/tests/documents.yaml")).unwrap();
    assert!(documents.len() >= 12);
    for (number, document) in documents.into_iter().enumerate() {
        let mut object = json!({
            "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
            "spec": canary("podinfo")["spec"],
        });
        let whole = document["kind"].is_string();
        let fragment = document["spec"].is_object() || document["status"].is_object();
        let laid = if whole || fragment {
            document.clone()
        } else {
            json!({ "spec": document })
        };
        if whole {
            object = laid;
        } else {
            over(&mut object, &laid);
        }
        object["metadata"] = json!({"name": format!("document-{number}")});
        let created = post(room, &object).await;
        let created = created.unwrap_or_else(|error| panic!("{error}: {object}"));
        contains(&created["spec"], &object["spec"], "spec");
    }
}

async fn post(room: &Room<'_>, object: &Value) -> kube::Result<Value> {
    let plural = match text(&object["kind"]) {
        "Canary" => "canaries",
        "MetricTemplate" => "metrictemplates",
        _ => "alertproviders",
    };
    let path = format!(
        "/apis/{}/namespaces/{}/{plural}",
        text(&object["apiVersion"]),
        room.name
    );
    room.lab.call("POST", &path, Some(object)).await
}

/// Everything that was written is read back; the server may add defaults.
fn contains(read: &Value, written: &Value, path: &str) {
    match written {
        Value::Object(fields) => {
            for (key, value) in fields {
                contains(&read[key.as_str()], value, &format!("{path}.{key}"));
            }
        }
        Value::Array(items) => {
            assert_eq!(read.as_array().map(Vec::len), Some(items.len()), "{path}");
            for (index, item) in items.iter().enumerate() {
                contains(&read[index], item, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(read, written, "{path}"),
    }
}

/// The peer's schema says `number`, so ours takes fractions; the controller says which make no sense.
async fn fractions(room: &Room<'_>) {
    let mut object = canary("fractions");
    object["spec"]["progressDeadlineSeconds"] = json!(60.5);
    object["spec"]["analysis"] =
        json!({"interval": "1m", "threshold": 1.5, "stepWeights": [1, 2.5], "maxWeight": 49.5});
    let created = room.create("canaries", object.clone()).await;
    contains(&created["spec"], &object["spec"], "spec");
}

async fn columns(room: &Room<'_>) {
    let mut object = canary("shown");
    object["metadata"]["labels"] = json!({"shown": "yes"});
    room.create("canaries", object).await;
    let status = json!({"status": {
        "phase": "Progressing", "canaryWeight": 15, "failedChecks": 1, "iterations": 0,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }});
    let path = room.path("canaries", "shown") + "/status";
    room.lab.call("PATCH", &path, Some(&status)).await.unwrap();
    let table = room
        .lab
        .kubectl(&["-n", &room.name, "get", "canaries", "-l", "shown=yes", "-o", "wide"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2, "{table}");
    for column in COLUMNS {
        assert!(lines[0].contains(&column), "{column}: {table}");
    }
    assert_eq!(lines[0].len(), COLUMNS.len(), "{table}");
    for value in ["shown", "Progressing", "15", "2026-01-02T03:04:05Z"] {
        assert!(lines[1].contains(&value), "{value}: {table}");
    }
}

/// What the oldest documents show is served, and readable in the present version.
async fn legacy(room: &Room<'_>) {
    let mut object = canary("old");
    object["apiVersion"] = json!("flagger.app/v1alpha3");
    object["kind"] = json!("Canary");
    let analysis = object["spec"]["analysis"].take();
    object["spec"].as_object_mut().unwrap().remove("analysis");
    object["spec"]["canaryAnalysis"] = analysis.clone();
    post(room, &object).await.unwrap();
    let path = room.path("canaries", "old");
    let present = room.lab.get(&path).await.unwrap();
    assert_eq!(present["spec"]["canaryAnalysis"], analysis);
    let past = room.lab.get(&path.replace("v1beta1", "v1alpha3")).await.unwrap();
    assert_eq!(past["apiVersion"], "flagger.app/v1alpha3");
    assert_eq!(past["spec"], present["spec"]);
}
