//! What is searched: each strategy, each kind of target, and what goes with them. The base is a run of one weight on Gateway API.

use crds::Phase;
use serde_json::{Value, json};

use super::{
    companions::{autoscaled, companions},
    ingresses::ingresses,
    meshes::meshes,
    moves::Move,
};
use crate::json::merge;

/// One search.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// On top of the base.
    pub(super) spec: Value,
    /// `Deployment`, `DaemonSet`, `Service` or `Knative`.
    pub(super) target: &'static str,
    /// Whether it begins with the new Canary; else with an initialised one whose target has a new revision.
    pub(super) from_new: bool,
    /// Annotations of the Canary.
    pub(super) annotations: Value,
    /// Disturbances on top of those of all.
    pub(super) moves: &'static [Move],
    /// Disturbances that are tried in every state, however thin the choice of the others is.
    pub(super) always: &'static [Move],
    /// Most disturbances on one way.
    pub(super) disturbances: usize,
    /// Of the first and of the second disturbances every so manieth is tried in the quick run; all in the long run.
    pub(super) thin: [usize; 2],
    /// Phases and kinds of writes that have to be reached, apart from [`RUN`] and [`WRITES`].
    pub(super) phases: &'static [Phase],
    pub(super) effects: &'static [&'static str],
    /// Of [`RUN`] and [`WRITES`], what this scenario has no use for.
    pub(super) without: &'static [&'static str],
}

/// Phases of every run.
pub(super) const RUN: [Phase; 8] = [
    Phase::Initialized,
    Phase::Waiting,
    Phase::Progressing,
    Phase::WaitingPromotion,
    Phase::Promoting,
    Phase::Finalising,
    Phase::Succeeded,
    Phase::Failed,
];
/// Writes of every run.
pub(super) const WRITES: [&str; 5] = [
    "status",
    "target scaled up",
    "target scaled to zero",
    "primary given a template",
    "route shared",
];

pub(super) const BASE: Scenario = Scenario {
    name: "",
    spec: Value::Null,
    target: "Deployment",
    from_new: false,
    annotations: Value::Null,
    moves: &[],
    always: &[Move::Gate("closed"), Move::Gate("promotion")],
    disturbances: 1,
    thin: [9, 1],
    phases: &[],
    effects: &[],
    without: &[],
};

