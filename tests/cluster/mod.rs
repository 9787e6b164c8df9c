//! What the cluster tests share: a way into the real control plane, the processes that they start, and servers that play the world.

pub(crate) mod kinds;
pub(crate) mod lab;
pub(crate) mod metrics;
pub(crate) mod objects;
pub(crate) mod process;
pub(crate) mod server;

use std::time::Duration;

/// Between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(200);

/// Look until there is something to see; after `limit` fail with what was waited for.
pub(crate) async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let seen = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let seen = tokio::time::timeout(limit, seen).await;
    seen.unwrap_or_else(|_| panic!("not after {} s: {what}", limit.as_secs()))
}
