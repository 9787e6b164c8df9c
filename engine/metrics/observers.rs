//! Observers: how each traffic provider's own metrics answer the builtin checks (analysis.md 1.2, 2.1).

use crds::Canary;

use super::{Builtin, Model};
use crate::Settings;

mod http;
mod istio;
mod knative;

/// The builtin queries of one traffic provider.
#[derive(Debug)]
pub struct Observer {
    /// Name, for people.
    pub name: &'static str,
    /// Whether it answers for this provider.
    matches: fn(&str) -> bool,
    /// Percent of requests without error.
    success_rate: fn(&Model) -> String,
    /// Duration of requests, in `duration_unit`.
    duration: fn(&Model) -> String,
    /// Milliseconds in the unit that the duration query gives.
    pub duration_unit: f64,
    /// What stands before a cause in this observer's messages (observed.md A10).
    pub cause_prefix: &'static str,
}

/// All observers. The first that matches is used, and the last for everything unknown, as with the peer.
static OBSERVERS: [Observer; 3] = [http::OBSERVER, knative::OBSERVER, istio::OBSERVER];

/// The provider that decides whose metrics are asked: the canary's own, else the controller's. In a Linkerd installation it is always
/// Linkerd. Targets of kind Service get the observer of their provider; the peer asks Istio for them (AN-2).
pub fn provider_name(canary: &Canary, settings: &Settings) -> String {
    let global = settings.mesh_provider.as_str();
    let own = canary.spec.provider.as_deref().filter(|provider| !provider.is_empty());
    let name = match own {
        Some(_) if global.contains("linkerd") => "linkerd",
        Some(own) => own,
        None if global.contains("crossover") => "crossover",
        None => global,
    };
    name.to_owned()
}

/// The observer of a canary.
pub fn observer(canary: &Canary, settings: &Settings) -> &'static Observer {
    let found = Observer::of(&provider_name(canary, settings));
    match (found.name, canary.spec.target_ref.kind.as_str()) {
        ("http", "DaemonSet") => &http::DAEMONS,
        _ => found,
    }
}

// === impl Observer ===

impl Observer {
    /// The observer of a provider; Istio's for an unknown one (analysis.md 2.1).
    pub fn of(provider: &str) -> &'static Self {
        let found = OBSERVERS.iter().find(|observer| (observer.matches)(provider));
        found.unwrap_or(&istio::OBSERVER)
    }

    /// The PromQL text of a builtin check.
    pub fn query(&self, builtin: Builtin, model: &Model) -> String {
        match builtin {
            Builtin::SuccessRate => (self.success_rate)(model),
            Builtin::Duration => (self.duration)(model),
        }
    }
}

/// Percent of `counter`'s increase that also matches `good`. When only bad requests came there is no series to count the good ones:
/// they count as 0, so that a total failure is 0 % and not a lack of traffic (AN-9). No request at all is 0/0, that is no data.
fn percent(counter: &str, select: &str, good: &str, interval: &str) -> String {
    format!(
        "(sum(rate({counter}{{{select},{good}}}[{interval}])) or vector(0)) / sum(rate({counter}{{{select}}}[{interval}])) * 100"
    )
}

/// The 99th percentile of a histogram, in its own unit.
fn percentile(bucket: &str, select: &str, interval: &str) -> String {
    format!("histogram_quantile(0.99, sum(rate({bucket}{{{select}}}[{interval}])) by (le))")
}

/// A name inside a regular expression inside a PromQL string: the dots of a name are no wildcards.
fn quoted(name: &str) -> String {
    name.replace('.', "\\\\.")
}

#[cfg(test)]
mod tests;
