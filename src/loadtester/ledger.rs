//! What waits, what runs and what ran: the decisions, without doing anything (LT-11, LT-14). One lock holds it, so that looking and
//! acting are one.

use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

use super::{
    order::Kind,
    task::{Ask, Canary, Key, Outcome, Task},
};
use crate::companion::{
    brake::{Brake, Why},
    output::Output,
};

/// Tasks that ended are shown until so many later ones ended: at 256 KiB of output each at most 25 MiB.
const KEPT_MAX: usize = 100;
/// Intervals without a call after which a background task is stopped.
const IDLE_INTERVALS: u32 = 3;
/// The shortest interval of a controller; an interval that was seen is not taken for shorter.
const INTERVAL_MIN: Duration = Duration::from_secs(10);
/// Calls that are closer together belong to one check: two hooks with one command, or a retry.
const SAME_CHECK: Duration = Duration::from_secs(1);
/// Rhythms that are remembered: some 200 bytes each.
const RHYTHMS_MAX: usize = 10_000;
/// Durations that the estimate for `Retry-After` is made of.
const DURATIONS_MAX: usize = 32;
/// A caller shall come back after this at the latest: later than an analysis's usual interval is too late.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// How much at a time, for background and waited-for tasks alike and apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Tasks that run.
    pub(super) running: usize,
    /// Tasks that wait.
    pub(super) queued: usize,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It waits for a place.
    Queued,
    /// It runs.
    Running,
    /// It has ended.
    Ended,
}

/// What came of an ask.
pub(super) enum Admission {
    /// It will run.
    New(Arc<Task>),
    /// The same runs or waits already.
    Joined(Arc<Task>),
    /// No place: come back after this.
    Full(Duration),
}

/// One line of the ledger.
pub(super) struct Entry {
    /// The task.
    pub(super) task: Arc<Task>,
    /// Where it is.
    pub(super) state: State,
    /// When it was asked for last.
    pub(super) called: Instant,
    /// When it was admitted, began, and ended.
    pub(super) admitted: Instant,
    /// See above.
    pub(super) began: Option<Instant>,
    /// See above.
    pub(super) ended: Option<Instant>,
    /// How often it was asked for.
    pub(super) calls: u64,
    brake: Brake,
    waiters: usize,
}

/// How often a task is asked for.
struct Rhythm {
    last: Instant,
    gap: Option<Duration>,
}

/// The ledger.
pub(super) struct Ledger {
    limits: Limits,
    entries: BTreeMap<u64, Entry>,
    queue: VecDeque<u64>,
    ended: VecDeque<u64>,
    rhythms: BTreeMap<Key, Rhythm>,
    durations: VecDeque<Duration>,
    next: u64,
    closed: bool,
}

// === impl Ledger ===

