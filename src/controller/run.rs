//! Where everything is wired, in reading order.

use actix::{Actor, Addr};
use actors::{
    caches::{Caches, Fleet},
    canary::{Snapshot, Tools},
    cluster::{Call, Cluster, Tally},
    desk::Desk,
    directory::{ClusterDirectory, alert_requests, event_calls},
    election::{Claim, Election, Ended},
    metrics, notifier,
    notifier::{Flush, Notifier, Parts as NotifierParts},
    outbound::{self, Outbound},
    places::Places,
    records::{EventSink, KubeEvents},
    router::Router,
    series::Series,
    supervisor::{ObserveAll, RetireAll, Supervisor},
    webhook,
    world::World,
};
use anyhow::{Context as _, anyhow, bail};
use engine::Settings;
use futures::FutureExt;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};

use super::{
    Args,
    args::Environment,
    http::{self, Answers},
    telemetry,
};

/// Time that running steps get to finish at shutdown: one API call with its deadline of 20 s, and a little more.
const RETIRE_WAIT: Duration = Duration::from_secs(25);
/// Where our resources are served.
const RESOURCES_IN: &str = "flagger.app/v1beta1";
/// Our resources, all of which are needed.
const RESOURCES: [&str; 3] = ["canaries", "metrictemplates", "alertproviders"];
/// Time that events and alerts get at shutdown.
const FLUSH_WAIT: Duration = Duration::from_secs(5);

/// What a controller is made of; production and tests differ only here.
pub struct Parts {
    /// Tasks, clocks and chance.
    pub world: World,
    /// Kubernetes.
    pub places: Places,
    /// Everybody else.
    pub outbound: Outbound,
    /// Settings that decisions depend on.
    pub settings: Settings,
    /// Only this namespace is watched.
    pub namespace: Option<String>,
    /// Whether this process may act.
    pub claim: Claim,
    /// The mind.
    pub step: fn(engine::step::Input<'_>) -> engine::Step,
}

/// A running controller. Start it inside an actix `System`.
pub struct Controller {
    caches: Caches,
    supervisor: Addr<Supervisor>,
    notifier: Notifier,
    series: Arc<Series>,
}

/// A controller whose caches are being filled and which does not act yet.
pub struct Prepared {
    tools: Arc<Tools>,
    desk: Desk,
}

/// `aviary controller`: run until a signal comes or the lease is lost.
pub fn main(args: Args) -> anyhow::Result<()> {
    telemetry::install(&args.log_level, &args.zap_encoding);
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed already"))?;
    let io = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("aviary-io")
        .build()?;
    let system = actix::System::new();
    let result = system.block_on(serve(args, io.handle().clone()));
    io.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(args: Args, io: tokio::runtime::Handle) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arbiters = (0..cores).map(|_| actix::Arbiter::new().handle()).collect();
    let world = World::threads(io.clone(), arbiters);
    let mut settings = args.settings(&Environment::read());
    check_metrics_server(&settings)?;
    let config = connection(&args).await?;
    let mesh = connection_of_mesh(&args, &config).await?;
    settings.mesh_apart = mesh.is_some();
    let places = io.spawn(async move { connect(config, mesh).await }).await??;

    let (stop_election, election_stops) = oneshot::channel::<()>();
    let (claim, mut ended) = elect(&args, &world, places.own(), election_stops)?;
    let prepared = Prepared::start(Parts {
        world: world.clone(),
        places,
        outbound: outbound::production(),
        settings,
        namespace: Some(args.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        claim: claim.clone(),
        step: engine::step::step,
    })
    .await?;
    let answers = Arc::new(prepared.answers());
    tokio::task::spawn_local(http::server(args.port, answers.clone()).with_context(|| format!("port {}", args.port))?);
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    let acting = async {
        prepared.ready().await;
        claim.acquired().await;
        prepared.act()
    };
    let controller = tokio::select! {
        controller = acting => controller,
        _ = terminated.recv() => return give_up_lease(stop_election, ended).await,
        _ = interrupted.recv() => return give_up_lease(stop_election, ended).await,
        _ = &mut ended => bail!("the lease was lost before it was held"),
    };
    answers.watch(controller.supervisor.clone());
    tracing::info!("acting");
    let lost = tokio::select! {
        _ = terminated.recv() => false,
        _ = interrupted.recv() => false,
        // Nobody has told it to stop yet: whatever ended it, the lease is not kept any more.
        _ = &mut ended => true,
    };
    if lost {
        bail!("the lease is lost: another replica acts from now on");
    }
    tracing::info!("stopping: running steps are finished");
    controller.stop().await;
    give_up_lease(stop_election, ended).await
}

/// Let the next replica begin at once instead of after the lease has run out.
async fn give_up_lease(stop: oneshot::Sender<()>, ended: oneshot::Receiver<Ended>) -> anyhow::Result<()> {
    drop(stop);
    timeout(FLUSH_WAIT, ended).await.ok();
    Ok(())
}

/// Take part in the election, or hold a claim that never ends. The second value tells how the election ended.
fn elect(
    args: &Args,
    world: &World,
    client: &Client,
    stop: oneshot::Receiver<()>,
) -> anyhow::Result<(Claim, oneshot::Receiver<Ended>)> {
    let (tell, ended) = oneshot::channel();
    if !args.enable_leader_election {
        world.spawn(async move {
            stop.await.ok();
            tell.send(Ended::Stopped).ok();
        });
        return Ok((Claim::always(), ended));
    }
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").context("the host name cannot be read")?;
    let (election, claim) = Election::new(world.clone(), client.clone(), args.lease_namespace(), hostname.trim());
    world.spawn(async move {
        let end = election.run(stop.map(|_| ())).await;
        tell.send(end).ok();
    });
    Ok((claim, ended))
}

fn check_metrics_server(settings: &Settings) -> anyhow::Result<()> {
    let address = engine::http::Address::parse(&settings.metrics_server);
    address
        .map(drop)
        .with_context(|| "-metrics-server is of no use; write for example http://prometheus:9090")
}

async fn connection(args: &Args) -> anyhow::Result<Config> {
    let mut config = if args.kubeconfig.is_empty() {
        Config::incluster().context("no -kubeconfig is given and this is no pod")?
    } else {
        let file =
            Kubeconfig::read_from(&args.kubeconfig).with_context(|| format!("-kubeconfig {}", args.kubeconfig))?;
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
    };
    if !args.master.is_empty() {
        config.cluster_url = args.master.parse().context("-master")?;
    }
    Ok(config)
}

/// The cluster of the mesh, if it is another one: the same API server under two files is one cluster, as with the peer.
async fn connection_of_mesh(args: &Args, own: &Config) -> anyhow::Result<Option<Config>> {
    let path = &args.kubeconfig_service_mesh;
    if path.is_empty() {
        return Ok(None);
    }
    let file = Kubeconfig::read_from(path).with_context(|| format!("-kubeconfig-service-mesh {path}"))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Some(config).filter(|mesh| mesh.cluster_url.authority() != own.cluster_url.authority()))
}

/// Make the clients and see that our resources are served. Discovery is open to every account, so that an account with rights in one
/// namespace only can look, too (DP-7).
async fn connect(config: Config, mesh: Option<Config>) -> anyhow::Result<Places> {
    let client = Client::try_from(config)?;
    are_registered(&client).await?;
    match mesh {
        Some(mesh) => Ok(Places::apart(client, Client::try_from(mesh)?)),
        None => Ok(client.into()),
    }
}

async fn are_registered(client: &Client) -> anyhow::Result<()> {
    let served = match client.list_api_group_resources(RESOURCES_IN).await {
        Ok(list) => list.resources,
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => {
            // The watches will tell.
            tracing::warn!(%error, "cannot see whether our resources are registered");
            return Ok(());
        }
    };
    for name in RESOURCES {
        if !served.iter().any(|resource| resource.name == name) {
            bail!("{name}.flagger.app is not registered; run `aviary crds | kubectl apply --server-side -f -`");
        }
    }
    Ok(())
}

// === impl Prepared ===

impl Prepared {
    /// Start the watches and the pools.
    pub async fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts {
            world,
            places,
            outbound,
            settings,
            namespace,
            claim,
            step,
        } = parts;
        let settings = Arc::new(settings);
        let series = Arc::new(Series::new(env!("CARGO_PKG_VERSION"), &settings.mesh_provider)?);
        let desk = Desk::default();
        let fleet: Arc<dyn Fleet> = Arc::new(desk.clone());
        let caches = Caches::start(&world, &places, namespace.as_deref(), &fleet);
        let cluster = Cluster::new(places.clone(), world.clone(), claim.guard(&world), tally(&series));
        let router = Router::start(&world, cluster.clone()).await?;
        let sink: Arc<dyn EventSink> = Arc::new(KubeEvents::new(places.own().clone()));
        let notifier = notifier::start(NotifierParts {
            world: world.clone(),
            settings: settings.clone(),
            outbound: outbound.clone(),
            sink,
            directory: Arc::new(ClusterDirectory {
                caches: caches.clone(),
                router: router.clone(),
            }),
            event_calls,
            alert_requests,
            series: series.clone(),
        });
        let hooks = webhook::start(&world, &outbound);
        let reach = metrics::Reach {
            ambient: metrics::Ambient::from_lookup(|name| std::env::var(name).ok()),
            cluster: Some(cluster),
        };
        let queries = metrics::start_with(&world, &outbound, reach);
        series.watch_mail("hooks", hooks.meter());
        series.watch_mail("queries", queries.meter());
        series.watch_mail("notices", notifier.notify.meter());
        for (mail, meter) in router.meters() {
            series.watch_mail(mail, meter);
        }
        let tools = Tools {
            world,
            settings,
            caches,
            router,
            hooks,
            queries,
            notifier,
            series,
            claim,
            step,
        };
        Ok(Self {
            tools: Arc::new(tools),
            desk,
        })
    }

