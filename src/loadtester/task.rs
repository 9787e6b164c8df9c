//! A task: what was asked for, for whom, and what became of it.

use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

use super::order::{Kind, Order};
use crate::companion::{brake::Stop, output::Output};

/// Which canary.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Canary {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
}

/// What is the same task: canary, type and command, exactly (loadtester.md 7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// For whom.
    pub(super) canary: Canary,
    /// The type.
    pub(super) kind: Kind,
    /// The command, or all that was asked for.
    pub(super) subject: String,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    /// Its identity.
    pub(super) key: Key,
    /// The revision it is for; may be empty.
    pub(super) checksum: String,
    /// What to do.
    pub(super) order: Order,
    /// What is shown of it: no secrets.
    pub(super) shown: String,
    /// Nobody waits for it.
    pub(super) background: bool,
    /// Its output goes to the log.
    pub(super) log_output: bool,
    /// Its output is the answer.
    pub(super) return_output: bool,
    /// How often it is asked for, if the user says so.
    pub(super) interval: Option<Duration>,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    /// Whether it went well.
    pub(super) success: bool,
    /// Exit code of its program.
    pub(super) exit_code: Option<i32>,
    /// What went wrong; empty for success.
    pub(super) cause: String,
    /// Whether it was stopped and did not fail by itself.
    pub(super) stopped: bool,
}

/// A task that was admitted.
pub(super) struct Task {
    /// Counts up.
    pub(super) id: u64,
    /// What was asked for.
    pub(super) ask: Ask,
    /// What it said.
    pub(super) output: Output,
    /// Asks it to stop.
    pub(super) stop: Stop,
    /// Tells what became of it.
    pub(super) done: watch::Sender<Option<Arc<Outcome>>>,
}

// === impl Ask ===

impl Ask {
    /// `name.namespace`, as in the peer's logs.
    pub(super) fn shown_canary(&self) -> String {
        format!("{}.{}", self.key.canary.name, self.key.canary.namespace)
    }
}

// === impl Task ===

impl Task {
    /// Wait for its end.
    pub(super) async fn ended(&self) -> Arc<Outcome> {
        let mut done = self.done.subscribe();
        let ended = done.wait_for(Option::is_some).await;
        // The sender is ours, so the wait cannot fail.
        let outcome = ended.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Arc::new(Outcome::failed("lost")))
    }
}

// === impl Outcome ===

impl Outcome {
    /// Success.
    pub(super) fn succeeded() -> Self {
        Self {
            success: true,
            exit_code: None,
            cause: String::new(),
            stopped: false,
        }
    }

    /// Failure without a program.
    pub(super) fn failed(cause: impl Into<String>) -> Self {
        Self {
            success: false,
            exit_code: None,
            cause: cause.into(),
            stopped: false,
        }
    }

    /// Stopped by us.
    pub(super) fn stopped(why: &str) -> Self {
        Self {
            stopped: true,
            ..Self::failed(format!("stopped: {why}"))
        }
    }

    /// A word for metrics.
    pub(super) fn word(&self) -> &'static str {
        match (self.success, self.stopped) {
            (true, _) => "success",
            (false, true) => "stopped",
            (false, false) => "failure",
        }
    }
}
