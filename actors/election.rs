//! Leader election over the peer's Lease (deploy.md 8), so that a running Flagger and this controller never lead at the same time.
//!
//! The rules are client-go's: a foreign lease counts as alive for its duration after its record was last *seen* to change, by the
//! own clock; times written by others are never compared with it. What client-go has not: the [`Claim`], which every write asks
//! and which runs out by itself, so that a process that was frozen writes nothing when it wakes up (W-48).

mod claim;
#[cfg(test)]
mod tests;

use engine::{Kind, ObjectRef, json::set, objects::resource_version, seam::Trouble};
use kube::Client;
use serde_json::{Value, json};
use std::{future::Future, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{cluster::wire::Wire, world::World};
pub use claim::Claim;

/// Name of the Lease: the peer's.
pub const LEASE_NAME: &str = "flagger-leader-election";
/// How long others wait after the last change of the record that they saw.
pub const LEASE_DURATION: Duration = Duration::from_mins(1);
/// How long a claim holds after the start of the last successful renewal.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(15);
/// Between the starts of two attempts to get or to renew the lease.
pub const RETRY: Duration = Duration::from_secs(5);
/// Between the starts of two attempts after a renewal failed: 5 s and 4 more times 2 s are 13 s, within the renewal deadline.
const AGAIN: Duration = Duration::from_secs(2);
/// Longest time for one call. Shorter than the pause between two attempts, so that a lost answer costs one attempt only.
const CALL: Duration = Duration::from_secs(4);
/// Those who wait for the lease spread their attempts by this part of the pause.
const SPREAD: f64 = 0.2;

const LEASE: Kind = Kind {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    plural: "leases",
};

/// How an election ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop; the lease is free, if the API server could be reached.
    Stopped,
    /// The lease was held and could not be kept. The peer ends its process then.
    Lost,
}

/// One candidate.
pub struct Election {
    world: World,
    wire: Wire,
    lease: ObjectRef,
    identity: String,
    claim: watch::Sender<Option<Instant>>,
    /// The Lease as last read or written.
    known: Option<Value>,
    /// The foreign record, and when it was seen to change.
    seen: Option<(Value, Instant)>,
    /// Start of the last attempt.
    begun: Instant,
}

/// What an attempt found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Held,
    /// Someone else holds it.
    Other,
    /// It could not be told, or another candidate was faster.
    Unknown,
}

// === impl Election ===

impl Election {
    /// A candidate `<hostname>_<uuid>` for the Lease in this namespace, and the claim that it will hold while it leads.
    pub fn new(world: World, client: Client, namespace: &str, hostname: &str) -> (Self, Claim) {
        let (claim, held) = watch::channel(None);
        let election = Self {
            wire: Wire::new(client, CALL),
            lease: LEASE.named(namespace, LEASE_NAME),
            identity: format!("{hostname}_{}", uuid(world.chance(), world.chance())),
            claim,
            known: None,
            seen: None,
            begun: world.instant(),
            world,
        };
        (election, Claim::held(held))
    }

    /// Name of this candidate in the Lease.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Wait for the lease and keep it until `stop`, or until it is lost. The claim ends before the lease is released; writes that
    /// must still be made have to be over before `stop` (W-47).
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Ended {
        let ended = tokio::select! {
            biased;
            () = stop => Ended::Stopped,
            () = self.lead() => Ended::Lost,
        };
        self.claim.send_replace(None);
        match ended {
            Ended::Stopped => self.release().await,
            Ended::Lost => tracing::warn!(identity = self.identity, "leadership lost"),
        }
        ended
    }

