//! One bad tenant among many: does it make the others late?
//!
//! Two sides, measured with the same fleet on the sandbox, one right after the other: with the first namespace behaving, and with all
//! that can go wrong in it. A fifth of its canaries each: the mind panics on it; its hooks never answer; its metrics server never
//! answers; its objects are changed all the time, 100 changes per second in all. The rest of it behaves.

use actors::outbound;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    args::Args,
    endless,
    figures::{Figures, quantile},
    fleet::{Fleet, merge},
    objects::{App, CANARIES, DEPLOYMENTS},
    outside::Outside,
    place::House,
    probe,
    progress::Progress,
    subject::{Inside, Wish},
    usage,
};

/// Changes of objects per second in the bad namespace.
const CHANGES_PER_SEC: u32 = 100;
/// The ways to be bad, and one to be good.
const WAYS: usize = 5;
/// Values of [`probe::BAD`].
const MANNERS: [&str; WAYS] = [probe::PANICS, "hooks", "metrics", "changes", "none"];

/// The figures of one side.
struct Side {
    steps: usize,
    p50_ms: f64,
    p99_ms: f64,
    cores: f64,
}

/// Run it once.
pub(crate) async fn run(args: &Args, house: &House, outside: &Outside, progress: &Progress) -> anyhow::Result<Figures> {
    progress.say("isolation: an analysis without end for all");
    let fleet = endless::start(args, house, wish(args, outside), progress, |app, canary| {
        edit(app, canary, args.namespaces, outside);
    })
    .await?;
    let mut figures = Figures::default();
    let quiet = measure(args, house, outside, None, progress).await?;
    let bad = measure(args, house, outside, Some(&fleet), progress).await?;
    for (name, side) in [("without", &quiet), ("with", &bad)] {
        figures.add(format!("isolation: steps of the others, {name}"), side.steps as f64);
        figures.add(format!("isolation: lateness p50 ms, {name}"), side.p50_ms);
        figures.add(format!("isolation: lateness p99 ms, {name}"), side.p99_ms);
        figures.add(format!("isolation: cores, cluster and controller, {name}"), side.cores);
    }
    figures.add("isolation: lateness p99, with / without", bad.p99_ms / quiet.p99_ms);
    Ok(figures)
}

/// How the Canary of an application of the first namespace behaves; `None` elsewhere. Numbers go round the namespaces.
fn manner(app: &App, namespaces: usize) -> Option<&'static str> {
    let number: usize = app.name.rsplit('-').next()?.parse().ok()?;
    number
        .is_multiple_of(namespaces)
        .then(|| MANNERS[number / namespaces % WAYS])
}

fn edit(app: &App, canary: &mut Value, namespaces: usize, outside: &Outside) {
    let manner = manner(app, namespaces);
    let hook = match manner {
        Some("hooks") => outside.url("/hang/hook"),
        _ => outside.url("/hook"),
    };
    canary["spec"]["analysis"]["webhooks"] = json!([{"name": "check", "type": "rollout", "url": hook}]);
    if let Some(manner) = manner {
        canary["metadata"]["labels"][probe::BAD] = json!(manner);
    }
    if manner == Some("metrics") {
        canary["spec"]["metricsServer"] = json!(outside.url("/hang"));
    }
}

/// One side, with a controller of its own. `bad` gives the fleet whose first namespace misbehaves.
async fn measure(
    args: &Args,
    house: &House,
    outside: &Outside,
    bad: Option<&Fleet>,
    progress: &Progress,
) -> anyhow::Result<Side> {
    let name = if bad.is_some() {
        "one namespace misbehaves"
    } else {
        "all behave"
    };
    progress.say(&format!("isolation: {name}, {} s", args.window.as_secs()));
    probe::reset();
    probe::poison(bad.is_some());
    outside.hang(bad.is_some());
    let controller = Inside::start(house, wish(args, outside)).await?;
    let changer = bad.map(|fleet| {
        let apps: Vec<App> = fleet
            .apps
            .iter()
            .filter(|app| manner(app, args.namespaces) == Some("changes"))
            .cloned()
            .collect();
        actix_rt::spawn(change(house.sandbox.client(), apps))
    });
    sleep(args.interval * 2).await;
    probe::take();
    let (begun, before) = (Instant::now(), usage::of(std::process::id())?);
    sleep(args.window).await;
    let mut late = probe::take();
    let (seconds, after) = (begun.elapsed().as_secs_f64(), usage::of(std::process::id())?);
    if let Some(changer) = changer {
        changer.abort();
    }
    probe::poison(false);
    outside.hang(false);
    controller.stop().await;
    let mut at = |share| quantile(&mut late, share).unwrap_or(f64::NAN) * 1000.0;
    let (p50_ms, p99_ms) = (at(0.5), at(0.99));
    let cores = (after.cpu_secs - before.cpu_secs) / seconds;
    Ok(Side {
        steps: late.len(),
        p50_ms,
        p99_ms,
        cores,
    })
}

/// Change Canaries and Deployments in turn, at a steady pace, until aborted.
async fn change(client: kube::Client, apps: Vec<App>) {
    let pause = Duration::from_secs(1) / CHANGES_PER_SEC;
    let mut next = Instant::now();
    for (number, app) in apps.iter().cycle().enumerate() {
        let path = if number % 2 == 0 {
            format!("{}/{}", app.collection(CANARIES, "canaries"), app.name)
        } else {
            format!("{}/{}", app.collection(DEPLOYMENTS, "deployments"), app.name)
        };
        let mark = json!({"metadata": {"annotations": {"aviary.bench/change": number.to_string()}}});
        if let Err(error) = merge(&client, &path, &mark).await {
            eprintln!("a change of the bad tenant failed: {error:#}");
        }
        next += pause;
        sleep_until(next).await;
    }
}

fn wish(args: &Args, outside: &Outside) -> Wish {
    Wish {
        interval_floor: args.interval,
        outbound: outbound::production(),
        metrics: outside.url(""),
        step: probe::step,
    }
}
