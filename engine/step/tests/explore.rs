//! Small-scope exhaustive check (peers.md 5.2): one canary, every order of what the controller, the cluster and people can do.
//!
//! Breadth first over `fork`s of the model. Moves of a working cluster (`FREE`) cost nothing; faults, edits and bad luck
//! (`disturbances`) cost one each, and every state that is reachable with few of them is visited. Two states are the same when their
//! objects are, apart from versions, and times are compared as ages. After every move the invariants must hold (the model checks
//! them at every call of `step`), and no phase may be overdue (L2). From every state, a cluster that works again and people who leave
//! it alone must bring the run to an end that stays, without a further write (L1).

use serde_json::{Value, json};
use std::{collections::BTreeSet, rc::Rc};

use super::fixture::*;
use crate::{
    invariants::{overdue, runs},
    json::merge,
    model::{End, Model},
};
use fingerprint::fingerprint;
use moves::{Answers, Move, broken, play, stepped};

mod fingerprint;
mod moves;

/// Check interval, and the length of one `Wait`.
const TICK_SECS: i64 = 10;
/// Deadline for pods: two ticks, so that there are states before, at and after it.
const DEADLINE_SECS: i64 = 20;
/// Longer than the limit of `overdue`: 20 + 2 * 10 + 60 s, and a tick more.
const LONG_SECS: i64 = 110;
/// Steps to an end in a working cluster: 2 checks, promotion in 3 steps, and 3 restarts of a run that takes 12, each with a wait.
const FRIENDLY_STEPS: usize = 80;
/// Steps that an overdue phase gets to end.
const RETRIES_MAX: usize = 3;
/// Of the first and of the second disturbances, every so manieth is tried. The quick run tries all single ones in the main scenario
/// (1900 states at 3 ms in a debug build), half of them in the others, and a few pairs; the long run tries all pairs.
const QUICK_MAIN: [usize; 2] = [1, 40];
const QUICK: [usize; 2] = [2, 1];
/// For strategies that differ in the route alone; each is tried on both providers.
const FEW: [usize; 2] = [12, 1];
/// For providers that differ in the route alone; each is tried with few strategies.
const FEWER: [usize; 2] = [40, 1];
const ALL: [usize; 2] = [1, 1];
/// More states than any scenario has; a scenario that grows beyond is a mistake in `fingerprint`.
const STATES_MAX: usize = 60_000;

/// A state and how it was reached.
struct Node {
    model: Model,
    answers: Answers,
    disturbances: usize,
    path: Option<Rc<Path>>,
}

struct Path {
    before: Option<Rc<Path>>,
    step: Move,
}

/// What was seen so far.
#[derive(Default)]
struct Map {
    /// All states.
    seen: BTreeSet<u64>,
    /// States from which a working cluster is known to come to an end.
    good: BTreeSet<u64>,
}

const FREE: [Move; 4] = [Move::Step, Move::Settle, Move::Wait(TICK_SECS), Move::Wait(LONG_SECS)];
const WORKING: Answers = Answers {
    gate: 200,
    metric: "100",
};

fn disturbances() -> Vec<Move> {
    let mut moves = vec![
        Move::Image("app:3"),
        Move::Image("app:1"),
        Move::Scale(0),
        Move::Suspend(true),
        Move::Suspend(false),
        Move::Spoil(true),
        Move::Spoil(false),
        Move::DeleteRoute,
        Move::Weights(70),
        Move::Gate(403),
        Move::Gate(200),
        Move::Metric("1"),
        Move::Metric(""),
        Move::Metric("100"),
    ];
    moves.extend(
        [true, false]
            .into_iter()
            .flat_map(|primary| [Move::Break(primary), Move::Mend(primary)]),
    );
    moves
}

/// The ways in which a step with so many writes, the status included, can go wrong.
fn faults(writes: usize) -> impl Iterator<Item = Move> {
    (0..writes).flat_map(|nth| [Move::Conflict(nth), Move::Unavailable(nth), Move::Crash(nth)])
}

fn one_weight() -> Value {
    json!({})
}

fn listed_weights() -> Value {
    json!({"analysis": {"stepWeight": null, "maxWeight": null, "stepWeights": [50, 100]}})
}

fn promotion_in_steps() -> Value {
    json!({"analysis": {"stepWeight": 100, "stepWeightPromotion": 50}})
}

fn blue_green() -> Value {
    json!({"analysis": {"stepWeight": null, "maxWeight": null, "iterations": 2}})
}

