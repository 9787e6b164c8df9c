//! One Keptn Analysis: made, waited for, deleted in every case (analysis.md 4.9).

use engine::{
    ObjectRef, Write,
    http::Response,
    seam::{Act, Trouble},
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

use crate::{cluster::Cluster, world::World};

/// Between two looks at an analysis.
const POLL: Duration = Duration::from_secs(1);
/// Looks before it is given up.
const LOOKS: u32 = 10;
/// Characters of the suffix of its name.
const SUFFIX: u64 = 0x00ff_ffff;

/// Run it and give the judged object. It is deleted even when nobody waits for the answer any more.
pub(super) async fn run(
    world: &World,
    cluster: Cluster,
    mut at: ObjectRef,
    manifest: &str,
    limit: Duration,
) -> Result<Response, Trouble> {
    let object: Value = serde_json::from_str(manifest).map_err(|error| Trouble::Refused(error.to_string()))?;
    at.name = format!("{}-{:06x}", at.name, world.chance() & SUFFIX);
    let (tell, told) = oneshot::channel();
    let inner = world.clone();
    world.spawn(async move {
        let judged = analyse(&inner, &cluster, at, object).await;
        drop(tell.send(judged)); // an error means that nobody waits any more
    });
    let late = || Trouble::Unavailable(format!("the analysis did not end within {limit:?}"));
    match tokio::time::timeout(limit, told).await {
        Ok(Ok(judged)) => judged.map(|object| Response {
            status: 200,
            body: object.to_string(),
            retry_after: None,
        }),
        _ => Err(late()),
    }
}

async fn analyse(world: &World, cluster: &Cluster, at: ObjectRef, object: Value) -> Result<Arc<Value>, Trouble> {
    let made = cluster.write(&write(&at, Act::Create(object))).await?;
    let judged = wait(world, cluster, &at).await;
    let uid = made["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    // A leftover costs a few bytes; the verdict matters more.
    cluster.write(&write(&at, Act::Delete { uid })).await.ok();
    judged
}

async fn wait(world: &World, cluster: &Cluster, at: &ObjectRef) -> Result<Arc<Value>, Trouble> {
    for _ in 0..LOOKS {
        world.sleep(POLL).await;
        let gone = || Trouble::NotFound(format!("{at} was deleted"));
        let seen = cluster.read(at).await?.ok_or_else(gone)?;
        if seen["status"]["state"] == "Completed" {
            return Ok(seen);
        }
    }
    let seconds = (POLL * LOOKS).as_secs();
    Err(Trouble::Unavailable(format!("{at} is not completed after {seconds} s")))
}

fn write(at: &ObjectRef, act: Act) -> Write {
    Write {
        object: at.clone(),
        act,
    }
}
