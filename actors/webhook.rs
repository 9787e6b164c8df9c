//! Calls of hooks, with their retries (controller.md 7.1).

use actix::{Actor, Context, Handler, Message};
use engine::{
    http::Response,
    retry,
    seam::{HookCall, Trouble},
};

use crate::{
    answer::Answer,
    mail::Mail,
    outbound::Outbound,
    servers::{Limits, Servers},
    world::World,
};

#[cfg(test)]
mod tests;

/// Calls waiting and running together: one per canary of a big cluster. Each holds some 10 KiB at most, so 40 MiB at worst.
pub const CALLS_MAX: usize = 4096;
/// Per receiver 32 calls at a time: a load tester that answers in 50 ms serves 640 canaries per second. Refused calls are no sign of
/// a broken receiver (a gate says no with 403), and each gate counts, so there is no breaker.
pub const LIMITS: Limits = Limits {
    servers: 1024,
    at_once: 32,
    breaker: None,
};

/// Calls hooks. Clones share their limits.
#[derive(Clone)]
pub struct Caller {
    world: World,
    outbound: Outbound,
    servers: Servers,
}

/// The pool of hook calls.
pub struct WebhookActor {
    caller: Caller,
}

/// Call a hook. The answer is the last attempt's; whether its status is a success is for the engine to say.
#[derive(Message)]
#[rtype(result = "Result<Response, Trouble>")]
pub struct Call(pub HookCall);

/// Start the pool in the current arbiter.
pub fn start(world: &World, outbound: &Outbound) -> Mail<Call> {
    let caller = Caller::new(world, outbound);
    Mail::new(WebhookActor { caller }.start().recipient(), CALLS_MAX)
}

// === impl Caller ===

impl Caller {
    /// A caller with limits of its own.
    pub fn new(world: &World, outbound: &Outbound) -> Self {
        Self {
            world: world.clone(),
            outbound: outbound.clone(),
            servers: Servers::new(world, LIMITS),
        }
    }

    /// Call, and call again while that may help. A pause takes up no room at the server.
    pub async fn call(&self, call: HookCall) -> Result<Response, Trouble> {
        let retries = call.retries.min(retry::HOOK.attempts - 1);
        for attempt in 0.. {
            let result = self.servers.send(&self.outbound, call.request.clone()).await;
            if attempt >= retries || !retry::retries(&result) {
                return result;
            }
            self.world.sleep(retry::pause(attempt, &result, self.world.now())).await;
        }
        Err(Trouble::Skipped)
    }
}

// === impl WebhookActor ===

impl Actor for WebhookActor {
    type Context = Context<Self>;
}

impl Handler<Call> for WebhookActor {
    type Result = Answer<Result<Response, Trouble>>;

    fn handle(&mut self, Call(call): Call, _: &mut Context<Self>) -> Self::Result {
        let caller = self.caller.clone();
        Answer::new(&caller.world.clone(), async move { caller.call(call).await })
    }
}
