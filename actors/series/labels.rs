//! Values of labels.

use crds::{
    Canary, Phase,
    analysis::{Analysis, Strategy},
};

/// Label of the canaries that nothing is known about yet.
const PHASE_NEW: &str = "New";

pub(super) fn strategy(canary: &Canary) -> &'static str {
    let analysis = canary.spec.analysis.as_ref();
    analysis.map_or(Strategy::Canary, Analysis::strategy).as_str()
}

pub(super) fn status(skipped: bool) -> &'static str {
    if skipped { "skipped" } else { "completed" }
}

pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::New => PHASE_NEW,
        phase => phase.as_str(),
    }
}
