//! The `Canary` resource: what to release, how to expose it, how to judge it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::{Number, analysis::Analysis, service::Service, shape, status::CanaryStatus};

/// Desired release process of one workload (controller.md 1.1).
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "flagger.app",
    version = "v1beta1",
    kind = "Canary",
    plural = "canaries",
    singular = "canary",
    namespaced,
    status = "CanaryStatus",
    category = "all",
    derive = "PartialEq",
    doc = "How a workload is released: what to watch, how it is exposed, how a new revision is judged.",
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Weight", type_ = "string", json_path = ".status.canaryWeight"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(
        name = "FailedChecks",
        type_ = "string",
        json_path = ".status.failedChecks",
        priority = 1
    ),
    printcolumn(
        name = "Interval",
        type_ = "string",
        json_path = ".spec.analysis.interval",
        priority = 1
    ),
    printcolumn(
        name = "Mirror",
        type_ = "boolean",
        json_path = ".spec.analysis.mirror",
        priority = 1
    ),
    printcolumn(
        name = "StepWeight",
        type_ = "string",
        json_path = ".spec.analysis.stepWeight",
        priority = 1
    ),
    printcolumn(
        name = "StepWeights",
        type_ = "string",
        json_path = ".spec.analysis.stepWeights",
        priority = 1
    ),
    printcolumn(
        name = "MaxWeight",
        type_ = "string",
        json_path = ".spec.analysis.maxWeight",
        priority = 1
    ),
    printcolumn(
        name = "LastTransitionTime",
        type_ = "string",
        json_path = ".status.lastTransitionTime"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct CanarySpec {
    /// Traffic provider of this canary; the controller's `-mesh-provider` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = shape::PROVIDERS))]
    pub provider: Option<String>,
    /// Prometheus URL for builtin and inline queries; the controller's `-metrics-server` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_server: Option<String>,
    /// The workload that is watched. It is the canary; its stable copy is `<name>-primary`.
    #[schemars(schema_with = "shape::target")]
    pub target_ref: TargetRef,
    /// Autoscaler of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler_ref: Option<AutoscalerRef>,
    /// Ingress of the NGINX and Skipper providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::ingress")]
    pub ingress_ref: Option<TargetRef>,
    /// ApisixRoute of the APISIX provider, or a route of the Gateway API that is there already: only weights are written into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_ref: Option<RouteRef>,
    /// Gloo Upstream whose settings are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_ref: Option<UpstreamRef>,
    /// How the workload is exposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// How a new revision is judged. When absent, new revisions are promoted without analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    /// Seconds that pods may take to become ready before the run is rolled back. Default 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<Number>,
    /// Promote without analysis. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_analysis: Option<bool>,
    /// Restore target, Service and route when the Canary is deleted. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert_on_deletion: Option<bool>,
    /// Pause all reconciliation of this canary. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Reference to an object in the canary's namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetRef {
    /// API version of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind of the object.
    pub kind: String,
    /// Name of the object.
    pub name: String,
}

/// Reference to a route of the user's, in the canary's namespace. The peer's schema refuses all kinds but ApisixRoute, so that a Canary with
/// a route of its own is never taken for one without.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["apiVersion", "kind", "name"]))]
pub struct RouteRef {
    /// API version of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind of the object.
    #[schemars(extend("enum" = shape::ROUTES))]
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Gateway API only: name of the rule that carries the weights. All rules that lead to the apex when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// Reference to an HPA or a KEDA ScaledObject, with overrides for the primary's copy.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["apiVersion", "kind", "name"]))]
pub struct AutoscalerRef {
    /// API version of the scaler.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `HorizontalPodAutoscaler` or `ScaledObject`.
    #[schemars(extend("enum" = ["HorizontalPodAutoscaler", "ScaledObject"]))]
    pub kind: String,
    /// Name of the scaler.
    pub name: String,
    /// KEDA only: trigger name to the query used by the primary's scaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_scaler_queries: Option<BTreeMap<String, String>>,
    /// Limits of the primary's scaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_scaler_replicas: Option<ScalerReplicas>,
}

/// Replica limits of the primary's scaler.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalerReplicas {
    /// At least this many replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>", range(min = 1))]
    pub min_replicas: Option<Number>,
    /// At most this many replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>", range(min = 1))]
    pub max_replicas: Option<Number>,
}

/// Reference to a Gloo Upstream.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["apiVersion", "kind", "name"]))]
pub struct UpstreamRef {
    /// API version of the Upstream.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `Upstream`.
    #[schemars(extend("enum" = ["Upstream"]))]
    pub kind: String,
    /// Name of the Upstream.
    pub name: String,
    /// Namespace of the Upstream; the canary's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Seconds that pods may take to become ready (controller.md 5.9).
pub const PROGRESS_DEADLINE_SECONDS: i64 = 600;

// === impl CanarySpec ===

impl CanarySpec {
    /// Whether a run promotes without analysis: asked for, or no analysis is described at all.
    pub fn skips_analysis(&self) -> bool {
        self.skip_analysis == Some(true) || self.analysis.is_none()
    }

    /// Effective progress deadline in seconds.
    pub fn progress_deadline_seconds(&self) -> i64 {
        self.progress_deadline_seconds
            .and_then(Number::whole)
            .unwrap_or(PROGRESS_DEADLINE_SECONDS)
    }

    /// Name of the apex Service and route: `service.name`, else the target's name.
    pub fn apex_name(&self) -> &str {
        let named = self.service.as_ref().and_then(|service| service.name.as_deref());
        named.filter(|name| !name.is_empty()).unwrap_or(&self.target_ref.name)
    }

    /// Name of the primary Service.
    pub fn primary_service_name(&self) -> String {
        format!("{}-primary", self.apex_name())
    }

    /// Name of the canary Service.
    pub fn canary_service_name(&self) -> String {
        format!("{}-canary", self.apex_name())
    }

    /// Name of the primary workload.
    pub fn primary_name(&self) -> String {
        format!("{}-primary", self.target_ref.name)
    }
}

impl Canary {
    /// Name of this object; empty only for an object that no API server has stored.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Namespace of this object.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// `<name>.<namespace>`, as messages and logs name a canary.
    pub fn display_name(&self) -> String {
        format!("{}.{}", self.name(), self.namespace())
    }
}
