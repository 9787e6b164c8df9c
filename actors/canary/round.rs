//! One step, from looking to sleeping: call the mind, do what it says, call it again with what came of it.

use crds::{Canary, Phase, decode::Unreadable, legacy::Translation};
use engine::{
    Ask, Done, Event, ObjectRef, Outcome, Step, Write, configs,
    invariants::{self, Violation},
    objects::{kinds, resource_version},
    seam::{Act, Alert, Decision, Measure, Trouble},
    step::refused,
};
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

use super::{Memory, Tools, evidence::Evidence, owed, secrets::Secrets};
use crate::{
    caches::{Mark, Pins},
    events::{Decided, Violated},
    mail::Seat,
    metrics::Query,
    notifier::Notify,
    router::{self, Apply},
    webhook::Call,
};

/// Calls of the mind in one step: 100 hooks and 20 groups of writes and questions are far more than any canary has.
const ROUNDS_MAX: usize = 120;

/// How a step left the canary.
pub(super) struct Rest {
    /// When the step began.
    pub(super) begun: Timestamp,
    pub(super) phase: Phase,
    pub(super) decision: Decision,
    pub(super) wake: Option<Timestamp>,
    pub(super) looks: BTreeMap<ObjectRef, Mark>,
}

/// The parts of one step.
pub(super) struct Round<'t> {
    pub(super) tools: &'t Tools,
    pub(super) at: &'t ObjectRef,
    pub(super) memory: Memory,
    pub(super) pins: Pins,
    pub(super) now: Timestamp,
    pub(super) entropy: u64,
}

/// Make one step.
pub(super) async fn make(tools: &Tools, at: &ObjectRef, memory: Memory) -> (Memory, Rest) {
    let (now, entropy) = (tools.world.now(), tools.world.chance());
    let mut round = Round {
        tools,
        at,
        memory,
        pins: Pins::default(),
        now,
        entropy,
    };
    let begun = tools.world.instant();
    let (phase, done) = round.run().await;
    let seconds = tools.world.instant().duration_since(begun).as_secs_f64();
    tools.series.stepped(done.decision.verb, seconds);
    let rest = Rest {
        begun: round.now,
        phase,
        decision: done.decision,
        wake: done.wake,
        looks: round.pins.looks(),
    };
    round.memory.overlay.prune(&tools.caches);
    (round.memory, rest)
}

// === impl Round ===

