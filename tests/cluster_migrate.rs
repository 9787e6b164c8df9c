//! docs/migrate.md, command by command, with objects as Flagger leaves them: no run is started, nothing is lost, and the next release works.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all cluster tests, this one needs a part of them"
)]

mod charts;
mod cluster;
mod companions;

use charts::{Ground, chores, file, peer, shared};
use cluster::{
    lab::{Room, text},
    objects::{NEW, OLD, weight},
    until,
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command, time::Duration};

const MINUTE: Duration = Duration::from_mins(1);
/// A version after the one that Flagger has released.
const NEXT: &str = "stefanprodan/podinfo:3.0.2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration() {
    let Some(ground) = Ground::up("cluster-migrate").await else {
        return;
    };
    let lab = ground.lab();
    flagger_is_here(&ground);
    let room = lab.room("moved").await;
    peer::leave(&room, "podinfo", false).await;
    peer::leave(&room, "broken", true).await;
    for name in ["podinfo-primary", "broken-primary"] {
        ground.kubectl(&[
            "-n",
            &room.name,
            "rollout",
            "status",
            &format!("deployment/{name}"),
            "--timeout=60s",
        ]);
    }
    let before = chores::census(&room).await;
    let generations = generations(&room).await;

    let folder = workplace();
    let mut commands = commands("To Aviary").into_iter();
    for command in commands.by_ref() {
        run(&ground, &folder, &command);
        if command.contains("helm upgrade") {
            break;
        }
    }
    let controller = chores::controller(lab, "aviary-system", "aviary").await;
    for name in ["podinfo", "broken"] {
        let what = format!("the hashes of {name} are replaced");
        until(&what, MINUTE, async || {
            let status = room.get("canaries", name).await["status"].clone();
            (!peer::has_its_hashes(&status)).then_some(())
        })
        .await;
    }
    for command in commands {
        run(&ground, &folder, &command);
    }
    is_as_it_was(&room).await;
    assert_eq!(chores::census(&room).await, before);
    assert_eq!(self::generations(&room).await, generations, "something was rolled out");

    room.set_image("podinfo", "podinfod", NEXT);
    room.until_phase("podinfo", "Progressing").await;
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(image(&room, "podinfo-primary").await, NEXT);
    assert_eq!(chores::census(&room).await, before);

    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    back(&ground, &room, &folder).await;
    assert_eq!(chores::census(&room).await, before);
}

/// A Flagger, as far as the commands see it: its resource types, and a Deployment.
fn flagger_is_here(ground: &Ground) {
    let kubectl = Path::new(ground.lab().env("AVIARY_KUBECTL"));
    let gateway = kubectl.ancestors().nth(2).unwrap().join("gateway-api");
    let definitions =
        shared("data/crds").map_or_else(|| file("deploy/crds/crds.yaml"), |folder| folder.join("flagger.yaml"));
    for path in [gateway, definitions] {
        ground.kubectl(&["apply", "--server-side", "-f", &path.to_string_lossy()]);
    }
    ground.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    ground.kubectl(&["create", "namespace", "flagger-system"]);
    let labels = json!({"app.kubernetes.io/name": "flagger", "app.kubernetes.io/instance": "flagger"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "flagger", "namespace": "flagger-system"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "flagger", "image": "ghcr.io/fluxcd/flagger:1.44.0"}]}}},
    });
    let path = ground.lab().log("flagger").with_extension("json");
    fs::write(&path, deployment.to_string()).unwrap();
    ground.kubectl(&["apply", "-f", &path.to_string_lossy()]);
    ground.kubectl(&[
        "-n",
        "flagger-system",
        "rollout",
        "status",
        "deployment/flagger",
        "--timeout=60s",
    ]);
}

/// The folder that the commands are called in: a clone, and the values.
fn workplace() -> std::path::PathBuf {
    let folder = companions::folder("migrate");
    std::os::unix::fs::symlink(file("deploy"), folder.join("deploy")).unwrap();
    // What a user of Flagger has.
    let values = "meshProvider: gatewayapi:v1\nmetricsServer: http://127.0.0.1:9\nleaderElection: {enabled: true, replicaCount: 1}\n";
    fs::write(folder.join("values.yaml"), values).unwrap();
    folder
}

