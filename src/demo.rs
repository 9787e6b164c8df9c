//! `aviary demo`: a good and a bad release, side by side, on the embedded cluster.
//!
//! The controller is the real one, wired as in production. Invented are the cluster ([`crate::sandbox`]) and the two applications'
//! metrics (`cast`). Read in this order: this file, `cast`, `timeline`, `verdict`.

mod cast;
#[cfg(test)]
mod tests;
mod timeline;
mod verdict;

use actors::{election::Claim, world::World};
use anyhow::{Context as _, bail};
use engine::Settings;
use jiff::Timestamp;
use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use crate::{
    controller::{Controller, Parts, Prepared, telemetry},
    sandbox::{self, Sandbox},
};
use cast::{BAD, GOOD, Role};
use timeline::Timeline;

/// Initialising takes about 2 intervals, the longer release about 11. Five times that is too long.
const INTERVALS_MAX: u32 = 60;
/// How often the cluster is looked at, in parts of an interval.
const LOOKS: u32 = 10;
/// Any number: the same demo every time.
const SEED: u64 = 1;

/// Release a good and a bad version on an embedded cluster and print what happens.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = TEACHING)]
pub struct Args {
    /// Time between two checks, such as 500ms or 2s. The whole demo takes about 12 of them.
    #[arg(long, default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// Show the controller's log on standard error, too.
    #[arg(long)]
    pub verbose: bool,
}

const TEACHING: &str = "\
What you see:
  Two applications, `good` and `bad`, run version 1. Both get version 2 at the same moment. Aviary starts the new version
  beside the old one and gives it 10 % of the traffic, then 20 %, up to 50 %, as long as at least 99 % of its requests succeed.
  Version 2 of `good` works: it is promoted and takes all traffic. 5 % of the requests to version 2 of `bad` fail: after the
  second bad check all traffic goes back to version 1.

  time  application  phase  [share of the new version]  what the controller tells `kubectl describe canary`

No cluster and no network are needed. The exit code is 0 only if both releases ended as told above.
Next: `aviary crds` prints what a real cluster needs; `aviary controller --help` shows how to run on it.";

/// Run it.
pub fn main(args: &Args) -> anyhow::Result<()> {
    if args.verbose {
        telemetry::install("debug", "console");
    }
    actix::System::new().block_on(async {
        let world = World::single(Timestamp::UNIX_EPOCH, SEED);
        play(&world, args.interval, &mut io::stdout()).await
    })
}

/// Play the demo and print it. Call it inside an actix `System` on a current-thread runtime.
async fn play(world: &World, interval: Duration, out: &mut dyn Write) -> anyhow::Result<()> {
    let sandbox = cluster(world, interval);
    let controller = start(world, &sandbox, interval).await?;
    let mut timeline = Timeline::new(world.now());
    writeln!(out, "Two applications are put under Aviary's care.")?;
    for role in [&GOOD, &BAD] {
        role.install(&sandbox)
            .with_context(|| format!("{} cannot be installed", role.name))?;
    }
    let initialized = |role: &Role| role.phase(&sandbox) == "Initialized";
    follow(world, &sandbox, interval, &mut timeline, out, &initialized).await?;
    writeln!(
        out,
        "\nBoth get a new version; 5 % of the requests to that of `bad` fail."
    )?;
    for role in [&GOOD, &BAD] {
        role.release(&sandbox)
            .with_context(|| format!("{} cannot be released", role.name))?;
    }
    let ended = |role: &Role| ["Succeeded", "Failed"].contains(&role.phase(&sandbox).as_str());
    follow(world, &sandbox, interval, &mut timeline, out, &ended).await?;
    controller.stop().await;
    timeline.print_news(world.now(), &sandbox, out)?;
    let summary = verdict::judge(&sandbox)?;
    writeln!(out, "\n{summary}")?;
    Ok(())
}

fn cluster(world: &World, interval: Duration) -> Sandbox {
    let (clock, spawner) = (world.clone(), world.clone());
    let settings = sandbox::Settings {
        sync_after: interval / 20,
        ready_after: interval,
        ..sandbox::Settings::default()
    };
    Sandbox::new(
        Arc::new(move || clock.now()),
        Arc::new(move |task| spawner.spawn(task)),
        settings,
    )
}

async fn start(world: &World, sandbox: &Sandbox, interval: Duration) -> anyhow::Result<Controller> {
    let prepared = Prepared::start(Parts {
        world: world.clone(),
        client: sandbox.client(),
        outbound: cast::outbound(sandbox),
        settings: Settings {
            mesh_provider: cast::PROVIDER.into(),
            interval_floor: interval,
            ..Settings::default()
        },
        namespace: None,
        claim: Claim::always(),
        step: engine::step::step,
    })
    .await?;
    prepared.ready().await;
    Ok(prepared.act())
}

/// Print what happens until `done` holds for both.
async fn follow(
    world: &World,
    sandbox: &Sandbox,
    interval: Duration,
    timeline: &mut Timeline,
    out: &mut dyn Write,
    done: &dyn Fn(&Role) -> bool,
) -> anyhow::Result<()> {
    let limit = interval * INTERVALS_MAX;
    let begun = world.instant();
    while !(done(&GOOD) && done(&BAD)) {
        if world.instant().duration_since(begun) > limit {
            let state = |role: &Role| format!("{} is {}", role.name, role.phase(sandbox));
            bail!("no end within {limit:?}: {}, {}", state(&GOOD), state(&BAD));
        }
        world.sleep(interval / LOOKS).await;
        timeline.print_news(world.now(), sandbox, out)?;
    }
    Ok(())
}

fn interval(text: &str) -> Result<Duration, String> {
    let parsed = crds::decode::go_duration(text).filter(|interval| *interval >= Duration::from_millis(10));
    parsed.ok_or_else(|| format!("{text:?} is not a duration of at least 10ms; write for example 500ms or 2s"))
}
