//! What the search has reached: phases, kinds of writes, decisions and Events. What a scenario promises to reach and does not, fails: a
//! search that no longer gets somewhere proves nothing about it.

use crds::Phase;
use std::{
    collections::BTreeMap,
    io::{Write as _, stderr},
};

use crate::{
    model::Model,
    objects::kinds,
    routes,
    seam::{Act, Write},
    services::{self, Role},
    workloads::Workload,
};

/// Phases of all scenarios together: all but `Terminated`, which the schema knows and nobody writes.
pub(super) const PHASES: [Phase; 11] = [
    Phase::New,
    Phase::Initializing,
    Phase::Initialized,
    Phase::Waiting,
    Phase::Progressing,
    Phase::WaitingPromotion,
    Phase::Promoting,
    Phase::Finalising,
    Phase::Succeeded,
    Phase::Failed,
    Phase::Terminating,
];

/// Kinds of writes of all scenarios together. A write that is none of these fails the search: it needs a name and a scenario.
pub(super) const EFFECTS: [&str; 28] = [
    "apex Service changed",
    "apex Service made",
    "canary Service changed",
    "canary Service made",
    "config's copy changed",
    "config's copy made",
    "finalizer added",
    "finalizer removed",
    "primary Service changed",
    "primary Service made",
    "primary given a template",
    "primary made",
    "primary named",
    "primary scaled up",
    "primary's scaler changed",
    "primary's scaler made",
    "route made",
    "route shared",
    "route with cookies",
    "route with mirror",
    "rules of the mesh changed",
    "rules of the mesh made",
    "status",
    "target freed",
    "target scaled to zero",
    "target scaled up",
    "target's scaler held",
    "target's scaler let go",
];

/// Counts of what was seen in the states of one scenario.
#[derive(Default)]
pub(super) struct Reach {
    pub(super) states: usize,
    pub(super) phases: BTreeMap<String, usize>,
    pub(super) effects: BTreeMap<String, usize>,
    decisions: BTreeMap<String, usize>,
    events: BTreeMap<String, usize>,
    alerts: BTreeMap<String, usize>,
}

// === impl Reach ===

impl Reach {
    /// Count what a move has made of a model whose log began with it.
    pub(super) fn note(&mut self, model: &Model, statuses: usize) {
        for write in &model.written {
            count(&mut self.effects, effect(model, write));
        }
        if statuses > 0 {
            count(&mut self.effects, "status".to_owned());
        }
        for decision in &model.decisions {
            let verb = decision.split(' ').nth(1).unwrap_or_default();
            count(&mut self.decisions, verb.trim_end_matches(':').to_owned());
        }
        for event in &model.events {
            count(&mut self.events, without_numbers(&event.message));
        }
        for alert in &model.alerts {
            count(&mut self.alerts, without_numbers(&alert.message));
        }
    }

    /// Count a new state.
    pub(super) fn state(&mut self, model: &Model) {
        self.states += 1;
        let phase = model.phase().as_str();
        count(
            &mut self.phases,
            if phase.is_empty() { "New" } else { phase }.to_owned(),
        );
    }

    /// Say what was reached, past the capture of the test harness: a reader of CI's log sees it. With `AVIARY_REACH=all` each Event, too.
    pub(super) fn tell(&self, scenario: &str) {
        let mut text = format!(
            "explored {scenario}: {} states; {} decisions, {} Events, {} alerts of different kinds\n",
            self.states,
            self.decisions.len(),
            self.events.len(),
            self.alerts.len()
        );
        let mut lists = vec![
            ("phases", &self.phases),
            ("writes", &self.effects),
            ("decisions", &self.decisions),
        ];
        if std::env::var("AVIARY_REACH").is_ok_and(|scope| scope == "all") {
            lists.extend([("Events", &self.events), ("alerts", &self.alerts)]);
        }
        for (what, counts) in lists {
            let separator = if what == "Events" || what == "alerts" {
                "\n    "
            } else {
                ", "
            };
            let counts: Vec<String> = counts.iter().map(|(name, times)| format!("{name} {times}")).collect();
            text += &["  ", what, ": ", &counts.join(separator), "\n"].concat();
        }
        stderr().lock().write_all(text.as_bytes()).ok();
    }

    /// Fail where something was not reached that was promised, or something was written that has no name.
    pub(super) fn keep(&self, scenario: &str, phases: &[Phase], effects: &[&str]) {
        let reached = |phase: &&Phase| self.phases.contains_key(name_of(**phase));
        let missed: Vec<&Phase> = phases.iter().filter(|phase| !reached(phase)).collect();
        assert!(missed.is_empty(), "{scenario}: phases never reached: {missed:?}");
        let missed: Vec<&&str> = effects
            .iter()
            .filter(|effect| !self.effects.contains_key(**effect))
            .collect();
        assert!(missed.is_empty(), "{scenario}: writes never made: {missed:?}");
        let unnamed: Vec<&String> = self
            .effects
            .keys()
            .filter(|effect| !EFFECTS.contains(&effect.as_str()))
            .collect();
        assert!(unnamed.is_empty(), "{scenario}: writes without a name: {unnamed:?}");
    }
}

