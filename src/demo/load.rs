//! The users: requests to the gateway at a steady pace, so many under way at a time and no more.

use actors::world::World;
use futures::{StreamExt, stream::FuturesUnordered};
use std::{net::SocketAddr, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Requests under way: at the fastest pace, 200 a second, a third of a second's.
const UNDER_WAY_MAX: usize = 64;
/// Requests to one application between two checks: a tenth of them, the canary's first share, holds two failures of one in 20.
const PER_CHECK: u32 = 400;
/// Requests a second to one application, at most: with both, what one busy core forwards without a queue.
const PER_SECOND_MAX: u32 = 200;
/// A delay of the machine that is made up for, so that a check has its requests; 200 requests at the fastest pace.
const MADE_UP_MAX: Duration = Duration::from_secs(1);

/// The pause between two requests, given that between two checks.
pub(super) fn pace(check: Duration) -> Duration {
    (check / PER_CHECK).max(Duration::from_secs(1) / PER_SECOND_MAX)
}

/// Ask `http://host/` through the gateway, for ever. What is answered is counted by those who answer.
pub(super) async fn run(client: reqwest::Client, gateway: SocketAddr, host: String, pause: Duration, world: World) {
    let mut due = world.instant();
    let mut under_way = FuturesUnordered::new();
    loop {
        let full = under_way.len() >= UNDER_WAY_MAX;
        tokio::select! {
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            () = sleep_until(due), if !full => {
                let asked = client.get(format!("http://{gateway}/")).header("host", &host).send();
                under_way.push(async {
                    // Reading the answer to its end lets the connection be used again.
                    if let Ok(answer) = asked.await {
                        answer.bytes().await.ok();
                    }
                });
                due = next(due, world.instant(), pause);
            }
        }
    }
}

/// When the next request is due. A short delay is made up for, a long one is not.
fn next(due: Instant, now: Instant, pause: Duration) -> Instant {
    (due + pause).max(now.checked_sub(MADE_UP_MAX).unwrap_or(now))
}

#[cfg(test)]
mod tests;
