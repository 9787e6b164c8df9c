//! Small-scope exhaustive check (peers.md 5.2): one canary, every order of what the controller, the cluster and people can do.
//!
//! Breadth first over `fork`s of the model. Moves of a working cluster (`FREE`) cost nothing; faults, edits and bad luck
//! (`disturbances`) cost one each, and every state that is reachable with few of them is visited. Two states are the same when their
//! objects are, apart from versions, and times are compared as ages. After every move the invariants must hold (the model checks
//! them at every call of `step`), and no phase may be overdue (L2). From every state, a cluster that works again and people who leave
//! it alone must bring the run to an end that stays, without a further write (L1).

use serde_json::json;
use std::{collections::BTreeSet, rc::Rc};

use super::users::unserved;
use crate::{
    invariants::{overdue, runs},
    model::{End, Model},
};
use begin::begun;
use crds::Phase;
use fingerprint::fingerprint;
use moves::{Answers, Move, accept, broken, disturbances, faults, is_of_controller, play, stepped, target_of};
use reach::{EFFECTS, PHASES, Reach};
use scenarios::{RUN, Scenario, WRITES, scenarios};

mod begin;
mod companions;
mod fingerprint;
mod ingresses;
mod meshes;
mod moves;
mod reach;
mod scenarios;

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
    reach: Reach,
}

const FREE: [Move; 4] = [Move::Step, Move::Settle, Move::Wait(TICK_SECS), Move::Wait(LONG_SECS)];
const WORKING: Answers = Answers {
    gate: "open",
    metric: "100",
    addresses: true,
};

