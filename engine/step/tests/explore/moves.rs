//! What can happen.

use serde_json::{Value, json};

use super::{
    super::{fixture::*, knative},
    scenarios::Scenario,
};
use crate::{
    ObjectRef,
    http::Response,
    json::merge,
    model::{End, Model, answer, vector},
    objects::kinds,
    seam::Trouble,
    workloads::{Workload, knative::primary},
};

/// One move.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// The controller makes a step.
    Step,
    /// Time passes.
    Wait(i64),
    /// The Deployment controller catches up.
    Settle,
    /// A step whose n-th write meets a newer version.
    Conflict(usize),
    /// A step whose n-th write is not answered, and not made.
    Unavailable(usize),
    /// A step whose n-th write is made, and not answered.
    Lost(usize),
    /// The controller dies in a step after so many writes, and starts again.
    Crash(usize),
    /// Something happens, and the caches do not show it to the next step.
    Unseen(&'static Move),
    /// A new image, or the promoted one.
    Image(&'static str),
    /// The target is scaled by hand, or by its autoscaler.
    Scale(i64),
    /// The primary is scaled by hand, or by its autoscaler.
    ScalePrimary(i64),
    /// The owner changes the bounds of the target's autoscaler.
    Scaler(i64),
    /// The owner changes the ConfigMap that the target uses.
    Config(&'static str),
    /// A merge patch on the Canary's spec.
    Edit(&'static str),
    /// `kubectl delete canary`.
    Delete,
    /// `spec.suspend`.
    Suspend(bool),
    /// The spec asks for what cannot work (`true`), or is mended.
    Spoil(bool),
    /// The route is deleted.
    DeleteRoute,
    /// The route's weights are set by hand.
    Weights(i64),
    /// The gateway takes the route over, or does not.
    Accept(bool),
    /// The pods of the primary (`true`) or the target break.
    Break(bool),
    /// And are well again.
    Mend(bool),
    /// The gates: `open`, `closed`, or `promotion` for that one alone.
    Gate(&'static str),
    /// Somebody changes the ports of all Services.
    Drift,
    /// The metric answers this; empty: no samples; `500`: the server has an error.
    Metric(&'static str),
    /// Somebody deletes the primary.
    LosePrimary,
    /// Whether the addresses of Services are published.
    Addresses(bool),
}

/// What answers hooks and queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Answers {
    pub(super) gate: &'static str,
    pub(super) metric: &'static str,
    pub(super) addresses: bool,
}

/// What may go wrong in any scenario, and what goes wrong in this one.
pub(super) fn disturbances(scenario: &Scenario) -> Vec<Move> {
    let mut moves = vec![
        Move::Image("app:3"),
        Move::Image("app:1"),
        Move::Suspend(true),
        Move::Suspend(false),
        Move::Spoil(true),
        Move::Spoil(false),
        Move::Weights(70),
        Move::Gate("closed"),
        Move::Gate("promotion"),
        Move::Gate("open"),
        Move::Metric("1"),
        Move::Metric(""),
        Move::Metric("100"),
        Move::DeleteRoute,
        Move::Break(true),
        Move::Mend(true),
        Move::Break(false),
        Move::Mend(false),
    ];
    if scenario.target == "Knative" {
        // Target and route are one object, and each change of it is a revision of a new name.
        moves.retain(|step| !matches!(step, Move::DeleteRoute | Move::Image("app:1")));
    }
    if scenario.spec.get("autoscalerRef").is_some() {
        moves.retain(|step| !matches!(step, Move::Spoil(_)));
    }
    moves.extend(scenario.moves);
    moves
}

/// The ways in which a step with so many writes, the status included, can go wrong.
pub(super) fn faults(writes: usize) -> impl Iterator<Item = Move> {
    (0..writes).flat_map(|nth| {
        [
            Move::Conflict(nth),
            Move::Unavailable(nth),
            Move::Lost(nth),
            Move::Crash(nth),
        ]
    })
}

/// In these moves the controller acts.
pub(super) fn is_of_controller(step: Move) -> bool {
    matches!(
        step,
        Move::Step | Move::Conflict(_) | Move::Unavailable(_) | Move::Lost(_) | Move::Crash(_) | Move::Unseen(_)
    )
}

/// Make the move on this model; returns what answers from now on.
pub(super) fn play(model: &mut Model, answers: Answers, step: Move) -> Answers {
    let canary = model.canary_at.clone();
    match step {
        Move::Step => drop(stepped(model, answers)),
        Move::Wait(seconds) => model.wait(seconds),
        Move::Settle => model.settle(),
        Move::Conflict(nth) => failing(model, answers, nth, Trouble::Conflict("it has changed".into())),
        Move::Unavailable(nth) => failing(model, answers, nth, Trouble::Unavailable("no answer".into())),
        Move::Lost(nth) => losing(model, answers, nth),
        Move::Crash(writes) => {
            model.stop_after = Some(model.writes + writes);
            stepped(model, answers);
            model.stop_after = None;
            model.last_check = None;
        }
        Move::Unseen(other) => {
            let seen = model
                .objects()
                .map(|(at, object)| (at.clone(), object.clone()))
                .collect();
            let answers = play(model, answers, *other);
            model.stale = Some(seen);
            stepped(model, answers);
            return answers;
        }
        Move::Image(image) => set_revision(model, image),
        Move::Scale(replicas) => model.edit(&target_of(model), &json!({"spec": {"replicas": replicas}})),
        Move::ScalePrimary(replicas) => model.edit(&primary_of(model), &json!({"spec": {"replicas": replicas}})),
        Move::Scaler(most) => {
            let at = kinds::HORIZONTAL_POD_AUTOSCALER.named(NAMESPACE, "app");
            model.edit(&at, &json!({"spec": {"maxReplicas": most}}));
        }
        Move::Config(text) => model.edit(
            &kinds::CONFIG_MAP.named(NAMESPACE, "settings"),
            &json!({"data": {"text": text}}),
        ),
        Move::Edit(patch) => {
            let patch: Value = serde_json::from_str(patch).expect("it is JSON");
            model.edit(&canary, &json!({"spec": patch}));
        }
        Move::Delete => {
            let now = model.now.to_string();
            model.edit(&canary, &json!({"metadata": {"deletionTimestamp": now}}));
            let stored = model.get(&canary).expect("it is there");
            // Without a finalizer the API server removes it at once.
            if stored["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) {
                model.remove(&canary);
                model.collect_garbage();
            }
        }
        Move::Suspend(suspend) => model.edit(&canary, &json!({"spec": {"suspend": suspend}})),
        Move::Spoil(spoils) => {
            let unknown = json!({"kind": "Unknown", "name": "app"});
            let reference = if spoils { unknown } else { Value::Null };
            model.edit(&canary, &json!({"spec": {"autoscalerRef": reference}}));
        }
        Move::DeleteRoute => model.remove(&weights_at(model)),
        Move::Weights(share) => set_weights(model, share),
        Move::Drift => drift(model),
        Move::Accept(accepts) => accept(model, accepts),
        Move::Break(primary) => broken(model, primary, true),
        Move::Mend(primary) => broken(model, primary, false),
        Move::Gate(gate) => return Answers { gate, ..answers },
        Move::Metric(metric) => return Answers { metric, ..answers },
        Move::Addresses(addresses) => return Answers { addresses, ..answers },
        Move::LosePrimary => model.remove(&primary_of(model)),
    }
    answers
}

/// A step under these answers.
pub(super) fn stepped(model: &mut Model, answers: Answers) -> End {
    model.hooks = Box::new(move |_, call| {
        let closed = answers.gate == "closed" || answers.gate == call.name;
        Ok(answer(if closed { 403 } else { 200 }, ""))
    });
    model.queries = Box::new(move |_, request| {
        let none = json!({"status": "success", "data": {"resultType": "vector", "result": []}});
        Ok(match answers.metric {
            _ if request.url.contains("/replicasets?") => history(),
            _ if request.url.contains("/endpointslices?") => slices(answers.addresses),
            "" => answer(200, &none.to_string()),
            "500" => answer(500, "overloaded"),
            value => answer(200, &vector(value)),
        })
    });
    model.step()
}

/// What the cluster keeps of the target's revisions: all of them.
fn history() -> Response {
    let images = ["app:1", "app:2", "app:3"];
    let set = |image: &str| {
        let mut template = deployment()["spec"]["template"].clone();
        template["spec"]["containers"][0]["image"] = image.into();
        json!({"spec": {"template": template}})
    };
    answer(200, &json!({"items": images.map(set)}).to_string())
}

fn slices(are_published: bool) -> Response {
    let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": are_published}});
    answer(200, &json!({"items": [{"endpoints": [endpoint]}]}).to_string())
}

fn failing(model: &mut Model, answers: Answers, nth: usize, trouble: Trouble) {
    let mut count = 0;
    model.fault = Box::new(move |_| {
        count += 1;
        if count == nth + 1 { Err(trouble.clone()) } else { Ok(()) }
    });
    stepped(model, answers);
    model.fault = Box::new(|_| Ok(()));
}

fn losing(model: &mut Model, answers: Answers, nth: usize) {
    let mut count = 0;
    model.answer_fault = Box::new(move |_| {
        count += 1;
        if count == nth + 1 {
            return Err(Trouble::Unavailable("the answer got lost".into()));
        }
        Ok(())
    });
    stepped(model, answers);
    model.answer_fault = Box::new(|_| Ok(()));
}

// --- the objects of the scenario, whatever its target is

fn workload(model: &Model) -> Workload {
    Workload::of(&model.canary().spec.target_ref).unwrap_or(Workload::Deployment)
}

pub(super) fn target_of(model: &Model) -> ObjectRef {
    workload(model).kind().named(NAMESPACE, "app")
}

pub(super) fn primary_of(model: &Model) -> ObjectRef {
    workload(model).kind().named(NAMESPACE, "app-primary")
}

/// Give the target another revision.
pub(super) fn set_revision(model: &mut Model, image: &str) {
    let at = target_of(model);
    match workload(model) {
        Workload::Deployment => set_image(model, image),
        Workload::DaemonSet => {
            let mut containers = deployment()["spec"]["template"]["spec"]["containers"].clone();
            containers[0]["image"] = image.into();
            model.edit(
                &at,
                &json!({"spec": {"template": {"spec": {"containers": containers}}}}),
            );
        }
        Workload::Service => model.edit(&at, &json!({"spec": {"selector": {"version": image}}})),
        Workload::Knative => knative::roll(model, &format!("app-{}", image.replace(':', "-")), true),
    }
}

/// In all rules with two backends, those for cookies included.
fn set_weights(model: &mut Model, share: i64) {
    if workload(model) == Workload::Knative {
        let at = target_of(model);
        let Some(service) = model.get(&at) else { return };
        let mut service = (*service).clone();
        for entry in service["spec"]["traffic"].as_array_mut().into_iter().flatten() {
            let is_canary = entry["latestRevision"] == true;
            entry["percent"] = (if is_canary { share } else { 100 - share }).into();
        }
        model.put(at, service);
        return;
    }
    let at = weights_at(model);
    let Some(route) = model.get(&at) else { return };
    let mut route = (*route).clone();
    reweigh(&mut route, share);
    model.put(at, route);
}

/// Other ports on all Services.
fn drift(model: &mut Model) {
    for name in ["app", "app-primary", "app-canary"] {
        let at = kinds::SERVICE.named(NAMESPACE, name);
        if model.get(&at).is_some() {
            model.edit(
                &at,
                &json!({"spec": {"ports": [{"name": "foreign", "port": 1, "targetPort": 1}]}}),
            );
        }
    }
}

/// What the gateway says of the route.
pub(super) fn accept(model: &mut Model, accepts: bool) {
    let Some(route) = model.get(&route_at()) else { return };
    let mut next = (*route).clone();
    let status = if accepts { "True" } else { "False" };
    next["status"] = json!({"parents": [{
        "parentRef": {"name": "gw", "namespace": "default"},
        "conditions": [{"type": "Accepted", "status": status, "reason": "Lab", "message": "as told"}],
    }]});
    if next != *route {
        model.put(route_at(), next);
    }
}

/// Break or mend the pods of one side.
pub(super) fn broken(model: &mut Model, of_primary: bool, breaks: bool) {
    let at = if of_primary {
        primary_of(model)
    } else {
        target_of(model)
    };
    match workload(model) {
        Workload::Deployment | Workload::DaemonSet => {
            let Some(object) = model.get(&at) else { return };
            let mark = if breaks { json!("true") } else { Value::Null };
            let mut next = (*object).clone();
            merge(&mut next, &json!({"metadata": {"annotations": {"lab/broken": mark}}}));
            if next != *object {
                model.put(at, next);
            }
            model.settle();
        }
        Workload::Service => {}
        Workload::Knative => {
            let Some(service) = model.get(&target_of(model)) else {
                return;
            };
            let latest = service["status"]["latestCreatedRevisionName"].as_str();
            let Some(name) = (if of_primary { primary(&service) } else { latest }) else {
                return;
            };
            knative::set_ready(model, name, !breaks);
        }
    }
}
