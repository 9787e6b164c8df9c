//! How often and how long things are tried again: numbers only. `actors::backoff` turns them into pauses.

use std::time::Duration;

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