impl Round<'_> {
    async fn run(&mut self) -> (Phase, Done) {
        if !self.tools.claim.is_current(self.tools.world.instant()) {
            return (Phase::New, self.later("not-leader", "another replica acts"));
        }
        let Some(raw) = self.look_at_canary() else {
            return (
                Phase::New,
                Done {
                    decision: decision("gone", "the canary is not there"),
                    ..Done::default()
                },
            );
        };
        match crds::decode::canary(&raw) {
            Ok((canary, legacy)) => {
                drop(raw);
                self.decide(Box::new(canary), &legacy).await
            }
            Err(unreadable) => self.refuse(&raw, &unreadable).await,
        }
    }

    /// Tell the owner of an object that cannot be read; its metadata and status usually can.
    async fn refuse(&mut self, raw: &Value, unreadable: &Unreadable) -> (Phase, Done) {
        let mut canary = Box::new(self.bare(raw));
        // Its deletion needs no more than the target's name; without that, only our finalizer goes (W-44).
        if canary.metadata.deletion_timestamp.is_some() {
            return self.decide(canary, &[]).await;
        }
        let refusal = |round: &Self| refused(round.input(&canary, &[], &[], &round.view()), unreadable);
        match self.consult(refusal).await {
            Ok(done) => self.finish(&mut canary, done).await,
            Err(later) => (Phase::New, later),
        }
    }

    async fn decide(&mut self, mut canary: Box<Canary>, legacy: &[Translation]) -> (Phase, Done) {
        let owed = self.memory.owed.found(canary.status.as_ref());
        self.notify(&canary, Vec::new(), owed).await;
        let mut evidence = Evidence::default();
        let mut seat = None;
        let mut first: Option<Done> = None;
        for _ in 0..ROUNDS_MAX {
            let step = match self.consult(|round| round.ask_mind(&canary, legacy, &evidence)).await {
                Ok((step, violations)) => {
                    self.report(&canary, &violations);
                    step
                }
                Err(later) => return (Phase::New, later),
            };
            match step {
                Step::Ask(asks) => evidence.add(self.answer(&asks).await),
                Step::Do { writes, .. } => {
                    seat = seat.or_else(|| self.tools.router.free_seat());
                    if seat.is_some() {
                        evidence.add(self.apply(seat.take(), writes).await);
                        continue;
                    }
                    // A thousand canaries may wait here. None keeps its writes in hand: the mind gives the same ones again.
                    drop(writes);
                    seat = self.tools.router.seat().await;
                    if seat.is_none() {
                        return (Phase::New, self.later("stopping", "the process is about to end"));
                    }
                }
                Step::Done(done) => {
                    drop(std::mem::take(&mut evidence));
                    let (phase, done) = self.finish(&mut canary, *done).await;
                    let ending = done.aftermath;
                    let first = first.get_or_insert(done);
                    let Some(ending) = ending else {
                        return (phase, std::mem::take(first));
                    };
                    evidence.add(vec![Outcome::Ended(ending)]);
                }
            }
        }
        (Phase::New, self.later("endless", "the step did not come to an end"))
    }

    /// Count and log what must never be. Nothing is stopped by it: the mind is what was tested, the check is its alarm.
    fn report<'v>(&self, canary: &Canary, violations: impl IntoIterator<Item = &'v Violation>) {
        for violation in violations {
            self.tools.series.violated(violation.id);
            Violated { canary, violation }.emit();
        }
    }

    /// Answer all questions at once.
    async fn answer(&mut self, asks: &[Ask]) -> Vec<Outcome> {
        let (tools, secrets) = (self.tools, &self.memory.secrets);
        let outcomes = join_all(asks.iter().map(|ask| async move {
            let begun = tools.world.instant();
            let answer = match ask {
                Ask::Read(of) => return Outcome::Read(read(tools, secrets, of).await),
                Ask::Hook(call) => sent(tools.hooks.send(Call(call.clone())).await),
                Ask::Query(request) => sent(tools.queries.send(Query::from(request.clone())).await),
                Ask::Inquire(question) => sent(tools.queries.send(Query((**question).clone())).await),
            };
            let seconds = tools.world.instant().duration_since(begun).as_secs_f64();
            tools.series.asked(ask, &answer, seconds);
            Outcome::Answer(answer)
        }))
        .await;
        for (ask, outcome) in asks.iter().zip(&outcomes) {
            if let (Ask::Read(of), Outcome::Read(Ok(Some(object)))) = (ask, outcome) {
                self.remember(of, object);
                self.memory.secrets.remember(of, object);
            }
        }
        outcomes
    }

    /// Keep the checksum of a config, so that its data is read again only when it has changed.
    fn remember(&mut self, of: &ObjectRef, object: &Value) {
        if [kinds::CONFIG_MAP, kinds::SECRET].contains(&of.kind) {
            let version = resource_version(object).to_owned();
            let digest = configs::digest(object);
            self.memory.digests.remember(of.clone(), version, digest);
        }
    }

    async fn apply(&mut self, seat: Option<Seat<Apply>>, writes: Vec<Write>) -> Vec<Outcome> {
        let results = router::apply(seat, writes.clone()).await;
        for (write, result) in writes.iter().zip(&results) {
            if let Ok(object) = result {
                self.memory.overlay.record(&self.tools.caches, write, object);
            }
        }
        results.into_iter().map(Outcome::Wrote).collect()
    }

    /// Save the status, then tell. What could not be saved is not told: the next step does it again.
    async fn finish(&mut self, canary: &mut Box<Canary>, mut done: Done) -> (Phase, Done) {
        let before = canary.status.as_ref().map_or(Phase::New, |status| status.phase);
        let mut entered = None;
        self.memory.explain(&mut done);
        if let Some(mut status) = done.status.take() {
            let is_heard = owed::has_receivers(canary, &self.tools.settings);
            let alerts = if is_heard { done.alerts.as_slice() } else { &[] };
            self.memory.owed.note(&mut status, alerts, self.now);
            match self.tools.router.save(canary.clone(), Box::new(status.clone())).await {
                Ok(saved) => self.saved(&saved),
                Err(trouble) => return (before, self.later("unsaved", &trouble.to_string())),
            }
            // What is stored now; a measure of the step may show the phase that it began in. The series carry the target's name, which
            // a Canary that cannot be read may not have.
            let named = !canary.spec.target_ref.name.is_empty();
            entered = named.then_some(Measure::Status(status.phase));
            canary.status = Some(status);
        } else {
            self.settle(canary).await;
        }
        if done.checked {
            self.memory.last_check = Some(self.now);
            let seconds = self.tools.world.now().duration_since(self.now).as_secs_f64();
            self.tools.series.checked(canary, seconds);
        }
        self.tools.series.judged(canary, &done.decision.checks);
        for measure in done.measures.iter().chain(&entered) {
            self.tools.series.apply(canary, measure);
        }
        self.report(canary, &invariants::overdue(canary, Some(self.memory.born), self.now));
        self.tell(canary, &mut done).await;
        (canary.status.as_ref().map_or(Phase::New, |status| status.phase), done)
    }

    /// Take away what was owed, once it is delivered. If that fails, the next step tries again, or the next status write does it.
    async fn settle(&mut self, canary: &mut Box<Canary>) {
        let Some(status) = self.memory.owed.cleared(canary.status.as_ref()) else {
            return;
        };
        if let Ok(saved) = self.tools.router.save(canary.clone(), Box::new(status.clone())).await {
            self.record(&saved);
            canary.status = Some(status);
        }
    }

    fn saved(&mut self, saved: &Value) {
        self.record(saved);
        self.memory.forget_told();
    }

    fn record(&mut self, saved: &Value) {
        let version = resource_version(saved).to_owned();
        let write = Write {
            object: self.at.clone(),
            act: Act::Merge {
                patch: Value::Null,
                resource_version: version,
                generation: None,
            },
        };
        self.memory
            .overlay
            .record(&self.tools.caches, &write, &Arc::new(saved.clone()));
    }

    async fn tell(&mut self, canary: &Canary, done: &mut Done) {
        Decided {
            canary,
            decision: &done.decision,
        }
        .emit();
        if done.events.is_empty() && done.decision.verb == "idle" {
            // All is well again: should the same go wrong once more, that is news.
            self.memory.forget_told();
        }
        let events = self.memory.unsaid(std::mem::take(&mut done.events));
        let alerts = std::mem::take(&mut done.alerts);
        self.notify(canary, events, alerts).await;
    }

    async fn notify(&mut self, canary: &Canary, events: Vec<Event>, alerts: Vec<Alert>) {
        if events.is_empty() && alerts.is_empty() {
            return;
        }
        let receipt = (!alerts.is_empty()).then(|| self.memory.owed.give(alerts.clone()));
        let notify = Notify {
            canary: Arc::new(canary.clone()),
            events,
            alerts,
            receipt,
            at: self.tools.world.now(),
        };
        // A notifier that is gone means that the process ends.
        self.tools.notifier.notify.send(notify).await.ok();
    }
}

pub(super) fn decision(verb: &'static str, why: &str) -> Decision {
    Decision {
        verb,
        why: why.to_owned(),
        checks: Vec::new(),
    }
}

/// The object as it is on the API server; a Secret that has not changed since it was read is not read again (AN-16).
async fn read(tools: &Tools, secrets: &Secrets, of: &ObjectRef) -> Result<Option<Arc<Value>>, Trouble> {
    match secrets.get(&tools.caches, of) {
        Some(known) => Ok(Some(known)),
        None => tools.router.read(of.clone()).await,
    }
}

/// An answer through a pool; a pool that is gone answers nothing.
fn sent<T>(answer: Result<Result<T, Trouble>, crate::mail::Undelivered>) -> Result<T, Trouble> {
    answer.unwrap_or_else(|gone| Err(Trouble::Unavailable(gone.to_string())))
}
