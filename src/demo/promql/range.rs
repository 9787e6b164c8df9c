//! Functions over the samples of one counter, as Prometheus computes them.

use super::store::Sample;

/// How much a counter grew in the window `(start, end]` of milliseconds. Prometheus guesses what lies between the first and last sample and
/// the edges of the window: up to the edge where a sample is near it, else half the usual pause; and never back to below zero.
/// `None` with fewer than two samples.
pub(super) fn increase(samples: &[Sample], start: i64, end: i64) -> Option<f64> {
    let [first, .., last] = samples else { return None };
    let grown = growth(samples);
    let span = seconds(last.at - first.at);
    let usual = span / (samples.len() - 1) as f64;
    let near = usual * 1.1;
    let guess = |gap: f64| if gap < near { gap } else { usual / 2.0 };
    let mut before = guess(seconds(first.at - start));
    if grown > 0.0 && first.value >= 0.0 {
        before = before.min(span * (first.value / grown));
    }
    let after = guess(seconds(end - last.at));
    Some(grown * ((span + before + after) / span))
}

/// [`increase`] per second.
pub(super) fn rate(samples: &[Sample], start: i64, end: i64) -> Option<f64> {
    increase(samples, start, end).map(|grown| grown / seconds(end - start))
}

/// A counter that falls was set back to zero: it has grown by all that it shows.
fn growth(samples: &[Sample]) -> f64 {
    let steps = samples.iter().zip(samples.iter().skip(1));
    steps
        .map(|(earlier, later)| {
            if later.value < earlier.value {
                later.value
            } else {
                later.value - earlier.value
            }
        })
        .sum()
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
