//! `histogram_quantile` over classic buckets.

use super::{NAME, Point, store::Labels};
use std::collections::BTreeMap;

/// Label with a bucket's upper bound.
const LE: &str = "le";

/// The quantile of each histogram. The value is taken to be spread evenly within its bucket; a histogram without observations gives NaN.
pub(super) fn of(quantile: f64, buckets: Vec<Point>) -> Vec<Point> {
    let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for mut bucket in buckets {
        bucket.labels.remove(NAME);
        // As with Prometheus, what has no bound is no bucket.
        let bound = bucket.labels.remove(LE).and_then(|bound| bound.parse().ok());
        if let Some(bound) = bound {
            histograms.entry(bucket.labels).or_default().push((bound, bucket.value));
        }
    }
    let points = histograms.into_iter().map(|(labels, buckets)| Point {
        labels,
        value: one(quantile, buckets),
    });
    points.collect()
}

/// `buckets`: upper bound and cumulative count.
fn one(quantile: f64, mut buckets: Vec<(f64, f64)>) -> f64 {
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    // Rates of neighbouring buckets can differ by rounding: counts never fall.
    let mut most = 0.0_f64;
    for bucket in &mut buckets {
        most = most.max(bucket.1);
        bucket.1 = most;
    }
    let Some((last, finite)) = buckets.split_last() else {
        return f64::NAN;
    };
    if !last.0.is_infinite() || finite.is_empty() || last.1 == 0.0 || quantile.is_nan() {
        return f64::NAN;
    }
    let rank = quantile * last.1;
    let Some(at) = finite.iter().position(|bucket| bucket.1 >= rank) else {
        return finite.last().map_or(f64::NAN, |bucket| bucket.0);
    };
    let (bound, count) = finite[at];
    let below = at.checked_sub(1).and_then(|before| finite.get(before));
    match below {
        None if bound <= 0.0 => bound,
        None => bound * (rank / count),
        Some((start, passed)) => start + (bound - start) * ((rank - passed) / (count - passed)),
    }
}
