//! New status values. A status is always written whole and at most once per step (W-63).

use crds::{CanaryStatus, Condition, Phase};
use jiff::Timestamp;

/// The condition that users wait for: whether the target's revision is what the primary runs.
pub const PROMOTED: &str = "Promoted";
/// Present while something holds the run that no phase names: `spec.suspend`, a closed confirm-traffic-increase gate, or a gateway
/// that does not take the route over.
pub const HELD: &str = "Held";
/// Reason of [`HELD`] while the gateway does not take the route over. Nobody decides when that ends, so the deadline does.
pub const GATEWAY_NOT_ACCEPTED: &str = "GatewayNotAccepted";
/// Present with status False while the Canary asks for something that cannot work, and with status True while it is written in an
/// older form that is translated.
pub const ACCEPTED: &str = "Accepted";

/// Present while a step cannot do its work: something is missing, not ready, or refused by the API server. Its message says what. A phase
/// that a deadline ends is in progress all the same; any other one is stalled by it.
pub const BLOCKED: &str = "Blocked";
/// Reason of [`BLOCKED`].
const OBSTACLE: &str = "Obstacle";

/// kstatus: True while the primary runs what the target says.
pub const READY: &str = "Ready";
/// kstatus: there while a release is on its way.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: there while nothing will move before somebody changes something.
pub const STALLED: &str = "Stalled";
/// Reason of [`ACCEPTED`] when a metric's query cannot be made. It holds nothing up, so the canary is not stalled by it.
pub const UNUSABLE_METRIC: &str = "MetricUnusable";
/// Reason of [`READY`] before there is a phase.
const PENDING: &str = "Pending";

/// A status in the making: the stored one with changes on top.
#[derive(Clone, Debug)]
pub struct Draft {
    next: CanaryStatus,
    now: Timestamp,
    moves: bool,
    /// What stands in the way now; what did before is no matter of a new status.
    obstacle: Option<String>,
}

/// What a GitOps tool is told, as kstatus has it: True is current, Unknown is in progress, False has failed.
struct Health {
    ready: &'static str,
    reason: String,
    message: String,
}

// === impl Draft ===

impl Draft {
    /// Start from the stored status. Its times are whole seconds, as everywhere in Kubernetes.
    pub fn of(stored: Option<&CanaryStatus>, now: Timestamp) -> Self {
        Self {
            next: stored.cloned().unwrap_or_default(),
            now: Timestamp::from_second(now.as_second()).unwrap_or(now),
            moves: true,
            obstacle: None,
        }
    }

    /// The generation of the Canary that this status speaks of.
    #[must_use]
    pub fn observing(mut self, generation: Option<i64>) -> Self {
        self.next.observed_generation = generation;
        self
    }

    /// The canary has not moved: the time of the last move stays.
    #[must_use]
    pub fn unmoved(mut self) -> Self {
        self.moves = false;
        self
    }

    /// Something stands in the way ([`BLOCKED`]).
    #[must_use]
    pub fn blocked(mut self, obstacle: String) -> Self {
        self.obstacle = Some(obstacle);
        self
    }

    /// Enter a phase. `kind` is the target's kind, for the text; `note` replaces the text that the phase brings.
    #[must_use]
    pub fn phase(mut self, phase: Phase, kind: &str, note: Option<String>) -> Self {
        self.next.phase = phase;
        let message = note.unwrap_or_else(|| phase_message(phase, kind));
        self.condition(PROMOTED, promoted(phase), phase.as_str(), message)
    }

