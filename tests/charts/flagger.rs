//! Flagger itself, built by tests/testers/build, and what its installation leaves in a cluster.

use serde_json::json;
use std::{fs, path::Path, process::Command, time::Duration};

use super::{Ground, file, shared};
use crate::{
    cluster::{
        process::{Process, free_port},
        until,
    },
    companions,
};

/// A running Flagger, as the administrator.
pub(crate) struct Flagger {
    process: Process,
}

/// What the commands of docs/migrate.md see of an installed Flagger: its resource types, and a Deployment.
pub(crate) fn install(ground: &Ground) {
    let kubectl = Path::new(ground.lab().env("AVIARY_KUBECTL"));
    let gateway = kubectl.ancestors().nth(2).unwrap().join("gateway-api");
    ground.kubectl(&["apply", "--server-side", "-f", &gateway.to_string_lossy()]);
    let definitions =
        shared("data/crds").map_or_else(|| file("deploy/crds/crds.yaml"), |folder| folder.join("flagger.yaml"));
    ground.kubectl(&["apply", "--server-side", "-f", &definitions.to_string_lossy()]);
    ground.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    ground.kubectl(&["create", "namespace", "flagger-system"]);
    let labels = json!({"app.kubernetes.io/name": "flagger", "app.kubernetes.io/instance": "flagger"});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "flagger", "namespace": "flagger-system"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "flagger", "image": "ghcr.io/fluxcd/flagger:1.44.0"}]}}},
    });
    let path = ground.lab().log("installed-flagger").with_extension("json");
    fs::write(&path, deployment.to_string()).unwrap();
    ground.kubectl(&["apply", "-f", &path.to_string_lossy()]);
    let words = [
        "-n",
        "flagger-system",
        "rollout",
        "status",
        "deployment/flagger",
        "--timeout=60s",
    ];
    ground.kubectl(&words);
}

// === impl Flagger ===

impl Flagger {
    /// Start one for the Gateway API, with more flags, and wait until it answers.
    pub(crate) async fn start(ground: &Ground, flags: &[&str]) -> Self {
        let program = companions::testers().join("flagger");
        assert!(
            program.exists(),
            "{} is missing; run tests/testers/build",
            program.display()
        );
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["-mesh-provider=gatewayapi:v1", "-metrics-server=http://127.0.0.1:9"]);
        // It looks for what is due ten times as often as by default; what it does is due every ten seconds at most.
        command.args(["-control-loop-interval=1s", "-log-level=info"]);
        command
            .arg(format!("-port={port}"))
            .arg("-kubeconfig")
            .arg(ground.lab().env("AVIARY_ADMIN_KUBECONFIG"));
        command.args(flags).env("NO_PROXY", "*");
        let log = ground.lab().log("flagger");
        let mut process = Process::start(&mut command, &log);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let page = format!("http://127.0.0.1:{port}/healthz");
        until(
            &format!("Flagger answers, see {}", log.display()),
            Duration::from_mins(1),
            async || {
                assert!(process.ended().is_none(), "Flagger ended, see {}", log.display());
                let answer = http.get(&page).send().await.ok()?;
                (answer.status() == 200).then_some(())
            },
        )
        .await;
        Self { process }
    }

    /// End it as a kubelet does.
    pub(crate) async fn stop(mut self) {
        self.process.signal("TERM");
        until("Flagger ends after SIGTERM", Duration::from_mins(1), async || {
            self.process.ended()
        })
        .await;
    }
}
