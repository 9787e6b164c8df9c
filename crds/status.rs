//! `status`: what survives a restart of the controller.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

use crate::{
    Number, number,
    shape::{self, readable_time},
};

/// Observed state of a canary (controller.md 1.5).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// Where the run is.
    #[serde(default)]
    pub phase: Phase,
    /// Failed checks of this run.
    #[serde(default, deserialize_with = "number::whole_part")]
    #[schemars(with = "Number")]
    pub failed_checks: i64,
    /// Canary percent last written to the route. For people to read; decisions use the route itself.
    #[serde(default, deserialize_with = "number::whole_part")]
    #[schemars(with = "Number")]
    pub canary_weight: i64,
    /// Rounds done, in A/B and blue/green.
    #[serde(default, deserialize_with = "number::whole_part")]
    #[schemars(with = "Number")]
    pub iterations: i64,
    /// `configmap/<name>` or `secret/<name>` to the checksum of its data. Present but empty: tracked, no references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracked_configs: Option<BTreeMap<String, String>>,
    /// Hash of the target's revision last taken into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied_spec: Option<String>,
    /// Hash of the target's revision that the primary runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_promoted_spec: Option<String>,
    /// Time of the last status write.
    #[serde(default, deserialize_with = "readable_time", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::time")]
    pub last_transition_time: Option<Timestamp>,
    /// `name=value` of this run's canary cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity_cookie: Option<String>,
    /// `name=value` of the primary's cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_session_affinity_cookie: Option<String>,
    /// `name=value` of the previous run's canary cookie, kept so that it can be expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_session_affinity_cookie: Option<String>,
    /// Generation of the Canary that this status speaks of, as kstatus reads it. Flagger's schema drops it, so nothing depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Promoted`, and what the owner should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// One condition.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Promoted`, `Held`, `Accepted`, `AlertsPending`, and for GitOps tools `Ready`, `Reconciling` and `Stalled`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The phase, or the cause, in one word.
    pub reason: String,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When `status` last changed.
    #[serde(default, deserialize_with = "readable_time", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::time")]
    pub last_transition_time: Option<Timestamp>,
    /// When anything of this condition last changed.
    #[serde(default, deserialize_with = "readable_time", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::time")]
    pub last_update_time: Option<Timestamp>,
}

/// Phase of a canary; also the reason of the condition `Promoted`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub enum Phase {
    /// Not looked at yet.
    #[default]
    #[serde(rename = "")]
    New,
    /// The primary is being made.
    Initializing,
    /// The primary serves; nothing was released yet.
    Initialized,
    /// A confirm-rollout gate holds the run.
    Waiting,
    /// The analysis runs.
    Progressing,
    /// A confirm-promotion gate holds the run.
    WaitingPromotion,
    /// The primary takes over the new revision.
    Promoting,
    /// Traffic is back on the primary; the target is about to be scaled down.
    Finalising,
    /// The last run promoted its revision.
    Succeeded,
    /// The last run did not promote its revision.
    Failed,
    /// The Canary is being deleted and its changes are being reverted.
    Terminating,
    /// Known to the schema; never written.
    Terminated,
}

// === impl Phase ===

impl Phase {
    /// The text in status, payloads and condition reasons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "",
            Self::Initializing => "Initializing",
            Self::Initialized => "Initialized",
            Self::Waiting => "Waiting",
            Self::Progressing => "Progressing",
            Self::WaitingPromotion => "WaitingPromotion",
            Self::Promoting => "Promoting",
            Self::Finalising => "Finalising",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::Terminated => "Terminated",
        }
    }

    /// Whether a run is on its way: it must be advanced or held, not compared with the last revision.
    pub fn is_running(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::Progressing | Self::WaitingPromotion | Self::Promoting | Self::Finalising
        )
    }

    /// Whether the primary has not been made yet.
    pub fn is_initializing(self) -> bool {
        matches!(self, Self::New | Self::Initializing)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

// === impl CanaryStatus ===

impl CanaryStatus {
    /// The condition of this type, if it is there.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }
}

#[cfg(test)]
mod tests;