    /// Acquire the lease, then return when it is lost.
    async fn lead(&mut self) {
        tracing::info!(identity = self.identity, "waiting for leadership");
        while self.attempt().await != Standing::Held {
            let pause = RETRY.mul_f64(1.0 + SPREAD * self.world.fraction());
            sleep_until(self.begun + pause).await;
        }
        tracing::info!(identity = self.identity, "leading");
        loop {
            let Some(until) = *self.claim.borrow() else { return };
            match timeout_at(until, self.renew()).await {
                Ok(Standing::Held) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Try until it is known who holds the lease.
    async fn renew(&mut self) -> Standing {
        let mut pause = RETRY;
        loop {
            sleep_until(self.begun + pause).await;
            let standing = self.attempt().await;
            if standing != Standing::Unknown {
                return standing;
            }
            pause = AGAIN;
        }
    }

    async fn attempt(&mut self) -> Standing {
        self.begun = self.world.instant();
        match self.try_lease().await {
            Ok(standing) => standing,
            Err(error) => {
                tracing::debug!(%error, "cannot get or renew the lease");
                Standing::Unknown
            }
        }
    }

    async fn try_lease(&mut self) -> Result<Standing, Trouble> {
        // While leading, nobody else writes the Lease: one call instead of two, until one fails.
        if self.claim.borrow().is_some()
            && let Some(known) = self.known.take()
        {
            match self.wire.replace(&self.lease, &self.ours(known)).await {
                Err(Trouble::Conflict(_) | Trouble::NotFound(_)) => {}
                written => return Ok(self.hold(written?)),
            }
        }
        let lease = match self.wire.get(&self.lease).await {
            Err(Trouble::NotFound(_)) => {
                let made = self.wire.create(&self.lease, &self.ours(json!({}))).await?;
                return Ok(self.hold(made));
            }
            read => read?,
        };
        if self.is_taken(&lease) {
            return Ok(Standing::Other);
        }
        let written = self.wire.replace(&self.lease, &self.ours(lease)).await?;
        Ok(self.hold(written))
    }

    /// The write succeeded: the claim counts from the start of the attempt, which is before the server's view of it.
    fn hold(&mut self, lease: Value) -> Standing {
        self.known = Some(lease);
        self.seen = None;
        self.claim.send_replace(Some(self.begun + RENEW_DEADLINE));
        Standing::Held
    }

    /// Whether someone else's lease is alive, by when its record was seen to change.
    fn is_taken(&mut self, lease: &Value) -> bool {
        let spec = &lease["spec"];
        let holder = spec["holderIdentity"].as_str().unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return false;
        }
        let now = self.world.instant();
        let since = match &self.seen {
            Some((record, since)) if record == spec => *since,
            _ => now,
        };
        self.seen = Some((spec.clone(), since));
        let seconds = spec["leaseDurationSeconds"].as_u64();
        now < since + seconds.map_or(LEASE_DURATION, Duration::from_secs)
    }

    /// The Lease with our record; fields of others stay. The first holder of a new Lease counts no transition.
    fn ours(&self, mut lease: Value) -> Value {
        let now = json!(format!("{:.6}", self.world.now()));
        let is_new = resource_version(&lease).is_empty();
        let is_ours = lease["spec"]["holderIdentity"] == self.identity.as_str();
        let transitions = lease["spec"]["leaseTransitions"].as_i64().unwrap_or_default();
        if !is_ours || lease["spec"]["acquireTime"].is_null() {
            set(&mut lease, &["spec", "acquireTime"], now.clone());
        }
        let transitions = transitions + i64::from(!is_new && !is_ours);
        set(&mut lease, &["spec", "leaseTransitions"], json!(transitions));
        set(&mut lease, &["spec", "holderIdentity"], json!(self.identity));
        set(
            &mut lease,
            &["spec", "leaseDurationSeconds"],
            json!(LEASE_DURATION.as_secs()),
        );
        set(&mut lease, &["spec", "renewTime"], now);
        lease
    }

    /// Give the lease back, as client-go does. It is read first: a write whose answer was lost may have made it ours.
    async fn release(&self) {
        let Ok(mut lease) = self.wire.get(&self.lease).await else {
            return;
        };
        if lease["spec"]["holderIdentity"] != self.identity.as_str() {
            return;
        }
        let now = json!(format!("{:.6}", self.world.now()));
        set(&mut lease, &["spec", "holderIdentity"], json!(""));
        set(&mut lease, &["spec", "leaseDurationSeconds"], json!(1));
        set(&mut lease, &["spec", "renewTime"], now.clone());
        set(&mut lease, &["spec", "acquireTime"], now);
        match self.wire.replace(&self.lease, &lease).await {
            Ok(_) => tracing::info!(identity = self.identity, "leadership released"),
            Err(error) => tracing::warn!(%error, "cannot release the lease"),
        }
    }
}

/// A random UUID (RFC 9562, version 4) of 128 random bits.
fn uuid(high: u64, low: u64) -> String {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff,
    )
}
