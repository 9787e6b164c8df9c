//! Blue/green: rounds of checks without users, with `mirror` on copies of their requests, then everything at once (controller.md 4.6).

use crds::analysis::Analysis;

use super::Move;
use crate::routes::{Capabilities, Split};

/// Rounds where the provider cannot shift traffic and none are given (controller.md 3.1 step 26).
pub(in crate::step) const KUBERNETES_ITERATIONS: i64 = 10;

pub(super) fn next(analysis: &Analysis, can: Capabilities, split: Split, iterations: i64) -> Move {
    let of = rounds(analysis);
    if iterations < of {
        let start_mirror = analysis.mirror == Some(true) && can.mirror && !split.mirrored;
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

/// From the first round to the switch.
pub(super) fn mirrors(analysis: &Analysis, split: Split, iterations: i64) -> bool {
    (1..=rounds(analysis)).contains(&iterations) && split.canary < 100
}

fn rounds(analysis: &Analysis) -> i64 {
    match analysis.iterations() {
        0 => KUBERNETES_ITERATIONS,
        given => given,
    }
}
