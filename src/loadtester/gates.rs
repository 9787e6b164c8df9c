//! Gates (loadtester.md 4): switches that hold a canary or send it back. The peer's are open for every later release once they are open
//! (LT-9); here an opening can be bound to one revision and can end by itself.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Gates that are kept at most; some 300 bytes each, so that a ConfigMap (1 MiB) holds them. Closed ones go first.
pub(super) const GATES_MAX: usize = 2000;

/// Which of the two switches of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Switch {
    /// `/gate/*`: open lets it go on.
    Gate,
    /// `/rollback/*`: open sends it back.
    Rollback,
}

/// Which gate. Its parts are apart, so that no name collides with another one's (LT-10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Name {
    /// The switch.
    pub(super) switch: Switch,
    /// The canary's namespace.
    pub(super) namespace: String,
    /// The canary's name.
    #[serde(rename = "name")]
    pub(super) canary: String,
}

/// A gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Gate {
    /// Whether it is open.
    pub(super) open: bool,
    /// The only revision that it is open for; empty: all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) checksum: String,
    /// Whether the first revision that asks becomes the only one. An approval need not name it then, and still is for one release.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) once: bool,
    /// When it closes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    /// When it was opened or closed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<Timestamp>,
    /// By whom: the address of the client.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) by: String,
}

/// All gates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Book(pub(super) BTreeMap<Name, Gate>);

/// A gate with its name, as it is stored and shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(flatten)]
    pub(super) name: Name,
    #[serde(flatten)]
    pub(super) gate: Gate,
}

/// An opening or closing.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Which.
    pub(super) name: Name,
    /// Open or closed.
    pub(super) open: bool,
    /// Bound to this revision; empty: to none.
    pub(super) checksum: String,
    /// Bound to the first revision that asks.
    pub(super) once: bool,
    /// For so long.
    pub(super) lasting: Option<Duration>,
    /// By whom.
    pub(super) by: String,
}

// === impl Book ===

impl Book {
    /// Whether a gate is open for this revision now. One that was never heard of is closed.
    pub(super) fn is_open(&self, name: &Name, checksum: &str, now: Timestamp) -> bool {
        let Some(gate) = self.0.get(name) else { return false };
        let in_time = gate.until.is_none_or(|until| now < until);
        let fits = gate.checksum.is_empty() || gate.checksum == checksum;
        gate.open && in_time && fits
    }

    /// A canary asks: whether the gate is open, and whether this use has changed it. A controller asks again when it could not act on the
    /// answer, so the revision that was let through once stays so; without a checksum there is nothing to know it by, and it closes.
    pub(super) fn pass(&mut self, name: &Name, checksum: &str, now: Timestamp) -> (bool, bool) {
        let open = self.is_open(name, checksum, now);
        let Some(gate) = self.0.get_mut(name).filter(|gate| open && gate.once) else {
            return (open, false);
        };
        gate.once = false;
        gate.open = !checksum.is_empty();
        checksum.clone_into(&mut gate.checksum);
        (true, true)
    }

    /// Open or close.
    pub(super) fn change(&mut self, change: &Change, now: Timestamp) {
        let lasting = change
            .lasting
            .and_then(|lasting| SignedDuration::try_from(lasting).ok());
        let gate = Gate {
            open: change.open,
            checksum: change.checksum.clone(),
            once: change.once,
            until: lasting.and_then(|lasting| now.checked_add(lasting).ok()),
            changed: Some(now),
            by: change.by.clone(),
        };
        self.0.insert(change.name.clone(), gate);
        while self.0.len() > GATES_MAX {
            let least = self.0.iter().min_by_key(|(_, gate)| (gate.open, gate.changed));
            let Some(least) = least.map(|(name, _)| name.clone()) else {
                return;
            };
            self.0.remove(&least);
        }
    }

    /// One line for each gate.
    pub(super) fn lines(&self) -> Vec<Line> {
        let line = |(name, gate): (&Name, &Gate)| Line {
            name: name.clone(),
            gate: gate.clone(),
        };
        self.0.iter().map(line).collect()
    }

    /// As text for a file or a ConfigMap.
    pub(super) fn write(&self) -> String {
        // Only strings, booleans and times: that cannot fail.
        serde_json::to_string_pretty(&self.lines()).unwrap_or_default()
    }

    /// From such a text.
    pub(super) fn read(text: &str) -> Result<Self, serde_json::Error> {
        let lines: Vec<Line> = serde_json::from_str(text)?;
        Ok(Self(lines.into_iter().map(|line| (line.name, line.gate)).collect()))
    }
}

#[cfg(test)]
mod tests;
