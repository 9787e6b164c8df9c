//! Everything that runs, and what is seen of it.

use actors::{election::Claim, world::World};
use anyhow::Context as _;
use engine::{Settings, objects::kinds};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use serde_json::json;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    apps::Apps,
    cast::{self, CAST, Role},
    chronicle::Chronicle,
    frame::{self, Frame, Measurement, Panel},
    gateway::{self, Gateway},
    ledger::Ledger,
    load,
    metrics::{self, Metrics},
    mirror::{self, Change},
    picture::Picture,
    report::{Ending, Report},
    server::{self, Server},
};
use crate::{
    controller::{Controller, Parts, Prepared},
    sandbox::{self, Failure, Sandbox},
};

/// Looks at everything, and scrapes, in an interval.
const LOOKS: u32 = 16;
/// Looks are no closer together; the store of samples counts on it.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// Nor further apart, or the view would stutter.
const LOOK_MAX: Duration = Duration::from_millis(250);
/// Series with the last value of each check.
const SERIES: &str = "flagger_canary_metric_analysis";
/// Events in a frame: more than any look finds new.
const EVENTS: usize = 50;

/// The whole demo.
pub(super) struct Stage {
    world: World,
    sandbox: Sandbox,
    controller: Controller,
    changes: Box<dyn Stream<Item = Change> + Unpin>,
    apps: Apps,
    gateway: Arc<Gateway>,
    metrics: Arc<Metrics>,
    servers: [Server; 2],
    client: reqwest::Client,
    ledger: Ledger,
    chronicle: Chronicle,
    picture: Picture,
    interval: Duration,
    begun: Timestamp,
    next_look: Instant,
    /// Dropped at the end, which ends the load.
    running: watch::Sender<()>,
}

/// What a check measured last, as the controller exports it.
#[derive(Debug, PartialEq)]
struct Exported {
    canary: String,
    metric: String,
    value: f64,
}

// === impl Stage: building ===

impl Stage {
    /// Start all but the applications. Call it inside an actix `System`.
    pub(super) async fn build(world: World, interval: Duration) -> anyhow::Result<Self> {
        let sandbox = cluster(&world, interval).context("the cluster cannot be set up")?;
        let ledger = Ledger::default();
        let client = server::client().context("no HTTP client")?;
        let (apps, endpoints) = Apps::new(world.clone(), ledger.clone());
        let gateway = Arc::new(Gateway::new(endpoints, client.clone()));
        let metrics = Arc::new(Metrics::new(world.clone(), ledger.clone()));
        let at_gateway = Server::start(&gateway, gateway::serve).context("the gateway cannot be started")?;
        let at_metrics = Server::start(&metrics, metrics::serve).context("the metrics server cannot be started")?;
        let prepared = Prepared::start(Parts {
            world: world.clone(),
            places: sandbox.client().into(),
            outbound: server::outbound(client.clone()),
            settings: Settings {
                mesh_provider: cast::PROVIDER.into(),
                metrics_server: format!("http://{}", at_metrics.address),
                interval_floor: interval,
                ..Settings::default()
            },
            namespace: None,
            claim: Claim::always(),
            step: engine::step::step,
        })
        .await?;
        prepared.ready().await;
        Ok(Self {
            controller: prepared.act(),
            changes: Box::new(mirror::changes(&sandbox.client())),
            sandbox,
            apps,
            gateway,
            metrics,
            servers: [at_gateway, at_metrics],
            client,
            ledger,
            chronicle: Chronicle::default(),
            picture: Picture::new(interval.as_secs_f64() / 2.0),
            interval,
            begun: world.now(),
            next_look: world.instant(),
            running: watch::channel(()).0,
            world,
        })
    }

    /// Start users of an application.
    pub(super) fn load(&self, host: String) {
        let pace = load::pace(self.interval);
        let users = load::run(self.client.clone(), self.gateway(), host, pace, self.world.clone());
        let mut running = self.running.subscribe();
        self.world.spawn(async move {
            tokio::select! {
                () = users => {}
                _ = running.changed() => {}
            }
        });
    }

    /// End the load and the controller; servers end with the process.
    pub(super) async fn end(self) {
        drop(self.running);
        self.controller.stop().await;
        for server in self.servers {
            server.stop().await;
        }
    }
}

/// A cluster with Aviary's CRDs, as `aviary sandbox` serves it.
fn cluster(world: &World, interval: Duration) -> Result<Sandbox, Failure> {
    let (clock, spawner) = (world.clone(), world.clone());
    let settings = sandbox::Settings {
        sync_after: interval / 20,
        ready_after: interval / 2,
        strict: true,
        ..sandbox::Settings::default()
    };
    let sandbox = Sandbox::new(
        Arc::new(move || clock.now()),
        Arc::new(move |task| spawner.spawn(task)),
        settings,
    );
    for name in ["default", cast::NAMESPACE] {
        sandbox.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }))?;
    }
    for definition in crds::manifest::manifests() {
        sandbox.create(definition)?;
    }
    Ok(sandbox)
}

