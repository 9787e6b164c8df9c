//! What the cluster told about each application, in the order in which it was told.

use engine::objects::kinds;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

use super::{
    cast::{self, CAST},
    mirror::{Change, EVENT, text},
};

/// Events that are kept: those of 20 releases.
const EVENTS_MAX: usize = 500;
/// Changes of phase or weight that are kept, for as many releases.
const CHANGES_MAX: usize = 500;

/// An Event of an application's Canary.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// Counts all Events.
    pub(super) number: u64,
    /// Seconds since the start.
    pub(super) at: f64,
    /// The application.
    pub(super) name: &'static str,
    /// What `kubectl describe canary` shows.
    pub(super) message: String,
    /// Whether its type is `Warning`.
    pub(super) warns: bool,
}

/// What is known of one application.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// All phases, in order.
    pub(super) phases: Vec<String>,
    /// All weights of the canary, in order.
    pub(super) weights: Vec<i64>,
    /// Weights of primary and canary now.
    pub(super) split: (i64, i64),
    /// Image in the primary's template.
    pub(super) primary_image: String,
    /// Image in the target's template.
    pub(super) target_image: String,
    /// Limits by the metric's name: the least and the most.
    pub(super) limits: BTreeMap<String, (Option<f64>, Option<f64>)>,
}

/// The whole demo.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    stories: BTreeMap<&'static str, Story>,
    events: VecDeque<Told>,
    told: u64,
    /// How often each Event, by name, was counted when it was told.
    counts: BTreeMap<String, i64>,
}

// === impl Chronicle ===

impl Chronicle {
    /// Write down a change, `at` seconds after the start.
    pub(super) fn observe(&mut self, change: &Change, at: f64) {
        if change.gone {
            return;
        }
        let (kind, object) = (change.kind, &change.object);
        if kind == EVENT {
            self.hear(object, at);
        } else if let Some((role, is_primary)) = role_of(change.name()) {
            let story = self.stories.entry(role).or_default();
            match kind {
                kinds::DEPLOYMENT if is_primary => story.primary_image = image(object),
                kinds::DEPLOYMENT => story.target_image = image(object),
                kinds::CANARY if !is_primary => story.follow_canary(object),
                kinds::HTTP_ROUTE if !is_primary => story.follow_route(role, object),
                _ => {}
            }
        }
    }

    /// What is known of an application.
    pub(super) fn story(&self, name: &str) -> Story {
        self.stories.get(name).cloned().unwrap_or_default()
    }

    /// The application's phase; empty before there is one.
    pub(super) fn phase(&self, name: &str) -> &str {
        let story = self.stories.get(name);
        story.and_then(|story| story.phases.last()).map_or("", String::as_str)
    }

    /// Events, oldest first.
    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.events.iter()
    }

    fn hear(&mut self, event: &Value, at: f64) {
        let about = text(&event["involvedObject"]["name"]);
        let Some(role) = cast::role(about) else { return };
        let count = event["count"].as_i64().unwrap_or(1);
        let known = self.counts.insert(text(&event["metadata"]["name"]).to_owned(), count);
        if known == Some(count) {
            return;
        }
        self.told += 1;
        self.events.push_back(Told {
            number: self.told,
            at,
            name: role.name,
            message: text(&event["message"]).to_owned(),
            warns: event["type"] == "Warning",
        });
        if self.events.len() > EVENTS_MAX {
            self.events.pop_front();
        }
    }
}

/// The application of an object, and whether it is its primary's.
fn role_of(name: &str) -> Option<(&'static str, bool)> {
    CAST.into_iter().find_map(|role| {
        let is_primary = name == role.primary();
        (is_primary || name == role.name).then_some((role.name, is_primary))
    })
}

fn image(deployment: &Value) -> String {
    text(&deployment["spec"]["template"]["spec"]["containers"][0]["image"]).to_owned()
}

// === impl Story ===

impl Story {
    fn follow_canary(&mut self, canary: &Value) {
        append(
            &mut self.phases,
            text(&canary["status"]["phase"]).to_owned(),
            String::is_empty,
        );
        let metrics = canary["spec"]["analysis"]["metrics"].as_array().into_iter().flatten();
        let limits = metrics.map(|metric| {
            let range = &metric["thresholdRange"];
            (
                text(&metric["name"]).to_owned(),
                (range["min"].as_f64(), range["max"].as_f64()),
            )
        });
        self.limits = limits.collect();
    }

    fn follow_route(&mut self, role: &str, route: &Value) {
        let backends = route["spec"]["rules"][0]["backendRefs"].as_array();
        let weight = |suffix: &str| {
            let name = format!("{role}-{suffix}");
            let mut named = backends
                .into_iter()
                .flatten()
                .filter(|backend| backend["name"] == name.as_str());
            named.next().and_then(|backend| backend["weight"].as_i64()).unwrap_or(0)
        };
        self.split = (weight("primary"), weight("canary"));
        append(&mut self.weights, self.split.1, |_| false);
    }
}

/// Write down what is new.
fn append<T: PartialEq>(list: &mut Vec<T>, next: T, is_nothing: impl Fn(&T) -> bool) {
    if is_nothing(&next) || list.last() == Some(&next) {
        return;
    }
    if list.len() >= CHANGES_MAX {
        list.remove(0);
    }
    list.push(next);
}

#[cfg(test)]
mod tests;
