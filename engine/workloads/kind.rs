//! Which kinds of targets can be released, and what each of them is asked. One file per kind answers; this one only branches.

use crds::{CanarySpec, canary::TargetRef};
use serde_json::Value;

use super::{Projection, daemon_set, deployment, knative, service};
use crate::{
    Kind,
    objects::kinds,
    readiness::{self, Readiness, Terms},
    revision,
};

/// A kind of target (workloads.md 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Scaled by its replicas.
    Deployment,
    /// Scaled to zero by a node selector that no node fulfils.
    DaemonSet,
    /// A Service of the user's: traffic moves between copies of it, pods are not touched (workloads.md 15.1).
    Service,
    /// A Knative Service, which is its own primary: traffic moves between its revisions (workloads.md 15.2).
    Knative,
}

// === impl Workload ===

impl Workload {
    /// The kind that `spec.targetRef` names; `None`: it cannot be released; `crds::problems` says why.
    pub fn of(target: &TargetRef) -> Option<Self> {
        match target.kind.as_str() {
            "Deployment" => Some(Self::Deployment),
            "DaemonSet" => Some(Self::DaemonSet),
            "Service" if is_knative(&target.api_version) => Some(Self::Knative),
            "Service" => Some(Self::Service),
            _ => None,
        }
    }

    /// The kind of a target or primary as it is stored. What says nothing of its kind is taken for a Deployment.
    pub fn of_object(object: &Value) -> Self {
        match object["kind"].as_str() {
            Some("DaemonSet") => Self::DaemonSet,
            Some("Service") if object["apiVersion"].as_str().is_some_and(is_knative) => Self::Knative,
            Some("Service") => Self::Service,
            _ => Self::Deployment,
        }
    }

    /// Where its objects are stored.
    pub fn kind(self) -> Kind {
        match self {
            Self::Deployment => kinds::DEPLOYMENT,
            Self::DaemonSet => kinds::DAEMON_SET,
            Self::Service => kinds::SERVICE,
            Self::Knative => kinds::KNATIVE_SERVICE,
        }
    }

    /// Whether it has a pod template: only then are there a selector, Services made for it, tracked configs and pods to wait for.
    pub fn has_pods(self) -> bool {
        matches!(self, Self::Deployment | Self::DaemonSet)
    }

    /// Name of its primary.
    pub fn primary_name(self, spec: &CanarySpec) -> String {
        match self {
            Self::Knative => spec.target_ref.name.clone(),
            _ => spec.primary_name(),
        }
    }

    /// What the hash of a revision covers (workloads.md 11.1).
    pub fn revision(self, target: &Value) -> String {
        match self {
            Self::Deployment => revision::of_deployment(target),
            Self::DaemonSet => daemon_set::revision(target),
            Self::Service => service::revision(target),
            Self::Knative => knative::revision(target),
        }
    }

    /// Pods that it shall have: 0 when it is scaled to zero. A DaemonSet that is not counts as 1, a Service always.
    pub fn replicas(self, object: &Value) -> i64 {
        match self {
            Self::Deployment => super::replicas(object),
            Self::DaemonSet => i64::from(!daemon_set::is_at_zero(object)),
            Self::Service | Self::Knative => 1,
        }
    }

    /// Pods that are available; a Service has none of its own and counts as served.
    pub fn available(self, object: &Value) -> i64 {
        let count = |field: &str| object["status"][field].as_i64().unwrap_or(0);
        match self {
            Self::Deployment => count("availableReplicas"),
            Self::DaemonSet => count("numberAvailable"),
            Self::Service | Self::Knative => 1,
        }
    }

    /// The object with another number of pods. A DaemonSet knows none and all; a Service is not scaled.
    pub fn scaled(self, object: &Value, replicas: i64) -> Value {
        match self {
            Self::Deployment => super::scaled(object, replicas),
            Self::DaemonSet => daemon_set::scaled(object, replicas > 0),
            Self::Service | Self::Knative => object.clone(),
        }
    }

    /// Whether users may be sent there. A Knative Service answers through its revisions, see [`readiness::revision`].
    pub fn readiness(self, object: &Value, terms: &Terms<'_>) -> Readiness {
        match self {
            Self::Deployment => readiness::deployment(Some(object), terms),
            Self::DaemonSet => readiness::daemon_set(object, terms),
            Self::Service | Self::Knative => Readiness::Ready,
        }
    }

    /// Why this very target cannot be released, although its kind can be.
    pub fn impediment(self, target: &Value) -> Option<String> {
        match self {
            Self::DaemonSet => daemon_set::impediment(target),
            _ => None,
        }
    }

    /// What the owner of this target should know before a run, though it stops nothing.
    pub fn warnings(self, target: &Value) -> Vec<String> {
        match self {
            Self::DaemonSet => daemon_set::warnings(target),
            _ => Vec::new(),
        }
    }

    /// Whether the primary already runs what a promotion would give it, `expected` (take-over, controller.md 1.7).
    pub fn runs_same(self, primary: &Value, expected: &Value) -> bool {
        match self {
            Self::Deployment | Self::DaemonSet => super::runs_same(primary, expected),
            Self::Service => service::revision(primary) == service::revision(expected),
            Self::Knative => knative::primary(primary) == knative::primary(expected),
        }
    }
}

impl Projection<'_> {
    /// The primary that does not exist yet (workloads.md 6, 10, 15.1).
    pub fn new_primary(&self, target: &Value) -> Value {
        match Workload::of_object(target) {
            Workload::Deployment => deployment::new_primary(self, target),
            Workload::DaemonSet => daemon_set::new_primary(self, target),
            Workload::Service => service::copy(self.canary, self.settings, target, service::Role::Primary, None),
            Workload::Knative => target.clone(),
        }
    }

    /// The live primary as it shall be after the promotion of this target (workloads.md 8, 10, 15.1): the whole object.
    pub fn promoted(&self, target: &Value, primary: &Value) -> Value {
        match Workload::of_object(target) {
            Workload::Deployment => deployment::promoted(self, target, primary),
            Workload::DaemonSet => daemon_set::promoted(self, target, primary),
            Workload::Service => service::copy(
                self.canary,
                self.settings,
                target,
                service::Role::Primary,
                Some(primary),
            ),
            Workload::Knative => knative::promoted(target, primary),
        }
    }

    /// Whether the primary has been given this revision. The id tells, not the content: an admission webhook may have changed that, and
    /// would at every attempt. A Service carries no id; there the content tells.
    pub fn is_promoted(&self, target: &Value, primary: &Value) -> bool {
        match Workload::of_object(target) {
            Workload::Deployment | Workload::DaemonSet => {
                primary["spec"]["template"]["metadata"]["annotations"][super::FLAGGER_ID] == self.flagger_id
            }
            Workload::Service => service::revision(primary) == service::revision(&self.promoted(target, primary)),
            Workload::Knative => knative::primary(primary) == knative::latest(target),
        }
    }
}

fn is_knative(api_version: &str) -> bool {
    api_version.starts_with("serving.knative.dev/")
}
