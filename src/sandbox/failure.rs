//! What the API server answers when it does not do what it was asked: `Status` objects with the server's codes, reasons and messages.

use super::kinds::Resource;
use serde_json::{Value, json};
use std::fmt;

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
    /// The object breaks rules of its kind's schema.
    #[error("{kind} \"{name}\" is invalid: {}", listed(.causes))]
    Unfit {
        /// Kind with group.
        kind: String,
        /// Name of the object.
        name: String,
        /// The broken rules; at least one.
        causes: Vec<Cause>,
    },
    /// Other field managers own what was applied.
    #[error("Apply failed with {} conflict{}: {}", causes.len(), if causes.len() == 1 { "" } else { "s" }, owned(.causes))]
    Owned {
        /// The fields and, as `why`, who owns them.
        causes: Vec<Cause>,
    },
    /// Something that real servers do and the sandbox does not.
    #[error("the sandbox cannot do this: {0}")]
    Lacking(String),
    /// The request cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// The patch could not be applied. Real servers do not say why.
    #[error("the server rejected our request due to an error in our request")]
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

/// One field of a refused object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Path of the field.
    pub field: String,
    /// Sort of error and message.
    pub why: String,
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
            Self::Conflict { .. } | Self::Owned { .. } => (409, "Conflict"),
            Self::Invalid { .. } | Self::Unfit { .. } | Self::Unprocessable(_) => (422, "Invalid"),
            Self::Lacking(_) => (501, "NotImplemented"),
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
                details["causes"] = json!([Cause::new(field, why).shown()]);
                Some(details)
            }
            Self::Unfit { kind, name, causes } => {
                let mut details = subject(kind, name);
                details["causes"] = causes.iter().map(Cause::shown).collect();
                Some(details)
            }
            Self::Owned { causes } => {
                let shown = causes.iter().map(|cause| {
                    let message = format!("conflict with {}", cause.why);
                    json!({ "reason": "FieldManagerConflict", "message": message, "field": cause.field })
                });
                Some(json!({ "causes": shown.collect::<Vec<_>>() }))
            }
            _ => None,
        }
    }
}

// === impl Cause ===

impl Cause {
    pub(super) fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        let (field, why) = (field.into(), why.into());
        Self { field, why }
    }

    pub(super) fn required(field: impl Into<String>) -> Self {
        Self::new(field, "Required value")
    }

    pub(super) fn invalid(field: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::new(field, format!("Invalid value: {why}"))
    }

    fn shown(&self) -> Value {
        let reason = match self.why.as_str() {
            why if why.starts_with("Required") => "FieldValueRequired",
            why if why.starts_with("Forbidden") => "FieldValueForbidden",
            why if why.starts_with("Unsupported") => "FieldValueNotSupported",
            _ => "FieldValueInvalid",
        };
        json!({ "reason": reason, "message": self.why, "field": self.field })
    }
}

/// One rule as it is, several in brackets.
fn listed(causes: &[Cause]) -> String {
    let rules: Vec<String> = causes
        .iter()
        .map(|cause| format!("{}: {}", cause.field, cause.why))
        .collect();
    match rules.as_slice() {
        [rule] => rule.clone(),
        _ => format!("[{}]", rules.join(", ")),
    }
}

/// The owned fields, by owner.
fn owned(causes: &[Cause]) -> String {
    if let [cause] = causes {
        return format!("conflict with {}: {}", cause.why, cause.field);
    }
    let mut lines = Vec::new();
    let mut owner = "";
    for cause in causes {
        if cause.why != owner {
            owner = &cause.why;
            lines.push(format!("conflicts with {owner}:"));
        }
        lines.push(format!("- {}", cause.field));
    }
    lines.join("\n")
}

fn subject(qualified: &str, name: &str) -> Value {
    let (kind, group) = qualified.split_once('.').unwrap_or((qualified, ""));
    if group.is_empty() {
        json!({ "name": name, "kind": kind })
    } else {
        json!({ "name": name, "group": group, "kind": kind })
    }
}