    /// Change counters, hashes or cookies.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut CanaryStatus)) -> Self {
        change(&mut self.next);
        self
    }

    /// Set a condition. Unchanged status and reason leave it as it is; an unchanged status keeps its transition time.
    #[must_use]
    pub fn condition(mut self, kind: &str, status: &str, reason: &str, message: String) -> Self {
        let old = self.next.condition(kind);
        if old.is_some_and(|old| old.status == status && old.reason == reason) {
            return self;
        }
        let kept = old
            .filter(|old| old.status == status)
            .and_then(|old| old.last_transition_time);
        let condition = Condition {
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: Some(message),
            last_transition_time: Some(kept.unwrap_or(self.now)),
            last_update_time: Some(self.now),
        };
        self.next.conditions.retain(|condition| condition.kind != kind);
        self.next.conditions.push(condition);
        self
    }

    /// Remove a condition.
    #[must_use]
    pub fn without(mut self, kind: &str) -> Self {
        self.next.conditions.retain(|condition| condition.kind != kind);
        self
    }

    /// The new status, its `lastTransitionTime` set to now. The conditions for GitOps tools follow from the others, so they never cost
    /// a write of their own.
    pub fn finish(mut self) -> CanaryStatus {
        self.settle_obstacle();
        let health = Health::of(&self.next);
        let Health { ready, reason, message } = &health;
        let told = self.health(READY, ready, reason, message.clone());
        let told = told.only_if(*ready == "Unknown", RECONCILING, &health);
        let mut told = told.only_if(*ready == "False", STALLED, &health);
        if told.moves {
            told.next.last_transition_time = Some(told.now);
        }
        told.next
    }

    /// [`BLOCKED`] follows the obstacle; one that only changes keeps the time since when there is one.
    fn settle_obstacle(&mut self) {
        let old = self.next.condition(BLOCKED).and_then(|old| old.last_transition_time);
        self.next.conditions.retain(|condition| condition.kind != BLOCKED);
        let Some(obstacle) = self.obstacle.take() else { return };
        self.next.conditions.push(Condition {
            kind: BLOCKED.to_owned(),
            status: "True".to_owned(),
            reason: OBSTACLE.to_owned(),
            message: Some(obstacle),
            last_transition_time: Some(old.unwrap_or(self.now)),
            last_update_time: Some(self.now),
        });
    }

    fn only_if(self, holds: bool, kind: &str, health: &Health) -> Self {
        if holds {
            return self.health(kind, "True", &health.reason, health.message.clone());
        }
        self.without(kind)
    }

    /// As [`Draft::condition`], with a message that follows what it speaks of.
    fn health(mut self, kind: &str, status: &str, reason: &str, message: String) -> Self {
        self = self.condition(kind, status, reason, message.clone());
        let told = self.next.conditions.iter_mut().find(|told| told.kind == kind);
        if let Some(told) = told.filter(|told| told.message.as_deref() != Some(message.as_str())) {
            told.message = Some(message);
        }
        self
    }
}

// === impl Health ===

impl Health {
    fn of(status: &CanaryStatus) -> Self {
        let refused = status.condition(ACCEPTED);
        let refused = refused.filter(|told| told.status == "False" && told.reason != UNUSABLE_METRIC);
        if let Some(refused) = refused {
            return Self {
                ready: "False",
                reason: refused.reason.clone(),
                message: refused.message.clone().unwrap_or_default(),
            };
        }
        let ready = match status.phase {
            Phase::Initialized | Phase::Succeeded => "True",
            Phase::Failed => "False",
            _ => "Unknown",
        };
        if let Some(blocked) = status.condition(BLOCKED).filter(|_| ready != "False") {
            return Self {
                ready: if ready == "True" { "False" } else { ready },
                reason: BLOCKED.to_owned(),
                message: blocked.message.clone().unwrap_or_default(),
            };
        }
        let message = status.condition(PROMOTED).and_then(|told| told.message.clone());
        Self {
            ready,
            reason: match status.phase {
                Phase::New => PENDING.to_owned(),
                phase => phase.as_str().to_owned(),
            },
            message: message.unwrap_or_default(),
        }
    }
}

/// Status of the condition `Promoted` (controller.md 1.5).
fn promoted(phase: Phase) -> &'static str {
    match phase {
        Phase::Initialized | Phase::Succeeded => "True",
        Phase::Failed => "False",
        _ => "Unknown",
    }
}

fn phase_message(phase: Phase, kind: &str) -> String {
    match phase {
        Phase::Initialized => format!("{kind} initialization completed."),
        Phase::Waiting => "Waiting for approval.".into(),
        Phase::WaitingPromotion => "Waiting for approval of the promotion.".into(),
        Phase::Progressing => "New revision detected, analysis in progress.".into(),
        Phase::Promoting => "Analysis completed, the primary takes over the new revision.".into(),
        Phase::Finalising => "Analysis completed, all traffic is routed to the primary.".into(),
        Phase::Succeeded => "Canary analysis completed successfully, promotion finished.".into(),
        Phase::Failed => format!("Canary analysis failed, {kind} scaled to zero."),
        Phase::Terminating => "The canary is being deleted, its changes are being reverted.".into(),
        Phase::New | Phase::Initializing | Phase::Terminated => {
            format!("New {kind} detected, starting initialization.")
        }
    }
}
