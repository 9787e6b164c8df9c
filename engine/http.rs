//! HTTP requests and answers as data.

use serde::Serialize;
use std::time::Duration;

pub mod address;
pub mod wording;

pub use address::{Address, BadAddress, basic};
pub use wording::{excerpt, status_text};

/// A request that an actor shall send. Its `Debug` and `Serialize` forms leave out the values of headers: they may be credentials.
#[derive(Clone, PartialEq, Serialize)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Absolute URL.
    pub url: String,
    /// Headers in order; names as they are sent.
    #[serde(skip)]
    pub headers: Vec<(String, String)>,
    /// Body; empty for none.
    #[serde(skip)]
    pub body: String,
    /// Time limit of one attempt, body included.
    pub timeout: Duration,
    /// Do not verify the server's certificate.
    pub skip_tls_verify: bool,
    /// HTTP proxy URL; the environment's when absent.
    pub proxy: Option<String>,
}

/// Request method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
}

/// An answer, its body cut at [`BODY_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Body as text; bytes that are no UTF-8 are replaced.
    pub body: String,
    /// Value of the header `Retry-After`, if any.
    pub retry_after: Option<String>,
}

/// Longest body that is read: 1 MiB holds a Prometheus answer of some 10,000 series at about 100 bytes each.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

impl std::fmt::Debug for Request {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
