//! What people and their tools are told at the end of a step: Events, alerts, and figures for `/metrics`.

use crds::Phase;
use serde::{Deserialize, Serialize};

/// An Event for the owner of the canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// `Normal` or `Warning`.
    pub severity: EventType,
    /// The text.
    pub message: String,
    /// Phase in the payload of event webhooks.
    pub phase: Phase,
    /// Logged as an error rather than as information.
    pub is_error: bool,
}

/// Type of a Kubernetes Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EventType {
    /// All is well.
    Normal,
    /// Someone should look.
    Warning,
}

/// A message for people in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// How bad it is.
    pub severity: Severity,
    /// The text.
    pub message: String,
    /// Whether the canary's main settings are sent along.
    pub with_fields: bool,
    /// Why it happened (AN-32).
    pub reason: Reason,
}

/// Why an alert is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The text says it.
    #[default]
    Said,
    /// What the last failed check complained about. A step does not know the one before; who makes the steps does.
    LastCheck,
    /// This.
    Named(String),
}

/// Severity of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Someone should look.
    Warn,
    /// Something failed.
    Error,
}

/// A figure for `/metrics` (controller.md 8).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Measure {
    /// `flagger_canary_status`, from the phase.
    Status(Phase),
    /// `flagger_canary_weight` of both workloads, in percent.
    Weight {
        /// Of the primary.
        primary: i64,
        /// Of the canary.
        canary: i64,
    },
    /// `flagger_canary_metric_analysis`.
    Metric {
        /// Name of the metric.
        name: String,
        /// Value as exported.
        value: f64,
    },
    /// `aviary_canary_accepted`: whether all that the canary asks for can work.
    Accepted(bool),
    /// `flagger_canary_successes_total` or `flagger_canary_failures_total`.
    Ended {
        /// Promoted or not.
        promoted: bool,
        /// Whether the analysis was skipped.
        skipped: bool,
    },
}

// === impl Measure ===

impl Measure {
    /// Value of `flagger_canary_status` for a phase: 0 progressing, 2 failed, 1 anything else.
    pub fn status_value(phase: Phase) -> f64 {
        match phase {
            Phase::Progressing => 0.0,
            Phase::Failed => 2.0,
            _ => 1.0,
        }
    }
}

// === impl Event ===

impl Event {
    /// A Normal event.
    pub fn normal(phase: Phase, message: impl Into<String>) -> Self {
        Self {
            severity: EventType::Normal,
            message: message.into(),
            phase,
            is_error: false,
        }
    }

    /// A Warning.
    pub fn warning(phase: Phase, message: impl Into<String>) -> Self {
        Self {
            severity: EventType::Warning,
            message: message.into(),
            phase,
            is_error: false,
        }
    }

    /// A Warning that is logged as an error.
    pub fn error(phase: Phase, message: impl Into<String>) -> Self {
        Self {
            severity: EventType::Warning,
            message: message.into(),
            phase,
            is_error: true,
        }
    }
}
