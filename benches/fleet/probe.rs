//! The mind with a probe: when each step was due and when it started, of the fleet's good tenants, to the microsecond. And, on demand,
//! the mind that panics.

use engine::{Outcome, Step, step::Input};
use jiff::Timestamp;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

/// Canaries with this label belong to the bad tenant: their steps are not looked at.
pub(crate) const BAD: &str = "aviary.bench/bad";
/// Value of [`BAD`] on canaries that the mind panics on.
pub(crate) const PANICS: &str = "panics";

/// Whether it panics now.
static POISONED: AtomicBool = AtomicBool::new(false);
/// A plain function is what the controller takes for its mind, so what it sees is kept here.
static SEEN: Mutex<Seen> = Mutex::new(Seen {
    due: BTreeMap::new(),
    late: Vec::new(),
});

struct Seen {
    /// By namespace and name.
    due: BTreeMap<(String, String), Timestamp>,
    /// Seconds, one for each step that was due.
    late: Vec<f64>,
}

/// `engine::step::step`, with the probe.
pub(crate) fn step(input: Input<'_>) -> Step {
    let bad = input.canary.metadata.labels.as_ref().and_then(|labels| labels.get(BAD));
    if bad.is_some() {
        let poisoned = bad.is_some_and(|bad| bad == PANICS) && POISONED.load(Ordering::Relaxed);
        assert!(!poisoned, "injected");
        return engine::step::step(input);
    }
    let key = || (input.canary.namespace().to_owned(), input.canary.name().to_owned());
    if input.evidence.is_empty() {
        let mut seen = SEEN.lock();
        let due = seen.due.remove(&key());
        if let Some(due) = due.filter(|due| *due <= input.now) {
            seen.late.push(input.now.duration_since(due).as_secs_f64());
        }
    }
    let step = engine::step::step(input);
    let is_aftermath = matches!(input.evidence.first(), Some(Outcome::Ended(_)));
    if let (Step::Done(done), false) = (&step, is_aftermath)
        && let Some(wake) = done.wake.filter(|wake| *wake > input.now)
    {
        SEEN.lock().due.insert(key(), wake);
    }
    step
}

/// Panic on the bad tenant's objects from now on, or no more.
pub(crate) fn poison(poisoned: bool) {
    POISONED.store(poisoned, Ordering::Relaxed);
}

/// Forget everything: another controller starts.
pub(crate) fn reset() {
    let mut seen = SEEN.lock();
    seen.due.clear();
    seen.late.clear();
}

/// The samples since the last call.
pub(crate) fn take() -> Vec<f64> {
    std::mem::take(&mut SEEN.lock().late)
}
