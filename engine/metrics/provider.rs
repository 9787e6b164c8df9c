//! The metric providers of MetricTemplates: one table, one file per provider (analysis.md 3.2, 4).

use crds::metric_template::Provider as Spec;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::time::Duration;

use super::{
    Reading, cloudwatch, datadog, dynatrace, externalmetrics, graphite, influxdb, keptn, newrelic, prometheus,
    question::{Access, Question},
    secret::BadSecret,
    splunk, stackdriver,
};
use crate::{
    ObjectRef,
    http::{Address, BadAddress, Method, Request, Response},
    objects::kinds,
    seam::Trouble,
};

/// Time limit of one question to a metrics server, answer included (analysis.md 4.1).
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// What a provider is asked.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// `spec.provider` of the template.
    pub spec: &'a Spec,
    /// The Secret that [`secret_ref`] names, as the API server has it.
    pub secret: Option<&'a Value>,
    /// The rendered query.
    pub query: &'a str,
    /// Window of the query, as text.
    pub interval: &'a str,
    /// Now, for providers that ask for a window of time.
    pub now: Timestamp,
}

/// One provider.
#[derive(Debug)]
pub struct Provider {
    /// `spec.provider.type`.
    pub kind: &'static str,
    /// The question.
    pub request: fn(&Inquiry<'_>) -> Result<Question, BadProvider>,
    /// A question that any working server answers; the query of the inquiry is not used.
    pub probe: fn(&Inquiry<'_>) -> Result<Question, BadProvider>,
    /// Reads the answer to a question.
    pub parse: fn(&Response) -> Reading,
    /// Reads the answer to a probe.
    pub probed: fn(&Response) -> Result<(), String>,
}

/// Why a provider cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProvider {
    /// A type that has no entry in the table. The peer takes Prometheus for unknown ones.
    #[error("metric provider type {0} is not known")]
    Unknown(String),
    /// No `address`.
    #[error("{0} provider needs an address")]
    NoAddress(&'static str),
    /// Something that the vendor needs, and that has no default.
    #[error("{0} provider needs {1}")]
    Missing(&'static str, &'static str),
    /// The interval is no Go duration, which the providers need that ask for a window of time.
    #[error("interval {0:?} is no duration such as 1m or 30s")]
    Interval(String),
    /// The rendered query has not the form that the vendor wants; the text says which.
    #[error("{0}")]
    Query(String),
    /// The controller's own credentials would go to a host that is not the vendor's (AN-14).
    #[error("the controller's own credentials are not sent to {0:?}; put credentials into the secret of the template")]
    Ambient(String),
    /// The address is of no use.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A header name or value that HTTP does not allow.
    #[error("header {0:?} of the provider cannot be sent")]
    Header(String),
    /// The Secret was asked for and is not there.
    #[error("secret {0} not found")]
    NoSecret(String),
    /// The Secret is of no use.
    #[error(transparent)]
    Secret(#[from] BadSecret),
}

/// All providers of the schema.
static PROVIDERS: [Provider; 11] = [
    prometheus::PROVIDER,
    cloudwatch::PROVIDER,
    datadog::PROVIDER,
    dynatrace::PROVIDER,
    externalmetrics::PROVIDER,
    graphite::PROVIDER,
    influxdb::PROVIDER,
    keptn::PROVIDER,
    newrelic::PROVIDER,
    splunk::PROVIDER,
    stackdriver::PROVIDER,
];

/// Stands for the API server in the URLs of requests that go there.
const API_SERVER: &str = "https://kubernetes.default.svc";

/// The provider of a type.
pub fn provider(kind: &str) -> Result<&'static Provider, BadProvider> {
    let found = PROVIDERS.iter().find(|provider| provider.kind == kind);
    found.ok_or_else(|| BadProvider::Unknown(kind.to_owned()))
}

/// The Secret that a template's provider needs; it lives beside the template.
pub fn secret_ref(spec: &Spec, namespace: &str) -> Option<ObjectRef> {
    let name = spec.secret_ref.as_ref().map(|secret| secret.name.as_str());
    let name = name.filter(|name| !name.is_empty())?;
    Some(kinds::SECRET.named(namespace, name))
}

/// A `GET` below the path of an address. A `user:password@` part is sent where no other `Authorization` is.
pub(super) fn get(address: Address, path: &str, pairs: &[(&str, &str)], headers: Vec<(String, String)>) -> Request {
    let Address { mut url, authorization } = address;
    let whole = format!("{}{path}", url.path().trim_end_matches('/'));
    url.set_path(&whole);
    url.set_fragment(None);
    url.set_query(None);
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    let mut headers = headers;
    let is_set = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    headers.extend(
        authorization
            .filter(|_| !is_set)
            .map(|value| ("Authorization".to_owned(), value)),
    );
    Request {
        method: Method::Get,
        url: url.into(),
        headers,
        body: String::new(),
        timeout: TIMEOUT,
        skip_tls_verify: false,
        proxy: None,
    }
}

/// A `GET` at the API server.
pub(crate) fn api_server(path: &str) -> Request {
    Request {
        method: Method::Get,
        url: format!("{API_SERVER}{path}"),
        headers: Vec::new(),
        body: String::new(),
        timeout: TIMEOUT,
        skip_tls_verify: false,
        proxy: None,
    }
}

// === impl Inquiry ===

impl<'a> Inquiry<'a> {
    /// `spec.provider.address`, where one is given.
    pub(super) fn address(&self) -> Option<&'a str> {
        self.spec
            .address
            .as_deref()
            .filter(|address| !address.trim().is_empty())
    }

    /// The address, where there is no default.
    pub(super) fn needed_address(&self, kind: &'static str) -> Result<&'a str, BadProvider> {
        self.address().ok_or(BadProvider::NoAddress(kind))
    }

    /// The Secret, where it cannot do without.
    pub(super) fn needed_secret(&self, kind: &'static str) -> Result<&'a Value, BadProvider> {
        self.secret()?.ok_or(BadProvider::Missing(kind, "a secretRef"))
    }

    /// The interval in whole seconds, at least one.
    pub(super) fn seconds(&self) -> Result<u64, BadProvider> {
        let wrong = || BadProvider::Interval(self.interval.to_owned());
        let interval = crds::decode::go_duration(self.interval).ok_or_else(wrong)?;
        Ok(interval.as_secs().max(1))
    }

    /// From so many intervals ago until now, in whole seconds: canaries that ask in the same second share the answer.
    pub(super) fn window(&self, intervals: u32) -> Result<(Timestamp, Timestamp), BadProvider> {
        let seconds = i64::try_from(self.seconds()?.saturating_mul(intervals.into())).unwrap_or(i64::MAX);
        let to = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        let from = to
            .checked_sub(SignedDuration::from_secs(seconds))
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .max(Timestamp::UNIX_EPOCH);
        Ok((from, to))
    }
    /// The Secret, `None` where none is named; an error where it is named but not given.
    pub fn secret(&self) -> Result<Option<&'a Value>, BadProvider> {
        match (&self.spec.secret_ref, self.secret) {
            (None, _) => Ok(None),
            (Some(_), Some(secret)) => Ok(Some(secret)),
            (Some(reference), None) => Err(BadProvider::NoSecret(reference.name.clone())),
        }
    }
}

// === impl Provider ===

impl Provider {
    /// The question, or with `is_probe` the one whether the server works. `insecureSkipVerify` holds for every provider, as the documents
    /// say; the peer knows it with three of them. Requests with the controller's own credentials are always verified.
    pub fn ask(&self, inquiry: &Inquiry<'_>, is_probe: bool) -> Result<Question, BadProvider> {
        let make = if is_probe { self.probe } else { self.request };
        let mut question = make(inquiry)?;
        let is_open = question.access == Access::Open;
        question.request.skip_tls_verify |= is_open && inquiry.spec.insecure_skip_verify == Some(true);
        Ok(question)
    }

    /// What came of a question, transport included.
    pub fn read(&self, answer: &Result<Response, Trouble>) -> Reading {
        match answer {
            Ok(response) => (self.parse)(response),
            Err(trouble) => Reading::Failed(format!("request failed: {trouble}")),
        }
    }

    /// What came of a probe, transport included.
    pub fn online(&self, answer: &Result<Response, Trouble>) -> Result<(), String> {
        match answer {
            Ok(response) => (self.probed)(response),
            Err(trouble) => Err(format!("request failed: {trouble}")),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
