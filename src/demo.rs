//! `aviary demo`: a good and a bad release, side by side, on the embedded cluster and with real requests.
//!
//! ```text
//!   load ──HTTP──> gateway ──HTTP──> apps (primary, canary) ──counts──> ledger ──scrape──> metrics (promql)
//!                     ^ weights                                                               ^ HTTP: PromQL
//!   sandbox ──watch──> stage                             controller ──────────────────────────┘
//! ```
//!
//! The controller is the real one, wired as in production; its queries go over HTTP. Embedded is the cluster ([`crate::sandbox`]), which
//! runs no containers: the applications are servers of this process. Read in this order: this file, `stage`, `apps`, `gateway`,
//! `metrics`, `report`.

mod apps;
mod cast;
mod chronicle;
mod frame;
mod gateway;
mod ledger;
mod load;
mod metrics;
mod mirror;
mod picture;
mod promql;
mod report;
mod screen;
mod server;
mod stage;
#[cfg(test)]
mod tests;

use actors::world::World;
use anyhow::{Context as _, bail};
use std::{
    fmt::Write as _,
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{controller::telemetry, sandbox::serve};
use cast::{CAST, NAMESPACE};
use report::Report;
use screen::Screen;
use stage::Stage;

/// Initialising takes about 1 interval, the longer release about 9. Six times that is too long.
const INTERVALS_MAX: u32 = 60;
/// Shortest time between two checks: 200 requests a second are 20 for the canary's first tenth, of which one fails.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Threads for the controller's and the cluster's I/O. The servers have their own.
const IO_THREADS: usize = 2;

/// Release a good and a bad version on an embedded cluster, with real requests, and show what happens.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = TEACHING)]
pub struct Args {
    /// Time between two checks, such as 1500ms or 10s. The whole demo takes about 10 of them.
    #[arg(long, default_value = "6s", value_parser = interval)]
    pub interval: Duration,
    /// Write what was measured to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the run as an animated SVG to this file.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Go on after the end, until ctrl-c, and serve the cluster for kubectl.
    #[arg(long)]
    pub keep: bool,
    /// Where --keep writes the kubeconfig; an existing file is replaced.
    #[arg(long, value_name = "FILE", default_value = "aviary-demo.kubeconfig")]
    pub kubeconfig: PathBuf,
    /// Show the controller's log on standard error, too; the demo is then shown in lines.
    #[arg(long)]
    pub verbose: bool,
}

const TEACHING: &str = "\
What you see:
  Two applications, `good` and `bad`, run version 1. Both get version 2 at the same moment. Aviary starts the new version
  beside the old one and gives it 10 % of the traffic, then 20 %, up to 50 %, as long as at least 99 % of its requests succeed.
  Version 2 of `good` works: it is promoted and takes all traffic. 5 % of the requests to version 2 of `bad` fail: after the
  second bad check all traffic goes back to version 1.

  The requests are real: HTTP on loopback, from a load generator through a gateway that splits them by the weights of the
  HTTPRoute, to one server for each running version. What the servers count is what Aviary's PromQL queries are answered from.

No cluster and no network are needed. The exit code is 0 only if both releases ended as told above, and if the new version's
share of the requests was within 5 points of its weight, at every weight.
Next: `aviary crds` prints what a real cluster needs; `aviary controller --help` shows how to run on it.";

/// Run it.
pub fn main(args: &Args) -> anyhow::Result<()> {
    if args.verbose {
        telemetry::install("debug", "console");
    }
    let mut out = io::stdout();
    let is_terminal = out.is_terminal() && !args.verbose && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let report = run(args, &mut out, is_terminal)?;
    if report.passed {
        return Ok(());
    }
    bail!("{}", report.problems.join("; "))
}

/// Build the runtimes and play.
fn run(args: &Args, out: &mut dyn Write, is_terminal: bool) -> anyhow::Result<Report> {
    // Another caller in this process may have installed it.
    rustls::crypto::ring::default_provider().install_default().ok();
    let io = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .enable_all()
        .thread_name("aviary-io")
        .build()?;
    let system = actix::System::new();
    let result = system.block_on(async {
        let world = World::threads(io.handle().clone(), vec![actix::Arbiter::new().handle()]);
        let mut screen = Screen::new(out, is_terminal);
        play(args, world, &mut screen).await
    });
    io.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn play(args: &Args, world: World, screen: &mut Screen<'_>) -> anyhow::Result<Report> {
    let interval = args.interval;
    let mut stage = Stage::build(world, interval).await?;
    if args.keep {
        screen.say(&open(&stage, &args.kubeconfig)?)?;
    }
    let released = release(&mut stage, screen, interval).await;
    let mut report = stage.report(interval);
    if let Err(error) = released {
        report.add(format!("{error:#}"));
    }
    if let Some(path) = &args.report {
        write(path, &format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    }
    if let Some(path) = &args.picture {
        write(path, &stage.picture())?;
    }
    screen.say(&summary(&report))?;
    if args.keep {
        screen.say(&invitation(&stage, &args.kubeconfig))?;
        linger(&mut stage, screen).await?;
    }
    stage.end().await;
    Ok(report)
}

/// Both applications from nothing to the end of their second version.
async fn release(stage: &mut Stage, screen: &mut Screen<'_>, interval: Duration) -> anyhow::Result<()> {
    for role in CAST {
        let (name, host) = (role.name, role.host());
        role.install(stage.sandbox(), interval)
            .with_context(|| format!("{name} cannot be installed"))?;
        stage.load(host);
    }
    let all = |stage: &Stage, ends: &[&str]| CAST.iter().all(|role| ends.contains(&stage.phase(role.name)));
    follow(stage, screen, interval, |stage| all(stage, &["Initialized"])).await?;
    for role in CAST {
        role.release(stage.sandbox())
            .with_context(|| format!("{} cannot be released", role.name))?;
    }
    follow(stage, screen, interval, |stage| all(stage, &["Succeeded", "Failed"])).await?;
    // All traffic is on the primaries again; this is measured for one more interval.
    let end = stage.seconds() + interval.as_secs_f64();
    follow(stage, screen, interval, |stage| stage.seconds() >= end).await
}

/// Show what happens until `done` holds.
async fn follow(
    stage: &mut Stage,
    screen: &mut Screen<'_>,
    interval: Duration,
    done: impl Fn(&Stage) -> bool,
) -> anyhow::Result<()> {
    let limit = interval * INTERVALS_MAX;
    let begun = stage.seconds();
    while !done(stage) {
        if stage.seconds() - begun > limit.as_secs_f64() {
            let states = CAST.map(|role| format!("{} is {}", role.name, stage.phase(role.name)));
            bail!("no end within {limit:?}: {}", states.join(", "));
        }
        let frame = stage.next().await?;
        screen.show(&frame)?;
    }
    Ok(())
}

/// Go on until a signal comes.
async fn linger(stage: &mut Stage, screen: &mut Screen<'_>) -> anyhow::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            frame = stage.next() => screen.show(&frame?)?,
            _ = interrupted.recv() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        }
    }
}

/// Serve the cluster for kubectl; the text tells how to look at it meanwhile.
fn open(stage: &Stage, kubeconfig: &Path) -> anyhow::Result<String> {
    let listener = serve::listener(0).context("the cluster cannot be served")?;
    let address = listener.local_addr()?;
    let server = serve::serve(stage.sandbox(), listener).context("the cluster cannot be served")?;
    tokio::task::spawn_local(server);
    write(kubeconfig, &serve::kubeconfig(address))?;
    let file = kubeconfig.display();
    Ok(format!(
        "Look at it from another terminal: kubectl --kubeconfig {file} --namespace {NAMESPACE} get canaries --watch\n\n"
    ))
}

/// What can be done while it goes on.
fn invitation(stage: &Stage, kubeconfig: &Path) -> String {
    let (file, gateway, metrics) = (kubeconfig.display(), stage.gateway(), stage.metrics());
    let [good, bad] = CAST;
    format!(
        "\nIt goes on until ctrl-c. From another terminal:\n\n\
         export KUBECONFIG={file}\n\
         kubectl --namespace {NAMESPACE} get canaries,deployments,services,httproutes\n\
         kubectl --namespace {NAMESPACE} describe canary {}\n\
         kubectl --namespace {NAMESPACE} set image deployment/{} app={}   # release another version\n\
         curl --header 'Host: {}' http://{gateway}/\n\
         curl --get http://{metrics}/api/v1/query --data-urlencode 'query=sum(rate(http_request_duration_seconds_count[30s])) by (kubernetes_pod_name, status)'\n",
        bad.name,
        good.name,
        good.image("3.0.0"),
        good.host(),
    )
}

fn summary(report: &Report) -> String {
    let mut text = String::from("\n");
    for canary in &report.canaries {
        let phase = canary.phases.last().map_or("no phase", String::as_str);
        let shares = canary.shares.iter().filter(|share| share.weight > 0).map(|share| {
            let measured = share
                .measured
                .map_or("nothing".to_owned(), |share| format!("{share:.1} %"));
            format!("{} %: {measured}", share.weight)
        });
        let shares: Vec<String> = shares.collect();
        writeln!(
            text,
            "{:<5} {phase:<10} its primary runs {}; measured at {}",
            canary.name,
            canary.primary_image,
            shares.join(", ")
        )
        .ok();
    }
    text
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn interval(text: &str) -> Result<Duration, String> {
    let parsed = crds::decode::go_duration(text).filter(|interval| *interval >= INTERVAL_MIN);
    parsed.ok_or_else(|| format!("{text:?} is not a duration of at least 1s; write for example 1500ms or 10s"))
}
