//! One canary: owns its timer and its status, makes one step at a time, wakes early when something that it looked at changes.

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, ResponseFuture,
    SpawnHandle, WrapFuture,
};
use crds::Phase;
use engine::{ObjectRef, Settings, Step, objects::kinds, seam::Seen, step::Input};
use futures::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    caches::{Caches, Subscription},
    desk::Obituary,
    election::Claim,
    mail::{Bell, Mail},
    metrics::Query,
    notifier::Notifier,
    router::Router,
    series::Series,
    webhook::Call,
    world::World,
};

mod evidence;
mod memory;
mod mind;
mod owed;
mod round;
mod secrets;

use memory::Memory;
use round::Rest;

/// Steps that may follow each other without a pause, whatever wakes the canary: its timer, or the caches when someone else keeps
/// undoing what it writes. A run has at most three in a row (finish, aftermath, next look), an initialisation about ten.
const BURST: u32 = 20;
/// A further step may follow after this long: a fight over an object costs a write a second, not all that the API server gives.
const CALM_DOWN: Duration = Duration::from_secs(1);

/// What all canary actors share.
pub struct Tools {
    /// Tasks, clocks and chance.
    pub world: World,
    /// Settings of the controller.
    pub settings: Arc<Settings>,
    /// The watch caches.
    pub caches: Caches,
    /// Kubernetes reads and writes.
    pub router: Router,
    /// Hook calls.
    pub hooks: Mail<Call>,
    /// Metric queries.
    pub queries: Mail<Query>,
    /// Events and alerts.
    pub notifier: Notifier,
    /// `/metrics`.
    pub series: Arc<Series>,
    /// Whether this process may act.
    pub claim: Claim,
    /// The mind: `engine::step::step`, or a broken one in tests of the supervision.
    pub step: fn(Input<'_>) -> Step,
}

/// Look: something changed, or the time has come.
#[derive(Clone, Copy, Debug, Default, Message)]
#[rtype(result = "()")]
pub struct Look;

/// Show the state.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Snapshot")]
pub struct Observe;

/// End, after the step that is running; answered, or closed, when it has ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Retire {
    /// Whether the resource is gone: then its series go, too (W-61).
    pub gone: bool,
}

/// State of a canary actor, for people and tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// `<namespace>/<name>`.
    pub canary: String,
    /// Stored phase, as of the last step.
    pub phase: Phase,
    /// What the last step decided.
    pub verb: &'static str,
    /// And why.
    pub why: String,
    /// Checks that the last step judged.
    pub checks: Vec<engine::seam::Check>,
    /// Steps so far.
    pub steps: u64,
    /// Whether a step is running.
    pub stepping: bool,
    /// When the last step ended.
    pub ended: Option<Timestamp>,
    /// When it looks again at the latest.
    pub wake: Option<Timestamp>,
}

/// The actor of one canary.
pub struct CanaryActor {
    at: ObjectRef,
    tools: Arc<Tools>,
    /// Rung by the caches, by the timer, and by itself.
    bell: Bell<Look>,
    /// Keeps the bell tied to the caches.
    interest: Subscription,
    /// Lent to the step that is running.
    memory: Option<Memory>,
    /// Rung while a step was running.
    again: bool,
    retiring: Option<Retire>,
    /// Dropped with the actor, which tells those who wait for its end.
    farewells: Vec<oneshot::Sender<()>>,
    /// Steps that may still follow without a pause, as of `counted`.
    burst: u32,
    counted: Instant,
    timer: Option<SpawnHandle>,
    /// When the next step is due, by the last one's wish.
    due: Option<Instant>,
    obituary: Obituary,
    snapshot: Snapshot,
}

// === impl CanaryActor ===

impl CanaryActor {
    /// The actor of the canary `<namespace>/<name>`, to be started where canaries live.
    pub fn new(key: &str, tools: Arc<Tools>, obituary: Obituary, context: &mut Context<Self>) -> Self {
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        let bell = Bell::new(context.address().recipient());
        let ring = bell.clone();
        let interest = tools.caches.subscribe(Arc::new(move || ring.ring()));
        let counted = tools.world.instant();
        let receipt = bell.clone();
        let memory = Memory::new(tools.world.now(), Arc::new(move || receipt.ring()));
        Self {
            at: kinds::CANARY.named(namespace, name),
            tools,
            bell,
            interest,
            memory: Some(memory),
            again: false,
            retiring: None,
            farewells: Vec::new(),
            burst: BURST,
            counted,
            timer: None,
            due: None,
            obituary,
            snapshot: Snapshot {
                canary: key.to_owned(),
                ..Snapshot::default()
            },
        }
    }