// === impl Stage: seeing ===

impl Stage {
    /// The cluster.
    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Where users ask.
    pub(super) fn gateway(&self) -> SocketAddr {
        self.servers[0].address
    }

    /// Where the controller asks.
    pub(super) fn metrics(&self) -> SocketAddr {
        self.servers[1].address
    }

    /// Seconds since the start.
    pub(super) fn seconds(&self) -> f64 {
        self.world.now().duration_since(self.begun).as_secs_f64()
    }

    /// Phase of an application; empty before there is one.
    pub(super) fn phase(&self, name: &str) -> &str {
        self.chronicle.phase(name)
    }

    /// Follow all changes until the next look, and look.
    pub(super) async fn next(&mut self) -> anyhow::Result<Frame> {
        loop {
            tokio::select! {
                biased;
                () = sleep_until(self.next_look) => break,
                Some(change) = self.changes.next() => self.observe(&change)?,
            }
        }
        let pause = (self.interval / LOOKS).clamp(LOOK_MIN, LOOK_MAX);
        self.next_look = self.world.instant() + pause;
        self.metrics.scrape(&self.apps.pods());
        let frame = self.frame();
        self.picture.see(&frame);
        Ok(frame)
    }

    fn observe(&mut self, change: &Change) -> anyhow::Result<()> {
        // Servers first: no request shall be sent where none is yet.
        self.apps
            .observe(change)
            .with_context(|| format!("{} cannot be served", change.name()))?;
        if change.kind == kinds::HTTP_ROUTE {
            self.gateway.observe(change);
        }
        self.chronicle.observe(change, self.seconds());
        Ok(())
    }

    fn frame(&self) -> Frame {
        let measured = exported(&self.controller.metrics());
        let events: Vec<_> = self.chronicle.events().rev().take(EVENTS).cloned().collect();
        Frame {
            at: self.seconds(),
            interval: cast::go_text(self.interval),
            panels: CAST.map(|role| self.panel(role, &measured)).into(),
            events: events.into_iter().rev().collect(),
        }
    }

    fn panel(&self, role: &'static Role, measured: &[Exported]) -> Panel {
        let story = self.chronicle.story(role.name);
        let server = |title: &'static str, workload: &str| {
            let last = self.apps.last(workload);
            let (requests, failed) = last.map(|(pod, _)| self.ledger.seen(pod)).unwrap_or_default();
            frame::Server {
                role: title,
                version: last.map(|(pod, _)| pod.version().to_owned()),
                is_running: last.is_some_and(|(_, is_running)| is_running),
                requests,
                failed,
            }
        };
        let ending = self.ending(role);
        let check = |check: &Exported| Measurement::of(&check.metric, check.value, &story);
        Panel {
            name: role.name,
            plot: role.plot,
            phase: story.phases.last().cloned().unwrap_or_default(),
            split: story.split,
            measured: ending.shares.last().and_then(|share| share.measured),
            servers: [server("primary", &role.primary()), server("canary", role.name)],
            checks: measured
                .iter()
                .filter(|check| check.canary == role.name)
                .map(check)
                .collect(),
        }
    }

    /// What was measured so far.
    pub(super) fn report(&self, interval: Duration) -> Report {
        let endings = CAST.map(|role| self.ending(role));
        Report::new(interval.as_secs_f64(), self.seconds(), endings.into())
    }

    /// The run so far as an SVG.
    pub(super) fn picture(&self) -> String {
        self.picture.svg(&self.frame())
    }

    fn ending(&self, role: &Role) -> Ending {
        let story = self.chronicle.story(role.name);
        Ending::of(role, &story, &self.gateway, &self.ledger)
    }
}

/// The checks in the controller's `/metrics`. It exports durations in seconds, but judges and shows them in milliseconds.
fn exported(metrics: &str) -> Vec<Exported> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(SERIES));
    let read = lines.filter_map(|line| {
        let (labels, value) = line.rsplit_once(' ')?;
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let (canary, metric) = (label(",name").or_else(|| label("{name"))?, label("metric")?);
        let value: f64 = value.parse().ok()?;
        let value = if metric == "request-duration" {
            value * 1000.0
        } else {
            value
        };
        Some(Exported { canary, metric, value })
    });
    read.collect()
}

#[cfg(test)]
mod tests;
