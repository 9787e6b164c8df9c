//! How full the queues are: read when the page is made, so that they cost nothing in between.

use parking_lot::Mutex;
use prometheus::{Error, IntCounterVec, IntGaugeVec, Opts};

use super::{Catalogue, Series};
use crate::mail::Meter;

/// Reads a depth.
type Depth = Box<dyn Fn() -> usize + Send + Sync>;

/// `aviary_mail_*` and `aviary_notices_pending`.
pub(super) struct Queues {
    depth: IntGaugeVec,
    waits: IntCounterVec,
    pending: IntGaugeVec,
    mails: Mutex<Vec<(&'static str, Meter)>>,
    lanes: Mutex<Vec<(&'static str, Depth)>>,
}

// === impl Series ===

impl Series {
    /// From now on show how full this mail is.
    pub fn watch_mail(&self, mail: &'static str, meter: Meter) {
        self.queues.mails.lock().push((mail, meter));
    }

    /// From now on show how many notices of this lane are neither delivered nor given up.
    pub fn watch_lane(&self, lane: &'static str, pending: impl Fn() -> usize + Send + Sync + 'static) {
        self.queues.lanes.lock().push((lane, Box::new(pending)));
    }
}

// === impl Queues ===

impl Queues {
    pub(super) fn new(catalogue: &Catalogue) -> Result<Self, Error> {
        let depth = Opts::new(
            "aviary_mail_depth",
            "Messages that wait at an actor or are handled by it: reads, writes and status writes of the Kubernetes API, queries, \
             hook calls, notices",
        );
        let waits = Opts::new(
            "aviary_mail_waits_total",
            "Messages that waited for room at an actor, as it had all it may have at a time",
        );
        let pending = Opts::new(
            "aviary_notices_pending",
            "Events, event webhooks and alerts that are neither delivered nor given up",
        );
        Ok(Self {
            depth: catalogue.kept(IntGaugeVec::new(depth, &["mail"])?)?,
            waits: catalogue.kept(IntCounterVec::new(waits, &["mail"])?)?,
            pending: catalogue.kept(IntGaugeVec::new(pending, &["lane"])?)?,
            mails: Mutex::default(),
            lanes: Mutex::default(),
        })
    }

    /// Bring the series up to date.
    pub(super) fn read(&self) {
        for (mail, meter) in self.mails.lock().iter() {
            self.depth.with_label_values(&[*mail]).set(whole(meter.depth()));
            let waits = self.waits.with_label_values(&[*mail]);
            waits.inc_by(meter.waits().saturating_sub(waits.get()));
        }
        for (lane, pending) in self.lanes.lock().iter() {
            self.pending.with_label_values(&[*lane]).set(whole(pending()));
        }
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
