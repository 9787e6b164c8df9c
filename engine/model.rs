//! A cluster in miniature, for running the state machine offline: in tests, in the exhaustive check, in benches.
//!
//! It keeps objects and versions, plays the Deployment controller, and answers hooks and queries from functions. Time moves only when it is told to.

use crds::{Canary, Phase, legacy::Translation};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    ObjectRef, Settings,
    configs::Digest,
    http::Request,
    invariants::{self, Violation},
    json::{merge, set},
    objects::{Kind, kinds},
    seam::{Alert, Ask, Done, Event, HookCall, Outcome, Seen, Step, Trouble, View, Write},
    step::{Input, step},
};

mod deployments;
mod fork;
mod trajectory;
mod writes;

/// More rounds than any step needs: a step with 20 hooks, 20 metrics and 5 groups of writes takes 50.
const ROUNDS_MAX: usize = 100;

/// What answers a hook or a query.
pub type Answers<Q> = Box<dyn FnMut(&Canary, &Q) -> Result<crate::http::Response, Trouble>>;

/// What may go wrong with a write.
pub type Fault = Box<dyn FnMut(&Write) -> Result<(), Trouble>>;

/// The miniature cluster with one canary in it.
pub struct Model {
    objects: BTreeMap<ObjectRef, Arc<Value>>,
    version: u64,
    /// The time.
    pub now: Timestamp,
    /// Settings of the controller.
    pub settings: Settings,
    /// Where the Canary is.
    pub canary_at: ObjectRef,
    /// Answers hooks.
    pub hooks: Answers<HookCall>,
    /// Answers queries.
    pub queries: Answers<Request>,
    /// Asked before each write; `Err` makes it fail.
    pub fault: Fault,
    /// Asked after each write; `Err` is what the controller hears, although the write is made.
    pub answer_fault: Fault,
    /// What the caches show in the next step, where they are behind: the Canary itself is always as it is.
    pub stale: Option<BTreeMap<ObjectRef, Arc<Value>>>,
    /// Writes that were made, in order; status writes are not among them.
    pub written: Vec<Write>,
    /// When the last check was made.
    pub last_check: Option<Timestamp>,
    /// Since when the controller runs, if that matters.
    pub watched_since: Option<Timestamp>,
    /// Kinds that are not installed.
    uninstalled: BTreeSet<Kind>,
    /// Writes so far, status writes included.
    pub writes: usize,
    /// After this many writes the controller stops dead.
    pub stop_after: Option<usize>,
    /// Events told so far.
    pub events: Vec<Event>,
    /// Alerts told so far.
    pub alerts: Vec<Alert>,
    /// `phase primary/canary failedChecks iterations` after each step that changed one of them.
    pub trajectory: Vec<String>,
    /// `verb: why` of each step.
    pub decisions: Vec<String>,
    /// Invariants broken so far.
    pub violations: Vec<Violation>,
    /// Whether the trajectory is kept; forks keep none, as looking at every state is most of their cost.
    keeps_trajectory: bool,
}

/// How a step ended.
#[derive(Debug, PartialEq)]
pub enum End {
    /// It came to its end.
    Done(Box<Done>),
    /// The controller was stopped in the middle of it.
    Stopped,
}

/// The cluster as it was when a step began.
struct Pinned(BTreeMap<ObjectRef, Arc<Value>>, BTreeSet<Kind>);

impl View for Pinned {
    fn object(&self, of: &ObjectRef) -> Seen {
        if self.1.contains(&of.kind) {
            return Seen::NoSuchKind;
        }
        self.0
            .get(of)
            .map_or(Seen::Absent, |object| Seen::Present(object.clone()))
    }

    fn digest(&self, _: &ObjectRef, _: &str) -> Option<Digest> {
        None
    }
}

// === impl Model ===

impl Model {
    /// A cluster with these objects and this Canary.
    pub fn new(now: Timestamp, canary: &Value, objects: impl IntoIterator<Item = (ObjectRef, Value)>) -> Self {
        let text = |path: &str| canary["metadata"][path].as_str().unwrap_or_default().to_owned();
        let canary_at = kinds::CANARY.named(&text("namespace"), &text("name"));
        let mut model = Self::empty(now, canary_at.clone());
        model.put(canary_at, canary.clone());
        for (at, object) in objects {
            model.put(at, object);
        }
        model
    }

    /// Nothing in it, and every answer is good.
    fn empty(now: Timestamp, canary_at: ObjectRef) -> Self {
        Self {
            objects: BTreeMap::new(),
            version: 0,
            now,
            settings: Settings::default(),
            canary_at,
            hooks: Box::new(|_, _| Ok(answer(200, ""))),
            queries: Box::new(|_, _| Ok(answer(200, &vector("100")))),
            fault: Box::new(|_| Ok(())),
            answer_fault: Box::new(|_| Ok(())),
            stale: None,
            written: Vec::new(),
            last_check: None,
            watched_since: None,
            uninstalled: BTreeSet::new(),
            writes: 0,
            stop_after: None,
            events: Vec::new(),
            alerts: Vec::new(),
            trajectory: Vec::new(),
            decisions: Vec::new(),
            violations: Vec::new(),
            keeps_trajectory: true,
        }
    }

    /// Remove a kind with all its objects.
    pub fn uninstall(&mut self, kind: Kind) {
        self.objects.retain(|at, _| at.kind != kind);
        self.uninstalled.insert(kind);
        self.version += 1;
    }