fn blue_green_with_mirror() -> Value {
    json!({"analysis": {"stepWeight": null, "maxWeight": null, "iterations": 1, "mirror": true}})
}

fn ab_testing() -> Value {
    let chosen = json!([{"headers": {"x-canary": {"exact": "insider"}}}]);
    json!({"analysis": {"stepWeight": null, "maxWeight": null, "iterations": 1, "match": chosen}})
}

fn mirror_with_affinity() -> Value {
    let affinity = json!({"cookieName": "c", "primaryCookieName": "p"});
    json!({"analysis": {"mirror": true, "sessionAffinity": affinity}})
}

/// The same strategies on Istio.
fn istio(mut spec: Value) -> Value {
    merge(
        &mut spec,
        &json!({"provider": "istio", "service": {"gatewayRefs": null}}),
    );
    spec
}

fn skipped_analysis() -> Value {
    json!({"skipAnalysis": true})
}

fn start(spec: &Value) -> Node {
    let mut all = json!({
        "progressDeadlineSeconds": DEADLINE_SECS,
        "analysis": {
            "threshold": 2, "stepWeight": 50, "maxWeight": 100,
            "metrics": [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}],
            "webhooks": [
                {"name": "start", "type": "confirm-rollout", "url": "http://gate.test/"},
                {"name": "traffic", "type": "confirm-traffic-increase", "url": "http://gate.test/"},
                {"name": "promotion", "type": "confirm-promotion", "url": "http://gate.test/"},
            ],
        },
    });
    merge(&mut all, spec);
    Node {
        model: released(&all),
        answers: WORKING,
        disturbances: 0,
        path: None,
    }
}

/// Visit every state with at most so many disturbances, of which one in `thin` is tried.
fn explore(spec: &Value, disturbances_max: usize, thin: [usize; 2]) {
    let mut map = Map::default();
    let mut layer = vec![start(spec)];
    let others = disturbances();
    for used in 0..=disturbances_max {
        let mut next_layer = Vec::new();
        let mut at = 0;
        while at < layer.len() {
            assert!(map.seen.len() < STATES_MAX, "the states do not end");
            let mut moves = FREE.to_vec();
            if used < disturbances_max {
                let every = thin[used.min(1)];
                let all = others.iter().copied().chain(faults(writes_of_a_step(&layer[at])));
                moves.extend(all.skip(at % every).step_by(every));
            }
            for step in moves {
                let Some(node) = go(&mut map, &layer[at], step) else {
                    continue;
                };
                if node.disturbances == used {
                    &mut layer
                } else {
                    &mut next_layer
                }
                .push(node);
            }
            at += 1;
        }
        println!(
            "{used} disturbances: {at} of {} states, {} ahead",
            layer.len(),
            next_layer.len()
        );
        layer = next_layer;
    }
}

fn writes_of_a_step(from: &Node) -> usize {
    let mut model = from.model.fork();
    stepped(&mut model, from.answers);
    model.writes
}

/// Make the move, check what must hold, and return the state if it is new.
fn go(map: &mut Map, from: &Node, step: Move) -> Option<Node> {
    let mut model = from.model.fork();
    let answers = play(&mut model, from.answers, step);
    let is_free = FREE
        .iter()
        .any(|free| std::mem::discriminant(free) == std::mem::discriminant(&step));
    let node = Node {
        disturbances: from.disturbances + usize::from(!is_free),
        path: Some(Rc::new(Path {
            before: from.path.clone(),
            step,
        })),
        answers,
        model,
    };
    assert_eq!(node.model.violations, [], "{}", told(&node));
    if matches!(step, Move::Step) {
        keeps_its_time(&node);
    }
    let hash = fingerprint(&node.model, node.answers);
    if !map.seen.insert(hash) {
        return None;
    }
    comes_to_an_end(map, &node);
    Some(node)
}

