//! What only a strict sandbox does: CRDs, schemas, namespaces, tables, documents, refusals.

use super::{Sandbox, Settings, config, tuned};
use ::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const TIMERS: &str = "/apis/example.dev/v1/namespaces/default/timers";

fn strict() -> Sandbox {
    let sandbox = tuned(Settings {
        strict: true,
        ..Settings::default()
    });
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}});
    sandbox.create(namespace).unwrap();
    sandbox
}

/// Send a request with an `Accept` or `Content-Type` header; code and body.
async fn send(sandbox: &Sandbox, line: &str, header: &str, body: &Value) -> (u16, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let body = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let name = if method == "GET" { "accept" } else { "content-type" };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(name, header)
        .body(body);
    let answer = sandbox.answer(request.unwrap()).await.unwrap();
    let code = answer.status().as_u16();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&text).unwrap_or_default())
}

async fn get(sandbox: &Sandbox, path: &str) -> (u16, Value) {
    send(sandbox, &format!("GET {path}"), "application/json", &Value::Null).await
}

async fn post(sandbox: &Sandbox, path: &str, body: &Value) -> (u16, Value) {
    send(sandbox, &format!("POST {path}"), "application/json", body).await
}

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "timers.example.dev"},
        "spec": {
            "group": "example.dev", "scope": "Namespaced",
            "names": {"plural": "timers", "kind": "Timer", "shortNames": ["tm"]},
            "versions": [
                {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}},
                {
                    "name": "v1", "served": true, "storage": true,
                    "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                    "additionalPrinterColumns": [{"name": "Minutes", "type": "integer", "jsonPath": ".spec.minutes"}],
                    "schema": {"openAPIV3Schema": {
                        "type": "object", "description": "A timer.",
                        "properties": {
                            "spec": {"type": "object", "required": ["minutes"], "properties": {
                                "minutes": {"type": "integer"}, "replicas": {"type": "integer"},
                                "unit": {"type": "string", "default": "s"},
                            }},
                            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                        },
                    }},
                },
            ],
        },
    })
}

fn timer(spec: &Value) -> Value {
    json!({"apiVersion": "example.dev/v1", "kind": "Timer", "metadata": {"name": "tea"}, "spec": spec})
}

