//! How often and how long things are tried again: numbers only. `actors::backoff` turns them into pauses.

use std::time::Duration;

use crate::{http::Response, seam::Trouble};

#[cfg(test)]
mod tests;

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

/// First pause before an HTTP call is made again (controller.md 7.1).
pub const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause before an HTTP call is made again, unless the server asks for more (controller.md 7.1).
pub const PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// Longest pause that a server's `Retry-After` is granted: as long as the default interval, so that a check is late by one at most.
/// The peer grants any pause.
pub const RETRY_AFTER_LONGEST: Duration = Duration::from_mins(1);

/// Whether an HTTP call may be made again after this result: no connection or no answer in time, 429, and 500 or above except
/// 501 (controller.md 7.1).
pub fn should_retry(result: &Result<Response, Trouble>) -> bool {
    match result {
        Ok(response) => response.status == 429 || (response.status >= 500 && response.status != 501),
        Err(trouble) => matches!(trouble, Trouble::Unavailable(_)),
    }
}

/// Pause after `attempt` attempts (1 after the first): 1, 2, 4 … 30 s, or the whole seconds of `retry_after` if it can be read, at
/// most [`RETRY_AFTER_LONGEST`]. An HTTP date in `retry_after` is not read: time is no input here.
pub fn pause(attempt: u32, retry_after: Option<&str>) -> Duration {
    if let Some(seconds) = retry_after.and_then(|text| text.trim().parse().ok()) {
        return Duration::from_secs(seconds).min(RETRY_AFTER_LONGEST);
    }
    let doublings = attempt.saturating_sub(1).min(31); // 2^31 s is far above the limit, and 2^32 would overflow
    PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_LONGEST)
}
