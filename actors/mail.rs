//! Mail between actors with real bounds. actix mailboxes do not bound (crates.md 3), so every message needs a permit here:
//! when all are taken, the sender waits. A message that only says "look again" rings a bell instead, which never queues.

use actix::{Message, Recipient};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Address of an actor that takes at most `capacity` messages at a time, waiting and being handled together.
pub struct Mail<M>
where
    M: Message + Send,
    M::Result: Send,
{
    to: Recipient<M>,
    meter: Meter,
}

/// How full a mail is. It does not keep its actor alive.
#[derive(Clone)]
pub struct Meter {
    capacity: usize,
    permits: Arc<Semaphore>,
    waits: Arc<AtomicU64>,
}

/// The right to send one message at once. Whoever has to make a large message asks for this first, and makes it when it can go:
/// a thousand senders that wait with their messages in hand take the memory of a thousand messages.
pub struct Seat<M>
where
    M: Message + Send,
    M::Result: Send,
{
    to: Recipient<M>,
    _permit: OwnedSemaphorePermit,
}

/// A message could not be delivered: its actor is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receiving actor is gone")]
pub struct Undelivered;

/// Rings an actor awake. However often it rings, at most one message waits.
pub struct Bell<M>
where
    M: Message + Send,
    M::Result: Send,
{
    to: Recipient<M>,
    rung: Arc<AtomicBool>,
}

// === impl Mail ===

impl<M> Mail<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// An address with this many permits.
    pub fn new(to: Recipient<M>, capacity: usize) -> Self {
        Self {
            to,
            meter: Meter {
                capacity,
                permits: Arc::new(Semaphore::new(capacity)),
                waits: Arc::default(),
            },
        }
    }

    /// Send, and wait for the answer. Waits for a permit first; dropping the future gives it back.
    pub async fn send(&self, message: M) -> Result<M::Result, Undelivered> {
        let seat = match self.free_seat()? {
            Some(seat) => seat,
            None => self.seat().await?,
        };
        seat.send(message).await
    }

    /// A seat, if one is free now.
    pub fn free_seat(&self) -> Result<Option<Seat<M>>, Undelivered> {
        match self.meter.permits.clone().try_acquire_owned() {
            Ok(permit) => Ok(Some(self.taken(permit))),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(Undelivered),
        }
    }

    /// Wait for a seat; they are given in the order of the calls. Dropping it gives it back.
    pub async fn seat(&self) -> Result<Seat<M>, Undelivered> {
        self.meter.waits.fetch_add(1, Ordering::Relaxed);
        let permit = self.meter.permits.clone().acquire_owned().await;
        Ok(self.taken(permit.map_err(|_| Undelivered)?))
    }

    fn taken(&self, permit: OwnedSemaphorePermit) -> Seat<M> {
        Seat {
            to: self.to.clone(),
            _permit: permit,
        }
    }

    /// Messages that could be sent now without waiting.
    pub fn free(&self) -> usize {
        self.meter.permits.available_permits()
    }

    /// For `/metrics`.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl<M> Clone for Mail<M>
where
    M: Message + Send,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self {
            to: self.to.clone(),
            meter: self.meter.clone(),
        }
    }
}

// === impl Seat ===

impl<M> Seat<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// Send, and wait for the answer.
    pub async fn send(self, message: M) -> Result<M::Result, Undelivered> {
        self.to.send(message).await.map_err(|_| Undelivered)
    }
}

// === impl Meter ===

impl Meter {
    /// Messages waiting at the actor and being handled.
    pub fn depth(&self) -> usize {
        self.capacity.saturating_sub(self.permits.available_permits())
    }

    /// Messages so far that waited for a permit.
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }
}

// === impl Bell ===

impl<M> Bell<M>
where
    M: Message + Send + Default + 'static,
    M::Result: Send,
{
    /// A bell at this actor. The actor calls [`Bell::heard`] when it handles the message.
    pub fn new(to: Recipient<M>) -> Self {
        Self {
            to,
            rung: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Ring. Does nothing while an earlier ring has not been heard.
    #[expect(clippy::disallowed_methods, reason = "bounded: one message at a time, by the flag")]
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.to.do_send(M::default());
        }
    }

    /// The ring was heard; the next one sends a message again.
    pub fn heard(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl<M> Clone for Bell<M>
where
    M: Message + Send,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self {
            to: self.to.clone(),
            rung: self.rung.clone(),
        }
    }
}