fn name_of(phase: Phase) -> &'static str {
    match phase {
        Phase::New => "New",
        other => other.as_str(),
    }
}

fn count(counts: &mut BTreeMap<String, usize>, name: String) {
    *counts.entry(name).or_default() += 1;
}

/// A message with each number as `#`, so that a kind of message is counted once.
fn without_numbers(message: &str) -> String {
    let mut text = String::new();
    for sign in message.chars() {
        match sign {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            other => text.push(other),
        }
    }
    text
}

/// The kind of a write.
fn effect(model: &Model, write: &Write) -> String {
    let canary = model.canary();
    // A canary that is gone names nothing any more; its last write was the finalizer's.
    let (spec, at) = (&canary.spec, &write.object);
    let made = matches!(write.act, Act::Create(_));
    let act = if made { "made" } else { "changed" };
    let provider = routes::provider(spec.provider.as_deref().unwrap_or_default());
    let is_route = provider.is_some_and(|provider| provider.objects(&canary).contains(at));
    if is_route && ![kinds::DESTINATION_RULE, kinds::KNATIVE_SERVICE].contains(&at.kind) {
        return route(write).to_owned();
    }
    let is_primary = at.name.ends_with("-primary");
    match at.kind {
        kinds::CANARY => {
            let left = patch(write)["metadata"]["finalizers"].as_array();
            let added = left.is_some_and(|left| !left.is_empty());
            if added { "finalizer added" } else { "finalizer removed" }.to_owned()
        }
        kinds::DESTINATION_RULE => format!("rules of the mesh {act}"),
        kinds::CONFIG_MAP | kinds::SECRET => format!("config's copy {act}"),
        kinds::HORIZONTAL_POD_AUTOSCALER | kinds::SCALED_OBJECT if is_primary => format!("primary's scaler {act}"),
        kinds::HORIZONTAL_POD_AUTOSCALER | kinds::SCALED_OBJECT => {
            let held = patch(write).to_string().contains(":null");
            if held {
                "target's scaler let go"
            } else {
                "target's scaler held"
            }
            .to_owned()
        }
        kinds::SERVICE if Workload::of(&spec.target_ref) == Some(Workload::Service) && is_primary && !made => {
            "primary given a template".to_owned()
        }
        kinds::SERVICE => {
            let role = Role::ALL
                .into_iter()
                .find(|role| services::name(&canary, *role) == at.name);
            format!("{} Service {act}", role.map_or("apex", name_of_role))
        }
        _ if made => "primary made".to_owned(),
        _ if is_primary => {
            let carries = patch(write)["spec"].get("template").is_some();
            match (carries, scaled(write)) {
                (true, _) => "primary given a template",
                (false, "target scaled up") => "primary scaled up",
                (false, _) => "primary changed",
            }
            .to_owned()
        }
        kinds::KNATIVE_SERVICE => knative(write).to_owned(),
        _ => scaled(write).to_owned(),
    }
}

fn name_of_role(role: Role) -> &'static str {
    match role {
        Role::Apex => "apex",
        Role::Primary => "primary",
        Role::Canary => "canary",
    }
}

fn patch(write: &Write) -> &serde_json::Value {
    static NONE: serde_json::Value = serde_json::Value::Null;
    match &write.act {
        Act::Merge { patch, .. } => patch,
        Act::Create(_) | Act::Delete { .. } => &NONE,
    }
}

fn route(write: &Write) -> &'static str {
    let Act::Merge { patch, .. } = &write.act else {
        return "route made";
    };
    let text = patch.to_string();
    match () {
        () if text.contains("Mirror\"") || text.contains("\"mirror\"") => "route with mirror",
        () if text.contains("Set-Cookie") => "route with cookies",
        () => "route shared",
    }
}

fn knative(write: &Write) -> &'static str {
    match &patch(write)["metadata"]["annotations"] {
        serde_json::Value::Null if patch(write).get("metadata").is_some() => "target freed",
        serde_json::Value::Null => "route shared",
        annotations if annotations.to_string().contains("null") => "target freed",
        _ => "primary named",
    }
}

/// A Deployment by its replicas, a DaemonSet by its node selector.
fn scaled(write: &Write) -> &'static str {
    let spec = &patch(write)["spec"];
    let selector = spec["template"]["spec"].get("nodeSelector");
    let to_zero = match selector {
        Some(selector) => selector.to_string().contains("true"),
        None => spec["replicas"] == 0,
    };
    if to_zero {
        "target scaled to zero"
    } else {
        "target scaled up"
    }
}
