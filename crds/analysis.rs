//! `spec.analysis`: steps, checks, hooks and alerts of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

use crate::{Number, service::HttpMatch, shape};

/// How a new revision is judged (controller.md 1.3).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// Time between two checks, a Go duration. Default 60s, never below the controller's floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = shape::INTERVAL))]
    pub interval: Option<String>,
    /// Failed checks at which the run is rolled back. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Number>,
    /// Rounds of an A/B test (with `match`) or of blue/green.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<Number>,
    /// Requests that an A/B test sends to the canary.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "shape::analysis_matches")]
    pub matches: Vec<HttpMatch>,
    /// Percent that each step adds to the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_weight: Option<Number>,
    /// Canary percent per step, absolute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_weights: Vec<Number>,
    /// Canary percent at which promotion starts. Default 100; not used with `stepWeights`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_weight: Option<Number>,
    /// Percent that each promotion step gives back to the primary; 0 or absent: all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_weight_promotion: Option<Number>,
    /// Mirror requests to the canary before (or instead of) shifting them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<bool>,
    /// Percent of requests that are mirrored. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_weight: Option<Number>,
    /// Percent of the primary's updated pods that must be available. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_ready_threshold: Option<Number>,
    /// Percent of the canary's updated pods that must be available. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_ready_threshold: Option<Number>,
    /// Metric checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Where alerts go, instead of the controller's global receiver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// Hooks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    /// Cookie based session affinity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,
}

/// One metric check.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// `request-success-rate`, `request-duration`, or a name of one's own.
    pub name: String,
    /// Window of the query. Default `1m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = shape::INTERVAL))]
    pub interval: Option<String>,
    /// Legacy limit; `thresholdRange` takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Number>,
    /// Limits, both inclusive, each optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_range: Option<ThresholdRange>,
    /// Legacy inline PromQL template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The MetricTemplate to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<CrossNamespaceRef>,
    /// Variables of the template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub template_variables: BTreeMap<String, String>,
}

/// Limits of a metric, both inclusive.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdRange {
    /// Smallest value that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    /// Largest value that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
}

/// Reference to an object that may be in another namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrossNamespaceRef {
    /// Name of the object.
    pub name: String,
    /// Namespace of the object; the canary's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// One receiver of alerts.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Name of the entry.
    pub name: String,
    /// Lowest severity that is sent: `info`, `warn` or `error`. Default `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = shape::SEVERITIES))]
    pub severity: Option<String>,
    /// The AlertProvider to use.
    pub provider_ref: CrossNamespaceRef,
}

/// One hook.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Name of the hook.
    pub name: String,
    /// When it is called. Empty means `rollout`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = shape::HOOKS))]
    pub kind: Option<String>,
    /// Address of the receiver.
    pub url: String,
    /// Do not alert when this gate holds the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute_alert: Option<bool>,
    /// Time limit of one attempt, a Go duration. Default 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = shape::INTERVAL))]
    pub timeout: Option<String>,
    /// Further attempts after the first. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Number>,
    /// Do not verify the receiver's certificate.
    #[serde(default, rename = "disableTLS", skip_serializing_if = "Option::is_none")]
    pub disable_tls: Option<bool>,
    /// Data handed to the receiver.
    #[serde(
        default,
        deserialize_with = "shape::texts",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(schema_with = "shape::texts_or_numbers")]
    pub metadata: BTreeMap<String, String>,
}

/// Cookie based session affinity.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionAffinity {
    /// Cookie of users who reached the canary.
    pub cookie_name: String,
    /// Cookie of users who reached the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_cookie_name: Option<String>,
    /// `Domain` of the cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// `HttpOnly` of the cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_only: Option<bool>,
    /// `Max-Age` of the canary cookie in seconds. The schema defaults it to 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = 86400))]
    pub max_age: Option<Number>,
    /// `Partitioned` of the cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioned: Option<bool>,
    /// `Path` of the cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `SameSite` of the cookies: `Strict`, `Lax` or `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Strict", "Lax", "None"]))]
    pub same_site: Option<String>,
    /// `Secure` of the cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
}

/// Interval when none is given or it cannot be read (controller.md 1.3).
pub const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);

/// What kind of run an analysis describes (controller.md 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Traffic moves in steps.
    Canary,
    /// Checks run for a number of iterations, then all traffic moves at once.
    BlueGreen,
    /// Matched requests go to the canary for a number of iterations.
    AbTesting,
}

// === impl Analysis ===

impl Analysis {
    /// The strategy: A/B with `match` and iterations, blue/green with iterations, else progressive.
    pub fn strategy(&self) -> Strategy {
        match (self.iterations() > 0, self.matches.is_empty()) {
            (true, false) => Strategy::AbTesting,
            (true, true) => Strategy::BlueGreen,
            (false, _) => Strategy::Canary,
        }
    }

    /// Number of iterations; 0 when absent, negative or not whole.
    pub fn iterations(&self) -> i64 {
        whole_or(self.iterations, 0).max(0)
    }

    /// Failed checks at which the run is rolled back; 1 when absent or not positive.
    pub fn threshold(&self) -> i64 {
        match whole_or(self.threshold, 1) {
            threshold if threshold > 0 => threshold,
            _ => 1,
        }
    }

    /// Effective interval, not below `floor`.
    pub fn interval(&self, floor: Duration) -> Duration {
        let parsed = self.interval.as_deref().and_then(crate::decode::go_duration);
        parsed.unwrap_or(DEFAULT_INTERVAL).max(floor)
    }

    /// Percent of requests that are mirrored, 1 to 100; `None` where none is given, which means all.
    pub fn mirror_percent(&self) -> Option<i64> {
        let given = self.mirror_weight.and_then(Number::whole)?;
        (given > 0).then(|| given.min(100))
    }

    /// Percent of the primary's updated pods that must be available, 0 to 100: a share above 100 could never be reached.
    pub fn primary_ready_threshold(&self) -> i64 {
        whole_or(self.primary_ready_threshold, 100).clamp(0, 100)
    }

    /// Percent of the canary's updated pods that must be available, 0 to 100.
    pub fn canary_ready_threshold(&self) -> i64 {
        whole_or(self.canary_ready_threshold, 100).clamp(0, 100)
    }
}

// === impl Strategy ===

impl Strategy {
    /// Value of the label `deployment_strategy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::BlueGreen => "blue-green",
            Self::AbTesting => "ab-testing",
        }
    }
}

fn whole_or(number: Option<Number>, default: i64) -> i64 {
    number.and_then(Number::whole).unwrap_or(default)
}

#[cfg(test)]
mod tests;
