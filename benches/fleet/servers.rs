//! One slow metrics server beside a fast one: does it make those late who do not use it?
//!
//! Two sides, measured with the same fleet on the sandbox, one right after the other. Every second canary asks a server of its own port:
//! first that answers at once, then it takes [`super::outside::SLOW`] for each answer, which is slow and not yet dead, so that no breaker
//! comes to help. All others ask the fast one throughout, and only their steps are looked at.

use actors::outbound;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    args::Args,
    endless,
    figures::{Figures, quantile},
    objects::App,
    outside::Outside,
    place::House,
    probe,
    progress::Progress,
    subject::{Inside, Wish},
    usage,
};

/// The figures of one side.
struct Side {
    steps: usize,
    p50_ms: f64,
    p99_ms: f64,
    most_ms: f64,
    cores: f64,
}

/// Run it once.
pub(crate) async fn run(args: &Args, house: &House, outside: &Outside, progress: &Progress) -> anyhow::Result<Figures> {
    progress.say("servers: an analysis without end for all, every second canary on the server that will be slow");
    endless::start(args, house, wish(args, outside), progress, |app, canary| {
        edit(app, canary, outside);
    })
    .await?;
    let mut figures = Figures::default();
    let fast = measure(args, house, outside, false, progress).await?;
    let slow = measure(args, house, outside, true, progress).await?;
    for (name, side) in [("both fast", &fast), ("one slow", &slow)] {
        figures.add(format!("servers: steps on the fast one, {name}"), side.steps as f64);
        figures.add(format!("servers: lateness p50 ms, {name}"), side.p50_ms);
        figures.add(format!("servers: lateness p99 ms, {name}"), side.p99_ms);
        figures.add(format!("servers: lateness most ms, {name}"), side.most_ms);
        figures.add(format!("servers: cores, cluster and controller, {name}"), side.cores);
    }
    figures.add(
        "servers: steps on the fast one, slow / fast",
        slow.steps as f64 / fast.steps as f64,
    );
    figures.add("servers: lateness p99, slow / fast", slow.p99_ms / fast.p99_ms);
    Ok(figures)
}

fn edit(app: &App, canary: &mut Value, outside: &Outside) {
    let number: usize = app
        .name
        .rsplit('-')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    if number % 2 == 1 {
        canary["metadata"]["labels"][probe::BAD] = json!("metrics");
        canary["spec"]["metricsServer"] = json!(outside.url("/slow"));
    }
}

/// One side, with a controller of its own.
async fn measure(
    args: &Args,
    house: &House,
    outside: &Outside,
    is_slow: bool,
    progress: &Progress,
) -> anyhow::Result<Side> {
    let name = if is_slow { "one is slow" } else { "both are fast" };
    progress.say(&format!("servers: {name}, {} s", args.window.as_secs()));
    probe::reset();
    outside.slow(is_slow);
    let controller = Inside::start(house, wish(args, outside)).await?;
    sleep(args.interval * 2).await;
    probe::take();
    let (begun, before) = (Instant::now(), usage::of(std::process::id())?);
    sleep(args.window).await;
    let mut late = probe::take();
    let (seconds, after) = (begun.elapsed().as_secs_f64(), usage::of(std::process::id())?);
    outside.slow(false);
    controller.stop().await;
    let mut at = |share| quantile(&mut late, share).unwrap_or(f64::NAN) * 1000.0;
    let (p50_ms, p99_ms, most_ms) = (at(0.5), at(0.99), at(1.0));
    let cores = (after.cpu_secs - before.cpu_secs) / seconds;
    Ok(Side {
        steps: late.len(),
        p50_ms,
        p99_ms,
        most_ms,
        cores,
    })
}

fn wish(args: &Args, outside: &Outside) -> Wish {
    Wish {
        interval_floor: args.interval,
        outbound: outbound::production(),
        metrics: outside.url(""),
        step: probe::step,
    }
}
