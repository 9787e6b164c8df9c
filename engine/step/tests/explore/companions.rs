//! The searches of what goes with a target, and of what goes against it.

use crds::Phase;
use serde_json::{Value, json};

use super::{
    moves::Move,
    scenarios::{BASE, IDLE, Scenario},
};

pub(super) fn autoscaled(kind: &str) -> Value {
    let group = if kind == "ScaledObject" {
        "keda.sh/v1alpha1"
    } else {
        "autoscaling/v2"
    };
    json!({"autoscalerRef": {"apiVersion": group, "kind": kind, "name": "app"}})
}

/// What goes with a target, and what goes against it.
pub(super) fn companions() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a config and an autoscaler",
            spec: autoscaled("HorizontalPodAutoscaler"),
            moves: &[
                Move::Config("b"),
                Move::Config("c"),
                Move::Config("a"),
                Move::Unseen(&Move::Config("b")),
                Move::Scale(3),
                Move::ScalePrimary(3),
                Move::Scaler(9),
            ],
            thin: [8, 1],
            effects: &["config's copy changed", "primary's scaler changed"],
            ..BASE
        },
        Scenario {
            name: "a scaler of KEDA",
            spec: autoscaled("ScaledObject"),
            thin: [24, 1],
            effects: &["target's scaler held", "target's scaler let go"],
            ..BASE
        },
        Scenario {
            name: "checks that tell nothing",
            annotations: json!({"aviary/on-no-data": "hold", "aviary/on-metrics-error": "ignore"}),
            moves: &[Move::Metric("500"), Move::Metric("")],
            thin: [12, 1],
            ..BASE
        },
        Scenario {
            name: "a primary that is lost",
            moves: &[Move::LosePrimary, Move::Unseen(&Move::LosePrimary)],
            always: &[Move::LosePrimary],
            disturbances: 2,
            thin: [24, 200],
            effects: &["primary made"],
            without: &["WaitingPromotion", "Waiting"],
            ..BASE
        },
        Scenario {
            name: "late addresses",
            from_new: true,
            moves: &[Move::Addresses(false), Move::Addresses(true), Move::Image("app:2")],
            always: &[Move::Addresses(false)],
            disturbances: 2,
            thin: [12, 60],
            phases: &[Phase::New, Phase::Initializing],
            effects: &["primary made", "route made"],
            without: IDLE,
            ..BASE
        },
        Scenario {
            name: "deletion with revert",
            spec: json!({"revertOnDeletion": true}),
            always: &[Move::Delete],
            moves: &[Move::Scale(0)],
            disturbances: 2,
            thin: [24, 200],
            phases: &[Phase::Terminating],
            effects: &["apex Service changed", "finalizer removed"],
            without: &["WaitingPromotion", "Waiting"],
            ..BASE
        },
    ]
}
