//! How pools answer: the work runs on the I/O runtime, so that arbiters only decide, and it ends when nobody waits for it any more.

use actix::{
    Actor, Message,
    dev::{MessageResponse, OneshotSender},
};
use futures::future::BoxFuture;
use std::future::Future;

use crate::world::World;

/// Result of a handler: work for the I/O runtime, whose output is the answer. Dropping the sender's future cancels the work.
pub struct Answer<T> {
    world: World,
    work: BoxFuture<'static, T>,
}

// === impl Answer ===

impl<T> Answer<T> {
    /// The output of `work` as the answer.
    pub fn new(world: &World, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            world: world.clone(),
            work: Box::pin(work),
        }
    }
}

impl<A, M> MessageResponse<A, M> for Answer<M::Result>
where
    A: Actor,
    M: Message,
    M::Result: Send,
{
    fn handle(self, _: &mut A::Context, reply: Option<OneshotSender<M::Result>>) {
        let work = self.work;
        self.world.spawn(async move {
            let Some(mut reply) = reply else {
                work.await;
                return;
            };
            tokio::select! {
                biased;
                () = reply.closed() => {}
                answer = work => drop(reply.send(answer)), // an error means that the caller has just gone
            }
        });
    }
}
