//! What the API server answers when it does not do what it was asked: `Status` objects with the server's codes, reasons and messages.

use super::kinds::Resource;
use serde_json::{Value, json};

/// A refused request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The URL belongs to no installed kind. The server answers with plain text, not with a Status.
    #[error("404 page not found")]
    NoPage,
    /// No such object.
    #[error("{resource} \"{name}\" not found")]
    NotFound {
        /// Plural with group.
        resource: String,
        /// Name asked for.
        name: String,
    },
    /// Create of a name that is taken.
    #[error("{resource} \"{name}\" already exists")]
    AlreadyExists {
        /// Plural with group.
        resource: String,
        /// The taken name.
        name: String,
    },
    /// A precondition (resourceVersion, uid) does not hold.
    #[error("Operation cannot be fulfilled on {resource} \"{name}\": {why}")]
    Conflict {
        /// Plural with group.
        resource: String,
        /// Name of the object.
        name: String,
        /// Which precondition.
        why: String,
    },
    /// The object breaks a rule of its kind.
    #[error("{kind} \"{name}\" is invalid: {field}: {why}")]
    Invalid {
        /// Kind with group.
        kind: String,
        /// Name of the object.
        name: String,
        /// Path of the field.
        field: String,
        /// Sort of error and message.
        why: String,
    },
    /// The request cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// The patch could not be applied.
    #[error("the server rejected our request due to an error in our request: {0}")]
    Unprocessable(String),
    /// A revision that is no longer in the history.
    #[error("{0}")]
    Expired(String),
    /// The verb is not served on this URL.
    #[error("the server does not allow this method on the requested resource")]
    MethodNotAllowed,
    /// Content type of a patch that is not served.
    #[error("the body of the request was in an unknown format: {0}")]
    MediaType(String),
    /// Body over the limit.
    #[error("Request entity too large: limit is {0}")]
    TooLarge(usize),
    /// Injected: no server to serve it.
    #[error("the server is currently unable to handle the request")]
    Unavailable,
    /// Injected, or a revision from the future.
    #[error("{0}")]
    Timeout(String),
}

/// The text of a lost race for an update.
const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

// === impl Failure ===

impl Failure {
    pub(super) fn missing(resource: &Resource, name: &str) -> Self {
        Self::NotFound {
            resource: resource.qualified(),
            name: name.to_owned(),
        }
    }

    pub(super) fn stale(resource: &Resource, name: &str) -> Self {
        Self::conflict(resource, name, MODIFIED)
    }

    pub(super) fn conflict(resource: &Resource, name: &str, why: impl Into<String>) -> Self {
        Self::Conflict {
            resource: resource.qualified(),
            name: name.to_owned(),
            why: why.into(),
        }
    }

    pub(super) fn injected_conflict(path: &str) -> Self {
        Self::Conflict {
            resource: "objects".to_owned(),
            name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            why: MODIFIED.to_owned(),
        }
    }

    pub(super) fn invalid(resource: &Resource, name: &str, field: &str, why: impl Into<String>) -> Self {
        Self::Invalid {
            kind: resource.qualified_kind(),
            name: name.to_owned(),
            field: field.to_owned(),
            why: why.into(),
        }
    }

    pub(super) fn precondition(resource: &Resource, name: &str, field: &str, wanted: &str, found: &str) -> Self {
        let why = format!("Precondition failed: {field} in precondition: {wanted}, {field} in object meta: {found}");
        Self::conflict(resource, name, why)
    }

    /// HTTP code.
    pub fn code(&self) -> u16 {
        self.form().0
    }

    fn form(&self) -> (u16, &'static str) {
        match self {
            Self::NoPage | Self::NotFound { .. } => (404, "NotFound"),
            Self::AlreadyExists { .. } => (409, "AlreadyExists"),
            Self::Conflict { .. } => (409, "Conflict"),
            Self::Invalid { .. } | Self::Unprocessable(_) => (422, "Invalid"),
            Self::BadRequest(_) => (400, "BadRequest"),
            Self::Expired(_) => (410, "Expired"),
            Self::MethodNotAllowed => (405, "MethodNotAllowed"),
            Self::MediaType(_) => (415, "UnsupportedMediaType"),
            Self::TooLarge(_) => (413, "RequestEntityTooLarge"),
            Self::Unavailable => (503, "ServiceUnavailable"),
            Self::Timeout(_) => (504, "Timeout"),
        }
    }

    /// The `Status` object.
    pub fn status(&self) -> Value {
        let (code, reason) = self.form();
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.to_string(), "reason": reason, "code": code,
        });
        if let Some(details) = self.details() {
            status["details"] = details;
        }
        status
    }

    fn details(&self) -> Option<Value> {
        match self {
            Self::NotFound { resource, name }
            | Self::AlreadyExists { resource, name }
            | Self::Conflict { resource, name, .. } => Some(subject(resource, name)),
            Self::Invalid { kind, name, field, why } => {
                let mut details = subject(kind, name);
                let reason = match why {
                    why if why.starts_with("Required") => "FieldValueRequired",
                    why if why.starts_with("Forbidden") => "FieldValueForbidden",
                    _ => "FieldValueInvalid",
                };
                details["causes"] = json!([{ "reason": reason, "message": why, "field": field }]);
                Some(details)
            }
            _ => None,
        }
    }
}

fn subject(qualified: &str, name: &str) -> Value {
    let (kind, group) = qualified.split_once('.').unwrap_or((qualified, ""));
    if group.is_empty() {
        json!({ "name": name, "kind": kind })
    } else {
        json!({ "name": name, "group": group, "kind": kind })
    }
}
