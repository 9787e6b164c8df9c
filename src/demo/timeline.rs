//! What is printed: a line for every Event, and one for every change of phase or traffic that came without one.

use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::cast::{BAD, GOOD, NAMESPACE, Role};
use crate::sandbox::Sandbox;

/// Characters between the brackets of a bar.
const BAR: i64 = 10;

/// What was printed so far.
pub(super) struct Timeline {
    begun: Timestamp,
    /// How often each Event, by name, was counted when it was printed.
    told: BTreeMap<String, i64>,
    /// Last printed phase and canary weight.
    shown: BTreeMap<&'static str, (String, i64)>,
}

// === impl Timeline ===

impl Timeline {
    /// Nothing was printed yet; times count from `begun`.
    pub(super) fn new(begun: Timestamp) -> Self {
        Self {
            begun,
            told: BTreeMap::new(),
            shown: BTreeMap::new(),
        }
    }

    /// Print what is new since the last call.
    pub(super) fn print_news(&mut self, now: Timestamp, sandbox: &Sandbox, out: &mut dyn Write) -> io::Result<()> {
        let events = sandbox.list("events", Some(NAMESPACE)).unwrap_or_default();
        let seconds = now.duration_since(self.begun).as_secs_f64();
        for role in [&GOOD, &BAD] {
            let state = (role.phase(sandbox), role.weights(sandbox).1);
            let mut texts = self.fresh(role, &events);
            if texts.is_empty() && self.shown.get(role.name) != Some(&state) {
                texts.push(String::new());
            }
            for text in texts {
                writeln!(out, "{}", line(seconds, role.name, &state, &text))?;
                self.shown.insert(role.name, state.clone());
            }
        }
        Ok(())
    }

    /// Texts of an application's Events that were not printed yet, in the order in which they were written.
    fn fresh(&mut self, role: &Role, events: &[Value]) -> Vec<String> {
        let mut fresh: Vec<&Value> = events
            .iter()
            .filter(|event| event["involvedObject"]["name"] == role.name && self.is_news(event))
            .collect();
        fresh.sort_by_key(|event| version(event));
        fresh.iter().map(|event| text(&event["message"]).to_owned()).collect()
    }

    fn is_news(&mut self, event: &Value) -> bool {
        let count = event["count"].as_i64().unwrap_or(1);
        let told = self.told.insert(text(&event["metadata"]["name"]).to_owned(), count);
        told != Some(count)
    }
}

/// One line; without trailing blanks.
fn line(seconds: f64, name: &str, (phase, weight): &(String, i64), text: &str) -> String {
    let line = format!("{seconds:6.1}s  {name:<5} {phase:<13} {} {text}", bar(*weight));
    line.trim_end().to_owned()
}

/// `[####------]  40%`
pub(super) fn bar(weight: i64) -> String {
    let filled = (weight.clamp(0, 100) * BAR + 50) / 100;
    let part = |sign: &str, count: i64| sign.repeat(usize::try_from(count).unwrap_or_default());
    format!("[{}{}] {weight:3}%", part("#", filled), part("-", BAR - filled))
}

fn version(event: &Value) -> u64 {
    text(&event["metadata"]["resourceVersion"]).parse().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