/// Visit every state with at most so many disturbances, of which one in `thin` is tried.
fn explore(scenario: &Scenario, thin: [usize; 2]) -> Reach {
    let mut map = Map::default();
    let mut layer = vec![Node {
        model: begun(scenario),
        answers: WORKING,
        disturbances: 0,
        path: None,
    }];
    map.reach.state(&layer[0].model);
    let others = disturbances(scenario);
    for used in 0..=scenario.disturbances {
        let mut next_layer = Vec::new();
        let mut at = 0;
        while at < layer.len() {
            assert!(map.seen.len() < STATES_MAX, "the states do not end");
            let mut moves = FREE.to_vec();
            if used < scenario.disturbances {
                let every = thin[used.min(1)];
                if every > 1 && used == 0 {
                    moves.extend(scenario.always);
                }
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
        layer = next_layer;
    }
    map.reach
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
    if is_of_controller(step) {
        let statuses = node.model.writes - node.model.written.len();
        map.reach.note(&node.model, statuses);
        if !matches!(step, Move::Unseen(_)) {
            keeps_users_served(from, &node);
        }
    }
    if is_gone(&node.model) {
        return None;
    }
    if matches!(step, Move::Step) {
        keeps_its_time(&node);
    }
    let hash = fingerprint(&node.model, node.answers);
    if !map.seen.insert(hash) {
        return None;
    }
    map.reach.state(&node.model);
    comes_to_an_end(map, &node);
    Some(node)
}

/// The Canary is deleted and nothing holds it: the end of everything.
fn is_gone(model: &Model) -> bool {
    model.get(&model.canary_at).is_none()
}

/// S1 and S2 as users see them: what the controller does to a cluster that is at rest and serves everybody leaves it serving everybody,
/// also when the pods have followed.
fn keeps_users_served(before: &Node, after: &Node) {
    let mut settled = before.model.fork();
    settled.settle();
    if settled.version() != before.model.version() || unserved(&settled).is_some() {
        return;
    }
    // A deletion waits for a target that does not get ready, but not for ever.
    let leaves = before.model.phase() == Phase::Terminating;
    let target = before.model.get(&target_of(&before.model));
    if leaves && target.is_none_or(|target| target["status"]["availableReplicas"] == 0) {
        return;
    }
    let mut then = after.model.fork();
    then.settle();
    let unserved = unserved(&then);
    assert!(unserved.is_none(), "{unserved:?}: {}", told(after));
}

/// L1: in a working cluster that is left alone the run ends, and the end stays without a write.
fn comes_to_an_end(map: &mut Map, from: &Node) {
    let mut model = from.model.fork();
    let canary = model.canary_at.clone();
    if model.canary().spec.suspend == Some(true) {
        model.edit(&canary, &json!({"spec": {"suspend": false}}));
    }
    let spoilt = model.canary().spec.autoscaler_ref;
    if spoilt.is_some_and(|reference| reference.kind == "Unknown") {
        model.edit(&canary, &json!({"spec": {"autoscalerRef": null}}));
    }
    accept(&mut model, true);
    broken(&mut model, true, false);
    broken(&mut model, false, false);
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
        if is_gone(&model) {
            assert_eq!(unserved(&model), None, "after the deletion: {}", told(from));
            map.good.extend(passed);
            return;
        }
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

/// A choice of the disturbances; with `AVIARY_EXPLORE=all cargo test -p engine explore` all of them, and all pairs in the strategies.
fn search(name: &str) {
    let all = scenarios();
    let scenario = all.iter().find(|scenario| scenario.name == name).expect("it is there");
    let is_long = std::env::var("AVIARY_EXPLORE").is_ok_and(|scope| scope == "all");
    let reach = explore(scenario, if is_long { [1, 1] } else { scenario.thin });
    reach.tell(name);
    let (phases, effects) = promised(scenario);
    reach.keep(name, &phases, &effects);
}

/// The phases and writes that the scenario must reach.
fn promised(scenario: &Scenario) -> (Vec<Phase>, Vec<&'static str>) {
    let mut phases: Vec<Phase> = scenario.phases.to_vec();
    phases.extend(
        RUN.into_iter()
            .filter(|phase| !scenario.without.contains(&phase.as_str())),
    );
    let mut effects = scenario.effects.to_vec();
    effects.extend(WRITES.into_iter().filter(|effect| !scenario.without.contains(effect)));
    (phases, effects)
}

/// What no scenario promises to reach would be searched nowhere.
#[test]
fn every_phase_and_every_kind_of_write_is_promised_by_a_search() {
    let promises: Vec<_> = scenarios().iter().map(promised).collect();
    for phase in PHASES {
        assert!(promises.iter().any(|(phases, _)| phases.contains(&phase)), "{phase}");
    }
    for effect in EFFECTS {
        assert!(
            promises.iter().any(|(_, effects)| effects.contains(&effect)),
            "{effect}"
        );
    }
}

macro_rules! searches {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            search($name);
        })*

        #[test]
        fn every_scenario_is_searched() {
            let names: Vec<&str> = scenarios().iter().map(|scenario| scenario.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

searches! {
    steps_of_one_weight_hold_under_every_disturbance: "one weight",
    listed_weights_hold_under_disturbances: "listed weights",
    a_promotion_in_steps_holds_under_disturbances: "promotion in steps",
    blue_green_holds_under_disturbances: "blue/green",
    a_skipped_analysis_holds_under_disturbances: "skipped analysis",
    blue_green_with_mirror_holds_on_gateway_api: "blue/green with mirror, Gateway API",
    blue_green_with_mirror_holds_on_istio: "blue/green with mirror, Istio",
    ab_testing_holds_on_gateway_api: "A/B, Gateway API",
    ab_testing_holds_on_istio: "A/B, Istio",
    a_mirror_and_cookies_hold_on_gateway_api: "mirror and cookies, Gateway API",
    a_mirror_and_cookies_hold_on_istio: "mirror and cookies, Istio",
    ingress_weights_hold_on_nginx: "one weight, nginx",
    ingress_weights_hold_on_skipper: "one weight, skipper",
    ingress_weights_hold_on_traefik: "one weight, traefik",
    ingress_weights_hold_on_contour: "one weight, contour",
    ingress_weights_hold_on_apisix: "one weight, apisix",
    ingress_weights_hold_on_gloo: "one weight, gloo",
    ingress_ab_testing_holds_on_nginx: "A/B, nginx",
    ingress_ab_testing_holds_on_skipper: "A/B, skipper",
    ingress_ab_testing_holds_on_contour: "A/B, contour",
    ingress_ab_testing_holds_on_apisix: "A/B, apisix",
    ingress_ab_testing_holds_on_gloo: "A/B, gloo",
    weights_hold_on_smi: "one weight, SMI",
    weights_hold_on_kuma: "one weight, Kuma",
    weights_hold_on_app_mesh: "one weight, App Mesh",
    weights_hold_on_tcp_routes: "one weight, TCPRoute",
    weights_hold_in_a_route_of_the_users_own: "one weight, a route of the user's own",
    blue_green_holds_on_plain_kubernetes: "blue/green, plain Kubernetes",
    a_daemon_set_holds_under_disturbances: "DaemonSet",
    a_service_holds_under_disturbances: "Service",
    a_knative_service_holds_under_disturbances: "Knative",
    a_new_canary_holds_under_disturbances: "a new canary",
    a_new_canary_holds_on_istio: "a new canary, Istio",
    configs_and_autoscalers_hold_under_disturbances: "a config and an autoscaler",
    a_scaler_of_keda_holds_under_disturbances: "a scaler of KEDA",
    policies_for_missing_data_hold_under_disturbances: "checks that tell nothing",
    a_lost_primary_comes_back_under_disturbances: "a primary that is lost",
    late_addresses_hold_under_disturbances: "late addresses",
    a_deletion_holds_under_disturbances: "deletion with revert",
}
