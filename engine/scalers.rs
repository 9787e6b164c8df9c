//! Autoscalers: the primary's copy of the target's scaler, one file per kind.
//!
//! The copy takes changes of its source only with a promotion (document 004); when it is written is `step/scaler.rs`'s business.

use crds::{Canary, canary::AutoscalerRef};
use serde_json::Value;

use crate::{Kind, objects::kinds};

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
        let field = match self {
            Self::Hpa => "minReplicas",
            Self::ScaledObject => "minReplicaCount",
        };
        source["spec"][field].as_i64().unwrap_or(1)
    }
}
