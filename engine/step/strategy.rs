//! What the next move of a run is: pure arithmetic on weights and iterations (controller.md 4).

use crds::analysis::{Analysis, Strategy};

use crate::routes::{Capabilities, Split};

/// Iterations when the provider cannot shift traffic and none are given (controller.md 3.1 step 26).
pub(super) const KUBERNETES_ITERATIONS: i64 = 10;

/// A move of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Give the canary this share.
    Shift { canary: i64 },
    /// Count one round; with `split`, write the route first.
    Iterate {
        iteration: i64,
        of: i64,
        split: Option<Split>,
    },
    /// All rounds are done: give the canary everything (counts as a round).
    Switch { iteration: i64 },
    /// Copy the revision to the primary.
    Promote,
}

/// The next move. `split` is what the route has, `iterations` what the status has.
pub(super) fn next(analysis: &Analysis, can: Capabilities, split: Split, iterations: i64) -> Move {
    if !can.weights {
        return blue_green(rounds(analysis), can, split, iterations, false);
    }
    match analysis.strategy() {
        Strategy::Canary => progressive(analysis, split),
        Strategy::BlueGreen => {
            let mirror = analysis.mirror == Some(true) && can.mirror;
            blue_green(analysis.iterations(), can, split, iterations, mirror)
        }
        Strategy::AbTesting => ab_testing(analysis.iterations(), iterations),
    }
}

/// Rounds of a provider without weights.
fn rounds(analysis: &Analysis) -> i64 {
    match analysis.iterations() {
        0 => KUBERNETES_ITERATIONS,
        given => given,
    }
}

fn progressive(analysis: &Analysis, split: Split) -> Move {
    let canary = split.canary;
    if canary >= weight_max(analysis) {
        return Move::Promote;
    }
    Move::Shift {
        canary: next_weight(analysis, canary),
    }
}

/// Share at which promotion starts: the last of `stepWeights`, else `maxWeight`, else 100; never above 100 (W-20).
fn weight_max(analysis: &Analysis) -> i64 {
    let weights = step_weights(analysis);
    let max = match weights.last() {
        Some(last) => *last,
        None => analysis
            .max_weight
            .and_then(crds::Number::whole)
            .filter(|max| *max > 0)
            .unwrap_or(100),
    };
    max.clamp(1, 100)
}

/// The next share: one step up, or the smallest of `stepWeights` that is larger (W-10). Always larger than now, never above 100.
fn next_weight(analysis: &Analysis, canary: i64) -> i64 {
    let step = analysis.step_weight.and_then(crds::Number::whole).unwrap_or(0);
    let next = if step > 0 {
        canary + step
    } else {
        let weights = step_weights(analysis);
        weights
            .into_iter()
            .filter(|weight| *weight > canary)
            .min()
            .unwrap_or_else(|| weight_max(analysis))
    };
    next.clamp(canary + 1, 100)
}

/// `stepWeights`, unless `stepWeight` takes its place.
fn step_weights(analysis: &Analysis) -> Vec<i64> {
    analysis
        .step_weights
        .iter()
        .filter_map(|weight| weight.whole())
        .collect()
}

fn blue_green(of: i64, can: Capabilities, split: Split, iterations: i64, mirror: bool) -> Move {
    if iterations < of {
        let start_mirror = mirror && !split.mirrored;
        let split = start_mirror.then_some(Split::PRIMARY.mirrored());
        return Move::Iterate {
            iteration: iterations + 1,
            of,
            split,
        };
    }
    let switched = iterations > of && (split.canary == 100 || !can.weights);
    if switched {
        Move::Promote
    } else {
        Move::Switch { iteration: of + 1 }
    }
}

fn ab_testing(of: i64, iterations: i64) -> Move {
    if iterations >= of {
        return Move::Promote;
    }
    let split = Some(Split::CANARY);
    Move::Iterate {
        iteration: iterations + 1,
        of,
        split,
    }
}

#[cfg(test)]
mod tests;
