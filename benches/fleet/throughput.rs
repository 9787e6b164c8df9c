//! How many steps per second the actors sustain: an analysis without end on the sandbox, at ever shorter intervals. The world outside
//! answers at once, in the process; the cluster shares the processors with the controller.

use actors::outbound;
use engine::model;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::{
    args::Args,
    endless,
    figures::{Figures, quantile},
    place::House,
    probe,
    progress::Progress,
    subject::{Inside, Wish},
    usage,
};

/// Steps later than this, at the 99th percentile, count as not sustained.
const LATE_SECS: f64 = 1.0;
/// The interval that the fleet is brought into its analysis with.
const FIRST: Duration = Duration::from_secs(5);
/// The interval is divided by this until steps are late.
const FASTER: f64 = 1.5;
/// Tries between the last interval that was sustained and the first that was not.
const REFINEMENTS: u32 = 2;
/// A canary makes about a step per second for long, whatever its interval: one below this measures that brake, and not the actors.
const SHORTEST: Duration = Duration::from_millis(1500);
/// So the load comes from their number: so many times the canaries of the course.
const MORE: usize = 5;

/// What one interval gave.
struct Sample {
    steps_per_sec: f64,
    p50_secs: f64,
    p99_secs: f64,
    cores: f64,
}

/// Run it once.
pub(crate) async fn run(args: &Args, house: &House, progress: &Progress) -> anyhow::Result<Figures> {
    progress.say("throughput: an analysis without end for all");
    let more = Args {
        canaries: args.canaries * MORE,
        ..args.clone()
    };
    endless::start(&more, house, wish(FIRST), progress, |_, _| {}).await?;
    let mut interval = args.interval;
    let mut best: Option<(Duration, Sample)> = None;
    let mut refinements = REFINEMENTS;
    let mut factor = FASTER;
    loop {
        let sample = measure(args, house, interval).await?;
        let sustained = sample.p99_secs < LATE_SECS;
        progress.say(&format!(
            "throughput: interval {:.3} s: {:.0} steps/s, late p50 {:.4} s, p99 {:.4} s, {:.2} cores{}",
            interval.as_secs_f64(),
            sample.steps_per_sec,
            sample.p50_secs,
            sample.p99_secs,
            sample.cores,
            if sustained { "" } else { ": too late" },
        ));
        let base = match (sustained, &best) {
            (true, _) => {
                best = Some((interval, sample));
                interval
            }
            (false, None) => break,
            (false, Some((base, _))) => {
                if refinements == 0 {
                    break;
                }
                refinements -= 1;
                factor = factor.sqrt();
                *base
            }
        };
        interval = base.div_f64(factor);
        if interval < SHORTEST {
            progress.say("throughput: still in time; more --canaries would tell how many more steps there could be");
            break;
        }
    }
    let mut figures = Figures::default();
    if let Some((interval, sample)) = best {
        figures.add("throughput: canaries", more.canaries as f64);
        figures.add("throughput: steps/s", sample.steps_per_sec);
        figures.add("throughput: interval ms", interval.as_secs_f64() * 1000.0);
        figures.add("throughput: lateness p50 ms", sample.p50_secs * 1000.0);
        figures.add("throughput: lateness p99 ms", sample.p99_secs * 1000.0);
        figures.add("throughput: cores, cluster and controller", sample.cores);
    }
    Ok(figures)
}

async fn measure(args: &Args, house: &House, interval: Duration) -> anyhow::Result<Sample> {
    probe::reset();
    let controller = Inside::start(house, wish(interval)).await?;
    // The first checks come all at once; three intervals let them spread out.
    sleep((interval * 3).clamp(Duration::from_secs(2), Duration::from_secs(15))).await;
    probe::take();
    let (begun, before) = (Instant::now(), usage::of(std::process::id())?);
    sleep(args.window.min(interval * 3).max(args.window / 4)).await;
    let mut late = probe::take();
    let (seconds, after) = (begun.elapsed().as_secs_f64(), usage::of(std::process::id())?);
    controller.stop().await;
    let steps = late.len() as f64;
    Ok(Sample {
        steps_per_sec: steps / seconds,
        // Without any step everything is later than could be waited for.
        p50_secs: quantile(&mut late, 0.5).unwrap_or(f64::INFINITY),
        p99_secs: quantile(&mut late, 0.99).unwrap_or(f64::INFINITY),
        cores: (after.cpu_secs - before.cpu_secs) / seconds,
    })
}

fn wish(interval_floor: Duration) -> Wish {
    Wish {
        interval_floor,
        outbound: outbound::scripted(|_| (Duration::ZERO, Ok(model::answer(200, &model::vector("100"))))),
        metrics: "http://metrics.example:9090".into(),
        step: probe::step,
    }
}
