//! A controller as a chart starts it, and a release that it leads.

use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};

use crate::{
    cluster::{
        lab::{Lab, Room, text},
        objects::{NEW, OLD, builtin_metrics, canary, deployment, weight},
        process::{Controller, Process, free_port},
        until,
    },
    companions,
};

/// The container's environment, with the contents of Secrets.
async fn environment(lab: &Lab, deployment: &Value) -> BTreeMap<String, String> {
    let namespace = text(&deployment["metadata"]["namespace"]);
    let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
    let mut environment = BTreeMap::new();
    for variable in variables.into_iter().flatten() {
        let (name, from) = (text(&variable["name"]), &variable["valueFrom"]);
        let value = match (variable["value"].as_str(), from["fieldRef"]["fieldPath"].as_str()) {
            (Some(value), _) => value.to_owned(),
            (None, Some("metadata.namespace")) => namespace.to_owned(),
            _ => secret(lab, namespace, &from["secretKeyRef"]).await,
        };
        environment.insert(name.to_owned(), value);
    }
    environment
}

async fn secret(lab: &Lab, namespace: &str, of: &Value) -> String {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{}", text(&of["name"]));
    let secret = lab
        .get(&path)
        .await
        .unwrap_or_else(|| panic!("{path} is not there: {of}"));
    let bytes = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        text(&secret["data"][text(&of["key"])]),
    );
    String::from_utf8(bytes.unwrap()).unwrap()
}

/// Our binary, with the arguments and the environment of a Deployment's container, as a kubelet would start it.
pub(crate) async fn command(lab: &Lab, deployment: &Value) -> Command {
    let environment = environment(lab, deployment).await;
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array();
    let mut command = Command::new(env!("CARGO_BIN_EXE_aviary"));
    for argument in arguments.expect("the container has arguments") {
        let mut argument = text(argument).to_owned();
        for (name, value) in &environment {
            argument = argument.replace(&format!("$({name})"), value);
        }
        command.arg(argument);
    }
    command.envs(environment).env("NO_PROXY", "*");
    command
}

/// The controller of a Deployment in the cluster; its probes are answered.
pub(crate) async fn controller(lab: &Lab, namespace: &str, name: &str) -> Controller {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
    let deployment = lab.get(&path).await.unwrap_or_else(|| panic!("{path} is not there"));
    let controller = Controller::launch(lab, name, command(lab, &deployment).await).await;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    for probe in ["livenessProbe", "readinessProbe"] {
        let path = text(&container[probe]["httpGet"]["path"]);
        let (status, answer) = controller.http(path).await.unwrap();
        assert_eq!(status, 200, "{probe} {path}: {answer}");
    }
    controller
}

/// A kubeconfig for the account that a Deployment's pods have.
fn account(lab: &Lab, deployment: &Value) -> PathBuf {
    let namespace = text(&deployment["metadata"]["namespace"]);
    let account = text(&deployment["spec"]["template"]["spec"]["serviceAccountName"]);
    let output = lab.kubectl(&["-n", namespace, "create", "token", account, "--duration=1h"]);
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).unwrap();
    let cluster = json!({"server": lab.env("AVIARY_API_SERVER"), "certificate-authority": lab.env("AVIARY_CA")});
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": account, "user": {"token": token.trim()}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": account}}],
    });
    let path = lab.log(account).with_extension("kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// A companion of a Deployment in the cluster, under its account, with the programs that hooks call; gives its address.
/// Its probes are answered.
pub(crate) async fn companion(lab: &Lab, namespace: &str, name: &str) -> (Process, String) {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
    let deployment = lab.get(&path).await.unwrap_or_else(|| panic!("{path} is not there"));
    let mut command = command(lab, &deployment).await;
    let port = free_port();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    if container["args"][0] == "k6-webhook" {
        command.env("LISTEN_PORT", port.to_string());
    } else {
        command.arg(format!("-port={port}"));
    }
    command.arg("--kubeconfig").arg(account(lab, &deployment));
    let scratch = companions::folder(name);
    command
        .env("PATH", companions::path(&[]))
        .env("K6_NO_USAGE_REPORT", "true");
    command.env("HOME", &scratch).env("TMPDIR", &scratch);
    let process = Process::start(&mut command, &lab.log(name));
    let url = format!("http://127.0.0.1:{port}");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for probe in ["livenessProbe", "readinessProbe"] {
        let page = format!("{url}{}", text(&container[probe]["httpGet"]["path"]));
        let what = format!("{page} answers, see {}", lab.log(name).display());
        until(&what, Duration::from_mins(1), async || {
            let answer = http.get(&page).send().await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
    }
    (process, url)
}

/// podinfo of the documents, judged by the builtin metrics, up to its first version.
pub(crate) async fn begin(room: &Room<'_>) {
    room.create("deployments", deployment("podinfo")).await;
    let mut object = canary("podinfo");
    object["spec"]["analysis"]["metrics"] = builtin_metrics();
    room.create("canaries", object).await;
    room.until_phase("podinfo", "Initialized").await;
    assert_eq!(image(room).await, OLD);
}

/// The new version is analysed and promoted.
pub(crate) async fn release(room: &Room<'_>) {
    room.set_image("podinfo", "podinfod", NEW);
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(image(room).await, NEW);
    assert_eq!(weight(&room.get("httproutes", "podinfo").await, "podinfo"), 0);
    let told = room.messages("podinfo").await;
    let checked = format!("Advance podinfo.{} canary weight 50", room.name);
    assert!(told.contains(&checked), "{told:#?}");
}

/// What the primary runs.
pub(crate) async fn image(room: &Room<'_>) -> Value {
    let primary = room.get("deployments", "podinfo-primary").await;
    primary["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

/// What a room has that a release made or uses: kind and name, with the uid.
pub(crate) async fn census(room: &Room<'_>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for kind in [
        "deployments",
        "services",
        "httproutes",
        "canaries",
        "horizontalpodautoscalers",
    ] {
        for object in crate::cluster::lab::items(room.find(kind, "").await) {
            let name = format!("{kind}/{}", text(&object["metadata"]["name"]));
            found.insert(name, json!(object["metadata"]["uid"]));
        }
    }
    found
}
