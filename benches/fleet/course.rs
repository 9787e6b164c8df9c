//! The course of a fleet's life: initialise, idle, roll out, restart. The same for every controller and every cluster.

use actors::outbound;
use anyhow::Context;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};

use super::{
    args::Args,
    figures::{self, Counts, Figures, Histogram},
    fleet::Fleet,
    objects::Analysis,
    observer::Observer,
    outside::Outside,
    place::Place,
    progress::Progress,
    requests::Requests,
    subject::{Inside, Process, Subject, Wish},
    usage::{self, Usage},
};

/// Longest wait for a phase of the whole fleet: six times what a peer needs.
const PATIENCE: Duration = Duration::from_mins(20);
/// No request for this long counts as rest, watches aside.
const QUIET: Duration = Duration::from_secs(5);
/// A controller that asks all the time never rests: it is measured after this time.
const REST_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(250);

/// One run of the course.
pub(crate) struct Course<'c> {
    pub(crate) args: &'c Args,
    pub(crate) place: &'c Place,
    pub(crate) outside: &'c Outside,
    pub(crate) progress: &'c Progress,
}

/// The state of the counters at one moment.
struct Mark {
    at: Instant,
    counts: Counts,
    usage: Usage,
    machine_secs: f64,
    parts: Parts,
    lateness: Option<Histogram>,
}

// === impl Course ===

impl Course<'_> {
    /// Run it once.
    pub(crate) async fn run(&self) -> anyhow::Result<Figures> {
        let (args, progress) = (self.args, self.progress);
        let mut figures = Figures::default();
        let fleet = Fleet::new(self.place.client(), args.canaries, args.namespaces);
        progress.say("creating the applications");
        fleet.deploy(progress).await?;
        fleet.watch_over(args.interval, Analysis::Weights, |_, _| {}).await?;
        let observer = Observer::start(self.place.client());
        let mut requests = self.place.requests()?;

        let subject = self.initialise(&observer, &mut requests, &mut figures).await?;
        let told = self.tell(&figures, 0);
        self.idle("idle", &subject, &mut requests, &mut figures).await?;
        let told = self.tell(&figures, told);
        self.roll_out(&fleet, &observer, &subject, &mut requests, &mut figures)
            .await?;
        let told = self.tell(&figures, told);
        let subject = self.restart(subject, &observer, &mut requests, &mut figures).await?;
        self.tell(&figures, told);
        subject.stop().await?;
        Ok(figures)
    }

    /// Show the figures of a phase at its end: a later one may fail.
    fn tell(&self, figures: &Figures, told: usize) -> usize {
        self.progress.say(&format!("measured{}", figures.lines_from(told)));
        figures.count()
    }

    async fn start(&self) -> anyhow::Result<Subject> {
        let metrics = self.outside.url("");
        Ok(match self.place {
            Place::Real(lab) => Subject::Process(Process::start(self.args, lab, &metrics).await?),
            Place::Sandbox(house) => Subject::Inside(
                Inside::start(
                    house,
                    Wish {
                        interval_floor: self.args.interval,
                        outbound: outbound::production(),
                        metrics,
                        step: engine::step::step,
                    },
                )
                .await?,
            ),
        })
    }

    /// From the start of the process until every canary is initialised.
    async fn initialise(
        &self,
        observer: &Observer,
        requests: &mut Requests,
        figures: &mut Figures,
    ) -> anyhow::Result<Subject> {
        self.progress.say("initialise: the controller starts");
        let (begun, busy, parts) = (Instant::now(), usage::machine_busy_secs(), usage::of_parts());
        let before = requests.counts()?;
        let own = usage::of(std::process::id())?;
        let subject = self.start().await?;
        let all = self.args.canaries;
        let is_so = |status: &super::observer::Status| status.phase == "Initialized";
        observer
            .until("canaries are initialised", all, PATIENCE, self.progress, is_so)
            .await?;
        let seconds = begun.elapsed().as_secs_f64();
        let counts = figures::since(&requests.counts()?, &before);
        let usage = subject.usage()?;
        figures.add("initialise: seconds", seconds);
        figures.add(
            "initialise: API requests per canary",
            figures::total(&counts) as f64 / all as f64,
        );
        // A controller inside of this process has not begun at zero: earlier runs were in it, too.
        let earlier = if subject.is_inside() { own.cpu_secs } else { 0.0 };
        figures.add("initialise: core", (usage.cpu_secs - earlier) / seconds);
        figures.add("initialise: peak MiB", usage.peak_mib);
        figures.add(
            "initialise: cores busy, all processes",
            (usage::machine_busy_secs() - busy) / seconds,
        );
        add_parts(figures, "initialise", &parts, &usage::of_parts(), seconds);
        Ok(subject)
    }

    /// Nothing happens.
    async fn idle(
        &self,
        name: &str,
        subject: &Subject,
        requests: &mut Requests,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        self.progress.say(&format!(
            "{name}: waiting for rest, then measuring {} s",
            self.args.window.as_secs()
        ));
        until_rest(requests).await?;
        let before = Mark::take(subject, requests).await?;
        sleep(self.args.window).await;
        let after = Mark::take(subject, requests).await?;
        let seconds = after.seconds_since(&before);
        figures.add_rates(name, &figures::since(&after.counts, &before.counts), seconds);
        figures.add(format!("{name}: core"), after.cores_since(&before));
        figures.add(format!("{name}: MiB"), after.usage.rss_mib);
        figures.add(
            format!("{name}: cores busy, all processes"),
            after.machine_since(&before),
        );
        Ok(())
    }

    /// All applications get another version at once.
    async fn roll_out(
        &self,
        fleet: &Fleet,
        observer: &Observer,
        subject: &Subject,
        requests: &mut Requests,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let (args, all) = (self.args, self.args.canaries);
        self.progress.say("roll-out: all applications get a new version");
        subject.reset_peak();
        observer.forget();
        let before = Mark::take(subject, requests).await?;
        fleet.release("2").await?;
        figures.add(
            "roll-out: seconds until all were changed",
            before.at.elapsed().as_secs_f64(),
        );
        let is_so = |status: &super::observer::Status| status.phase == "Succeeded" || status.phase == "Failed";
        observer
            .until("canaries have ended", all, PATIENCE, self.progress, is_so)
            .await?;
        let after = Mark::take(subject, requests).await?;
        let seconds = after.seconds_since(&before);
        let counts = figures::since(&after.counts, &before.counts);
        let pace = observer.pace(args.interval);
        figures.add("roll-out: seconds", seconds);
        figures.add(
            "roll-out: canaries that failed",
            observer.count(|status| status.phase == "Failed") as f64,
        );
        if let Some(steps) = pace.steps {
            figures.add("roll-out: steps", steps);
            figures.add(
                "roll-out: seconds / (interval x steps)",
                seconds / (args.interval.as_secs_f64() * steps),
            );
        }
        figures.add(
            "roll-out: API requests per canary",
            figures::total(&counts) as f64 / all as f64,
        );
        figures.add_rates("roll-out", &counts, seconds);
        figures.add("roll-out: core", after.cores_since(&before));
        figures.add("roll-out: peak MiB", after.usage.peak_mib);
        figures.add("roll-out: cores busy, all processes", after.machine_since(&before));
        after.add_parts(figures, "roll-out", &before);
        if let (Some(after), Some(before)) = (&after.lateness, &before.lateness) {
            let lateness = after.since(before);
            figures.add("roll-out: steps that were due", lateness.count());
            figures.add_some("roll-out: lateness p50 ms", lateness.quantile(0.5).map(milli));
            figures.add_some("roll-out: lateness p99 ms", lateness.quantile(0.99).map(milli));
        }
        figures.add_some("roll-out: gap p50 ms", pace.gap_p50.map(milli));
        figures.add_some("roll-out: gap p99 ms", pace.gap_p99.map(milli));
        Ok(())
    }

    /// Stop and start. Nothing has changed, so nothing may be released.
    async fn restart(
        &self,
        subject: Subject,
        observer: &Observer,
        requests: &mut Requests,
        figures: &mut Figures,
    ) -> anyhow::Result<Subject> {
        until_rest(requests).await?;
        figures.add("after: MiB", subject.usage()?.rss_mib);
        self.progress.say("restart: SIGTERM");
        observer.forget();
        let before = requests.counts()?;
        let begun = Instant::now();
        subject.stop().await?;
        figures.add("restart: seconds to stop", begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let subject = self.start().await?;
        figures.add("restart: seconds until ready", begun.elapsed().as_secs_f64());
        until_rest(requests).await.context("after the restart")?;
        let counts = figures::since(&requests.counts()?, &before);
        figures.add("restart: API requests", figures::total(&counts) as f64);
        figures.add("restart: MiB", subject.usage()?.rss_mib);
        figures.add("restart: changes of a status", observer.changes() as f64);
        Ok(subject)
    }
}