    /// Store an object as a new version.
    pub fn put(&mut self, at: ObjectRef, mut object: Value) {
        self.version += 1;
        set(
            &mut object,
            &["metadata", "resourceVersion"],
            self.version.to_string().into(),
        );
        self.objects.insert(at, Arc::new(object));
    }

    /// The object, if it is there.
    pub fn get(&self, at: &ObjectRef) -> Option<Arc<Value>> {
        self.objects.get(at).cloned()
    }

    /// Change an object as a user would.
    pub fn edit(&mut self, at: &ObjectRef, patch: &Value) {
        let mut object = self
            .objects
            .get(at)
            .map(|object| (**object).clone())
            .unwrap_or_default();
        merge(&mut object, patch);
        let generation = object["metadata"]["generation"].as_i64().unwrap_or(1) + 1;
        set(&mut object, &["metadata", "generation"], generation.into());
        self.put(at.clone(), object);
    }

    /// Remove an object.
    pub fn remove(&mut self, at: &ObjectRef) {
        self.objects.remove(at);
    }

    /// The Canary as it is stored.
    pub fn canary(&self) -> Canary {
        self.decoded().0
    }

    fn decoded(&self) -> (Canary, Vec<Translation>) {
        let stored = self
            .objects
            .get(&self.canary_at)
            .map(|object| (**object).clone())
            .unwrap_or_default();
        crds::decode::canary(&stored).unwrap_or_else(|_| (Canary::new("", crds::CanarySpec::default()), Vec::new()))
    }

    /// Phase of the Canary.
    pub fn phase(&self) -> Phase {
        self.canary().status.map_or(Phase::New, |status| status.phase)
    }

    /// Move time.
    pub fn wait(&mut self, seconds: i64) {
        self.now = self
            .now
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap_or(self.now);
    }

    /// One step of the state machine, aftermath included. Invariants are checked at every call.
    pub fn step(&mut self) -> End {
        let mut evidence = Vec::new();
        let mut first = None;
        let (mut canary, legacy) = self.decoded();
        let shown = self.stale.take().unwrap_or_else(|| self.objects.clone());
        let view = Pinned(shown, self.uninstalled.clone());
        for _ in 0..ROUNDS_MAX {
            let answer = self.ask_engine(&canary, &legacy, &view, &evidence);
            match answer {
                Step::Ask(asks) => evidence.extend(asks.iter().map(|ask| self.answer(&canary, ask))),
                Step::Do { writes, .. } => match self.apply(&writes) {
                    Some(outcomes) => evidence.extend(outcomes),
                    None => return End::Stopped,
                },
                Step::Done(done) => {
                    if !self.finish(&done) {
                        return End::Stopped;
                    }
                    let aftermath = done.aftermath;
                    let first = first.get_or_insert(done).clone();
                    let Some(ending) = aftermath else {
                        return End::Done(first);
                    };
                    evidence = vec![Outcome::Ended(ending)];
                    canary = self.canary();
                }
            }
        }
        self.violations.push(invariants::runs::endless("a step"));
        End::Stopped
    }

    /// Step, settle and move time until the phase is one of these, at most `rounds` times. Says whether it got there.
    pub fn run_until(&mut self, phases: &[Phase], rounds: usize) -> bool {
        for _ in 0..rounds {
            if phases.contains(&self.phase()) {
                return true;
            }
            let version = self.version;
            let End::Done(done) = self.step() else { return false };
            self.settle();
            // What changed wakes the canary at once; only where nothing did, time passes.
            if self.version == version {
                self.now = done.wake.unwrap_or(self.now).max(self.now);
            }
        }
        phases.contains(&self.phase())
    }

    fn ask_engine(&mut self, canary: &Canary, legacy: &[Translation], view: &Pinned, evidence: &[Outcome]) -> Step {
        let input = Input {
            canary,
            legacy,
            view,
            settings: &self.settings,
            evidence,
            last_check: self.last_check,
            watched_since: self.watched_since,
            now: self.now,
            entropy: 7,
        };
        let answer = step(input);
        let broken = invariants::check(&input, &answer);
        self.violations.extend(broken);
        answer
    }

    fn answer(&mut self, canary: &Canary, ask: &Ask) -> Outcome {
        match ask {
            Ask::Read(at) => Outcome::Read(Ok(self.get(at))),
            Ask::Hook(call) => Outcome::Answer((self.hooks)(canary, call)),
            Ask::Query(request) => Outcome::Answer((self.queries)(canary, request)),
            Ask::Inquire(question) => Outcome::Answer((self.queries)(canary, &question.request)),
        }
    }

    /// Save the status and tell what is to be told. `false`: the controller stopped before it could.
    fn finish(&mut self, done: &Done) -> bool {
        if let Some(status) = &done.status {
            if self.is_stopped() {
                return false;
            }
            let Some(current) = self.get(&self.canary_at) else {
                return false;
            };
            let mut next = (*current).clone();
            next["status"] = serde_json::to_value(status).unwrap_or_default();
            self.put(self.canary_at.clone(), next);
            self.writes += 1;
        }
        if done.checked {
            self.last_check = Some(self.now);
        }
        self.decisions
            .push(format!("{} {}: {}", self.now, done.decision.verb, done.decision.why));
        self.events.extend(done.events.iter().cloned());
        self.alerts.extend(done.alerts.iter().cloned());
        self.note();
        true
    }
}

/// An HTTP answer.
pub fn answer(status: u16, body: &str) -> crate::http::Response {
    crate::http::Response {
        status,
        body: body.to_owned(),
        retry_after: None,
    }
}

/// A Prometheus answer with one sample.
pub fn vector(value: &str) -> String {
    json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, value]}]}})
        .to_string()
}
