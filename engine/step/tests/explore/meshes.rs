//! The searches of meshes and routes whose weights have another shape than those of the Gateway API and of Istio.

use serde_json::json;

use super::{
    super::fixture::on_own_route,
    moves::Move,
    scenarios::{BASE, Scenario},
};
use crds::Phase;

/// They differ from the others in their route alone.
pub(super) fn meshes() -> Vec<Scenario> {
    let all = [
        ("one weight, SMI", "smi:v1alpha2"),
        ("one weight, Kuma", "kuma"),
        ("one weight, App Mesh", "appmesh:v1beta2"),
        ("one weight, TCPRoute", "gatewayapi:v1:tcp"),
    ];
    let scenario = |(name, provider): (&'static str, &str)| Scenario {
        name,
        spec: json!({"provider": provider, "service": {"meshName": "prod"}}),
        thin: [60, 1],
        always: &[],
        without: &["Waiting", "WaitingPromotion"],
        ..BASE
    };
    let mut all: Vec<Scenario> = all.map(scenario).into();
    all.push(Scenario {
        name: "one weight, a route of the user's own",
        spec: on_own_route(&json!({"revertOnDeletion": true})),
        moves: &[Move::Delete],
        always: &[Move::Delete],
        phases: &[Phase::Terminating],
        effects: &["finalizer removed"],
        ..scenario(("", "gatewayapi:v1"))
    });
    all
}
