//! The metric providers of MetricTemplates: one table, one file per provider (analysis.md 3.2, 4).

use crds::metric_template::Provider as Spec;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

use super::{Reading, prometheus, secret::BadSecret};
use crate::{
    ObjectRef,
    http::{BadAddress, Request, Response},
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
    pub request: fn(&Inquiry<'_>) -> Result<Request, BadProvider>,
    /// A question that any working server answers; the query of the inquiry is not used.
    pub probe: fn(&Inquiry<'_>) -> Result<Request, BadProvider>,
    /// Reads the answer to a question.
    pub parse: fn(&Response) -> Reading,
    /// Reads the answer to a probe.
    pub probed: fn(&Response) -> Result<(), String>,
}

/// Why a provider cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProvider {
    /// A type of the schema that has no entry in the table yet, or an unknown one. The peer takes Prometheus for unknown ones.
    #[error("metric provider type {0} is not supported by this version")]
    Unsupported(String),
    /// No `address`.
    #[error("{0} provider needs an address")]
    NoAddress(&'static str),
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

/// The providers that this version can ask.
static PROVIDERS: [Provider; 1] = [prometheus::PROVIDER];

/// The provider of a type.
pub fn provider(kind: &str) -> Result<&'static Provider, BadProvider> {
    let found = PROVIDERS.iter().find(|provider| provider.kind == kind);
    found.ok_or_else(|| BadProvider::Unsupported(kind.to_owned()))
}

/// The Secret that a template's provider needs; it lives beside the template.
pub fn secret_ref(spec: &Spec, namespace: &str) -> Option<ObjectRef> {
    let name = spec.secret_ref.as_ref().map(|secret| secret.name.as_str());
    let name = name.filter(|name| !name.is_empty())?;
    Some(kinds::SECRET.named(namespace, name))
}

// === impl Inquiry ===

impl Inquiry<'_> {
    /// The Secret, `None` where none is named; an error where it is named but not given.
    pub fn secret(&self) -> Result<Option<&Value>, BadProvider> {
        match (&self.spec.secret_ref, self.secret) {
            (None, _) => Ok(None),
            (Some(_), Some(secret)) => Ok(Some(secret)),
            (Some(reference), None) => Err(BadProvider::NoSecret(reference.name.clone())),
        }
    }
}

// === impl Provider ===

impl Provider {
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
