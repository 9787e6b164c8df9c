//! From a reading to a verdict (analysis.md 2.6, 2.7).

use crds::{Canary, analysis::Metric};

use super::{Builtin, Observer, Reading, Source, number, texts};
use crate::seam::{Check, Verdict};

/// A limit that a value broke.
struct Breach {
    comparison: char,
    limit: f64,
}

/// Judge what a metrics server answered. No answer and no data are verdicts of their own, neither good nor bad (AN-12).
/// `provider` is [`super::provider_name`]'s.
pub fn judge(metric: &Metric, source: &Source, reading: &Reading, canary: &Canary, provider: &str) -> Check {
    let measured = match reading {
        Reading::Value(value) => *value,
        Reading::NoData(cause) => {
            let why = texts::no_data(metric, source, canary, provider, cause);
            return unknown(metric, Verdict::NotEnough, why);
        }
        Reading::Failed(cause) => {
            let why = texts::failed(metric, source, provider, cause);
            return unknown(metric, Verdict::Unavailable, why);
        }
    };
    let value = in_unit_of_limits(source, measured, provider);
    let breach = breach(metric, source, value);
    let why = breach
        .as_ref()
        .map(|breach| sentence(metric, source, canary, value, breach));
    Check {
        name: metric.name.clone(),
        verdict: if breach.is_some() { Verdict::Fail } else { Verdict::Pass },
        value: Some(value),
        why: why.unwrap_or_default(),
    }
}

/// The check of a metric whose query could not even be made or sent; `cause` says why.
pub fn unusable(metric: &Metric, source: &Source, cause: &str) -> Check {
    unknown(metric, Verdict::Unavailable, texts::unusable(metric, source, cause))
}

/// The value as `flagger_canary_metric_analysis` exports it: `request-duration` in seconds though it is judged in milliseconds.
pub fn exported(source: &Source, value: f64) -> f64 {
    match source {
        Source::Builtin(Builtin::Duration) => value / 1000.0,
        _ => value,
    }
}

fn unknown(metric: &Metric, verdict: Verdict, why: String) -> Check {
    Check {
        name: metric.name.clone(),
        verdict,
        value: None,
        why,
    }
}

/// Durations are judged in whole milliseconds, as are their limits (observed.md D).
fn in_unit_of_limits(source: &Source, measured: f64, provider: &str) -> f64 {
    match source {
        Source::Builtin(Builtin::Duration) => (measured * Observer::of(provider).duration_unit).trunc(),
        _ => measured,
    }
}

/// The limit that is broken, if any: the range, both ends inclusive, or without a range the legacy threshold, 0 when absent.
fn breach(metric: &Metric, source: &Source, value: f64) -> Option<Breach> {
    let is_duration = matches!(source, Source::Builtin(Builtin::Duration));
    let unit = |limit: crds::Number| if is_duration { limit.0.trunc() } else { limit.0 };
    let (min, max) = match (metric.threshold_range, source) {
        (Some(range), _) => (range.min.map(unit), range.max.map(unit)),
        (None, Source::Builtin(Builtin::SuccessRate)) => (Some(metric.threshold.map_or(0.0, unit)), None),
        (None, _) => (None, Some(metric.threshold.map_or(0.0, unit))),
    };
    let below = min
        .filter(|min| value < *min)
        .map(|limit| Breach { comparison: '<', limit });
    let above = max
        .filter(|max| value > *max)
        .map(|limit| Breach { comparison: '>', limit });
    below.or(above)
}

fn sentence(metric: &Metric, source: &Source, canary: &Canary, value: f64, breach: &Breach) -> String {
    let Breach { comparison, limit } = *breach;
    match source {
        Source::Builtin(Builtin::SuccessRate) => {
            texts::success_rate(canary, value, comparison, &number::shortest(limit))
        }
        Source::Builtin(Builtin::Duration) => {
            let (value, limit) = (number::duration(value as i64), number::duration(limit as i64));
            texts::duration(canary, &value, comparison, &limit)
        }
        Source::Inline(_) | Source::Template { .. } | Source::Nothing => {
            texts::custom(canary, metric, value, comparison, &number::shortest(limit))
        }
    }
}

#[cfg(test)]
mod tests;
