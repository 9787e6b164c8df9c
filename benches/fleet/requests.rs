//! How many requests the controller makes, by verb.

use kube::{Client, client::Body};
use parking_lot::Mutex;
use std::sync::Arc;
use tower::ServiceExt;

use aviary::sandbox::Sandbox;

use super::{audit::Audit, figures::Counts};

/// Requests that went through a client of [`Counter::client`]. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<Mutex<Counts>>);

/// Where requests are counted.
pub(crate) enum Requests {
    Audit(Audit),
    Counter(Counter),
}

// === impl Counter ===

impl Counter {
    /// A client whose requests are counted.
    pub(crate) fn client(&self, sandbox: &Sandbox) -> Client {
        let counter = self.clone();
        let service = sandbox.clone().map_request(move |request: http::Request<Body>| {
            let verb = verb(request.method(), request.uri());
            *counter.0.lock().entry(verb.to_owned()).or_default() += 1;
            request
        });
        Client::new(service, "default")
    }
}

// === impl Requests ===

impl Requests {
    /// Requests by verb, until now.
    pub(crate) fn counts(&mut self) -> std::io::Result<Counts> {
        match self {
            Self::Audit(audit) => audit.counts(),
            Self::Counter(counter) => Ok(counter.0.lock().clone()),
        }
    }
}

/// The verb as the audit log names it. The controller's lists are all paged.
fn verb(method: &http::Method, uri: &http::Uri) -> &'static str {
    let query = uri.query().unwrap_or_default();
    match method.as_str() {
        "GET" if query.contains("watch=true") => "watch",
        "GET" if query.contains("limit=") => "list",
        "GET" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "other",
    }
}
