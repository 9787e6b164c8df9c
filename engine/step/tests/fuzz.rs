//! Specs by chance against the shipping step, in the miniature cluster: whatever a Canary says, the controller does not panic, the users
//! are served after every step, and it comes to an end or says in the status why it does not.
//!
//! `AVIARY_FUZZ_CASES=100000 cargo test -p engine fuzz` tries more than the quick run; a failing case prints the `AVIARY_SEED` that
//! replays it alone.

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{Write as _, stderr},
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{fixture::*, users::unserved};
use crate::{
    ObjectRef, Settings,
    configs::Digest,
    model::{End, Model, answer, vector},
    objects::kinds,
    seam::{Seen, Trouble, View},
    status::{ACCEPTED, BLOCKED, HELD, STALLED},
    step::{Input, refused},
    workloads::Workload,
};
use crds::Phase;
use jiff::Timestamp;
use specs::{Chance, schema, spec};

mod specs;

/// Cases of the quick run: 10 to 20 s in a debug build on one core.
const CASES: u64 = 1500;
/// So many failing cases are enough to look at.
const FAILING_MAX: usize = 5;
/// Steps that a canary gets to come to rest: 100 steps of weight 1, a promotion, and some pauses.
const STEPS_MAX: usize = 160;
/// After so many steps whose counters grow a run is on its way, however many it was asked for.
const MOVES_ENOUGH: usize = 30;

/// Good specs that are changed: one for each strategy and provider.
fn good() -> Vec<Value> {
    let hooks = json!([
        {"name": "start", "type": "confirm-rollout", "url": "http://gate.test/"},
        {"name": "load", "url": "http://gate.test/", "metadata": {"cmd": "hey"}},
        {"name": "promotion", "type": "confirm-promotion", "url": "http://gate.test/", "timeout": "5s"},
    ]);
    let chosen = json!([{"headers": {"x-canary": {"exact": "insider"}}}]);
    let rounds = |more: &Value| {
        let mut analysis = json!({"stepWeight": null, "maxWeight": null, "iterations": 2});
        crate::json::merge(&mut analysis, more);
        json!({"analysis": analysis})
    };
    let istio = json!({"provider": "istio", "service": {"gatewayRefs": null, "gateways": ["edge/public"]}});
    let plain = json!({"provider": "kubernetes", "analysis": {"stepWeight": null, "maxWeight": null, "iterations": 2}});
    [
        json!({}),
        json!({"analysis": {"webhooks": hooks}}),
        json!({"analysis": {"stepWeight": null, "maxWeight": null, "stepWeights": [1, 10, 50]}}),
        json!({"analysis": {"stepWeightPromotion": 40, "mirror": true}}),
        rounds(&json!({"mirror": true})),
        rounds(&json!({"match": chosen})),
        json!({"analysis": {"sessionAffinity": {"cookieName": "c", "primaryCookieName": "p"}}}),
        json!({"skipAnalysis": true}),
        istio,
        plain,
    ]
    .iter()
    .map(|more| canary(more)["spec"].clone())
    .collect()
}

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Unreadable,
    Refused,
    Held,
    Stalled,
    /// Something stands in the way, which the condition `Blocked` names.
    Blocked,
    Moving,
    Initialized,
    Succeeded,
    Failed,
}

/// A cluster for a Canary that nobody can read.
struct Nothing;

impl View for Nothing {
    fn object(&self, _: &ObjectRef) -> Seen {
        Seen::Absent
    }

    fn digest(&self, _: &ObjectRef, _: &str) -> Option<Digest> {
        None
    }
}

