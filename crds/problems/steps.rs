//! Numbers: fractions where Go has integers, and steps that never arrive.

use super::{Problem, problem};
use crate::{
    CanarySpec, Number,
    analysis::{Analysis, Strategy},
};

/// Fractions where only whole numbers make sense. The peer cannot even decode them, for all canaries at once (W-41).
pub(super) fn fractions(spec: &CanarySpec) -> Vec<Problem> {
    let mut numbers = vec![(
        "spec.progressDeadlineSeconds".to_owned(),
        spec.progress_deadline_seconds,
    )];
    if let Some(service) = &spec.service {
        numbers.push(("spec.service.port".to_owned(), Some(service.port)));
    }
    let scaler = spec.autoscaler_ref.as_ref();
    if let Some(replicas) = scaler.and_then(|scaler| scaler.primary_scaler_replicas.as_ref()) {
        let path = "spec.autoscalerRef.primaryScalerReplicas";
        numbers.push((format!("{path}.minReplicas"), replicas.min_replicas));
        numbers.push((format!("{path}.maxReplicas"), replicas.max_replicas));
    }
    if let Some(analysis) = spec.analysis.as_ref().filter(|_| !spec.skips_analysis()) {
        numbers.extend(numbers_of(analysis));
    }
    let fractions = numbers
        .into_iter()
        .filter_map(|(path, number)| Some((path, number.filter(|number| number.whole().is_none())?)));
    fractions
        .map(|(path, Number(number))| {
            problem(
                path,
                format!("{number} is not a whole number"),
                format!("{}", number.trunc()),
            )
        })
        .collect()
}

fn numbers_of(analysis: &Analysis) -> Vec<(String, Option<Number>)> {
    let fields = [
        ("threshold", analysis.threshold),
        ("iterations", analysis.iterations),
        ("stepWeight", analysis.step_weight),
        ("maxWeight", analysis.max_weight),
        ("stepWeightPromotion", analysis.step_weight_promotion),
        ("mirrorWeight", analysis.mirror_weight),
        ("primaryReadyThreshold", analysis.primary_ready_threshold),
        ("canaryReadyThreshold", analysis.canary_ready_threshold),
        (
            "sessionAffinity.maxAge",
            analysis.session_affinity.as_ref().and_then(|affinity| affinity.max_age),
        ),
    ];
    let steps = analysis.step_weights.iter().enumerate();
    let steps = steps.map(|(index, weight)| (format!("stepWeights[{index}]"), Some(*weight)));
    let hooks = analysis.webhooks.iter().enumerate();
    let hooks = hooks.map(|(index, hook)| (format!("webhooks[{index}].retries"), hook.retries));
    let fields = fields.into_iter().map(|(name, number)| (name.to_owned(), number));
    fields
        .chain(steps)
        .chain(hooks)
        .map(|(name, number)| (format!("spec.analysis.{name}"), number))
        .collect()
}

/// Steps that leave a run in Progressing for ever (W-20). With the provider `kubernetes` there are no steps: a missing
/// number of iterations counts as 10 (routers-mesh.md 0.4).
pub(super) fn problems(analysis: &Analysis, provider: &str) -> Vec<Problem> {
    if analysis.strategy() != Strategy::Canary || provider == "kubernetes" {
        return Vec::new();
    }
    if !analysis.step_weights.is_empty() {
        return step_weights(&analysis.step_weights);
    }
    let Some(Number(step)) = analysis.step_weight else {
        return vec![no_steps(analysis)];
    };
    if step > 0.0 {
        return Vec::new();
    }
    vec![problem(
        "spec.analysis.stepWeight",
        format!("with a step of {step} the canary never gets more traffic"),
        "a percentage from 1 to 100",
    )]
}

fn no_steps(analysis: &Analysis) -> Problem {
    let path = match analysis.iterations {
        Some(_) => "spec.analysis.iterations",
        None => "spec.analysis",
    };
    problem(
        path,
        "nothing says how the run advances",
        "stepWeight, stepWeights, or iterations of at least 1",
    )
}

fn step_weights(weights: &[Number]) -> Vec<Problem> {
    let before = std::iter::once(Number(0.0)).chain(weights.iter().copied());
    weights
        .iter()
        .zip(before)
        .enumerate()
        .filter(|(_, (weight, before))| *weight <= before)
        .map(|(index, (Number(weight), Number(before)))| {
            problem(
                format!("spec.analysis.stepWeights[{index}]"),
                format!("{weight} is not above the weight before it, {before}: the run would never get past it"),
                "weights that increase from step to step, the first above 0",
            )
        })
        .collect()
}
