//! Watches: events, selections, metadata only, bookmarks, resumption after 410, stale caches, cut connections.

use super::{super::*, canary, config, sandbox};
use futures::{StreamExt, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{WatchEvent, WatchParams},
    core::PartialObjectMeta,
    runtime::watcher::{self, Event, watcher},
};
use serde_json::json;

/// One word per event of a watcher.
fn word<K: kube::Resource>(event: watcher::Result<Event<K>>) -> String {
    let named = |verb: &str, object: &K| format!("{verb}:{}", object.name_any());
    match event {
        Ok(Event::Init) => "init".to_owned(),
        Ok(Event::InitApply(object)) => named("has", &object),
        Ok(Event::InitDone) => "done".to_owned(),
        Ok(Event::Apply(object)) => named("apply", &object),
        Ok(Event::Delete(object)) => named("delete", &object),
        Err(watcher::Error::WatchError(status)) => format!("error:{}", status.code),
        Err(error) => format!("error:{error}"),
    }
}

/// What the watcher says until nothing comes for a second.
async fn said<K: kube::Resource>(stream: &mut BoxStream<'_, watcher::Result<Event<K>>>) -> Vec<String> {
    let mut words = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(1), stream.next()).await {
        words.push(word(event));
    }
    words
}

fn touch(sandbox: &Sandbox, name: &str, value: &str) {
    sandbox
        .patch("configmaps", "default", name, &json!({ "data": { "k": value } }))
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn watcher_sees_changes_and_recovers_from_410() {
    let sandbox = sandbox();
    sandbox.create(config("a", &json!({}))).unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut stream = watcher(maps, watcher::Config::default()).boxed();
    assert_eq!(said(&mut stream).await, ["init", "has:a", "done"]);
    sandbox.create(config("b", &json!({}))).unwrap();
    touch(&sandbox, "b", "2");
    sandbox.delete("configmaps", "default", "a").unwrap();
    assert_eq!(said(&mut stream).await, ["apply:b", "apply:b", "delete:a"]);
    // Nothing of another namespace.
    let mut other = config("z", &json!({}));
    other["metadata"]["namespace"] = json!("other");
    sandbox.create(other).unwrap();
    assert!(said(&mut stream).await.is_empty());

    sandbox.freeze("configmaps", true).unwrap();
    sandbox.create(config("c", &json!({}))).unwrap();
    assert!(said(&mut stream).await.is_empty(), "stale");
    sandbox.compact();
    sandbox.freeze("configmaps", false).unwrap();
    assert_eq!(said(&mut stream).await, ["error:410", "init", "has:b", "has:c", "done"]);
    touch(&sandbox, "c", "3");
    assert_eq!(said(&mut stream).await, ["apply:c"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_outlives_its_timeouts() {
    let sandbox = sandbox();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut stream = watcher(maps, watcher::Config::default()).boxed();
    assert_eq!(said(&mut stream).await, ["init", "done"]);
    let (mut words, until) = (Vec::new(), tokio::time::Instant::now() + Duration::from_hours(1));
    while let Ok(Some(event)) = tokio::time::timeout_at(until, stream.next()).await {
        words.push(word(event));
    }
    assert!(words.is_empty(), "{words:?}");
    let lists = sandbox
        .journal()
        .iter()
        .filter(|entry| !entry.query.contains("watch=true"))
        .count();
    assert_eq!(lists, 1, "resumed, not listed again");
    sandbox.create(config("a", &json!({}))).unwrap();
    assert_eq!(said(&mut stream).await, ["apply:a"]);
}

#[tokio::test(start_paused = true)]
async fn history_is_bounded_per_kind() {
    let sandbox = sandbox();
    sandbox.create(canary("c")).unwrap();
    sandbox.create(config("a", &json!({}))).unwrap();
    for number in 0..1_100 {
        touch(&sandbox, "a", &number.to_string());
    }
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut old = maps.watch(&WatchParams::default(), "2").await.unwrap().boxed();
    assert!(matches!(old.next().await, Some(Ok(WatchEvent::Error(status))) if status.code == 410));
    assert!(old.next().await.is_none());
    sandbox.tune(|settings| settings.refuses_old_watches = true);
    assert_eq!(
        super::code(maps.watch(&WatchParams::default(), "2").await.map(|_| ())),
        410
    );
    let canaries = super::api(&sandbox.client(), "flagger.app", "v1beta1", "Canary");
    let mut quiet = canaries
        .watch(&WatchParams::default().timeout(30), "1")
        .await
        .unwrap()
        .boxed();
    assert!(
        quiet.next().await.is_none(),
        "the canaries' own history reaches further back"
    );
}

#[tokio::test(start_paused = true)]
async fn selected_watches_translate_verbs() {
    let sandbox = sandbox();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut stream = watcher(maps, watcher::Config::default().labels("x=1")).boxed();
    assert_eq!(said(&mut stream).await, ["init", "done"]);
    sandbox.create(config("a", &json!({ "x": "0" }))).unwrap();
    let label = |value: &str| {
        sandbox.patch(
            "configmaps",
            "default",
            "a",
            &json!({ "metadata": { "labels": { "x": value } } }),
        )
    };
    label("1").unwrap();
    touch(&sandbox, "a", "2");
    label("2").unwrap();
    touch(&sandbox, "a", "3");
    sandbox.delete("configmaps", "default", "a").unwrap();
    assert_eq!(said(&mut stream).await, ["apply:a", "apply:a", "delete:a"]);
}

#[tokio::test(start_paused = true)]
async fn metadata_watches_carry_metadata_only() {
    let sandbox = sandbox();
    sandbox.create(config("a", &json!({ "x": "1" }))).unwrap();
    let metas: Api<PartialObjectMeta<ConfigMap>> = Api::default_namespaced(sandbox.client());
    let mut stream = watcher(metas.clone(), watcher::Config::default()).boxed();
    assert_eq!(said(&mut stream).await, ["init", "has:a", "done"]);
    touch(&sandbox, "a", "2");
    let Some(Ok(Event::Apply(meta))) = stream.next().await else {
        panic!("no event")
    };
    assert_eq!(meta.types.as_ref().unwrap().kind, "PartialObjectMetadata");
    assert_eq!(meta.labels()["x"], "1");
    assert_eq!(metas.get("a").await.unwrap().uid(), meta.uid());
    let client = sandbox.client();
    let request = ::http::Request::get("/api/v1/namespaces/default/configmaps").header(
        "accept",
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    );
    let list: serde_json::Value = client.request(request.body(Vec::new()).unwrap()).await.unwrap();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert!(list["items"][0]["data"].is_null());
}

#[tokio::test(start_paused = true)]
async fn bookmarks_tell_the_revision() {
    let sandbox = sandbox();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut watch = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    sandbox.create(canary("c")).unwrap();
    let Some(Ok(WatchEvent::Bookmark(bookmark))) = watch.next().await else {
        panic!("no bookmark")
    };
    assert_eq!(bookmark.metadata.resource_version, sandbox.revision().to_string());

    sandbox.create(config("a", &json!({}))).unwrap();
    let mut stream = watcher(maps, watcher::Config::default().streaming_lists()).boxed();
    assert_eq!(said(&mut stream).await, ["init", "has:a", "done"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_objects_and_hundreds_of_watches() {
    let sandbox = sandbox();
    for number in 0..1_000 {
        sandbox.create(config(&format!("m{number}"), &json!({}))).unwrap();
    }
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let from = sandbox.revision().to_string();
    let mut watches = Vec::new();
    for _ in 0..300 {
        watches.push(maps.watch(&WatchParams::default(), &from).await.unwrap().boxed());
    }
    touch(&sandbox, "m500", "2");
    for watch in &mut watches {
        let Some(Ok(WatchEvent::Modified(map))) = watch.next().await else {
            panic!("no event")
        };
        assert_eq!(map.name_any(), "m500");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_sandbox_cuts_watches_and_refuses_requests() {
    let sandbox = sandbox();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    let mut watch = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    sandbox.stop();
    assert!(watch.next().await.is_none());
    assert!(matches!(maps.get("a").await, Err(kube::Error::Service(_))));
    sandbox.restart();
    assert!(maps.get_opt("a").await.unwrap().is_none());
}
