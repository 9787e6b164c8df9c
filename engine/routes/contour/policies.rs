//! Timeout and retries of the routes.

use crds::service::Service;
use serde_json::{Map, Value, json};

use crate::routes::Refused;

/// How long a connection may be silent, where a timeout is given (routers-ingress.md 3.1).
const IDLE: &str = "5m";
/// The conditions of a retry that Contour's schema knows.
const RETRY_ON: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// `timeoutPolicy` and `retryPolicy`, each where the Canary says something of it.
pub(super) fn of_service(service: &Service) -> Result<Value, Refused> {
    let mut policies = Map::new();
    if let Some(timeout) = present(service.timeout.as_ref()) {
        policies.insert("timeoutPolicy".into(), json!({"response": timeout, "idle": IDLE}));
    }
    if let Some(retries) = &service.retries {
        // The server would write the default of 1 itself, and that would look like a foreign edit.
        let mut policy = json!({"count": retries.attempts.unwrap_or(1)});
        if let Some(timeout) = present(retries.per_try_timeout.as_ref()) {
            policy["perTryTimeout"] = json!(timeout);
        }
        let on = retry_on(retries.retry_on.as_deref().unwrap_or_default())?;
        if !on.is_empty() {
            policy["retryOn"] = json!(on);
        }
        policies.insert("retryPolicy".into(), policy);
    }
    Ok(Value::Object(policies))
}

/// The conditions, separated by commas; none is no list (RI-13).
fn retry_on(given: &str) -> Result<Vec<&str>, Refused> {
    let named = given.split(',').map(str::trim).filter(|part| !part.is_empty());
    let known = |part: &str| RETRY_ON.contains(&part);
    named
        .map(|part| {
            let why = || {
                format!(
                    "{part} is no condition that Contour retries on; use {}",
                    RETRY_ON.join(", ")
                )
            };
            known(part)
                .then_some(part)
                .ok_or_else(|| Refused::field("service.retries.retryOn", why()))
        })
        .collect()
}

fn present(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}