    /// Wait until every cache is filled.
    pub async fn ready(&self) {
        self.tools.caches.wait_synced().await;
    }

    /// Start acting.
    pub fn act(&self) -> Controller {
        Controller {
            caches: self.tools.caches.clone(),
            supervisor: Supervisor::new(self.tools.clone(), self.desk.clone()).start(),
            notifier: self.tools.notifier.clone(),
            series: self.tools.series.clone(),
        }
    }

    fn answers(&self) -> Answers {
        let (series, caches) = (self.tools.series.clone(), self.tools.caches.clone());
        Answers::new(Box::new(move || series.render()), Box::new(move || caches.synced()))
    }
}

fn tally(series: &Arc<Series>) -> Tally {
    let series = series.clone();
    Arc::new(move |call: Call| series.requested(call.verb, call.result))
}

// === impl Controller ===

impl Controller {
    /// Finish running steps, deliver what was said, and end.
    pub async fn stop(self) {
        timeout(RETIRE_WAIT, self.supervisor.send(RetireAll)).await.ok();
        timeout(FLUSH_WAIT, self.notifier.flush.send(Flush)).await.ok();
    }

    /// The state of all canary actors.
    pub async fn observe(&self) -> Vec<Snapshot> {
        let state = self.supervisor.send(ObserveAll).await.unwrap_or_default();
        state.canaries
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        self.series.render()
    }

    /// Whether all caches are filled.
    pub fn is_synced(&self) -> bool {
        self.caches.synced()
    }
}
