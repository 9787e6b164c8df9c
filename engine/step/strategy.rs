//! What the next move of a run is: pure arithmetic on weights and rounds (controller.md 4). One file per strategy; session affinity goes
//! with any of them and is a matter of the route alone (`routes/affinity.rs`).

mod ab_testing;
mod blue_green;
mod progressive;

use crds::analysis::{Analysis, Strategy};

use crate::routes::{Capabilities, Split};

/// A move of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Send copies of requests to the canary before any user gets there.
    Mirror,
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
    match of(analysis, can) {
        Strategy::Canary => progressive::next(analysis, can, split),
        Strategy::BlueGreen => blue_green::next(analysis, can, split, iterations),
        Strategy::AbTesting => ab_testing::next(analysis, iterations),
    }
}

/// Whether requests are mirrored at this point of a run. Tells a mirror that was lost, or added, from one that belongs there.
pub(super) fn mirrors(analysis: &Analysis, can: Capabilities, split: Split, iterations: i64) -> bool {
    let asked = analysis.mirror == Some(true) && can.mirror;
    asked
        && match of(analysis, can) {
            Strategy::Canary => progressive::mirrors(split),
            Strategy::BlueGreen => blue_green::mirrors(analysis, split, iterations),
            Strategy::AbTesting => false,
        }
}

/// The strategy that is run: a provider without weights can count rounds only.
fn of(analysis: &Analysis, can: Capabilities) -> Strategy {
    if can.weights {
        analysis.strategy()
    } else {
        Strategy::BlueGreen
    }
}

pub(super) use blue_green::KUBERNETES_ITERATIONS;

#[cfg(test)]
mod tests;