// === impl Mark ===

impl Mark {
    async fn take(subject: &Subject, requests: &mut Requests) -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            counts: requests.counts()?,
            usage: subject.usage()?,
            machine_secs: usage::machine_busy_secs(),
            parts: usage::of_parts(),
            lateness: subject.lateness().await?,
        })
    }

    fn seconds_since(&self, before: &Self) -> f64 {
        self.at.duration_since(before.at).as_secs_f64()
    }

    fn cores_since(&self, before: &Self) -> f64 {
        (self.usage.cpu_secs - before.usage.cpu_secs) / self.seconds_since(before)
    }

    /// Cores that the parts of the control plane kept busy.
    fn add_parts(&self, figures: &mut Figures, phase: &str, before: &Self) {
        add_parts(figures, phase, &before.parts, &self.parts, self.seconds_since(before));
    }

    fn machine_since(&self, before: &Self) -> f64 {
        (self.machine_secs - before.machine_secs) / self.seconds_since(before)
    }
}

type Parts = BTreeMap<&'static str, f64>;

fn add_parts(figures: &mut Figures, phase: &str, before: &Parts, after: &Parts, seconds: f64) {
    for (part, secs) in after {
        let spent = secs - before.get(part).copied().unwrap_or_default();
        figures.add(format!("{phase}: core of {part}"), spent / seconds);
    }
}

fn milli(seconds: f64) -> f64 {
    seconds * 1000.0
}

/// Wait until no request but watches comes any more, or until it is clear that they never end.
async fn until_rest(requests: &mut Requests) -> anyhow::Result<()> {
    let without_watches = |counts: &Counts| figures::total(counts) - counts.get("watch").copied().unwrap_or_default();
    let begun = Instant::now();
    let mut last = without_watches(&requests.counts()?);
    let mut since = Instant::now();
    while since.elapsed() < QUIET && begun.elapsed() < REST_MAX {
        sleep(LOOK).await;
        let now = without_watches(&requests.counts()?);
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(())
}
