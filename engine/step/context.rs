//! What the parts of a step share: the input, the replay of the evidence, and what has been gathered for the end.

use crds::{Canary, CanaryStatus, Phase, analysis::Analysis, legacy::Translation};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

use super::{Input, obstacle, outage};
use crate::{
    ObjectRef, Settings,
    routes::Cookies,
    seam::{Alert, Ask, Check, Decision, Done, Event, Measure, Outcome, Seen, Trouble, View, Write},
    status::Draft,
    workloads::Workload,
};

/// Pause after a write that met a newer version: the caches need a moment to see it.
const CONFLICT_PAUSE: Duration = Duration::from_secs(1);
/// Pause after a write that was not answered or not accepted; shorter than the smallest interval (10 s), so that a failed
/// rollback does not leave bad traffic for a whole interval (RM-12).
const TROUBLE_PAUSE: Duration = Duration::from_secs(5);
/// An idle canary looks again after this long even if no watch says anything. It costs no request: the caches answer.
pub(super) const IDLE_RESYNC: Duration = Duration::from_mins(10);

/// Up to a tenth more, by chance.
const IDLE_SPREAD_MS: u64 = 60_000;

/// How a part of the step ends: with a value, or by pausing the step.
pub(super) type Flow<T> = Result<T, Pause>;

/// Why the step stops here.
pub(super) enum Pause {
    Ask(Vec<Ask>),
    Do(Vec<Write>),
    End(Box<Done>),
}

pub(super) struct Cx<'a> {
    pub(super) canary: &'a Canary,
    pub(super) legacy: &'a [Translation],
    pub(super) view: &'a dyn View,
    pub(super) settings: &'a Settings,
    pub(super) evidence: &'a [Outcome],
    pub(super) last_check: Option<Timestamp>,
    pub(super) watched_since: Option<Timestamp>,
    pub(super) now: Timestamp,
    pub(super) entropy: u64,
    /// The stored phase.
    pub(super) phase: Phase,
    replayed: usize,
    events: Vec<Event>,
    alerts: Vec<Alert>,
    measures: Vec<Measure>,
    checks: Vec<Check>,
    checked: bool,
    /// The cookies that the route carries.
    cookies: Option<Cookies>,
    /// Whether the API server has refused a write of this step: trying it again will not help.
    pub(super) was_refused: bool,
}

// === impl Pause ===

impl Pause {
    /// The step ends here.
    pub(super) fn end(done: Done) -> Self {
        Self::End(Box::new(done))
    }
}

// === impl Cx ===

