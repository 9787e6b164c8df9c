//! One pod: its address, its process, its readiness, its end.

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};
use std::{fs::File, net::Ipv4Addr, path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    process::{Child, Command},
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{address::Address, now, probe::Probe, program};

/// A process that ended by itself is started again after this time, the first delay of a kubelet being ten times as long.
const RESTART: Duration = Duration::from_secs(1);

/// What is asked of a running pod: nothing, or to end within this time.
pub(crate) type Wish = Option<Duration>;

/// A pod that runs here.
pub(crate) struct Life {
    pub(crate) api: Api<Pod>,
    pub(crate) pod: Pod,
    pub(crate) wish: watch::Receiver<Wish>,
    /// Where its logs go.
    pub(crate) folder: PathBuf,
    restarts: u32,
}

// === impl Life ===

impl Life {
    pub(crate) fn new(api: Api<Pod>, pod: Pod, wish: watch::Receiver<Wish>, folder: PathBuf) -> Self {
        Self {
            api,
            pod,
            wish,
            folder,
            restarts: 0,
        }
    }

    /// Run until it is deleted, and remove the object then.
    pub(crate) async fn run(mut self, address: Address) {
        let container = self.pod.spec.as_ref().unwrap().containers[0].clone();
        let mut probe = Probe::of(&container, address.0);
        let mut process = self.start(&container, address.0);
        self.report(&container, address.0, false).await;
        let grace = loop {
            tokio::select! {
                grace = wished(&mut self.wish) => break grace,
                ended = process.wait() => {
                    println!("{}: the process ended by itself, {ended:?}", self.name());
                    probe.is_ready = false;
                    self.restarts += 1;
                    self.report(&container, address.0, false).await;
                    sleep(RESTART).await;
                    process = self.start(&container, address.0);
                }
                is_other = probed(&mut probe) => {
                    if is_other {
                        self.report(&container, address.0, probe.is_ready).await;
                    }
                }
            }
        };
        self.end(&container, &mut process, grace).await;
        drop(address);
        let uid = self.pod.metadata.uid.clone();
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions {
                uid,
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        self.api.delete(self.name(), &now).await.ok(); // an error means that somebody else has removed it
    }

    /// Hook, signal, patience, in this order and all of it within the grace period.
    async fn end(&self, container: &Container, process: &mut Child, grace: Duration) {
        let end = Instant::now() + grace;
        let hook = container
            .lifecycle
            .as_ref()
            .and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        if let Some(pause) = hook.and_then(|hook| hook.sleep.as_ref()) {
            let pause = Instant::now() + Duration::from_secs(pause.seconds.unsigned_abs());
            sleep_until(pause.min(end)).await;
        }
        if let Some(id) = process.id() {
            let status = Command::new("kill")
                .args(["-s", "TERM", &id.to_string()])
                .status()
                .await;
            assert!(status.unwrap().success(), "kill -s TERM {id}");
        }
        if timeout_at(end, process.wait()).await.is_err() {
            println!("{}: killed after its grace period", self.name());
            process.kill().await.ok(); // it may have ended at this very moment
        }
    }

    fn name(&self) -> &str {
        self.pod.metadata.name.as_deref().unwrap()
    }

    /// The image names the program; its version is in what the pod's spec gives to it.
    fn start(&self, container: &Container, address: Ipv4Addr) -> Child {
        let image = container.image.as_deref().unwrap_or_default();
        let name = image
            .rsplit('/')
            .next()
            .and_then(|last| last.split(':').next())
            .unwrap_or_default();
        let log = self.folder.join(format!("{}.log", self.name()));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(program(name));
        command.args(container.command.iter().flatten().skip(1));
        command.args(container.args.iter().flatten());
        command.arg(format!("--host={address}"));
        for variable in container.env.iter().flatten() {
            command.env(&variable.name, variable.value.as_deref().unwrap_or_default());
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command.kill_on_drop(true).spawn().unwrap()
    }

    async fn report(&self, container: &Container, address: Ipv4Addr, is_ready: bool) {
        let status = json!({"status": status(container, address, is_ready, self.restarts)});
        let patched = self
            .api
            .patch_status(self.name(), &PatchParams::default(), &Patch::Merge(status))
            .await;
        if let Err(error) = patched {
            assert!(
                matches!(&error, kube::Error::Api(status) if status.code == 404),
                "{}: {error}",
                self.name()
            );
        }
    }
}

async fn wished(wish: &mut watch::Receiver<Wish>) -> Duration {
    match wish.wait_for(Option::is_some).await {
        Ok(wish) => wish.unwrap(),
        // The kubelet is gone, and the whole cluster with it.
        Err(_) => Duration::ZERO,
    }
}

/// Wait for the time of the next probe and send it. A container that is not ready is asked five times as often as its probe says: what
/// the tests are about begins when it is.
async fn probed(probe: &mut Probe) -> bool {
    let pause = if probe.is_ready { probe.period } else { probe.period / 5 };
    sleep(pause).await;
    probe.look().await
}

fn status(container: &Container, address: Ipv4Addr, is_ready: bool, restarts: u32) -> Value {
    let now = now().to_string();
    let condition = |kind: &str, is_true: bool| {
        let status = if is_true { "True" } else { "False" };
        json!({"type": kind, "status": status, "lastTransitionTime": now})
    };
    json!({
        "phase": "Running",
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "conditions": [
            condition("PodScheduled", true), condition("Initialized", true),
            condition("ContainersReady", is_ready), condition("Ready", is_ready),
        ],
        "containerStatuses": [{
            "name": container.name, "image": container.image, "imageID": "", "ready": is_ready, "started": true,
            "restartCount": restarts, "state": {"running": {"startedAt": now}},
        }],
    })
}
