//! Answers as data.

use actix_web::{HttpResponse, http::StatusCode};
use std::{fmt::Display, time::Duration};

/// An answer.
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// Its text.
    pub(super) body: String,
    /// Nothing was done; it is counted as that.
    pub(super) is_refusal: bool,
    retry_after: Option<Duration>,
}

// === impl Answer ===

impl Answer {
    /// What was asked for was done, or is answered.
    pub(super) fn said(status: u16, body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: body.into(),
            is_refusal: false,
            retry_after: None,
        }
    }

    /// It was not done.
    pub(super) fn refused(status: u16, body: impl Into<String>) -> Self {
        Self {
            is_refusal: true,
            ..Self::said(status, body)
        }
    }

    /// The token is missing or wrong.
    pub(super) fn unauthorized() -> Self {
        Self::refused(401, "Unauthorized")
    }

    /// The gates' storage failed.
    pub(super) fn trouble(trouble: &impl Display) -> Self {
        tracing::error!(%trouble, "gates cannot be read or changed");
        Self::refused(500, trouble.to_string())
    }

    /// There is no place; come back after this.
    pub(super) fn full(after: Duration) -> Self {
        Self {
            retry_after: Some(after),
            ..Self::refused(429, "too many tasks wait already; try again later")
        }
    }
}

impl From<Answer> for HttpResponse {
    fn from(answer: Answer) -> Self {
        let mut response = Self::build(answer.status);
        response.content_type("text/plain; charset=utf-8");
        if answer.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        if let Some(after) = answer.retry_after {
            // Rounded up: a place a moment too late is better than a call a moment too early.
            response.insert_header(("Retry-After", after.as_secs_f64().ceil().max(1.0).to_string()));
        }
        response.body(answer.body)
    }
}
