//! Autoscalers: the primary's copy of the target's scaler, one file per kind.
//!
//! The copy takes changes of its source only with a promotion (document 004); when it is written is `step/scaler.rs`'s business.

use crds::{Canary, canary::AutoscalerRef};
use serde_json::Value;

use crate::{Kind, json::set, objects::kinds};

pub mod hpa;
pub mod keda;

/// A kind of scaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaler {
    /// HorizontalPodAutoscaler. It rests by itself while its target has no replicas.
    Hpa,
    /// KEDA's ScaledObject. It must be paused, or it scales the target up again.
    ScaledObject,
}

// === impl Scaler ===

impl Scaler {
    /// The scaler that the Canary refers to. Only the kind counts: documents name several versions of the API (workloads.md 14.1).
    pub fn of(canary: &Canary) -> Option<(Self, &AutoscalerRef)> {
        let given = canary.spec.autoscaler_ref.as_ref()?;
        let known = [Self::Hpa, Self::ScaledObject];
        let found = known.into_iter().find(|scaler| scaler.kind().kind == given.kind)?;
        Some((found, given))
    }

    /// Where its objects are stored.
    pub fn kind(self) -> Kind {
        match self {
            Self::Hpa => kinds::HORIZONTAL_POD_AUTOSCALER,
            Self::ScaledObject => kinds::SCALED_OBJECT,
        }
    }

    /// The primary's copy, made from the one that is there, so that foreign fields stay.
    pub fn primary(self, canary: &Canary, given: &AutoscalerRef, source: &Value, current: Option<&Value>) -> Value {
        match self {
            Self::Hpa => hpa::primary(canary, given, source, current),
            Self::ScaledObject => keda::primary(canary, given, source, current),
        }
    }

    /// The target's scaler while the target is kept at zero, or while it may be scaled.
    pub fn held(self, source: &Value, held: bool) -> Value {
        match self {
            Self::Hpa => source.clone(),
            Self::ScaledObject => keda::held(source, held),
        }
    }

    /// Pods that it keeps at least, 1 where it does not say (workloads.md 9).
    pub fn minimum(self, source: &Value) -> i64 {
        let (least, _) = self.limits();
        source["spec"][least].as_i64().unwrap_or(1)
    }

    /// The scaler with a floor of at least so many pods, as far as its ceiling allows (WL-42).
    pub fn raised(self, object: &Value, pods: i64) -> Value {
        let (least, most) = self.limits();
        let ceiling = object["spec"][most].as_i64().unwrap_or(i64::MAX);
        let floor = self.minimum(object).max(pods.min(ceiling));
        let mut raised = object.clone();
        if floor > self.minimum(object) {
            set(&mut raised, &["spec", least], floor.into());
        }
        raised
    }

    /// The fields of its floor and its ceiling.
    fn limits(self) -> (&'static str, &'static str) {
        match self {
            Self::Hpa => ("minReplicas", "maxReplicas"),
            Self::ScaledObject => ("minReplicaCount", "maxReplicaCount"),
        }
    }
}
