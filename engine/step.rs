//! The rollout state machine: one pure function.
//!
//! [`step`] is called again and again over the same view with a longer list of outcomes, until it says [`Step::Done`]. It reads
//! top-down like the table in controller.md 3.1: every line of `run` either lets the step go on or ends it.

use crds::{Canary, Phase, legacy::Translation};
use jiff::Timestamp;

use crate::{
    Settings,
    seam::{Done, Outcome, Step, View},
};

mod addresses;
mod aftermath;
mod analysis;
mod begin;
mod configs;
mod context;
mod ensure;
mod gates;
mod lost;
mod obstacle;
mod outage;
mod pods;
mod prepare;
mod promote;
mod providers;
mod queries;
mod rollback;
mod rollout;
mod route;
mod scaler;
mod share;
mod strategy;
mod terminate;
mod texts;

use context::{Cx, Flow, Pause};
pub use prepare::refused;

/// All that a step is told. Only the status and the objects in the cluster survive from one step to the next; `last_check` may be
/// lost (after a restart), then the status' own time stands in for it.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The Canary, own status writes included.
    pub canary: &'a Canary,
    /// What had to be translated from an older form of the resource.
    pub legacy: &'a [Translation],
    /// The cluster, as the caches have it. Must be stable during one step.
    pub view: &'a dyn View,
    /// The process' settings.
    pub settings: &'a Settings,
    /// Outcomes of what this step has asked for and done so far, in order.
    pub evidence: &'a [Outcome],
    /// When the last check was made, if this process made it.
    pub last_check: Option<Timestamp>,
    /// Since when this process has looked after the canary: while nobody did, nobody was late.
    pub watched_since: Option<Timestamp>,
    /// The time; the same at every replay of one step.
    pub now: Timestamp,
    /// Chance; the same at every replay of one step.
    pub entropy: u64,
}

/// Decide what comes next for one canary.
pub fn step(input: Input<'_>) -> Step {
    let mut cx = Cx::new(input);
    match run(&mut cx) {
        Ok(done) => Step::Done(Box::new(cx.close(done))),
        Err(Pause::End(done)) => Step::Done(Box::new(cx.close(*done))),
        Err(Pause::Ask(asks)) => Step::Ask(asks),
        Err(Pause::Do(writes)) => Step::Do {
            writes,
            checks: cx.into_checks(),
        },
    }
}

fn run(cx: &mut Cx<'_>) -> Flow<Done> {
    if let Some(Outcome::Ended(ending)) = cx.evidence.first() {
        return aftermath::tell(cx, *ending);
    }
    terminate::when_deleted(cx)?;
    prepare::refuse_what_cannot_work(cx)?;
    prepare::register(cx)?;
    prepare::keep_finalizer(cx)?;
    prepare::hold_while_suspended(cx)?;

    let target = ensure::target(cx)?;
    prepare::tell_unusable_metric(cx)?;
    let release = &mut ensure::objects(cx, target)?;
    match cx.phase {
        Phase::New | Phase::Initializing => begin::initialized(cx, release),
        Phase::Failed if cx.is_bootstrapping() => begin::initialized(cx, release),
        Phase::Initialized | Phase::Succeeded | Phase::Failed => begin::idle(cx, release),
        Phase::Waiting => begin::waiting(cx, release),
        Phase::Progressing | Phase::WaitingPromotion => rollout::advance(cx, release),
        Phase::Promoting => promote::promoting(cx, release),
        Phase::Finalising => promote::finalising(cx, release),
        Phase::Terminating | Phase::Terminated => Ok(cx.idle("the canary is being deleted")),
    }
}

#[cfg(test)]
mod tests;
