//! How often and how long things are tried again: numbers and pure rules. `actors::backoff` turns them into pauses.

use jiff::Timestamp;
use std::time::Duration;

use crate::{http::Response, seam::Trouble};

/// Exponential pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// First pause.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Attempts in all, the first one included.
    pub attempts: u32,
}

/// Pauses between the attempts of a hook: 1, 2, 4, 8, 16, 30, 30 … seconds (controller.md 7.1). A hook says itself how many further
/// attempts it wants; 10 is the most it gets, which is 1 + 2 + 4 + 8 + 16 + 5 × 30 = 181 s of pauses (W-32).
pub const HOOK: Policy = Policy {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(30),
    attempts: 11,
};

/// Whether a hook's attempt that ended like this may be repeated: no connection, a timeout, 429, and 5xx but 501 (controller.md 7.1).
pub fn retries(answer: &Result<Response, Trouble>) -> bool {
    match answer {
        Ok(response) => response.status == 429 || (response.status >= 500 && response.status != 501),
        Err(trouble) => matches!(trouble, Trouble::Unavailable(_)),
    }
}

/// The pause after attempt number `attempt` (the first is 0). What `Retry-After` of a 429 or 503 asks for is granted up to
/// [`HOOK`]'s longest pause; the peer grants hours (W-32).
pub fn pause(attempt: u32, answer: &Result<Response, Trouble>, now: Timestamp) -> Duration {
    let asked = answer
        .as_ref()
        .ok()
        .filter(|response| matches!(response.status, 429 | 503))
        .and_then(|response| retry_after(response.retry_after.as_deref()?, now));
    let doubled = HOOK
        .first
        .saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
    asked.unwrap_or(doubled).min(HOOK.longest)
}

/// `Retry-After`: seconds or an HTTP date; a date in the past means at once.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests;
