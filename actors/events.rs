//! Log lines as types: one struct per line, so that its fields are the same wherever it is written (deploy.md 6).

use engine::{Event, invariants::Violation, seam::Decision};
use std::time::Duration;

/// An Event of a canary: its text is the whole message, as `kubectl logs … | jq .msg` in the user documents expects.
#[derive(Debug)]
pub struct Said<'a> {
    /// The canary.
    pub canary: &'a crds::Canary,
    /// What was said.
    pub event: &'a Event,
}

/// What a step decided, and why.
#[derive(Debug)]
pub struct Decided<'a> {
    /// The canary.
    pub canary: &'a crds::Canary,
    /// The decision.
    pub decision: &'a Decision,
}

/// Something that must never be.
#[derive(Debug)]
pub struct Violated<'a> {
    /// The canary.
    pub canary: &'a crds::Canary,
    /// Which invariant, and how it was broken.
    pub violation: &'a Violation,
}

/// A notice could not be delivered.
#[derive(Debug)]
pub struct Undelivered<'a> {
    /// `<name>.<namespace>` of the canary.
    pub canary: &'a str,
    /// `event`, `webhook` or `alert`.
    pub lane: &'static str,
    /// Name of the receiver, where there are several.
    pub receiver: &'a str,
    /// What went wrong.
    pub cause: &'a str,
}

/// A notice was given up, so that newer ones find room.
#[derive(Debug)]
pub struct Dropped<'a> {
    /// `<name>.<namespace>` of the canary.
    pub canary: &'a str,
    /// `event`, `webhook` or `alert`.
    pub lane: &'static str,
}

/// A server failed so often that it is not asked for a while.
#[derive(Debug)]
pub struct ServerRests<'a> {
    /// `scheme://host:port`.
    pub server: &'a str,
    /// For how long.
    pub rest: Duration,
}

// === emit ===

impl Said<'_> {
    /// Write the line: an error where the event is one, else information, warnings too (controller.md 3.10).
    pub fn emit(&self) {
        let canary = self.canary.display_name();
        if self.event.is_error {
            tracing::error!(%canary, "{}", self.event.message);
        } else {
            tracing::info!(%canary, "{}", self.event.message);
        }
    }
}

impl Decided<'_> {
    /// Write the line, for those who look closely.
    pub fn emit(&self) {
        let canary = self.canary.display_name();
        let checks = self.decision.checks.len();
        tracing::debug!(%canary, verb = self.decision.verb, why = %self.decision.why, checks, "decided");
    }
}

impl Violated<'_> {
    /// Write the line.
    pub fn emit(&self) {
        let canary = self.canary.display_name();
        let invariant = self.violation.id;
        tracing::error!(%canary, invariant, "an invariant is broken: {}", self.violation.what);
    }
}

impl Undelivered<'_> {
    /// Write the line.
    pub fn emit(&self) {
        let (canary, lane, receiver) = (self.canary, self.lane, self.receiver);
        tracing::error!(%canary, lane, %receiver, "cannot deliver {lane}: {}", self.cause);
    }
}

impl Dropped<'_> {
    /// Write the line.
    pub fn emit(&self) {
        let (canary, lane) = (self.canary, self.lane);
        tracing::warn!(%canary, lane, "too many notices, one {lane} was dropped");
    }
}

impl ServerRests<'_> {
    /// Write the line.
    pub fn emit(&self) {
        tracing::warn!(server = %self.server, rest = ?self.rest, "server keeps failing and is left alone for a while");
    }
}