impl<'a> Cx<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        Self {
            canary: input.canary,
            legacy: input.legacy,
            view: input.view,
            settings: input.settings,
            evidence: input.evidence,
            last_check: input.last_check,
            watched_since: input.watched_since,
            now: input.now,
            entropy: input.entropy,
            phase: input.canary.status.as_ref().map_or(Phase::New, |status| status.phase),
            replayed: 0,
            events: Vec::new(),
            alerts: Vec::new(),
            measures: Vec::new(),
            checks: Vec::new(),
            checked: false,
            cookies: None,
            was_refused: false,
        }
    }

    // --- what is known

    pub(super) fn object(&self, of: &ObjectRef) -> Seen {
        self.view.object(of)
    }

    pub(super) fn status(&self) -> CanaryStatus {
        self.canary.status.clone().unwrap_or_default()
    }

    pub(super) fn analysis(&self) -> Analysis {
        self.canary.spec.analysis.clone().unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &'a str {
        &self.canary.spec.target_ref.kind
    }

    /// The kind of the target. What cannot be released is refused before anybody asks; it counts as a Deployment.
    pub(super) fn workload(&self) -> Workload {
        Workload::of(&self.canary.spec.target_ref).unwrap_or(Workload::Deployment)
    }

    /// `<name>.<namespace>` of the Canary, as messages have it.
    pub(super) fn canary_name(&self) -> String {
        self.canary.display_name()
    }

    /// `<target>.<namespace>`, as messages have it.
    pub(super) fn target_name(&self) -> String {
        format!("{}.{}", self.canary.spec.target_ref.name, self.canary.namespace())
    }

    pub(super) fn interval(&self) -> Duration {
        self.analysis().interval(self.settings.interval_floor)
    }

    /// Whether the first primary has never been ready: users are still served by the target, and neither it nor the apex may be touched.
    /// A canary stays so in Failed, when its deadline has passed (W-16).
    pub(super) fn is_bootstrapping(&self) -> bool {
        let promoted = self
            .canary
            .status
            .as_ref()
            .and_then(|status| status.last_promoted_spec.as_deref());
        let failed_first = self.phase == Phase::Failed && promoted.unwrap_or_default().is_empty();
        self.phase.is_initializing() || failed_first
    }

    /// When the next check is due: an interval after the last check or status write, whichever is later.
    pub(super) fn due(&self) -> Timestamp {
        let written = self
            .canary
            .status
            .as_ref()
            .and_then(|status| status.last_transition_time);
        let last = self.last_check.max(written).unwrap_or(Timestamp::MIN);
        after(last, self.interval())
    }

    // --- replay

    /// Ask, or take the answers that an earlier call brought.
    pub(super) fn ask(&mut self, asks: Vec<Ask>) -> Flow<Vec<Outcome>> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        match self.replay(asks.len()) {
            Some(outcomes) => Ok(outcomes),
            None => Err(Pause::Ask(asks)),
        }
    }

    /// Write what is given, in order. `None`s are writes that change nothing. A failure ends the step with a Warning.
    pub(super) fn write(&mut self, writes: impl IntoIterator<Item = Option<Write>>) -> Flow<Vec<Arc<Value>>> {
        let mut writes: Vec<Write> = writes.into_iter().flatten().collect();
        if self.settings.mesh_apart {
            writes.iter_mut().for_each(Write::disown);
        }
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let objects: Vec<ObjectRef> = writes.iter().map(|write| write.object.clone()).collect();
        let Some(outcomes) = self.replay(writes.len()) else {
            return Err(Pause::Do(writes));
        };
        let mut written = Vec::new();
        for (object, outcome) in objects.iter().zip(outcomes) {
            match outcome {
                Outcome::Wrote(Ok(after)) => written.push(after),
                Outcome::Wrote(Err(trouble)) => return Err(self.troubled(object, &trouble)),
                _ => return Err(self.troubled(object, &Trouble::Skipped)),
            }
        }
        Ok(written)
    }

    /// The first outcome is a marker, not an answer.
    pub(super) fn skip_marker(&mut self) {
        self.replayed = 1;
    }

    fn replay(&mut self, count: usize) -> Option<Vec<Outcome>> {
        let outcomes = self.evidence.get(self.replayed..self.replayed + count)?.to_vec();
        self.replayed += count;
        Some(outcomes)
    }

    /// End the step because an object could not be read or written.
    pub(super) fn troubled(&mut self, object: &ObjectRef, trouble: &Trouble) -> Pause {
        let (pause, tell) = match trouble {
            Trouble::Conflict(_) => (CONFLICT_PAUSE, false),
            _ => (TROUBLE_PAUSE, true),
        };
        self.was_refused = matches!(trouble, Trouble::Refused(_) | Trouble::NotFound(_));
        // What was to be told is told by the attempt that succeeds.
        self.events.clear();
        self.alerts.clear();
        self.measures.clear();
        // The check did not come to its end: it is made again after the pause, not after an interval (RM-12).
        self.checked = false;
        if tell {
            let message = format!("{object}: {trouble}");
            self.warn(message.clone());
            if outage::is_stuck(self) {
                return outage::stuck(self, &message);
            }
        }
        Pause::end(self.wake_in("retry", format!("{object}: {trouble}"), pause))
    }

    // --- what is gathered for the end

    pub(super) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn say(&mut self, message: String) {
        self.event(Event::normal(self.phase, message));
    }

    pub(super) fn warn(&mut self, message: String) {
        self.event(Event::warning(self.phase, message));
    }

    pub(super) fn alert(&mut self, alert: Alert) {
        self.alerts.push(alert);
    }

    pub(super) fn measure(&mut self, measure: Measure) {
        self.measures.push(measure);
    }

    pub(super) fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// This step is a check: the next one is due an interval later.
    pub(super) fn checked(&mut self) {
        self.checked = true;
    }

    /// The route carries these cookies now: the status is to know them, whatever else comes of this step (W-31).
    pub(super) fn give_out(&mut self, cookies: Option<Cookies>) {
        self.cookies = cookies;
    }

    pub(super) fn draft(&self) -> Draft {
        Draft::of(self.canary.status.as_ref(), self.now).observing(self.canary.metadata.generation)
    }

    /// Whether the status speaks of an older generation of the Canary. Where the schema drops that field, it never does.
    pub(super) fn is_outdated(&self) -> bool {
        is_outdated(self.canary)
    }

    // --- ends

    /// End with a new status and look again at `wake`.
    #[expect(
        clippy::unused_self,
        reason = "reads like the other ends: cx.save, cx.idle, cx.wake_in"
    )]
    pub(super) fn save(&self, verb: &'static str, why: impl Into<String>, draft: Draft, wake: Timestamp) -> Done {
        Done {
            status: Some(draft.finish()),
            wake: Some(wake),
            decision: decision(verb, why),
            ..Done::default()
        }
    }

    /// End without a status write and look again after `pause`.
    pub(super) fn wake_in(&self, verb: &'static str, why: impl Into<String>, pause: Duration) -> Done {
        Done {
            wake: Some(after(self.now, pause)),
            decision: decision(verb, why),
            ..Done::default()
        }
    }

    /// End because there is nothing to do until something changes. Canaries that rest do not all look again at the same moment (W-54).
    pub(super) fn idle(&self, why: impl Into<String>) -> Done {
        let spread = self.entropy % IDLE_SPREAD_MS;
        self.wake_in("idle", why, IDLE_RESYNC + Duration::from_millis(spread))
    }

    /// End with a Warning; what it complains about is watched, so a change wakes the canary before the interval does.
    /// A phase that may not last for ever ends, when its time is over.
    pub(super) fn blocked(&mut self, message: String) -> Pause {
        self.warn(message.clone());
        if outage::is_stuck(self) {
            return outage::stuck(self, &message);
        }
        Pause::end(self.wake_in("blocked", message, self.interval()))
    }

    pub(super) fn in_an_interval(&self) -> Timestamp {
        after(self.now, self.interval())
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    pub(super) fn close(mut self, mut done: Done) -> Done {
        let mut events = std::mem::take(&mut self.events);
        events.retain(|event| done.decision.verb != "blocked" || !obstacle::is_repeated(&self, event));
        self.events = events;
        let told = obstacle::status(&self, &done);
        done.status = done.status.or(told);
        if let Some(cookies) = &self.cookies {
            let stored = self.status();
            let mut next = done.status.take().unwrap_or_else(|| stored.clone());
            cookies.store(&mut next);
            done.status = (next != stored).then_some(next);
        }
        done.events = self.events;
        done.alerts = self.alerts;
        done.measures = self.measures;
        done.checked = self.checked;
        done.decision.checks = self.checks;
        done
    }
}

pub(super) fn is_outdated(canary: &Canary) -> bool {
    let observed = canary.status.as_ref().and_then(|status| status.observed_generation);
    observed.is_some() && observed != canary.metadata.generation
}

pub(super) fn decision(verb: &'static str, why: impl Into<String>) -> Decision {
    Decision {
        verb,
        why: why.into(),
        checks: Vec::new(),
    }
}

/// How long ago `start` is; nothing where it is still to come.
pub(super) fn since(start: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(start)).unwrap_or(Duration::ZERO)
}

/// `time + duration`, held at the end of time.
pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    let span = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}
