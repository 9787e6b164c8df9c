//! Our own generator (LT-18): HTTP/1.1, HTTP/2 and gRPC, with results of the same meaning as hey's. A latency goes from the start of a
//! request to the end of its answer; a request that was sent later than it should have been is not corrected for.

use actors::world::World;
use futures::future::join_all;
use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::Instant;

use crate::companion::brake::Stop;
use plan::Plan;
use report::Report;
use request::Sender;

mod grpc;
pub(super) mod plan;
pub(super) mod report;
mod request;

/// Told of each request while the load runs: the code of its answer, or `error`, and how long it took.
pub(super) type Observer<'o> = &'o (dyn Fn(&str, Duration) + Send + Sync);

/// Make load until the plan is fulfilled, the brake is pulled or the time is over.
pub(super) async fn run(world: &World, plan: &Plan, limit: Duration, mut stop: Stop, observe: Observer<'_>) -> Report {
    let report = Mutex::new(Report::new(plan.timeout));
    let begun = world.instant();
    let mut senders = Vec::new();
    for _ in 0..plan.connections {
        match Sender::new(plan) {
            Ok(sender) => senders.push(sender),
            Err(error) => {
                report.lock().failed(error, Duration::ZERO);
                return report.into_inner();
            }
        }
    }
    let pace = Pace {
        world,
        plan,
        until: begun + plan.duration.map_or(limit, |duration| duration.min(limit)),
        begun,
        sent: AtomicU64::new(0),
    };
    let work = join_all(
        senders
            .iter()
            .zip(0..)
            .map(|(sender, at)| pace.drive(at, sender, &report, observe)),
    );
    tokio::select! {
        _ = work => {}
        why = stop.pulled() => report.lock().stopped = Some(why),
        () = world.sleep(limit + plan.timeout) => {}
    }
    let mut report = report.into_inner();
    report.took = world.instant() - begun;
    report
}

/// When requests are sent.
struct Pace<'p> {
    world: &'p World,
    plan: &'p Plan,
    begun: Instant,
    until: Instant,
    sent: AtomicU64,
}

// === impl Pace ===

impl Pace<'_> {
    /// One connection: a request after the other, each at its time or as soon as it can.
    async fn drive(&self, at: u32, sender: &Sender, report: &Mutex<Report>, observe: Observer<'_>) {
        let period = self
            .plan
            .rate
            .map(|rate| Duration::from_secs_f64(f64::from(self.plan.connections) / rate));
        let offset = period.map_or(Duration::ZERO, |period| period * at / self.plan.connections);
        let mut next = self.begun + offset;
        loop {
            if period.is_some() {
                let now = self.world.instant();
                if next >= self.until {
                    return;
                }
                self.world.sleep(next.saturating_duration_since(now)).await;
            }
            let begun = self.world.instant();
            if begun >= self.until || self.sent.fetch_add(1, Ordering::Relaxed) >= self.plan.requests {
                return;
            }
            let answer = sender.send().await;
            let took = self.world.instant() - begun;
            observe(answer.as_ref().map_or("error", |answer| &answer.code), took);
            match answer {
                Ok(answer) => report.lock().answered(&answer, took),
                Err(error) => report.lock().failed(error, took),
            }
            if let Some(period) = period {
                // A beat that was missed is left out, as with hey: late requests are not sent in a bunch.
                next += period;
                let now = self.world.instant();
                while next + period <= now {
                    next += period;
                }
            } else {
                // Without a rate a fast server would keep this from ever seeing its brake.
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
