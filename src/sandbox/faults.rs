//! Faults that tests inject: refused, lost, late and cut-off requests.

use super::journal::Entry;
use std::{fmt, sync::Arc, time::Duration};

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    /// It is served.
    #[default]
    None,
    /// 409 Conflict, nothing is done.
    Conflict,
    /// 503, nothing is done.
    Unavailable,
    /// This status, nothing is done; 429 asks to come again after a second.
    Answer(u16),
    /// 504 after that time, nothing is done.
    Timeout(Duration),
    /// It is done, but the connection breaks before the answer.
    DropAnswerAfterWrite,
    /// The connection breaks, nothing is done, and so for every later request until `Sandbox::restart`. Watches end.
    Stop,
}

/// Decides about each request before it is served. No lock is held, so it may use the sandbox.
pub type Hook = Arc<dyn Fn(&Entry) -> Fault + Send + Sync>;

/// The connection to the sandbox broke, by an injected fault.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("connection to the sandbox is closed")]
pub struct Disconnected;

/// The faults of one sandbox.
#[derive(Clone, Default)]
pub(super) struct Faults {
    pub(super) before: Option<Hook>,
    pub(super) latency: Duration,
    pub(super) stopped: bool,
}

// === impl Faults ===

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooked = self.before.is_some();
        write!(
            formatter,
            "Faults {{ hooked: {hooked}, latency: {:?}, stopped: {} }}",
            self.latency, self.stopped
        )
    }
}
