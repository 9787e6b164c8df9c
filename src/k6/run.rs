//! Where the k6 webhook is wired, in reading order.

use actors::{outbound, world::World};
use anyhow::{Context as _, anyhow};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

use super::{
    Args,
    http::{Desk, routes},
    launch::Pad,
    runs::{Launch, Runs},
    series::Series,
    slack::Slack,
};
use crate::{
    companion::{
        access::{Access, read_token},
        children::Children,
        redaction::Redaction,
        server,
    },
    controller::telemetry,
};

/// Time that tests and Slack get at shutdown: k6's farewell of 10 s and a few calls, below the kubelet's 30 s.
const CLOSE_WAIT: Duration = Duration::from_secs(20);

/// `aviary k6-webhook`: run until a signal comes.
pub fn main(args: Args) -> anyhow::Result<()> {
    let level = match args.log_level.as_str() {
        "warning" => "warn",
        "trace" => "debug",
        level => level,
    };
    telemetry::install(level, "json");
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed already"))?;
    anyhow::ensure!(
        args.max_concurrent_tests <= Semaphore::MAX_PERMITS,
        "-max-concurrent-tests is too large"
    );
    let io = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("aviary-io")
        .build()?;
    let world = World::threads(io.handle().clone(), Vec::new());
    let system = actix::System::new();
    // Children and tests belong to the I/O runtime.
    let entered = io.enter();
    let children = Children::start(&world);
    drop(entered);
    let result = system.block_on(serve(args, world, children));
    io.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(args: Args, world: World, children: Children) -> anyhow::Result<()> {
    let token = read_token(&args.token_file)?;
    let own = [args.cloud_token.as_str(), args.slack_token.as_str()];
    let redaction = Redaction::of_environment().with(token.as_deref().into_iter().chain(own));
    let series = Arc::new(Series::new(args.max_concurrent_tests)?);
    let outbound = outbound::production();
    let pad = Pad {
        world: world.clone(),
        children,
        slack: Slack::new(world.clone(), outbound, &args.slack_api_url, &args.slack_token),
        limit: args.timeout,
        cloud_token: args.cloud_token.clone(),
        redaction: redaction.clone(),
    };
    let launch = counted(pad.launch(), &world, &series);
    let runs = Runs::new(world.clone(), args.max_concurrent_tests, launch);
    let desk = Arc::new(Desk {
        access: Access::new(&args.namespace_regexp, token.as_deref())?,
        client: connect(&args).await?,
        world,
        runs: runs.clone(),
        series,
        redaction,
    });
    let server = server::listen(args.listen_port, &args.tls, move |config| routes(config, desk.clone()))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        port = args.listen_port,
        "starting the k6 webhook"
    );
    server::serve(server, runs.close(CLOSE_WAIT)).await
}

/// Count what ends.
fn counted(launch: Launch, world: &World, series: &Arc<Series>) -> Launch {
    let (world, series) = (world.clone(), series.clone());
    Arc::new(move |run| {
        let (world, series, began) = (world.clone(), series.clone(), run.began);
        let (work, telling) = launch(run);
        let counted = Box::pin(async move {
            let verdict = work.await;
            series.ended(&verdict, world.instant() - began);
            verdict
        });
        (counted, telling)
    })
}

async fn connect(args: &Args) -> anyhow::Result<Option<Client>> {
    let config = if !args.kubeconfig.is_empty() {
        let file =
            Kubeconfig::read_from(&args.kubeconfig).with_context(|| format!("-kubeconfig {}", args.kubeconfig))?;
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
    } else if args.kubernetes_client == "in-cluster" {
        Config::incluster().context("KUBERNETES_CLIENT is in-cluster, but this is no pod")?
    } else {
        return Ok(None);
    };
    Ok(Some(Client::try_from(config)?))
}