/// Play one case.
fn case(seed: u64, schema: &Value, good: &[Value]) -> Outcome {
    let mut chance = Chance(seed);
    let spec = spec(schema, good, &mut chance);
    let mut object = canary(&json!({}));
    object["spec"] = spec;
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("it is a time");
    let read = match crds::decode::canary(&object) {
        Ok((read, _)) => read,
        Err(unreadable) => {
            object["spec"] = Value::Null;
            let bare = crds::Canary::new("app", crds::CanarySpec::default());
            let input = Input {
                canary: &bare,
                legacy: &[],
                view: &Nothing,
                settings: &Settings::default(),
                evidence: &[],
                last_check: None,
                watched_since: None,
                now: start,
                entropy: 7,
            };
            let done = refused(input, &unreadable);
            let told = done.status.as_ref().and_then(|status| status.condition(ACCEPTED));
            assert!(told.is_some_and(|told| told.status == "False"), "{unreadable}");
            return Outcome::Unreadable;
        }
    };
    // A fork keeps no trajectory, which costs more than the steps.
    let mut model = Model::new(start, &object, target(&read)).fork();
    let (hook, success) = (
        *chance.one(&[200_u16, 200, 200, 403, 500]),
        *chance.one(&["100", "100", "1", ""]),
    );
    model.hooks = Box::new(move |_, _| Ok(answer(hook, "as told")));
    model.queries = Box::new(move |_, _| {
        Ok(answer(
            200,
            &if success.is_empty() {
                "{}".into()
            } else {
                vector(success)
            },
        ))
    });
    model.fault = Box::new(|write| {
        if is_name(&write.object.name) {
            return Ok(());
        }
        Err(Trouble::Refused(format!("{} is no name", write.object)))
    });
    model.settle();
    let first = rest(&mut model);
    if !matches!(first, Outcome::Initialized) {
        return first;
    }
    release(&mut model);
    rest(&mut model)
}

/// What the API server accepts as a name of a Service: a DNS label.
fn is_name(name: &str) -> bool {
    let inside = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
    (1..=63).contains(&name.len()) && name.chars().all(inside) && !name.starts_with('-') && !name.ends_with('-')
}

/// The target that the spec names.
fn target(canary: &crds::Canary) -> Option<(ObjectRef, Value)> {
    let reference = &canary.spec.target_ref;
    let workload = Workload::of(reference)?;
    let mut object = match workload {
        Workload::Deployment | Workload::DaemonSet => deployment(),
        Workload::Service => json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": NAMESPACE},
            "spec": {"ports": [{"port": 9898}], "selector": {"app": "app"}}}),
        Workload::Knative => return None,
    };
    object["kind"] = json!(workload.kind().kind);
    object["metadata"]["name"] = json!(reference.name);
    if workload == Workload::DaemonSet {
        object["spec"].as_object_mut().and_then(|spec| spec.remove("replicas"));
    }
    Some((workload.kind().named(NAMESPACE, &reference.name), object))
}

/// A further revision.
fn release(model: &mut Model) {
    let canary = model.canary();
    let Some(workload) = Workload::of(&canary.spec.target_ref) else {
        return;
    };
    let at = workload.kind().named(NAMESPACE, &canary.spec.target_ref.name);
    let patch = match workload {
        Workload::Service => json!({"spec": {"selector": {"version": "2"}}}),
        _ => json!({"spec": {"template": {"metadata": {"labels": {"version": "2"}}}}}),
    };
    model.edit(&at, &patch);
    model.settle();
}

/// Step until nothing moves any more, and say how that looks to the owner.
fn rest(model: &mut Model) -> Outcome {
    let (mut moves, mut blocked) = (0, 0);
    for _ in 0..STEPS_MAX {
        let (version, before) = (model.version(), counters(model));
        let End::Done(done) = model.step() else {
            panic!("a step does not end: {:#?}", model.decisions);
        };
        model.settle();
        assert_eq!(model.violations, [], "{:#?}", model.decisions);
        assert_eq!(dark(model), None, "{:#?}", model.decisions);
        moves += usize::from(counters(model) > before);
        let is_told = matches!(done.decision.verb, "blocked" | "retry") && !done.events.is_empty();
        blocked = if is_told { blocked + 1 } else { 0 };
        if blocked >= MOVES_ENOUGH {
            let status = model.canary().status.unwrap_or_default();
            let told = status.condition(BLOCKED).and_then(|told| told.message.clone());
            assert_eq!(
                told,
                Some(done.decision.why),
                "what stands in the way is told by Events alone"
            );
            return Outcome::Blocked;
        }
        if model.version() == version {
            if let Some(end) = end(model, done.decision.verb) {
                return end;
            }
            model.now = done.wake.unwrap_or(model.now).max(model.now);
        }
    }
    assert!(
        moves >= MOVES_ENOUGH,
        "neither an end nor a reason: {:#?}\n{:#?}",
        model.canary().status,
        model.decisions
    );
    Outcome::Moving
}