#[tokio::test(start_paused = true)]
async fn a_stored_definition_is_served_with_its_schema() {
    let sandbox = strict();
    assert_eq!(get(&sandbox, TIMERS).await.0, 404);
    let (code, _) = post(&sandbox, CRDS, &definition()).await;
    assert_eq!(code, 201);
    let (_, stored) = get(&sandbox, &format!("{CRDS}/timers.example.dev")).await;
    assert_eq!(stored["status"]["acceptedNames"]["listKind"], "TimerList");
    assert_eq!(stored["status"]["conditions"][1]["type"], "Established");

    let (code, refused) = post(&sandbox, TIMERS, &timer(&json!({}))).await;
    assert_eq!(
        (code, refused["details"]["causes"][0]["field"].clone()),
        (422, json!("spec.minutes"))
    );
    let strictly = format!("{TIMERS}?fieldValidation=Strict");
    let (code, refused) = post(&sandbox, &strictly, &timer(&json!({"minutes": 3, "other": 1}))).await;
    assert_eq!(code, 400);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .ends_with("strict decoding error: unknown field \"spec.other\""),
        "{refused}"
    );
    let (code, made) = post(&sandbox, TIMERS, &timer(&json!({"minutes": 3, "other": 1}))).await;
    assert_eq!((code, made["spec"].clone()), (201, json!({"minutes": 3, "unit": "s"})));

    let (code, told) = get(&sandbox, "/apis/example.dev/v1beta1/namespaces/default/timers").await;
    assert_eq!((code, told["reason"].clone()), (501, json!("NotImplemented")));

    sandbox
        .delete(
            "customresourcedefinitions.apiextensions.k8s.io",
            "",
            "timers.example.dev",
        )
        .unwrap();
    assert_eq!(get(&sandbox, TIMERS).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn wrong_definitions_are_refused() {
    let sandbox = strict();
    let cases = [
        ("/metadata/name", json!("other.example.dev"), "metadata.name"),
        ("/spec/group", json!(""), "spec.group"),
        ("/spec/versions/1/storage", json!(false), "spec.versions"),
        (
            "/spec/versions/1/schema",
            json!({}),
            "spec.versions[1].schema.openAPIV3Schema",
        ),
    ];
    for (pointer, value, field) in cases {
        let mut wrong = definition();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let (code, refused) = post(&sandbox, CRDS, &wrong).await;
        assert_eq!(
            (code, refused["details"]["causes"][0]["field"].clone()),
            (422, json!(field)),
            "{refused}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn scale_is_a_view_of_replicas() {
    let sandbox = strict();
    sandbox.create(definition()).unwrap();
    sandbox.create(timer(&json!({"minutes": 3, "replicas": 2}))).unwrap();
    let url = format!("{TIMERS}/tea/scale");
    let (code, scale) = get(&sandbox, &url).await;
    assert_eq!(
        (code, scale["kind"].clone(), scale["spec"].clone()),
        (200, json!("Scale"), json!({"replicas": 2}))
    );
    let five = json!({"spec": {"replicas": 5}});
    let (code, scale) = send(&sandbox, &format!("PATCH {url}"), "application/merge-patch+json", &five).await;
    assert_eq!((code, scale["spec"]["replicas"].clone()), (200, json!(5)));
    assert_eq!(
        sandbox.get("timers.example.dev", "default", "tea").unwrap()["spec"]["replicas"],
        5
    );
    let late = json!({"metadata": {"name": "tea", "resourceVersion": "1"}, "spec": {"replicas": 1}});
    assert_eq!(
        send(&sandbox, &format!("PUT {url}"), "application/json", &late).await.0,
        409
    );
    assert_eq!(
        get(&sandbox, "/api/v1/namespaces/default/configmaps/a/scale").await.0,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn lists_come_as_tables_in_pages() {
    let sandbox = strict();
    for name in ["a", "b", "c"] {
        sandbox.create(config(name, &json!({}))).unwrap();
    }
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let line = "GET /api/v1/namespaces/default/configmaps?limit=2";
    let (_, page) = send(&sandbox, line, table, &Value::Null).await;
    let names: Vec<&Value> = page["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["Name", "Data", "Age"]);
    assert_eq!(page["rows"][0]["cells"], json!(["a", 1, "0s"]));
    assert_eq!(page["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(page["metadata"]["remainingItemCount"], 1);
    let next = page["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = send(&sandbox, &format!("{line}&continue={next}"), table, &Value::Null).await;
    assert_eq!(rest["rows"].as_array().unwrap().len(), 1);
    assert_eq!(rest["rows"][0]["cells"][0], "c");
}

#[tokio::test(start_paused = true)]
async fn documents_name_every_kind() {
    let sandbox = strict();
    sandbox.create(definition()).unwrap();
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let (_, groups) = send(&sandbox, "GET /apis", aggregated, &Value::Null).await;
    let group = groups["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["metadata"]["name"] == "example.dev");
    let resource = &group.unwrap()["versions"][0]["resources"][0];
    assert_eq!(resource["shortNames"], json!(["tm"]));
    let parts: Vec<&Value> = resource["subresources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["subresource"])
        .collect();
    assert_eq!(parts, ["status", "scale"]);
    let (_, old) = get(&sandbox, "/apis/example.dev/v1").await;
    assert_eq!(old["resources"].as_array().unwrap().len(), 3);

    let (_, index) = get(&sandbox, "/openapi/v3").await;
    assert_eq!(
        index["paths"]["apis/apps/v1"]["serverRelativeURL"],
        "/openapi/v3/apis/apps/v1"
    );
    for place in index["paths"].as_object().unwrap().keys() {
        let (code, document) = get(&sandbox, &format!("/openapi/v3/{place}")).await;
        assert_eq!(code, 200, "{place}");
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        let references = text
            .split("#/components/schemas/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        for name in references {
            assert!(
                schemas.contains_key(name),
                "{place} refers to {name}, which is not there"
            );
        }
    }
    let (_, document) = get(&sandbox, "/openapi/v3/apis/example.dev/v1").await;
    assert_eq!(
        document["components"]["schemas"]["dev.example.v1.Timer"]["description"],
        "A timer."
    );
}

#[tokio::test(start_paused = true)]
async fn namespaces_matter() {
    let sandbox = strict();
    let path = "/api/v1/namespaces/away/configmaps";
    let (code, refused) = post(&sandbox, path, &config("a", &json!({}))).await;
    assert_eq!(
        (code, refused["message"].clone()),
        (404, json!("namespaces \"away\" not found"))
    );
    sandbox
        .create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "away"}}))
        .unwrap();
    assert_eq!(post(&sandbox, path, &config("a", &json!({}))).await.0, 201);
    sandbox.delete("namespaces", "", "away").unwrap();
    assert_eq!(sandbox.list("configmaps", None).unwrap(), [] as [Value; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_it_cannot_do_it_says() {
    let sandbox = strict();
    for path in [
        "/api/v1/namespaces/default/pods",
        "/apis/apps/v1/namespaces/default/statefulsets",
        "/api/v1/nodes",
    ] {
        let (code, told) = get(&sandbox, path).await;
        assert_eq!(
            (code, told["reason"].clone()),
            (501, json!("NotImplemented")),
            "{path}: {told}"
        );
    }
    let line = "POST /api/v1/namespaces/default/configmaps";
    let (code, told) = send(
        &sandbox,
        line,
        "application/vnd.kubernetes.protobuf",
        &config("a", &json!({})),
    )
    .await;
    assert_eq!(code, 501);
    assert!(told["message"].as_str().unwrap().contains("apply"), "{told}");
    let strategic = "application/strategic-merge-patch+json";
    sandbox.create(definition()).unwrap();
    sandbox.create(timer(&json!({"minutes": 3}))).unwrap();
    let (code, _) = send(&sandbox, &format!("PATCH {TIMERS}/tea"), strategic, &json!({})).await;
    assert_eq!(code, 415);
}
