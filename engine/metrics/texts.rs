//! Every sentence that a metric check puts into an Event (analysis.md 2.6, observed.md A10). Log-based alert rules match on `Halt`,
//! `advancement` and `no values found`.

use crds::{Canary, analysis::Metric};

use super::{Observer, Source};

/// Normal event of each initialising check that found all providers there.
pub const PROVIDERS_AVAILABLE: &str = "all the metrics providers are available!";

/// Cause in a reading without any series.
pub const NO_VALUES: &str = "no values found";

/// Warning, logged as an error: a metrics provider did not answer the probe. Initialisation goes on.
pub fn providers_unavailable(cause: &str) -> String {
    format!("Error checking metric providers: {cause}")
}

/// There was nothing to judge.
pub fn no_data(metric: &Metric, source: &Source, canary: &Canary, provider: &str, cause: &str) -> String {
    match source {
        Source::Builtin(_) => format!(
            "Halt advancement no values found for {provider} metric {} probably {}.{} is not receiving traffic: {}{cause}",
            metric.name,
            canary.spec.target_ref.name,
            canary.namespace(),
            Observer::of(provider).cause_prefix,
        ),
        Source::Inline(_) => format!("Halt advancement no values found for metric {}: {cause}", metric.name),
        Source::Template { .. } | Source::Nothing => {
            format!(
                "Halt advancement no values found for custom metric {}: {cause}",
                metric.name
            )
        }
    }
}

/// The metrics server could not be asked, or gave no proper answer.
pub fn failed(metric: &Metric, source: &Source, provider: &str, cause: &str) -> String {
    match source {
        Source::Builtin(_) => format!(
            "Prometheus query failed: {}{cause}",
            Observer::of(provider).cause_prefix
        ),
        Source::Inline(_) => format!("Prometheus query failed for {}: {cause}", metric.name),
        Source::Template { .. } => format!("Metric query failed for {}: {cause}", metric.name),
        Source::Nothing => nothing(metric),
    }
}

/// The MetricTemplate or its Secret could not be used: missing, unreadable, not allowed, or not to be rendered.
pub fn unusable(metric: &Metric, source: &Source, cause: &str) -> String {
    match source {
        Source::Template { namespace, name } => {
            format!(
                "Metric template {name}.{namespace} of {} cannot be used: {cause}",
                metric.name
            )
        }
        Source::Builtin(_) | Source::Inline(_) => format!("Metric query of {} cannot be used: {cause}", metric.name),
        Source::Nothing => nothing(metric),
    }
}

/// A success rate outside of its limits; `comparison` is `<` or `>`.
pub fn success_rate(canary: &Canary, value: f64, comparison: char, limit: &str) -> String {
    format!(
        "Halt {} advancement success rate {value:.2}% {comparison} {limit}%",
        canary.display_name()
    )
}

/// A duration outside of its limits.
pub fn duration(canary: &Canary, value: &str, comparison: char, limit: &str) -> String {
    format!(
        "Halt {} advancement request duration {value} {comparison} {limit}",
        canary.display_name()
    )
}

/// A metric of the user's own outside of its limits.
pub fn custom(canary: &Canary, metric: &Metric, value: f64, comparison: char, limit: &str) -> String {
    format!(
        "Halt {} advancement {} {value:.2} {comparison} {limit}",
        canary.display_name(),
        metric.name
    )
}

fn nothing(metric: &Metric) -> String {
    format!("Metric {} has no usable template or query", metric.name)
}
