//! Observers: how each traffic provider's own metrics answer the builtin checks (analysis.md 1.2, 2.1).
//!
//! An observer is a row: which series, which labels select the canary's, what a good request looks like. [`Observer::query`] writes
//! the PromQL. Where a router names its objects after the Service, so does the row; the peer takes the target's name for some (AN-3).

use crds::Canary;

use super::{Builtin, Model};
use crate::Settings;

mod envoy;
mod http;
mod ingress;
mod mesh;

pub use envoy::{knative_revision, knative_service};

/// The builtin queries of one traffic provider.
#[derive(Debug)]
pub struct Observer {
    /// Name, for people; also the provider's, but for `http`.
    pub name: &'static str,
    /// Whether it answers for this provider.
    matches: fn(&str) -> bool,
    /// Matchers of the canary's series.
    select: fn(&Model) -> String,
    /// The counter of requests.
    requests: &'static str,
    /// A further matcher of the counter; empty for none.
    only: &'static str,
    /// What a good request has.
    good: &'static str,
    /// Where durations are.
    latency: Latency,
    /// Milliseconds in the unit that the duration query gives.
    pub duration_unit: f64,
    /// What stands before a cause in this observer's messages (observed.md A10).
    pub cause_prefix: &'static str,
}

/// Where durations are.
#[derive(Debug)]
enum Latency {
    /// The 99th percentile of this histogram's buckets, in its own unit.
    Percentile(&'static str),
    /// The same, of buckets in seconds, brought to milliseconds by the query.
    PercentileOfSeconds(&'static str),
    /// The same as `Percentile`, with a further matcher.
    PercentileOf(&'static str, &'static str),
    /// Mean of a summary in seconds, brought to milliseconds by the query: `NAME_sum` and `NAME_count`.
    MeanOfSeconds(&'static str),
}

/// All observers. The first that matches is used, and Istio's for everything unknown, as with the peer.
static OBSERVERS: [&Observer; 13] = [
    &http::HTTP,
    &mesh::ISTIO,
    &mesh::LINKERD,
    &mesh::OSM,
    &envoy::APPMESH,
    &envoy::CONTOUR,
    &envoy::GLOO,
    &envoy::KUMA,
    &envoy::KNATIVE,
    &ingress::TRAEFIK,
    &ingress::SKIPPER,
    &ingress::NGINX,
    &ingress::APISIX,
];

/// What messages have before a cause, with every observer but `http`.
const QUERY_FAILED: &str = "running query failed: ";
/// Provider strings of the Service Mesh Interface: `smi:v1alpha2`, `smi:linkerd`, `smi:v1alpha1:osm`.
const SMI: &str = "smi:";

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

/// The observer of a canary. The SMI says how traffic is split and not by whom: the mesh is the one that the provider names, or else
/// the controller's; the peer asks Istio for all of them.
pub fn observer(canary: &Canary, settings: &Settings) -> &'static Observer {
    let provider = provider_name(canary, settings);
    let of_mesh = || {
        let global = named(&settings.mesh_provider).filter(|observer| observer.name != http::HTTP.name);
        global.filter(|_| provider.starts_with(SMI))
    };
    named(&provider).or_else(of_mesh).unwrap_or(&mesh::ISTIO)
}

/// The observer of this provider, or of the mesh that an SMI provider ends with.
fn named(provider: &str) -> Option<&'static Observer> {
    let mesh = provider.strip_prefix(SMI).and_then(|rest| rest.rsplit(':').next());
    let name = mesh.unwrap_or(provider);
    OBSERVERS.iter().find(|observer| (observer.matches)(name)).copied()
}

// === impl Observer ===

impl Observer {
    /// The observer of a provider; Istio's for an unknown one (analysis.md 2.1).
    pub fn of(provider: &str) -> &'static Self {
        named(provider).unwrap_or(&mesh::ISTIO)
    }

    /// The PromQL text of a builtin check.
    pub fn query(&self, builtin: Builtin, model: &Model) -> String {
        let select = (self.select)(model);
        match builtin {
            Builtin::SuccessRate => percent(self.requests, &joined(&select, self.only), self.good, &model.interval),
            Builtin::Duration => self.latency.query(&select, &model.interval),
        }
    }
}

// === impl Latency ===

impl Latency {
    fn query(&self, select: &str, interval: &str) -> String {
        match self {
            Self::Percentile(bucket) => percentile(bucket, select, interval),
            Self::PercentileOfSeconds(bucket) => format!("{} * 1000", percentile(bucket, select, interval)),
            Self::PercentileOf(bucket, only) => percentile(bucket, &joined(select, only), interval),
            Self::MeanOfSeconds(name) => format!(
                "sum(rate({name}_sum{{{select}}}[{interval}])) / sum(rate({name}_count{{{select}}}[{interval}])) * 1000"
            ),
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

fn joined(select: &str, only: &str) -> String {
    if only.is_empty() {
        select.to_owned()
    } else {
        format!("{select},{only}")
    }
}

/// A name inside a regular expression inside a PromQL string: the dots of a name are no wildcards.
fn quoted(name: &str) -> String {
    name.replace('.', "\\\\.")
}

/// The pods of the target, as a regular expression: those of a Deployment have two segments after its name, those of a DaemonSet one,
/// and those of the primary one more (AN-1: the peer looks for two in every case).
fn pods(model: &Model) -> String {
    let segments = match model.kind.as_str() {
        "DaemonSet" => "[0-9a-zA-Z]+",
        _ => "[0-9a-zA-Z]+(-[0-9a-zA-Z]+)",
    };
    format!("{}-{segments}", quoted(&model.target))
}

#[cfg(test)]
mod tests;
