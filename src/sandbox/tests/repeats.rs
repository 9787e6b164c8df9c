//! Faults, journal, and that equal runs are equal.

use super::{super::*, api, canary, code, config, deployment, sandbox, typed};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
    runtime::watcher::{self, watcher},
};
use serde_json::{Value, json};

fn hook(decide: impl Fn(&Entry) -> Fault + Send + Sync + 'static) -> Hook {
    Arc::new(decide)
}

#[tokio::test(start_paused = true)]
async fn faults_do_what_they_say() {
    let sandbox = sandbox();
    let maps = api(&sandbox.client(), "", "v1", "ConfigMap");
    let create = async |name: &str| {
        maps.create(&PostParams::default(), &typed(config(name, &json!({}))))
            .await
    };
    let exists = |name: &str| sandbox.get("configmaps", "default", name).is_ok();
    for (fault, wanted) in [
        (Fault::Conflict, 409),
        (Fault::Unavailable, 503),
        (Fault::Timeout(Duration::from_mins(1)), 504),
    ] {
        sandbox.set_faults(Some(hook(move |_| fault)));
        assert_eq!(code(create("a").await), wanted);
        assert!(!exists("a"));
    }
    sandbox.set_faults(Some(hook(|_| Fault::DropAnswerAfterWrite)));
    assert!(matches!(create("a").await, Err(kube::Error::Service(_))));
    assert!(exists("a"), "written, but nobody knows");
    assert_eq!(sandbox.journal().last().map(|entry| entry.code), Some(201));

    // Kill before the third write from here.
    let from = sandbox.journal().last().map_or(0, |entry| entry.writes);
    sandbox.set_faults(Some(hook(move |entry| {
        if entry.writes >= from + 3 {
            Fault::Stop
        } else {
            Fault::None
        }
    })));
    create("b").await.unwrap();
    create("c").await.unwrap();
    assert!(create("d").await.is_err() && maps.get("a").await.is_err());
    sandbox.set_faults(None);
    sandbox.restart();
    assert!(exists("c") && !exists("d") && maps.get("a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn latency_passes_on_the_paused_clock() {
    let sandbox = sandbox();
    sandbox.set_latency(Duration::from_millis(250));
    let before = tokio::time::Instant::now();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    maps.get_opt("a").await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_millis(250));
}

/// A day of a small cluster with two busy controllers; its hash.
async fn day(spice: u64) -> (u64, Vec<Value>) {
    let sandbox = sandbox();
    sandbox.set_latency(Duration::from_millis(3));
    let client = sandbox.client();
    for worker in 0..2_u64 {
        let (client, patient) = (client.clone(), client.clone());
        let sync = async move {
            let maps: Api<ConfigMap> = Api::default_namespaced(patient);
            let config = watcher::Config::default();
            watcher(maps, config).take(50).for_each(|_| async {}).await;
        };
        let write = async move {
            let canaries = api(&client, "flagger.app", "v1beta1", "Canary");
            for round in 0..20_u64 {
                let patch = json!({ "status": { "worker": worker, "round": round * spice } });
                drop(
                    canaries
                        .patch_status("c", &PatchParams::default(), &Patch::Merge(&patch))
                        .await,
                );
                tokio::time::sleep(Duration::from_secs(7 + worker)).await;
            }
        };
        let runtime = tokio::runtime::Handle::current();
        drop(runtime.spawn(sync));
        drop(runtime.spawn(write));
    }
    sandbox.create(canary("c")).unwrap();
    sandbox.create(deployment("app", 3, "app:1")).unwrap();
    for round in 0..5 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        sandbox.create(config(&format!("m{round}"), &json!({}))).unwrap();
        let image =
            json!({ "spec": { "template": { "metadata": { "annotations": { "round": round.to_string() } } } } });
        sandbox.patch("deployments.apps", "default", "app", &image).unwrap();
    }
    tokio::time::sleep(Duration::from_hours(24)).await;
    let objects = ["canaries.flagger.app", "deployments.apps", "configmaps"];
    (
        sandbox.hash(),
        objects
            .iter()
            .flat_map(|kind| sandbox.list(kind, None).unwrap())
            .collect(),
    )
}

#[test]
fn two_runs_are_equal() {
    let run = |spice| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(day(spice))
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first.0, run(2).0, "the hash sees other bodies");
}
