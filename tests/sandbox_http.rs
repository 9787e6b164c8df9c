//! `aviary sandbox` as a process: it serves, watches stream, and it ends when it is told to.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{DeleteParams, PostParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `aviary sandbox` and where its kubeconfig is.
async fn start(name: &str) -> (Child, PathBuf) {
    let kubeconfig = std::env::temp_dir().join(format!("aviary-{name}-{}.kubeconfig", std::process::id()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_aviary"))
        .args(["sandbox", "--kubeconfig"])
        .arg(&kubeconfig)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // What it prints comes after the file is there.
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.contains("http://127.0.0.1:"), "{first}");
    (child, kubeconfig)
}

async fn client(kubeconfig: &PathBuf) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(file, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

#[tokio::test]
async fn another_process_can_use_it() {
    drop(rustls::crypto::ring::default_provider().install_default()); // an error means that it is there already
    let (mut child, kubeconfig) = start("http").await;
    let client = client(&kubeconfig).await;
    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let watch = maps.watch(&WatchParams::default(), "0").await.unwrap();
    pin_mut!(watch);
    let map = |name: &str| serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
    for name in ["a", "b"] {
        maps.create(&PostParams::default(), &map(name)).await.unwrap();
        // The line of the watch is here although the answer to the watch goes on.
        let event = tokio::time::timeout(PATIENCE, watch.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let WatchEvent::Added(seen) = event else {
            panic!("not the creation: {event:?}");
        };
        assert_eq!(seen.name_any(), name);
    }
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let event = tokio::time::timeout(PATIENCE, watch.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(matches!(event, WatchEvent::Deleted(_)), "{event:?}");

    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
    assert!(sent.success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "an open watch must not keep it: {ended}");
    std::fs::remove_file(kubeconfig).unwrap();
}