/// Disturbances that need replicas.
const SCALED: &[Move] = &[Move::Scale(0), Move::Scale(3), Move::Unseen(&Move::Scale(0))];
/// Those of the main scenario, which tries everything once.
const MAIN: &[Move] = &[
    Move::Scale(0),
    Move::Unseen(&Move::Scale(0)),
    Move::ScalePrimary(0),
    Move::Drift,
    Move::Accept(false),
    Move::Accept(true),
    Move::Unseen(&Move::Break(true)),
    Move::Unseen(&Move::Break(false)),
    Move::Unseen(&Move::Image("app:3")),
    Move::Unseen(&Move::Image("app:1")),
    Move::Unseen(&Move::Weights(70)),
    Move::Unseen(&Move::DeleteRoute),
    Move::Unseen(&Move::Suspend(true)),
    Move::Edit(r#"{"skipAnalysis": true}"#),
    Move::Edit(r#"{"analysis": {"threshold": 1}}"#),
    Move::Edit(r#"{"analysis": {"stepWeight": 100}}"#),
    Move::Edit(r#"{"analysis": {"stepWeight": null, "maxWeight": null, "iterations": 1}}"#),
    Move::Edit(r#"{"service": {"hosts": ["other.example.com"]}}"#),
    Move::Delete,
];

/// All searches.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = strategies();
    all.extend(routes());
    all.extend(targets());
    all.extend(beginnings());
    all.extend(companions());
    all
}

fn strategies() -> Vec<Scenario> {
    let rounds = |analysis: Value| {
        let mut all = json!({"analysis": {"stepWeight": null, "maxWeight": null}});
        merge(&mut all["analysis"], &analysis);
        all
    };
    vec![
        Scenario {
            name: "one weight",
            moves: MAIN,
            disturbances: 2,
            thin: [2, 400],
            effects: &[
                "apex Service changed",
                "canary Service changed",
                "primary Service changed",
                "primary scaled up",
                "route made",
            ],
            ..BASE
        },
        Scenario {
            name: "listed weights",
            spec: rounds(json!({"stepWeights": [50, 100]})),
            moves: SCALED,
            ..BASE
        },
        Scenario {
            name: "promotion in steps",
            spec: json!({"analysis": {"stepWeight": 100, "stepWeightPromotion": 50}}),
            moves: SCALED,
            ..BASE
        },
        Scenario {
            name: "blue/green",
            spec: rounds(json!({"iterations": 2})),
            moves: SCALED,
            ..BASE
        },
        Scenario {
            name: "skipped analysis",
            spec: json!({"skipAnalysis": true}),
            moves: &[Move::Scale(0), Move::Edit(r#"{"skipAnalysis": false}"#)],
            // Without analysis the primary takes over in one step.
            without: &["Finalising", "Promoting", "WaitingPromotion"],
            ..BASE
        },
    ]
}

/// Strategies that differ in the route alone, on each provider.
fn routes() -> Vec<Scenario> {
    let affinity = json!({"cookieName": "c", "primaryCookieName": "p"});
    let chosen = json!([{"headers": {"x-canary": {"exact": "insider"}}}]);
    let mirror = json!({"stepWeight": null, "maxWeight": null, "iterations": 1, "mirror": true});
    let ab = json!({"stepWeight": null, "maxWeight": null, "iterations": 1, "match": chosen});
    let cookies = json!({"mirror": true, "sessionAffinity": affinity});
    let istio = |analysis: &Value| json!({"analysis": analysis, "provider": "istio", "service": {"gatewayRefs": null}});
    let gateway = |analysis: &Value| json!({ "analysis": analysis });
    let thin = [24, 1];
    let mut all = vec![
        Scenario {
            name: "blue/green with mirror, Gateway API",
            spec: gateway(&mirror),
            effects: &["route with mirror"],
            thin,
            ..BASE
        },
        Scenario {
            name: "blue/green with mirror, Istio",
            spec: istio(&mirror),
            effects: &["route with mirror"],
            thin,
            ..BASE
        },
        Scenario {
            name: "A/B, Gateway API",
            spec: gateway(&ab),
            thin,
            ..BASE
        },
        Scenario {
            name: "A/B, Istio",
            spec: istio(&ab),
            thin,
            ..BASE
        },
        Scenario {
            name: "mirror and cookies, Gateway API",
            spec: gateway(&cookies),
            effects: &["route with cookies", "route with mirror"],
            thin,
            ..BASE
        },
        Scenario {
            name: "mirror and cookies, Istio",
            spec: istio(&cookies),
            effects: &["route with cookies", "route with mirror"],
            thin,
            ..BASE
        },
        Scenario {
            name: "blue/green, plain Kubernetes",
            spec: json!({
                "provider": "kubernetes", "service": {"gatewayRefs": null},
                "analysis": {"stepWeight": null, "maxWeight": null, "iterations": 1},
            }),
            thin,
            without: &["route shared"],
            ..BASE
        },
    ];
    let others = ingresses(&gateway(&ab)).into_iter().chain(meshes());
    all.splice(6..6, others);
    all
}

/// Targets that are no Deployments.
fn targets() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "DaemonSet",
            target: "DaemonSet",
            thin: [16, 1],
            ..BASE
        },
        Scenario {
            name: "Service",
            target: "Service",
            thin: [16, 1],
            effects: &["canary Service changed"],
            // Its pods are the user's own.
            without: &["target scaled up", "target scaled to zero"],
            ..BASE
        },
        Scenario {
            name: "Knative",
            target: "Knative",
            thin: [12, 1],
            spec: json!({"revertOnDeletion": true}),
            moves: &[Move::Delete],
            phases: &[Phase::Terminating],
            effects: &["finalizer removed", "primary named", "target freed"],
            without: &["target scaled up", "target scaled to zero", "primary given a template"],
            ..BASE
        },
    ]
}

/// What a canary that nothing is released with does not reach.
pub(super) const IDLE: &[&str] = &[
    "Waiting",
    "Progressing",
    "WaitingPromotion",
    "Promoting",
    "Finalising",
    "Succeeded",
    "target scaled up",
    "primary given a template",
];

/// Nor does one whose route nobody touches.
const UNTOUCHED: &[&str] = &[
    "Waiting",
    "Progressing",
    "WaitingPromotion",
    "Promoting",
    "Finalising",
    "Succeeded",
    "target scaled up",
    "primary given a template",
    "route shared",
];

/// Canaries that nobody has looked at yet.
fn beginnings() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a new canary",
            spec: autoscaled("HorizontalPodAutoscaler"),
            from_new: true,
            thin: [8, 1],
            moves: &[Move::Scale(0), Move::Image("app:2")],
            phases: &[Phase::New, Phase::Initializing],
            effects: &[
                "apex Service made",
                "canary Service made",
                "config's copy made",
                "primary's scaler made",
                "primary Service made",
                "primary made",
                "route made",
            ],
            // Nothing is released in most of its states.
            without: IDLE,
            ..BASE
        },
        Scenario {
            name: "a new canary, Istio",
            spec: json!({"revertOnDeletion": true, "provider": "istio", "service": {"gatewayRefs": null, "trafficPolicy": {"tls": {"mode": "DISABLE"}}}}),
            from_new: true,
            always: &[Move::Edit(
                r#"{"service": {"trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}}"#,
            )],
            thin: [24, 1],
            phases: &[Phase::New, Phase::Initializing],
            effects: &[
                "finalizer added",
                "route made",
                "rules of the mesh changed",
                "rules of the mesh made",
            ],
            without: UNTOUCHED,
            ..BASE
        },
    ]
}