impl Ledger {
    /// An empty one.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            queue: VecDeque::new(),
            ended: VecDeque::new(),
            rhythms: BTreeMap::new(),
            durations: VecDeque::new(),
            next: 1,
            closed: false,
        }
    }

    /// Take an ask in: tasks of an older revision are stopped, the same task is not started twice.
    pub(super) fn admit(&mut self, ask: Ask, now: Instant) -> Admission {
        self.stop_older(&ask.key.canary, &ask.checksum, now);
        self.learn(&ask.key, now);
        let same = self.entries.values_mut().find(|entry| {
            entry.state != State::Ended && entry.task.ask.key == ask.key && entry.task.stop.is_pulled().is_none()
        });
        if let Some(entry) = same {
            entry.called = now;
            entry.calls += 1;
            entry.waiters += usize::from(!ask.background);
            return Admission::Joined(entry.task.clone());
        }
        if self.closed || self.count(State::Queued, ask.background) >= self.limits.queued {
            return Admission::Full(self.retry_after());
        }
        let (brake, stop) = Brake::new();
        let waiters = usize::from(!ask.background);
        let task = Arc::new(Task {
            id: self.next,
            ask,
            output: Output::default(),
            stop,
            done: watch::Sender::new(None),
        });
        self.next += 1;
        self.queue.push_back(task.id);
        let entry = Entry {
            task: task.clone(),
            state: State::Queued,
            called: now,
            admitted: now,
            began: None,
            ended: None,
            calls: 1,
            brake,
            waiters,
        };
        self.entries.insert(task.id, entry);
        Admission::New(task)
    }

    /// Tasks that begin now.
    pub(super) fn begin(&mut self, now: Instant) -> Vec<Arc<Task>> {
        let mut begun = Vec::new();
        let mut waiting = VecDeque::new();
        let mut free = [true, false].map(|background| {
            let running = self.count(State::Running, background);
            self.limits.running.saturating_sub(running)
        });
        for id in std::mem::take(&mut self.queue) {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let places = &mut free[usize::from(!entry.task.ask.background)];
            if *places == 0 {
                waiting.push_back(id);
                continue;
            }
            *places -= 1;
            entry.state = State::Running;
            entry.began = Some(now);
            begun.push(entry.task.clone());
        }
        self.queue = waiting;
        begun
    }

    /// A task has ended. Saying it twice changes nothing.
    pub(super) fn finish(&mut self, id: u64, outcome: Outcome, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.state == State::Ended {
            return;
        }
        entry.state = State::Ended;
        entry.ended = Some(now);
        if let Some(began) = entry.began {
            self.durations.push_back(now - began);
            self.durations
                .drain(..self.durations.len().saturating_sub(DURATIONS_MAX));
        }
        entry.task.done.send_replace(Some(Arc::new(outcome)));
        self.queue.retain(|queued| *queued != id);
        self.ended.push_back(id);
        while self.ended.len() > KEPT_MAX {
            if let Some(oldest) = self.ended.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    /// Somebody who waited is gone. The last one stops it: there is nobody left to tell.
    pub(super) fn leave(&mut self, id: u64, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.waiters = entry.waiters.saturating_sub(1);
        if entry.waiters == 0 && entry.state != State::Ended {
            self.stop(id, Why::Abandoned, now);
        }
    }

    /// Stop a task; whether there was one to stop.
    pub(super) fn stop(&mut self, id: u64, why: Why, now: Instant) -> bool {
        let Some(entry) = self.entries.get(&id) else {
            return false;
        };
        match entry.state {
            State::Ended => return false,
            State::Running => entry.brake.pull(why),
            State::Queued => self.finish(id, Outcome::stopped(why.text()), now),
        }
        true
    }

    /// Stop background tasks that nobody asks for any more.
    pub(super) fn stop_idle(&mut self, now: Instant) {
        let idle = |entry: &&Entry| {
            let gap = entry
                .task
                .ask
                .interval
                .or_else(|| self.rhythms.get(&entry.task.ask.key)?.gap);
            entry.state != State::Ended
                && entry.task.ask.background
                && gap.is_some_and(|gap| now - entry.called > gap.max(INTERVAL_MIN) * IDLE_INTERVALS)
        };
        let ids: Vec<u64> = self.entries.values().filter(idle).map(|entry| entry.task.id).collect();
        for id in ids {
            self.stop(id, Why::Idle, now);
        }
    }

    /// Stop everything and take nothing in any more.
    pub(super) fn close(&mut self, now: Instant) {
        self.closed = true;
        let ids: Vec<u64> = self.entries.keys().copied().collect();
        for id in ids {
            self.stop(id, Why::Shutdown, now);
        }
    }

    /// Tasks that wait or run.
    pub(super) fn active(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.state != State::Ended)
            .count()
    }

    /// All lines, the newest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().rev()
    }

    /// One line.
    pub(super) fn entry(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Tasks in this state, of one of the two lanes.
    pub(super) fn count(&self, state: State, background: bool) -> usize {
        let fits = |entry: &&Entry| entry.state == state && entry.task.ask.background == background;
        self.entries.values().filter(fits).count()
    }

    /// Tasks in this state, by type.
    pub(super) fn count_kind(&self, state: State, kind: Kind) -> usize {
        let fits = |entry: &&Entry| entry.state == state && entry.task.ask.key.kind == kind;
        self.entries.values().filter(fits).count()
    }

    fn stop_older(&mut self, canary: &Canary, checksum: &str, now: Instant) {
        if checksum.is_empty() {
            return;
        }
        let is_older = |entry: &&Entry| {
            let ask = &entry.task.ask;
            entry.state != State::Ended
                && ask.key.canary == *canary
                && !ask.checksum.is_empty()
                && ask.checksum != checksum
        };
        let ids: Vec<u64> = self
            .entries
            .values()
            .filter(is_older)
            .map(|entry| entry.task.id)
            .collect();
        for id in ids {
            self.stop(id, Why::NewRevision, now);
        }
    }

    fn learn(&mut self, key: &Key, now: Instant) {
        match self.rhythms.get_mut(key) {
            Some(rhythm) => {
                let gap = now - rhythm.last;
                if gap >= SAME_CHECK {
                    rhythm.gap = Some(gap);
                    rhythm.last = now;
                }
            }
            None => {
                self.rhythms.insert(key.clone(), Rhythm { last: now, gap: None });
            }
        }
        if self.rhythms.len() > RHYTHMS_MAX {
            let oldest = self.rhythms.iter().min_by_key(|(_, rhythm)| rhythm.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.rhythms.remove(&oldest);
            }
        }
    }

    /// The mean of late durations: when a place is likely to be free.
    fn retry_after(&self) -> Duration {
        let known = u32::try_from(self.durations.len()).unwrap_or(1).max(1);
        let mean = self.durations.iter().sum::<Duration>() / known;
        mean.clamp(Duration::from_secs(1), RETRY_AFTER_MAX)
    }
}

#[cfg(test)]
mod tests;
