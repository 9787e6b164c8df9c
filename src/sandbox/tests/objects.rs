//! Create, read, replace, patch, delete; statuses, finalizers, owners, pages.

use super::{super::*, api, canary, code, config, sandbox, tuned, typed};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy},
};
use serde_json::{Value, json};

fn merge(patch: &Value) -> Patch<&Value> {
    Patch::Merge(patch)
}

#[tokio::test(start_paused = true)]
async fn creates_reads_replaces_and_deletes() {
    let sandbox = sandbox();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let sent: ConfigMap = serde_json::from_value(config("a", &json!({}))).unwrap();
    let made = maps.create(&PostParams::default(), &sent).await.unwrap();
    assert_eq!(made.uid().unwrap(), "00000000-0000-4000-8000-000000000001");
    assert_eq!(
        made.metadata.creation_timestamp.as_ref().unwrap().0.to_string(),
        "2026-01-01T00:00:00Z"
    );
    assert_eq!(made.metadata.generation, None);
    assert_eq!(code(maps.create(&PostParams::default(), &sent).await), 409);

    let same = maps.replace("a", &PostParams::default(), &made).await.unwrap();
    assert_eq!(same.resource_version(), made.resource_version(), "nothing changed");
    let mut changed = made.clone();
    changed.data.as_mut().unwrap().insert("k".to_owned(), "w".to_owned());
    let changed = maps.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(changed.resource_version(), made.resource_version());
    let error = maps.replace("a", &PostParams::default(), &made).await.unwrap_err();
    assert!(error.to_string().contains("the object has been modified"), "{error}");

    maps.delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .right()
        .unwrap();
    let error = maps.get("a").await.unwrap_err();
    assert!(error.to_string().contains("configmaps \"a\" not found"), "{error}");
    assert!(maps.get_opt("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn generates_names_that_differ() {
    let sandbox = sandbox();
    let event = json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "generateName": "app." } });
    let names: Vec<Value> = (0..200)
        .map(|_| sandbox.create(event.clone()).unwrap()["metadata"]["name"].clone())
        .collect();
    let distinct: std::collections::BTreeSet<&str> = names.iter().filter_map(Value::as_str).collect();
    assert_eq!(distinct.len(), 200);
    assert!(
        distinct.iter().all(|name| name.len() == "app.".len() + 5),
        "{distinct:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn patches_with_and_without_locks() {
    let sandbox = sandbox();
    let maps = api(&sandbox.client(), "", "v1", "ConfigMap");
    let made = sandbox.create(config("a", &json!({ "x": "1" }))).unwrap();
    let plain = PatchParams::default();
    let patched = maps
        .patch("a", &plain, &merge(&json!({ "data": { "k": null, "n": "1" } })))
        .await
        .unwrap();
    assert_eq!(patched.data["data"], json!({ "n": "1" }));
    let none = maps
        .patch("a", &plain, &merge(&json!({ "data": { "n": "1" } })))
        .await
        .unwrap();
    assert_eq!(none.resource_version(), patched.resource_version());

    let cases = [
        (
            json!({ "metadata": { "resourceVersion": made["metadata"]["resourceVersion"] }, "data": { "n": "2" } }),
            409,
        ),
        (json!({ "metadata": { "uid": "another" }, "data": { "n": "2" } }), 409),
        (json!({ "metadata": { "name": "b" } }), 400),
        (json!({ "metadata": { "namespace": "b" } }), 400),
        (json!({ "kind": "Secret" }), 400),
    ];
    for (patch, wanted) in cases {
        assert_eq!(code(maps.patch("a", &plain, &merge(&patch)).await), wanted, "{patch}");
    }
    let locked = json!({ "metadata": { "resourceVersion": patched.resource_version() }, "data": { "n": "2" } });
    maps.patch("a", &plain, &merge(&locked)).await.unwrap();
    assert_eq!(code(maps.patch("zzz", &plain, &merge(&locked)).await), 404);
    // What is applied names the revision that it was made from, and that is an old one.
    let apply = PatchParams::apply("x").force();
    assert_eq!(code(maps.patch("a", &apply, &Patch::Apply(&made)).await), 409);
}