/// L1: in a working cluster that is left alone the run ends, and the end stays without a write.
fn comes_to_an_end(map: &mut Map, from: &Node) {
    let mut model = from.model.fork();
    let canary = model.canary_at.clone();
    if model.canary().spec.suspend == Some(true) {
        model.edit(&canary, &json!({"spec": {"suspend": false}}));
    }
    if model.canary().spec.autoscaler_ref.is_some() {
        model.edit(&canary, &json!({"spec": {"autoscalerRef": null}}));
    }
    broken(&mut model, true, &Value::Null);
    broken(&mut model, false, &Value::Null);
    let mut passed = Vec::new();
    for _ in 0..FRIENDLY_STEPS {
        let hash = fingerprint(&model, WORKING);
        if map.good.contains(&hash) {
            map.good.extend(passed);
            return;
        }
        passed.push(hash);
        let version = model.version();
        let End::Done(done) = stepped(&mut model, WORKING) else {
            panic!("a step does not end: {}", told(from));
        };
        model.settle();
        assert_eq!(
            model.violations,
            [],
            "{}\nthen, left alone: {:#?}",
            told(from),
            model.decisions
        );
        if model.version() != version {
            continue;
        }
        let rests = done.decision.verb == "idle";
        if rests {
            assert_eq!(runs::came_to_an_end(model.phase()), None, "{}", told(from));
            map.good.extend(passed);
            return;
        }
        model.now = done.wake.unwrap_or(model.now).max(model.now);
    }
    let endless = runs::endless("the canary");
    panic!("{endless:?}: {}\nthen, left alone: {:#?}", told(from), model.decisions);
}

/// L2: whatever the environment is, a step moves a phase that is overdue; one that met an obstacle may try again when it said it would.
fn keeps_its_time(from: &Node) {
    if overdue(&from.model.canary(), None, from.model.now).is_none() {
        return;
    }
    let mut model = from.model.fork();
    for _ in 0..RETRIES_MAX {
        let End::Done(done) = stepped(&mut model, from.answers) else {
            panic!("a step does not end: {}", told(from));
        };
        if overdue(&model.canary(), None, model.now).is_none() {
            return;
        }
        model.now = done.wake.unwrap_or(model.now).max(model.now);
    }
    panic!("overdue: {}\nthen: {:#?}", told(from), model.decisions);
}

/// How a state was reached, and how it looks.
fn told(node: &Node) -> String {
    let mut moves = Vec::new();
    let mut at = node.path.clone();
    while let Some(path) = at {
        moves.push(format!("{:?}", path.step));
        at = path.before.clone();
    }
    moves.reverse();
    let status = node.model.canary().status;
    let answers = node.answers;
    let decisions = &node.model.decisions;
    format!("{}\n{answers:?}\n{status:?}\n{decisions:?}", moves.join(", "))
}

/// All pairs of disturbances in all scenarios with `AVIARY_EXPLORE=all cargo test -p engine explore`, about 7 minutes; else a choice.
fn search(spec: &Value, disturbances: usize, quick: [usize; 2]) {
    if is_long() {
        explore(spec, 2, ALL);
    } else {
        explore(spec, disturbances, quick);
    }
}

/// Ingress providers differ from the others in their route alone. Each is tried with weights, and those that can with an A/B test.
fn search_ingresses(providers: &[&str], spec: &Value) {
    let thin = if is_long() { ALL } else { FEWER };
    for provider in providers {
        explore(&on_ingress(provider, spec), 1, thin);
    }
}

/// For strategies that differ in the route alone: both providers, all single disturbances in the long run, else a choice of them.
fn search_providers(spec: &Value) {
    let thin = if is_long() { ALL } else { FEW };
    explore(spec, 1, thin);
    explore(&istio(spec.clone()), 1, thin);
}

fn is_long() -> bool {
    std::env::var("AVIARY_EXPLORE").is_ok_and(|scope| scope == "all")
}

#[test]
fn steps_of_one_weight_hold_under_every_disturbance() {
    search(&one_weight(), 2, QUICK_MAIN);
}

#[test]
fn listed_weights_hold_under_disturbances() {
    search(&listed_weights(), 1, QUICK);
}

#[test]
fn a_promotion_in_steps_holds_under_disturbances() {
    search(&promotion_in_steps(), 1, QUICK);
}

#[test]
fn blue_green_holds_under_disturbances() {
    search(&blue_green(), 1, QUICK);
}

#[test]
fn blue_green_with_mirror_holds_under_disturbances() {
    search_providers(&blue_green_with_mirror());
}

#[test]
fn ab_testing_holds_under_disturbances() {
    search_providers(&ab_testing());
}

#[test]
fn a_mirror_and_cookies_hold_under_disturbances() {
    search_providers(&mirror_with_affinity());
}

#[test]
fn ingress_weights_hold_under_disturbances() {
    search_ingresses(
        &["nginx", "skipper", "traefik", "contour", "apisix", "gloo"],
        &one_weight(),
    );
}

#[test]
fn ingress_ab_testing_holds_under_disturbances() {
    search_ingresses(&["nginx", "skipper", "contour", "apisix", "gloo"], &ab_testing());
}

#[test]
fn a_skipped_analysis_holds_under_disturbances() {
    search(&skipped_analysis(), 1, QUICK);
}
