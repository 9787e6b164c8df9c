//! How a round speaks with the mind: what it shows it, and what an answer is worth.

use crds::{Canary, legacy::Translation};
use engine::{
    Done, Step, View,
    invariants::{self, Violation},
    seam::Outcome,
    step::Input,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

use super::{
    evidence::Evidence,
    round::{Round, decision},
};
use crate::caches::StepView;

/// Look again after this long when a step could not be finished.
const RETRY: Duration = Duration::from_secs(5);

// === impl Round ===

impl Round<'_> {
    pub(super) fn look_at_canary(&self) -> Option<Arc<Value>> {
        self.view().object(self.at).present().cloned()
    }

    /// What can be read of a Canary that cannot be read.
    pub(super) fn bare(&self, raw: &Value) -> Canary {
        let target = raw["spec"]["targetRef"]["name"].as_str().unwrap_or_default();
        let bare = json!({
            "apiVersion": crds::API_VERSION, "kind": "Canary", "metadata": raw["metadata"], "status": raw["status"],
            "spec": {"targetRef": {"kind": "Deployment", "name": target}},
        });
        crds::decode::decode(&bare).unwrap_or_else(|_| {
            let mut nameless = Canary::new(&self.at.name, crds::CanarySpec::default());
            nameless.metadata.namespace = Some(self.at.namespace.clone());
            nameless
        })
    }

    /// An answer of the mind. Where it looked at kinds that nobody has needed before, they are learned, and it is asked again.
    pub(super) async fn consult<T>(&self, ask: impl Fn(&Self) -> T) -> Result<T, Done> {
        loop {
            let answer = ask(self);
            let unknown = self.pins.take_unknown();
            if unknown.is_empty() {
                return Ok(answer);
            }
            drop(answer);
            if !self.tools.caches.learn(&unknown).await {
                let kinds: Vec<&str> = unknown.iter().map(|kind| kind.kind).collect();
                return Err(self.later("unsynced", &format!("{} cannot be listed", kinds.join(", "))));
            }
        }
    }

    pub(super) fn ask_mind(
        &self,
        canary: &Canary,
        legacy: &[Translation],
        evidence: &Evidence,
    ) -> (Step, Vec<Violation>) {
        let (view, evidence) = (self.view(), evidence.open());
        let input = self.input(canary, legacy, &evidence, &view);
        let step = (self.tools.step)(input);
        let violations = invariants::check(&input, &step);
        (step, violations)
    }

    pub(super) fn view(&self) -> StepView<'_> {
        StepView::new(
            &self.tools.caches,
            &self.memory.overlay,
            &self.memory.digests,
            &self.pins,
        )
    }

    pub(super) fn input<'i>(
        &'i self,
        canary: &'i Canary,
        legacy: &'i [Translation],
        evidence: &'i [Outcome],
        view: &'i StepView<'_>,
    ) -> Input<'i> {
        Input {
            canary,
            legacy,
            view,
            settings: &self.tools.settings,
            evidence,
            last_check: self.memory.last_check,
            watched_since: Some(self.memory.born),
            now: self.now,
            entropy: self.entropy,
        }
    }

    pub(super) fn later(&self, verb: &'static str, why: &str) -> Done {
        let wake = self
            .tools
            .world
            .now()
            .checked_add(SignedDuration::try_from(RETRY).unwrap_or_default());
        Done {
            wake: wake.ok(),
            decision: decision(verb, why),
            ..Done::default()
        }
    }
}