#[tokio::test(start_paused = true)]
async fn json_patches_are_all_or_nothing() {
    let sandbox = sandbox();
    sandbox.create(config("a", &json!({}))).unwrap();
    let send = async |patch: Value| {
        let request = ::http::Request::patch("/api/v1/namespaces/default/configmaps/a")
            .header("content-type", "application/json-patch+json")
            .body(Bytes::from(patch.to_string()));
        sandbox.answer(request.unwrap()).await.unwrap().status().as_u16()
    };
    let add = json!({ "op": "add", "path": "/data/n", "value": "1" });
    let failing = json!({ "op": "test", "path": "/data/k", "value": "no" });
    assert_eq!(send(json!([add, failing])).await, 422);
    assert_eq!(
        sandbox.get("configmaps", "default", "a").unwrap()["data"],
        json!({ "k": "v" })
    );
    assert_eq!(send(json!([add, { "op": "remove", "path": "/data/k" }])).await, 200);
    assert_eq!(
        sandbox.get("configmaps", "default", "a").unwrap()["data"],
        json!({ "n": "1" })
    );
    assert_eq!(send(json!({ "not": "a list" })).await, 400);
}

#[tokio::test(start_paused = true)]
async fn status_and_spec_are_written_apart() {
    let sandbox = sandbox();
    let canaries = api(&sandbox.client(), "flagger.app", "v1beta1", "Canary");
    let made = canaries
        .create(&PostParams::default(), &typed(canary("c")))
        .await
        .unwrap();
    assert_eq!((made.metadata.generation, made.data.get("status")), (Some(1), None));

    let both = json!({ "spec": { "analysis": { "interval": "2m" } }, "status": { "phase": "Failed" } });
    let status = canaries
        .patch_status("c", &PatchParams::default(), &merge(&both))
        .await
        .unwrap();
    assert_eq!(status.data["status"]["phase"], "Failed");
    assert_eq!(status.data["spec"]["analysis"]["interval"], "1m");
    assert_eq!(status.metadata.generation, Some(1));

    let wrong = json!({ "spec": { "analysis": { "interval": "2m" } }, "status": null });
    let spec = canaries
        .patch("c", &PatchParams::default(), &merge(&wrong))
        .await
        .unwrap();
    assert_eq!(spec.data["status"]["phase"], "Failed");
    assert_eq!(
        (
            spec.data["spec"]["analysis"]["interval"].as_str(),
            spec.metadata.generation
        ),
        (Some("2m"), Some(2))
    );

    let mut unlocked = spec.clone();
    unlocked.metadata.resource_version = None;
    assert_eq!(
        code(canaries.replace("c", &PostParams::default(), &unlocked).await),
        422
    );
    let maps = api(&sandbox.client(), "", "v1", "ConfigMap");
    sandbox.create(config("a", &json!({}))).unwrap();
    assert_eq!(
        code(
            maps.patch_status("a", &PatchParams::default(), &merge(&json!({})))
                .await
        ),
        404
    );
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_a_deleted_object() {
    let sandbox = sandbox();
    let canaries = api(&sandbox.client(), "flagger.app", "v1beta1", "Canary");
    let mut held = canary("c");
    held["metadata"]["finalizers"] = json!(["finalizer.flagger.app"]);
    let made = sandbox.create(held).unwrap();
    let dying = canaries
        .delete("c", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(dying.metadata.deletion_timestamp.is_some());
    assert_eq!(dying.metadata.generation, Some(2));
    let again = canaries
        .delete("c", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(again.resource_version(), dying.resource_version());
    let more = json!({ "metadata": { "finalizers": ["finalizer.flagger.app", "another"] } });
    assert_eq!(
        code(canaries.patch("c", &PatchParams::default(), &merge(&more)).await),
        422
    );
    let release = json!({ "metadata": { "finalizers": null } });
    canaries
        .patch("c", &PatchParams::default(), &merge(&release))
        .await
        .unwrap();
    assert_eq!(code(canaries.get("c").await), 404);
    assert_ne!(
        sandbox.create(canary("c")).unwrap()["metadata"]["uid"],
        made["metadata"]["uid"]
    );
}

#[tokio::test(start_paused = true)]
async fn deletes_check_their_preconditions() {
    let sandbox = sandbox();
    let maps = api(&sandbox.client(), "", "v1", "ConfigMap");
    let made = sandbox.create(config("a", &json!({}))).unwrap();
    let with_uid = |uid: &str| DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    assert_eq!(code(maps.delete("a", &with_uid("other")).await), 409);
    maps.delete("a", &with_uid(made["metadata"]["uid"].as_str().unwrap()))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn dependents_go_with_their_last_owner() {
    let sandbox = tuned(Settings {
        collect_after: Duration::from_secs(1),
        ..Settings::default()
    });
    let owner = |name: &str| {
        let made = sandbox.create(canary(name)).unwrap();
        json!({ "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": name, "uid": made["metadata"]["uid"] })
    };
    let owning = |name: &str, owners: &[&Value]| {
        let mut map = config(name, &json!({}));
        map["metadata"]["ownerReferences"] = json!(owners);
        sandbox.create(map).unwrap()
    };
    let (one, two) = (owner("one"), owner("two"));
    let child = owning("child", &[&one]);
    owning("shared", &[&one, &two]);
    let child = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "child", "uid": child["metadata"]["uid"] });
    owning("grandchild", &[&child]);
    let names = || -> Vec<String> {
        let maps = sandbox.list("configmaps", None).unwrap();
        maps.iter()
            .map(|map| map["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    sandbox.delete("canaries.flagger.app", "default", "one").unwrap();
    assert_eq!(names(), ["child", "grandchild", "shared"], "not in the same instant");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(names(), ["shared"]);
    let shared = sandbox.get("configmaps", "default", "shared").unwrap();
    assert_eq!(shared["metadata"]["ownerReferences"], json!([two]));

    let canaries = api(&sandbox.client(), "flagger.app", "v1beta1", "Canary");
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    canaries.delete("two", &orphan).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let shared = sandbox.get("configmaps", "default", "shared").unwrap();
    assert!(shared["metadata"]["ownerReferences"].is_null());
    owning("late", &[&one]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(names(), ["shared"], "an object of a dead owner is garbage at birth");
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_revision() {
    let sandbox = sandbox();
    for number in 0..25 {
        sandbox.create(config(&format!("m{number:02}"), &json!({}))).unwrap();
    }
    let maps: Api<ConfigMap> = Api::all(sandbox.client());
    let first = maps.list(&ListParams::default().limit(10)).await.unwrap();
    assert_eq!((first.items.len(), first.metadata.remaining_item_count), (10, Some(15)));
    sandbox.delete("configmaps", "default", "m15").unwrap();
    sandbox.create(config("m15b", &json!({}))).unwrap();
    let token = first.metadata.continue_.unwrap();
    let second = maps
        .list(&ListParams::default().limit(10).continue_token(&token))
        .await
        .unwrap();
    assert!(
        second.items.iter().any(|map| map.name_any() == "m15"),
        "as it was at the first page"
    );
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    let token = second.metadata.continue_.unwrap();
    let third = maps
        .list(&ListParams::default().limit(10).continue_token(&token))
        .await
        .unwrap();
    assert_eq!(
        (third.items.len(), third.metadata.continue_.unwrap_or_default()),
        (5, String::new())
    );
    sandbox.compact();
    assert_eq!(
        code(maps.list(&ListParams::default().continue_token(&token)).await),
        410
    );
}
