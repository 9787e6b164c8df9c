//! What was said lately, and how much each canary may say.

use engine::seam::EventType;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// The same text within this time is counted, not written anew.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Texts remembered per canary: more than a run says in ten minutes at the shortest interval (60 checks, most with one text each).
pub(super) const TEXTS_MAX: usize = 64;
/// Events that a canary may write at once: a run of 100 steps of 1%.
pub(super) const BURST: i64 = 100;
/// Time after which a canary may write one more. Two per check at the shortest interval of 10 s can go on for ever; a full burst is
/// back after 500 s, which is less than [`WINDOW`], so a canary that was silent that long may be forgotten.
pub(super) const REFILL: SignedDuration = SignedDuration::from_secs(5);

/// What was said, by canary.
#[derive(Default)]
pub(super) struct Ledger(BTreeMap<String, Account>);

/// What to do with an Event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Write it.
    Create,
    /// Count it at the earlier one.
    Repeat {
        /// Name of the earlier Event.
        name: String,
        /// How often it was said, this time included.
        count: i32,
    },
    /// The canary has said too much.
    LeaveOut,
}

struct Account {
    left: i64,
    /// When `left` was last brought up to date.
    filled: Timestamp,
    /// When something was last said.
    used: Timestamp,
    /// Oldest first.
    said: VecDeque<Said>,
}

struct Said {
    severity: EventType,
    text: String,
    name: String,
    count: i32,
    last: Timestamp,
}

// === impl Ledger ===

impl Ledger {
    /// Enter what a canary says. `name` is remembered in case it must be written.
    pub(super) fn enter(&mut self, canary: &str, severity: EventType, text: &str, name: &str, at: Timestamp) -> Move {
        if !self.0.contains_key(canary) {
            self.0.retain(|_, account| at.duration_since(account.used) < WINDOW);
        }
        let account = self.0.entry(canary.to_owned()).or_insert_with(|| Account::new(at));
        account.used = at;
        if !account.pay(at) {
            return Move::LeaveOut;
        }
        account.said.retain(|known| at.duration_since(known.last) <= WINDOW);
        if let Some(known) = account.find(severity, text) {
            known.count = known.count.saturating_add(1);
            known.last = at;
            let (name, count) = (known.name.clone(), known.count);
            return Move::Repeat { name, count };
        }
        if account.said.len() >= TEXTS_MAX {
            account.said.pop_front();
        }
        account.said.push_back(Said {
            severity,
            text: text.to_owned(),
            name: name.to_owned(),
            count: 1,
            last: at,
        });
        Move::Create
    }

    /// The earlier Event is gone; this one takes its place.
    pub(super) fn rename(&mut self, canary: &str, severity: EventType, text: &str, name: &str) {
        if let Some(known) = self.0.get_mut(canary).and_then(|account| account.find(severity, text)) {
            name.clone_into(&mut known.name);
            known.count = 1;
        }
    }

    /// Canaries remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// It could not be written: the next one with this text is written anew.
    pub(super) fn forget(&mut self, canary: &str, severity: EventType, text: &str) {
        if let Some(account) = self.0.get_mut(canary) {
            account
                .said
                .retain(|known| known.severity != severity || known.text != text);
        }
    }
}

// === impl Account ===

impl Account {
    fn new(at: Timestamp) -> Self {
        Self {
            left: BURST,
            filled: at,
            used: at,
            said: VecDeque::new(),
        }
    }

    /// Take one, if there is one.
    fn pay(&mut self, at: Timestamp) -> bool {
        let refills = (at.duration_since(self.filled).as_secs() / REFILL.as_secs()).max(0);
        self.left = self.left.saturating_add(refills).min(BURST);
        let filled = REFILL.saturating_mul(i32::try_from(refills).unwrap_or(i32::MAX));
        self.filled = self.filled.checked_add(filled).unwrap_or(at);
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }

    fn find(&mut self, severity: EventType, text: &str) -> Option<&mut Said> {
        let mut said = self.said.iter_mut();
        said.find(|known| known.severity == severity && known.text == text)
    }
}
