//! The controller under test: a process of its own on a real control plane, a part of this one on the sandbox.

use actors::{election::Claim, outbound::Outbound, world::World};
use anyhow::{Context, bail};
use aviary::controller::{Controller, Parts, Prepared};
use engine::{Settings, Step, step::Input};
use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

use super::{
    args::Args,
    figures::Histogram,
    leash::Leash,
    place::{House, Lab},
    usage::{self, Usage},
};

/// Time that a controller gets to answer for the first time, and to end.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(50);
/// The series that lateness is read from.
const LATENESS: &str = "aviary_step_lateness_seconds";

/// The controller under test.
pub(crate) enum Subject {
    Process(Process),
    Inside(Inside),
}

/// A controller as a process.
pub(crate) struct Process {
    child: Child,
    port: u16,
    http: reqwest::Client,
    _leash: Leash,
}

/// A controller as a part of this process, with threads as in production.
pub(crate) struct Inside {
    controller: Controller,
    arbiters: Vec<actix_rt::Arbiter>,
}

/// How a controller on the sandbox is to be.
pub(crate) struct Wish {
    pub(crate) interval_floor: Duration,
    pub(crate) outbound: Outbound,
    pub(crate) metrics: String,
    pub(crate) step: fn(Input<'_>) -> Step,
}

// === impl Process ===

impl Process {
    /// Start ours, or the peer, and wait until it says that it is well.
    pub(crate) async fn start(args: &Args, lab: &Lab, metrics: &str) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let kubeconfig = lab.env("AVIARY_KUBECONFIG")?;
        let (mut command, page) = match &args.peer_command {
            Some(template) => (peer(template, kubeconfig, port, metrics), "/healthz"),
            None => (ours(kubeconfig, port, metrics, args.interval), "/readyz"),
        };
        let path = format!("{}/fleet-controller.log", lab.env("AVIARY_RUN_DIR")?);
        let log = File::options().create(true).append(true).open(&path)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let leash = Leash::new(&format!("kill -9 {}", child.id()))?;
        let mut process = Self {
            child,
            port,
            http: reqwest::Client::new(),
            _leash: leash,
        };
        let begun = Instant::now();
        while process.page(page).await.is_none() {
            if let Some(status) = process.child.try_wait()? {
                bail!("the controller ended with {status}: {}", last_lines(&path));
            }
            if begun.elapsed() > PATIENCE {
                bail!("the controller does not answer {page}: {}", last_lines(&path));
            }
            sleep(LOOK).await;
        }
        Ok(process)
    }

    /// Text of one of its pages; `None` unless it answers 200.
    async fn page(&self, path: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = self.http.get(url).send().await.ok()?.error_for_status().ok()?;
        answer.text().await.ok()
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill")
            .args(["-s", "TERM", &self.child.id().to_string()])
            .status()?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                bail!("the controller did not end after SIGTERM");
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok(); // an error means that it has ended
        self.child.wait().ok();
    }
}

fn ours(kubeconfig: &str, port: u16, metrics: &str, interval: Duration) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aviary"));
    command.args(["controller", "-mesh-provider=gatewayapi:v1", "-log-level=info"]);
    command.args([
        format!("-kubeconfig={kubeconfig}"),
        format!("-port={port}"),
        format!("-metrics-server={metrics}"),
        format!("-interval-floor={}ms", interval.as_millis()),
    ]);
    command
}

/// The shell makes way for the command, so that the process is the controller itself.
fn peer(template: &str, kubeconfig: &str, port: u16, metrics: &str) -> Command {
    let line = template.replace("{kubeconfig}", kubeconfig);
    let line = line.replace("{port}", &port.to_string()).replace("{metrics}", metrics);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec {line}"));
    command
}

fn last_lines(log: &str) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

// === impl Inside ===

impl Inside {
    /// Start one, and wait until it acts.
    pub(crate) async fn start(house: &House, wish: Wish) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let arbiters: Vec<_> = (0..cores).map(|_| actix_rt::Arbiter::new()).collect();
        let handles = arbiters.iter().map(actix_rt::Arbiter::handle).collect();
        let (counter, sandbox) = (house.counter.clone(), house.sandbox.clone());
        let client = house.io.spawn(async move { counter.client(&sandbox) }).await?;
        let prepared = Prepared::start(Parts {
            world: World::threads(house.io.clone(), handles),
            places: client.into(),
            outbound: wish.outbound,
            settings: Settings {
                mesh_provider: "gatewayapi:v1".into(),
                metrics_server: wish.metrics,
                interval_floor: wish.interval_floor,
                ..Settings::default()
            },
            namespace: None,
            claim: Claim::always(),
            step: wish.step,
        })
        .await?;
        prepared.ready().await;
        Ok(Self {
            controller: prepared.act(),
            arbiters,
        })
    }

    /// End it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.controller.stop().await;
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

// === impl Subject ===

impl Subject {
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        usage::of(self.pid())
    }

    pub(crate) fn reset_peak(&self) {
        usage::reset_peak(self.pid());
    }

    /// Whether it shares the process with this bench.
    pub(crate) fn is_inside(&self) -> bool {
        matches!(self, Self::Inside(_))
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Process(process) => process.child.id(),
            Self::Inside(_) => std::process::id(),
        }
    }

    /// How late its steps started so far. A peer does not tell.
    pub(crate) async fn lateness(&self) -> anyhow::Result<Option<Histogram>> {
        let text = match self {
            Self::Process(process) => process
                .page("/metrics")
                .await
                .context("the controller does not answer /metrics")?,
            Self::Inside(inside) => inside.controller.metrics(),
        };
        Ok(Histogram::parse(&text, LATENESS))
    }

    /// End it as a kubelet does.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Process(process) => process.stop().await,
            Self::Inside(inside) => {
                inside.stop().await;
                Ok(())
            }
        }
    }
}