/// What grows in a run.
fn counters(model: &Model) -> (i64, i64, i64) {
    let status = model.canary().status.unwrap_or_default();
    (status.iterations, status.canary_weight, status.failed_checks)
}

/// Users who get no answer; before there is an apex or a route they go to the target itself.
fn dark(model: &Model) -> Option<String> {
    if let Some(dark) = unserved(model) {
        return Some(dark);
    }
    let canary = model.canary();
    let apex = kinds::SERVICE.named(NAMESPACE, canary.spec.apex_name());
    let workload = Workload::of(&canary.spec.target_ref)?;
    let target = model.get(&workload.kind().named(NAMESPACE, &canary.spec.target_ref.name))?;
    let is_dark = model.get(&apex).is_none() && workload.available(&target) == 0;
    is_dark.then(|| "there is no apex yet, and the target has no pods".to_owned())
}

/// Whether it rests, and what the status says of it.
fn end(model: &Model, verb: &str) -> Option<Outcome> {
    let status = model.canary().status.unwrap_or_default();
    let says = |kind: &str, value: &str| status.condition(kind).is_some_and(|told| told.status == value);
    if says(ACCEPTED, "False") && !matches!(status.phase, Phase::Progressing | Phase::Promoting) {
        return Some(Outcome::Refused);
    }
    if says(HELD, "True") || matches!(status.phase, Phase::Waiting | Phase::WaitingPromotion) {
        return Some(Outcome::Held);
    }
    match status.phase {
        Phase::Initialized if verb == "idle" => Some(Outcome::Initialized),
        Phase::Succeeded if verb == "idle" => Some(Outcome::Succeeded),
        Phase::Failed if verb == "idle" => Some(Outcome::Failed),
        _ if says(STALLED, "True") => Some(Outcome::Stalled),
        _ => None,
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn whatever_a_spec_says_users_are_served_and_it_ends_or_says_why_not() {
    let (schema, good) = (schema(), good());
    let replayed = number("AVIARY_SEED");
    let cases = number("AVIARY_FUZZ_CASES").unwrap_or(if replayed.is_some() { 1 } else { CASES });
    let first = replayed.unwrap_or(1);
    let mut ends: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut failing = Vec::new();
    for seed in first..first + cases {
        if let Ok(end) = catch_unwind(AssertUnwindSafe(|| case(seed, &schema, &good))) {
            *ends.entry(end).or_default() += 1;
            continue;
        }
        let mut chance = Chance(seed);
        println!("AVIARY_SEED={seed} replays it: {}", spec(&schema, &good, &mut chance));
        failing.push(seed);
        assert!(failing.len() < FAILING_MAX, "failing seeds: {failing:?}");
    }
    assert!(failing.is_empty(), "failing seeds: {failing:?}");
    writeln!(stderr().lock(), "fuzzed {cases} specs from seed {first}: {ends:?}").ok();
    // A generator that makes nothing but refusals would prove nothing.
    let ended = [Outcome::Succeeded, Outcome::Failed].map(|end| ends.get(&end).copied().unwrap_or(0));
    assert!(
        cases < CASES || ended.iter().all(|count| *count > cases / 50),
        "{ends:?}"
    );
}
