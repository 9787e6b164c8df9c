//! Where the load tester is wired, in reading order.

use actix_web::http::StatusCode;
use actors::{outbound, world::World};
use anyhow::{Context as _, anyhow};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    Args,
    http::{Desk, routes},
    ledger::Limits,
    order::Reader,
    series::Series,
    storage::Storage,
    tasks::Tasks,
    work::Workshop,
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

/// Time that tasks get to end at shutdown: the farewell of a program and a little more, well below the kubelet's 30 s.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// `aviary loadtester`: run until a signal comes.
pub fn main(args: Args) -> anyhow::Result<()> {
    telemetry::install(&args.log_level, &args.zap_encoding);
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed already"))?;
    let io = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("aviary-io")
        .build()?;
    let world = World::threads(io.handle().clone(), Vec::new());
    let system = actix::System::new();
    // Children and tasks belong to the I/O runtime.
    let entered = io.enter();
    let children = Children::start(&world);
    drop(entered);
    let result = system.block_on(serve(args, world, children));
    io.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(args: Args, world: World, children: Children) -> anyhow::Result<()> {
    let token = read_token(&args.token_file)?;
    let redaction = Redaction::of_environment().with(token.as_deref());
    let series = Arc::new(Series::new()?);
    let workshop = Workshop {
        world: world.clone(),
        children,
        outbound: outbound::production(),
        limit: args.timeout,
        series: series.clone(),
        redaction: redaction.clone(),
    };
    let limits = Limits {
        running: args.concurrency,
        queued: args.queue,
    };
    let tasks = Tasks::start(&world, limits, workshop.open(), series.clone());
    let gates = Storage::open(&args.gate_storage, async || connect(&args.kubeconfig).await).await?;
    let desk = Arc::new(Desk {
        access: Access::new(&args.namespace_regexp, token.as_deref())?,
        reader: Reader {
            allowed: list(&args.allow_commands),
            servers: list(&args.allow_servers),
            redaction: redaction.clone(),
        },
        failure_status: StatusCode::from_u16(args.failure_status)?,
        world,
        tasks: tasks.clone(),
        gates,
        series,
        redaction,
    });
    let server = server::listen(args.port, &args.tls, move |config| routes(config, desk.clone()))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        port = args.port,
        "starting the load tester"
    );
    server::serve(server, tasks.close(CLOSE_WAIT)).await
}

async fn connect(kubeconfig: &str) -> anyhow::Result<Client> {
    let config = if kubeconfig.is_empty() {
        Config::incluster().context("no -kubeconfig is given and this is no pod")?
    } else {
        let file = Kubeconfig::read_from(kubeconfig).with_context(|| format!("-kubeconfig {kubeconfig}"))?;
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
    };
    Ok(Client::try_from(config)?)
}

/// `None` where nothing is listed.
fn list(text: &str) -> Option<BTreeSet<String>> {
    let names: BTreeSet<String> = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(String::from)
        .collect();
    Some(names).filter(|names| !names.is_empty())
}
