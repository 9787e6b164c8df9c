//! Metric checks: what is asked, where, and how the answer is judged.
//!
//! What it is: pure builders and readers. A check goes `plan` → query text ([`template::render`] or [`observers::Observer::query`]) →
//! request ([`provider`]) → [`Reading`] → [`judge::judge`]. What it is not: the order of a tick; that is `step`'s.

use crds::{Canary, analysis::Metric};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::{ObjectRef, Settings, http::Request, objects::kinds};
use prometheus::Auth;
use provider::BadProvider;

mod answer;
pub mod aws;
pub mod cloudwatch;
pub mod datadog;
pub mod dynatrace;
pub mod externalmetrics;
pub mod google;
pub mod graphite;
pub mod influxdb;
pub mod judge;
pub mod keptn;
pub mod newrelic;
pub mod number;
pub mod observers;
pub mod policy;
pub mod prometheus;
pub mod provider;
pub mod quantity;
pub mod question;
pub mod secret;
pub mod splunk;
pub mod stackdriver;
pub mod template;
pub mod texts;
mod xml;

pub use judge::{exported, judge};
pub use observers::{Observer, observer, provider_name};
pub(crate) use provider::api_server;
pub use question::{Access, Question};
pub use template::{Model, RenderError, render};

/// Window of a query that names none. The peer leaves it empty for templates (AN-39, W-29).
pub const DEFAULT_INTERVAL: &str = "1m";

/// A check whose query the controller writes itself (analysis.md 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Builtin {
    /// `request-success-rate`: percent of requests without error.
    SuccessRate,
    /// `request-duration`: milliseconds, mostly the 99th percentile.
    Duration,
}

/// Where the query of a check comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Source {
    /// Written by the canary's observer.
    Builtin(Builtin),
    /// `query` of the metric, a template; sent to the metrics server.
    Inline(String),
    /// A MetricTemplate.
    Template {
        /// Its namespace; the canary's unless another is named.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Neither builtin, nor with a query, nor with a template: a failed check each time.
    Nothing,
}

/// What a metrics server answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Reading {
    /// A finite number, in the unit of the query.
    Value(f64),
    /// Nothing to judge; the text says what was there instead.
    NoData(String),
    /// No proper answer; the text is the cause.
    Failed(String),
}

/// The checks of one metric: builtin or inline before template. One entry can ask for two (analysis.md 2.5).
pub fn sources(metric: &Metric, home: &str) -> Vec<Source> {
    let builtin = Builtin::named(&metric.name).map(Source::Builtin);
    let query = metric.query.clone().filter(|query| !query.is_empty());
    let template = metric.template_ref.as_ref().map(|reference| Source::Template {
        namespace: reference
            .namespace
            .clone()
            .filter(|ns| !ns.is_empty())
            .unwrap_or_else(|| home.to_owned()),
        name: reference.name.clone(),
    });
    let found: Vec<Source> = [builtin, query.map(Source::Inline), template]
        .into_iter()
        .flatten()
        .collect();
    if found.is_empty() { vec![Source::Nothing] } else { found }
}

/// All checks of a canary in the order of a tick: builtin and inline ones first, then templates, each in list order (analysis.md 2.5).
pub fn plan(canary: &Canary) -> Vec<(&Metric, Source)> {
    let metrics = canary.spec.analysis.iter().flat_map(|analysis| &analysis.metrics);
    let all = metrics.flat_map(|metric| {
        sources(metric, canary.namespace())
            .into_iter()
            .map(move |source| (metric, source))
    });
    let (first, second): (Vec<_>, Vec<_>) = all.partition(|(_, source)| source.is_own_query());
    first.into_iter().chain(second).collect()
}

/// Address of the Prometheus for builtin and inline queries.
pub fn server<'a>(canary: &'a Canary, settings: &'a Settings) -> &'a str {
    let own = canary
        .spec
        .metrics_server
        .as_deref()
        .filter(|address| !address.is_empty());
    own.unwrap_or(&settings.metrics_server)
}

/// The question of a builtin or inline check to [`server`]; [`prometheus::PROVIDER`] reads the answer.
pub fn ask_server(canary: &Canary, settings: &Settings, query: &str) -> Result<Request, BadProvider> {
    prometheus::request(server(canary, settings), query, &Auth::Open, &BTreeMap::new(), false)
}

/// The question whether [`server`] works.
pub fn probe_server(canary: &Canary, settings: &Settings) -> Result<Request, BadProvider> {
    prometheus::availability_request(server(canary, settings), &Auth::Open, &BTreeMap::new(), false)
}

/// What is probed while a canary is initialised, in list order: [`probe_server`] for a builtin check, which hides a template of the same
/// entry, and the provider of each template; nothing for inline queries (analysis.md 2.3). Each is listed once; the peer asks again
/// for every entry (AN-21).
pub fn probes(canary: &Canary) -> Vec<(&Metric, Source)> {
    let mut found: Vec<(&Metric, Source)> = Vec::new();
    for metric in canary.spec.analysis.iter().flat_map(|analysis| &analysis.metrics) {
        let mut wanted = sources(metric, canary.namespace()).into_iter();
        let Some(source) = wanted.find(|source| matches!(source, Source::Builtin(_) | Source::Template { .. })) else {
            continue;
        };
        let same = |known: &Source| *known == source || (known.is_own_query() && source.is_own_query());
        if !found.iter().any(|(_, known)| same(known)) {
            found.push((metric, source));
        }
    }
    found
}

// === impl Builtin ===

impl Builtin {
    /// The builtin check of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "request-success-rate" => Some(Self::SuccessRate),
            "request-duration" => Some(Self::Duration),
            _ => None,
        }
    }
}

// === impl Source ===

impl Source {
    /// Whether the query goes to the canary's metrics server, and thus belongs to the first pass.
    pub fn is_own_query(&self) -> bool {
        matches!(self, Self::Builtin(_) | Self::Inline(_))
    }

    /// The MetricTemplate that it needs.
    pub fn template(&self) -> Option<ObjectRef> {
        match self {
            Self::Template { namespace, name } => Some(kinds::METRIC_TEMPLATE.named(namespace, name)),
            _ => None,
        }
    }

    /// Whether the template is outside of `home`, the canary's namespace. To be asked at the point of use (AN-15).
    pub fn is_foreign(&self, home: &str) -> bool {
        matches!(self, Self::Template { namespace, .. } if namespace != home)
    }
}

#[cfg(test)]
mod tests;