    fn begin(&mut self, context: &mut Context<Self>) {
        if self.memory.is_none() {
            self.again = true;
            return;
        }
        if let Some(timer) = self.timer.take() {
            context.cancel_future(timer);
        }
        if !self.may_step() {
            self.begin_later(CALM_DOWN, context);
            return;
        }
        let Some(memory) = self.memory.take() else { return };
        self.measure_lateness();
        self.snapshot.stepping = true;
        let (tools, at) = (self.tools.clone(), self.at.clone());
        let step = AssertUnwindSafe(async move { round::make(&tools, &at, memory).await }).catch_unwind();
        context.spawn(
            step.into_actor(self)
                .map(|ended, actor, context| actor.end(ended, context)),
        );
    }

    fn end(&mut self, ended: Result<(Memory, Rest), Box<dyn Any + Send>>, context: &mut Context<Self>) {
        self.snapshot.stepping = false;
        self.snapshot.steps += 1;
        self.snapshot.ended = Some(self.tools.world.now());
        let (memory, rest) = match ended {
            Ok(ended) => ended,
            // A state that panicked is never used again: the supervisor makes a fresh actor from what is stored.
            Err(panic) => {
                self.obituary.because(reason(&*panic));
                context.stop();
                return;
            }
        };
        self.memory = Some(memory);
        self.snapshot.phase = rest.phase;
        self.snapshot.verb = rest.decision.verb;
        self.snapshot.why = rest.decision.why;
        self.snapshot.checks = rest.decision.checks;
        self.snapshot.wake = rest.wake;
        self.interest.set_interest(&rest.looks);
        if let Some(retire) = self.retiring {
            self.leave(retire, context);
            return;
        }
        if std::mem::take(&mut self.again) {
            self.bell.ring();
        }
        self.set_timer(rest.wake, rest.begun, context);
    }

    /// Take one step of the burst, which grows again by one every [`CALM_DOWN`].
    fn may_step(&mut self) -> bool {
        let now = self.tools.world.instant();
        let pauses = now.duration_since(self.counted).as_secs() / CALM_DOWN.as_secs();
        if pauses > 0 {
            let more = u32::try_from(pauses).unwrap_or(u32::MAX);
            self.burst = self.burst.saturating_add(more).min(BURST);
            self.counted = now;
        }
        let may = self.burst > 0;
        self.burst = self.burst.saturating_sub(1);
        may
    }

    /// Wake when the step that began then wishes.
    fn set_timer(&mut self, wake: Option<Timestamp>, begun: Timestamp, context: &mut Context<Self>) {
        let Some(wake) = wake else { return };
        let until = wake.duration_since(self.tools.world.now());
        let now = self.tools.world.instant();
        self.due = match Duration::try_from(until) {
            Ok(until) => now.checked_add(until),
            // It passed while the step was at work, so the next one is late already; unless it only said: go on at once.
            Err(_) if wake > begun => now.checked_sub(until.unsigned_abs()),
            Err(_) => Some(now),
        };
        self.begin_later(Duration::try_from(until).unwrap_or(Duration::ZERO), context);
    }

    /// A step starts. If it was due, say how late it is; if a change woke it earlier, it has no due time.
    fn measure_lateness(&mut self) {
        let now = self.tools.world.instant();
        if let Some(due) = self.due.take().filter(|due| *due <= now) {
            self.tools.series.late(now.duration_since(due).as_secs_f64());
        }
    }

    fn begin_later(&mut self, pause: Duration, context: &mut Context<Self>) {
        self.timer = Some(context.run_later(pause, |actor, context| {
            actor.timer = None;
            actor.begin(context);
        }));
    }

    fn leave(&mut self, retire: Retire, context: &mut Context<Self>) {
        // A Canary that was made again meanwhile has an actor of its own, and series.
        let is_back = matches!(self.tools.caches.object(&self.at), Seen::Present(_));
        if retire.gone && !is_back {
            self.tools.series.remove(&self.at.namespace, &self.at.name);
        }
        self.obituary.disarm();
        context.stop();
    }
}

impl Actor for CanaryActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.begin(context);
    }
}

impl Handler<Look> for CanaryActor {
    type Result = ();

    fn handle(&mut self, _: Look, context: &mut Self::Context) {
        self.bell.heard();
        self.begin(context);
    }
}

impl Handler<Observe> for CanaryActor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.snapshot.clone())
    }
}

impl Handler<Retire> for CanaryActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, retire: Retire, context: &mut Self::Context) -> Self::Result {
        self.retiring = Some(retire);
        if self.memory.is_some() {
            self.leave(retire, context);
            return Box::pin(async {});
        }
        let (farewell, gone) = oneshot::channel();
        self.farewells.push(farewell);
        Box::pin(async move {
            gone.await.ok();
        })
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".into())
}
