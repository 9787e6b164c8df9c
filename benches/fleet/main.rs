//! What a fleet of canaries costs, on a real control plane or on the embedded cluster, beside another controller if wished.
//! `cargo bench --bench fleet -- --help` is the manual.
//!
//! Read in this order: `args`, `course`, `subject` (the controller), `place` (the cluster), then `throughput`, `isolation` and `servers`.

mod args;
mod audit;
mod course;
mod endless;
mod figures;
mod fleet;
mod isolation;
mod leash;
mod objects;
mod observer;
mod outside;
mod place;
mod probe;
mod progress;
mod requests;
mod servers;
mod subject;
mod throughput;
mod usage;

use actors::world::World;
use anyhow::anyhow;
use clap::Parser;
use serde_json::json;
use std::{panic, process::ExitCode, time::Duration};

use args::{Args, On, Part};
use course::Course;
use figures::Figures;
use outside::Outside;
use place::{House, Lab, Place};
use progress::Progress;

fn main() -> ExitCode {
    // cargo test runs bench targets, too, without this word: nothing is measured then.
    if !std::env::args().any(|word| ["--bench", "--help", "-h"].contains(&word.as_str())) {
        return ExitCode::SUCCESS;
    }
    let args = Args::parse().settled();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another TLS provider is installed already"))?;
    mute_injected_panics();
    let io = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("bench-io")
        .build()?;
    let system = actix_rt::System::new();
    let result = system.block_on(async {
        tokio::select! {
            result = all(args, io.handle()) => result,
            // What was started is dropped on the way out: the control plane goes, and so does the controller.
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        }
    });
    io.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn all(args: &Args, io: &tokio::runtime::Handle) -> anyhow::Result<()> {
    let progress = Progress::start();
    let outside = Outside::start()?;
    let mut runs = Vec::new();
    for number in 1..=args.runs {
        let mut figures = Figures::default();
        for part in &args.parts {
            progress.say(&format!("run {number} of {}: {part:?}", args.runs));
            figures.append(measure(*part, args, io, &outside, &progress).await?);
        }
        println!("run {number}\n{}", figures::table(std::slice::from_ref(&figures)));
        runs.push(figures);
        // Written after each run: what was measured is not lost with a later one.
        if let Some(file) = &args.json {
            let about = json!({
                "canaries": args.canaries, "namespaces": args.namespaces, "intervalSeconds": args.interval.as_secs_f64(),
                "windowSeconds": args.window.as_secs_f64(), "on": format!("{:?}", args.on), "peer": args.peer_command,
            });
            std::fs::write(file, format!("{:#}\n", figures::document(&about, &runs)))?;
        }
    }
    if runs.len() > 1 {
        println!("all runs\n{}", figures::table(&runs));
    }
    Ok(())
}

async fn measure(
    part: Part,
    args: &Args,
    io: &tokio::runtime::Handle,
    outside: &Outside,
    progress: &Progress,
) -> anyhow::Result<Figures> {
    let house = || House::build(&World::threads(io.clone(), Vec::new()), io);
    match part {
        Part::Throughput => throughput::run(args, &house()?, progress).await,
        Part::Isolation => isolation::run(args, &house()?, outside, progress).await,
        Part::Servers => servers::run(args, &house()?, outside, progress).await,
        Part::Course => {
            let place = match (&args.env, args.on) {
                (Some(env), _) => Place::Real(Lab::open(env).await?),
                (None, On::Real) => {
                    progress.say("starting a control plane");
                    Place::Real(Lab::start().await?)
                }
                (None, On::Sandbox) => Place::Sandbox(house()?),
            };
            if let (Place::Real(lab), Some(_)) = (&place, &args.peer_command) {
                lab.grant_everything().await?;
            }
            let course = Course {
                args,
                place: &place,
                outside,
                progress,
            };
            let figures = course.run().await;
            progress.say("cleaning up");
            place.clean().await?;
            figures
        }
    }
}

/// The panics that the isolation injects are no news.
fn mute_injected_panics() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"injected") {
            report(info);
        }
    }));
}
