//! A/B testing: for a number of rounds everybody whom `analysis.match` chooses gets the canary (controller.md 4.5). Whom that is, the route
//! says; here the canary has everything, of the chosen ones.

use crds::analysis::Analysis;

use super::Move;
use crate::routes::Split;

pub(super) fn next(analysis: &Analysis, iterations: i64) -> Move {
    let of = analysis.iterations();
    if iterations >= of {
        return Move::Promote;
    }
    Move::Iterate {
        iteration: iterations + 1,
        of,
        split: Some(Split::CANARY),
    }
}
