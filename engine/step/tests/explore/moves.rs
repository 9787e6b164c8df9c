//! What can happen.

use serde_json::{Value, json};

use super::super::fixture::*;
use crate::{
    json::merge,
    model::{End, Model, answer, vector},
    seam::Trouble,
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
    /// A step whose n-th write is not answered.
    Unavailable(usize),
    /// The controller dies in a step after so many writes, and starts again.
    Crash(usize),
    /// A new image, or the promoted one.
    Image(&'static str),
    /// The target is scaled by hand.
    Scale(i64),
    /// `spec.suspend`.
    Suspend(bool),
    /// The spec asks for what cannot work (`true`), or is mended.
    Spoil(bool),
    /// The route is deleted.
    DeleteRoute,
    /// The route's weights are set by hand.
    Weights(i64),
    /// The pods of the primary (`true`) or the target break.
    Break(bool),
    /// And are well again.
    Mend(bool),
    /// All gates answer this.
    Gate(u16),
    /// The metric answers this; empty: no samples.
    Metric(&'static str),
}

/// What answers hooks and queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Answers {
    pub(super) gate: u16,
    pub(super) metric: &'static str,
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
        Move::Crash(writes) => {
            model.stop_after = Some(model.writes + writes);
            stepped(model, answers);
            model.stop_after = None;
            model.last_check = None;
        }
        Move::Image(image) => set_image(model, image),
        Move::Scale(replicas) => model.edit(&target_at(), &json!({"spec": {"replicas": replicas}})),
        Move::Suspend(suspend) => model.edit(&canary, &json!({"spec": {"suspend": suspend}})),
        Move::Spoil(true) => model.edit(
            &canary,
            &json!({"spec": {"autoscalerRef": {"kind": "Unknown", "name": "app"}}}),
        ),
        Move::Spoil(false) => model.edit(&canary, &json!({"spec": {"autoscalerRef": null}})),
        Move::DeleteRoute => model.remove(&weights_at(model)),
        Move::Weights(share) => set_weights(model, share),
        Move::Break(primary) => broken(model, primary, &json!("true")),
        Move::Mend(primary) => broken(model, primary, &Value::Null),
        Move::Gate(gate) => return Answers { gate, ..answers },
        Move::Metric(metric) => return Answers { metric, ..answers },
    }
    answers
}

/// A step under these answers.
pub(super) fn stepped(model: &mut Model, answers: Answers) -> End {
    model.hooks = Box::new(move |_, _| Ok(answer(answers.gate, "")));
    model.queries = Box::new(move |_, _| {
        let none = json!({"status": "success", "data": {"resultType": "vector", "result": []}});
        let body = if answers.metric.is_empty() {
            none.to_string()
        } else {
            vector(answers.metric)
        };
        Ok(answer(200, &body))
    });
    model.step()
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

/// In all rules with two backends, those for cookies included.
fn set_weights(model: &mut Model, share: i64) {
    let at = weights_at(model);
    let Some(route) = model.get(&at) else { return };
    let mut route = (*route).clone();
    reweigh(&mut route, share);
    model.put(at, route);
}

/// Break or mend the pods of one side.
pub(super) fn broken(model: &mut Model, primary: bool, mark: &Value) {
    let at = if primary { primary_at() } else { target_at() };
    let mut object = (*model.get(&at).expect("it is there")).clone();
    merge(&mut object, &json!({"metadata": {"annotations": {"lab/broken": mark}}}));
    if *model.get(&at).expect("it is there") != object {
        model.put(at, object);
    }
    model.settle();
}
