//! What the schema admits although it can never work: named to the owner instead of a run that hangs in silence
//! (W-20, W-39, W-41, DP-3, WL-44).
//!
//! Only what cannot work is listed. What works with another number than the one written is not: a threshold of 0 or less
//! counts as 1, `maxWeight` of 0 or less as 100, weights above 100 as 100, ready thresholds are clamped to 0..100,
//! durations that cannot be read count as absent. Checks of `spec.analysis` are left out while the analysis is skipped,
//! so that they never stand in the way of an emergency release.

mod checks;
mod references;
mod steps;

pub(crate) use checks::{BUILTINS, listed};
pub(crate) use references::LABEL_MAX;

use crate::Canary;

/// One thing that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, such as `spec.analysis.stepWeights[1]`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
    /// What the owner could write instead.
    pub instead: String,
}

/// Everything in this Canary that can never work, as far as the object itself tells. Empty for a sound one.
pub fn problems(canary: &Canary) -> Vec<Problem> {
    problems_with(canary, canary.spec.provider.as_deref().unwrap_or_default())
}

/// As [`problems`], with the effective provider: `spec.provider`, else the controller's `-mesh-provider`.
pub fn problems_with(canary: &Canary, provider: &str) -> Vec<Problem> {
    let spec = &canary.spec;
    let mut found = references::problems(spec, provider);
    found.extend(steps::fractions(spec));
    if let Some(analysis) = spec.analysis.as_ref().filter(|_| !spec.skips_analysis()) {
        found.extend(steps::problems(analysis, provider));
        found.extend(checks::problems(analysis));
    }
    found
}

/// References to other namespaces, which `-no-cross-namespace-refs` forbids (controller.md 1.4).
pub fn cross_namespace(canary: &Canary) -> Vec<Problem> {
    references::elsewhere(canary)
}

fn problem(path: impl Into<String>, problem: impl Into<String>, instead: impl Into<String>) -> Problem {
    Problem {
        path: path.into(),
        problem: problem.into(),
        instead: instead.into(),
    }
}

#[cfg(test)]
mod tests;
