//! Canary release: the share grows step by step until the maximum, then the revision is promoted (controller.md 4.1 to 4.4). With `mirror`
//! one step more comes first: copies of requests, and no user (4.7).

use crds::analysis::Analysis;

use super::Move;
use crate::routes::{Capabilities, Split};

pub(super) fn next(analysis: &Analysis, can: Capabilities, split: Split) -> Move {
    let canary = split.canary;
    if canary >= weight_max(analysis) {
        return Move::Promote;
    }
    let mirror_comes_first = analysis.mirror == Some(true) && can.mirror && canary == 0 && !split.mirrored;
    if mirror_comes_first {
        return Move::Mirror;
    }
    Move::Shift {
        canary: next_weight(analysis, canary),
    }
}

/// The mirror stays until the first user gets to the canary. Whether the step has been made only the route tells: where somebody took the
/// mirror away, the step is made again.
pub(super) fn mirrors(split: Split) -> bool {
    split.mirrored && split.canary == 0
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
