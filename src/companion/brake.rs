//! How something that runs is asked to stop, and why.

use std::sync::Arc;
use tokio::sync::watch;

/// Why a task is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Why {
    /// The same canary called with another checksum.
    NewRevision,
    /// Nobody asked for it for three intervals.
    Idle,
    /// Everybody who waited for it is gone.
    Abandoned,
    /// The process is told to stop.
    Shutdown,
    /// Somebody asked for it by hand.
    ByHand,
    /// It did not do in time what it must do first.
    NotStarted,
}

/// The side that stops. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Brake(Arc<watch::Sender<Option<Why>>>);

/// The side that is stopped. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Why>>);

// === impl Brake ===

impl Brake {
    /// A brake and what listens to it.
    pub(crate) fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(Arc::new(sender)), Stop(receiver))
    }

    /// Stop; the first reason counts.
    pub(crate) fn pull(&self, why: Why) {
        self.0.send_if_modified(|current| {
            let is_first = current.is_none();
            current.get_or_insert(why);
            is_first
        });
    }
}

// === impl Stop ===

impl Stop {
    /// Wait until the brake is pulled. Never ends if it never is.
    pub(crate) async fn pulled(&mut self) -> Why {
        if let Ok(why) = self.0.wait_for(Option::is_some).await
            && let Some(why) = *why
        {
            return why;
        }
        std::future::pending().await
    }

    /// Whether it was pulled.
    pub(crate) fn is_pulled(&self) -> Option<Why> {
        *self.0.borrow()
    }
}

// === impl Why ===

impl Why {
    /// The end of a sentence that begins with "stopped: ".
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NewRevision => "the canary has a new revision",
            Self::Idle => "nobody asked for it for three intervals",
            Self::Abandoned => "the client is gone",
            Self::Shutdown => "the server is shutting down",
            Self::ByHand => "stopped by hand",
            Self::NotStarted => "it did not start",
        }
    }
}