/// The commands of a section of the document.
fn commands(section: &str) -> Vec<String> {
    let text = fs::read_to_string(file("docs/migrate.md")).unwrap();
    let start = text
        .find(&format!("\n## {section}\n"))
        .unwrap_or_else(|| panic!("there is no section {section}"));
    let section = &text[start + 4..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let mut commands: Vec<String> = Vec::new();
    for line in section.lines().map(str::trim_start) {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
        } else if let Some(more) = line.strip_prefix("> ") {
            let command = commands.last_mut().unwrap();
            *command = format!("{command}\n{more}");
        }
    }
    assert!(commands.len() >= 3, "{commands:?}");
    commands
}

fn run(ground: &Ground, folder: &Path, command: &str) {
    let bin = Path::new(ground.lab().env("AVIARY_KUBECTL")).parent().unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", command]).current_dir(folder);
    shell.env("PATH", companions::path(&[bin]));
    shell.env("KUBECONFIG", ground.lab().env("AVIARY_ADMIN_KUBECONFIG"));
    // Helm without a cluster's answer takes an old version for granted; with one it asks.
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
}

async fn is_as_it_was(room: &Room<'_>) {
    for (name, phase, stable) in [("podinfo", "Succeeded", NEW), ("broken", "Failed", OLD)] {
        let status = room.get("canaries", name).await["status"].clone();
        assert_eq!(
            (text(&status["phase"]), &status["canaryWeight"]),
            (phase, &json!(0)),
            "{status:#}"
        );
        assert_eq!(weight(&room.get("httproutes", name).await, name), 0);
        assert_eq!(image(room, &format!("{name}-primary")).await, stable);
        assert_eq!(room.get("deployments", name).await["spec"]["replicas"], 0);
        let told = room.messages(name).await;
        assert!(
            !told
                .iter()
                .any(|it| it.contains("New revision") || it.contains("Rolling back")),
            "{told:#?}"
        );
        let accepted = status["conditions"].as_array().into_iter().flatten();
        let accepted = accepted.filter(|it| it["type"] == "Accepted" && it["status"] == "False");
        assert_eq!(accepted.count(), 0, "{status:#}");
    }
}

/// What the users' pods come from, and how often that has changed.
async fn generations(room: &Room<'_>) -> Value {
    let mut all = json!({});
    for name in ["podinfo", "podinfo-primary", "broken", "broken-primary"] {
        all[name] = room.get("deployments", name).await["metadata"]["generation"].clone();
    }
    all
}

async fn image(room: &Room<'_>, name: &str) -> Value {
    room.get("deployments", name).await["spec"]["template"]["spec"]["containers"][0]["image"].take()
}

/// The way back: what Flagger needs is there, and nothing that it would take for a change.
async fn back(ground: &Ground, room: &Room<'_>, folder: &Path) {
    for command in commands("Back to Flagger") {
        run(ground, folder, &command);
    }
    if let Some(definitions) = shared("data/crds") {
        let path = definitions.join("flagger.yaml");
        ground.kubectl(&[
            "apply",
            "--server-side",
            "--force-conflicts",
            "-f",
            &path.to_string_lossy(),
        ]);
    }
    for name in ["podinfo", "broken"] {
        let object = room.get("canaries", name).await;
        let status = &object["status"];
        assert_eq!(text(&status["phase"]), "Initializing");
        for field in ["lastAppliedSpec", "lastPromotedSpec", "conditions"] {
            assert_eq!(status[field], Value::Null, "{field}");
        }
        assert_eq!(weight(&room.get("httproutes", name).await, name), 0);
    }
    let deployment = room
        .lab
        .get("/apis/apps/v1/namespaces/aviary-system/deployments/aviary")
        .await;
    assert_eq!(deployment, None);
}
