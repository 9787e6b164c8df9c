//! The pods of one workload, as numbers: how many run of the present template and of older ones, and how many of them are ready.

use std::time::Duration;
use tokio::time::Instant;

/// The numbers of one workload.
#[derive(Clone, Debug)]
pub(super) struct Pods {
    pub(super) uid: String,
    /// Generation of the spec that was last looked at.
    pub(super) generation: i64,
    /// Number of the task that may move this on; older tasks end.
    pub(super) epoch: u64,
    /// Hash of the present template.
    pub(super) template: u64,
    /// Templates so far.
    pub(super) revision: u64,
    /// The template is new and no status tells of it yet.
    pub(super) fresh: bool,
    /// Pods of the present template.
    pub(super) updated: i64,
    pub(super) updated_ready: i64,
    /// Pods of older templates.
    pub(super) old: i64,
    pub(super) old_ready: i64,
    /// When the starting pods become ready.
    pub(super) ready_at: Option<Instant>,
    /// When the rollout last moved on.
    pub(super) progressed: Instant,
}

/// What the workload's spec and the sandbox's settings ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub(super) replicas: i64,
    pub(super) template: u64,
    /// Pods replaced at a time.
    pub(super) batch: i64,
    /// Old pods go before new ones start (DaemonSet).
    pub(super) in_place: bool,
    /// New pods do not become ready.
    pub(super) unready: bool,
    /// Running pods are not ready either.
    pub(super) broken: bool,
    pub(super) ready_after: Duration,
}

// === impl Pods ===

impl Pods {
    pub(super) fn new(uid: &str, now: Instant) -> Self {
        Self {
            uid: uid.to_owned(),
            generation: 0,
            epoch: 0,
            template: 0,
            revision: 0,
            fresh: false,
            updated: 0,
            updated_ready: 0,
            old: 0,
            old_ready: 0,
            ready_at: None,
            progressed: now,
        }
    }

    /// Bring the numbers to `now`.
    pub(super) fn advance(&mut self, want: &Want, now: Instant) {
        if self.template != want.template {
            self.begin_rollout(want.template, now);
        }
        self.become_ready(want, now);
        self.scale(want);
        let starting = self.updated_ready < self.updated && !want.unready;
        if starting && self.ready_at.is_none() {
            self.ready_at = Some(now + want.ready_after);
        }
    }

    fn begin_rollout(&mut self, template: u64, now: Instant) {
        self.template = template;
        self.revision += 1;
        self.fresh = true;
        self.progressed = now;
        self.old += self.updated;
        self.old_ready += self.updated_ready;
        self.updated = 0;
        self.updated_ready = 0;
        self.ready_at = None;
    }

    fn become_ready(&mut self, want: &Want, now: Instant) {
        if want.broken {
            self.updated_ready = 0;
            self.old_ready = 0;
        }
        if want.unready {
            self.ready_at = None;
            return;
        }
        if self.ready_at.is_some_and(|at| at <= now) {
            self.ready_at = None;
            self.updated_ready = self.updated;
        }
        if !want.broken && self.old > 0 {
            self.old_ready = self.old;
        }
    }

    fn scale(&mut self, want: &Want) {
        let settled = self.updated_ready == self.updated;
        let room = match (self.old, settled) {
            (0, _) => want.replicas,
            (_, true) => self.updated + want.batch,
            (_, false) => self.updated,
        };
        self.updated = room.min(want.replicas);
        self.updated_ready = self.updated_ready.min(self.updated);
        if self.updated == 0 {
            self.ready_at = None;
        }
        let replaced = if want.in_place {
            self.updated
        } else {
            self.updated_ready
        };
        self.old = self.old.min(want.replicas - replaced);
        self.old_ready = self.old_ready.min(self.old);
    }

    pub(super) fn total(&self) -> i64 {
        self.updated + self.old
    }

    pub(super) fn ready(&self) -> i64 {
        self.updated_ready + self.old_ready
    }
}
