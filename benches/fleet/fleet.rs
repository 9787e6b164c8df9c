//! Making, releasing and deleting a fleet, as its users would.

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use serde_json::Value;
use std::{collections::BTreeSet, future::Future, time::Duration};
use tokio::time::{Instant, sleep};

use super::{
    objects::{self, Analysis, App, CANARIES, DEPLOYMENTS, LABEL},
    progress::Progress,
};

/// Requests of the bench at a time.
const AT_ONCE: usize = 32;
/// Time that a control plane gets to run the pods of a thousand applications, and to delete them.
const PATIENCE: Duration = Duration::from_mins(15);
const LOOK: Duration = Duration::from_secs(1);

/// Applications with their Canaries, on one cluster.
pub(crate) struct Fleet {
    client: Client,
    pub(crate) apps: Vec<App>,
}

// === impl Fleet ===

impl Fleet {
    /// Nothing yet.
    pub(crate) fn new(client: Client, canaries: usize, namespaces: usize) -> Self {
        Self {
            client,
            apps: objects::apps(canaries, namespaces),
        }
    }

    /// Create the applications, and wait until all of them are available.
    pub(crate) async fn deploy(&self, progress: &Progress) -> anyhow::Result<()> {
        let namespaces: BTreeSet<&str> = self.apps.iter().map(|app| app.namespace.as_str()).collect();
        for name in namespaces {
            create(&self.client, "/api/v1/namespaces", &objects::namespace_object(name)).await?;
        }
        self.each(|app| async move {
            create(
                &self.client,
                &app.collection(DEPLOYMENTS, "deployments"),
                &app.deployment(),
            )
            .await
        })
        .await?;
        let begun = Instant::now();
        loop {
            let list = list(&self.client, &format!("{DEPLOYMENTS}/deployments")).await?;
            let available = list
                .iter()
                .filter(|found| found["status"]["availableReplicas"].as_i64() >= Some(1))
                .count();
            progress.count("applications are available", available, self.apps.len());
            if available >= self.apps.len() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("only {available} applications are available");
            }
            sleep(LOOK).await;
        }
    }

    /// Create the Canaries. `edit` may change each before.
    pub(crate) async fn watch_over(
        &self,
        interval: Duration,
        analysis: Analysis,
        edit: impl Fn(&App, &mut Value),
    ) -> anyhow::Result<()> {
        let edit = &edit;
        self.each(|app| async move {
            let mut canary = app.canary(interval, analysis);
            edit(app, &mut canary);
            create(&self.client, &app.collection(CANARIES, "canaries"), &canary).await
        })
        .await
    }

    /// Give all applications another version at once.
    pub(crate) async fn release(&self, version: &str) -> anyhow::Result<()> {
        let change = App::release(version);
        let change = &change;
        self.each(|app| async move {
            let path = format!("{}/{}", app.collection(DEPLOYMENTS, "deployments"), app.name);
            merge(&self.client, &path, change).await
        })
        .await
    }

    async fn each<'f, F>(&'f self, call: impl Fn(&'f App) -> F) -> anyhow::Result<()>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        stream::iter(self.apps.iter().map(call))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

/// Create an object; one that is there already is an error.
pub(crate) async fn create(client: &Client, path: &str, object: &Value) -> anyhow::Result<()> {
    call(client, "POST", path, Some(object)).await.map(drop)
}

/// Merge a patch into an object.
pub(crate) async fn merge(client: &Client, path: &str, change: &Value) -> anyhow::Result<()> {
    call(client, "PATCH", path, Some(change)).await.map(drop)
}

/// Delete an object.
pub(crate) async fn delete(client: &Client, path: &str) -> anyhow::Result<()> {
    call(client, "DELETE", path, None).await.map(drop)
}

async fn list(client: &Client, path: &str) -> anyhow::Result<Vec<Value>> {
    let selected = format!("{path}?labelSelector={}%3Dyes", LABEL.replace('/', "%2F"));
    let mut list = call(client, "GET", &selected, None).await?;
    Ok(list["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

async fn call(client: &Client, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let content = if method == "PATCH" {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content);
    let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
    client
        .request(request.body(bytes)?)
        .await
        .with_context(|| format!("{method} {path}"))
}

/// Delete all that benches made on this cluster, and wait until it is gone.
pub(crate) async fn clean(client: &Client) -> anyhow::Result<()> {
    let namespaces = list(client, "/api/v1/namespaces").await?;
    let names = namespaces.iter().filter_map(|found| found["metadata"]["name"].as_str());
    let gone = stream::iter(names).map(|name| async move {
        delete(client, &format!("/api/v1/namespaces/{name}")).await.ok(); // it may be going already
    });
    gone.buffer_unordered(AT_ONCE).collect::<()>().await;
    let begun = Instant::now();
    while !list(client, "/api/v1/namespaces").await?.is_empty() {
        if begun.elapsed() > PATIENCE {
            bail!("the namespaces of the bench do not go");
        }
        sleep(LOOK).await;
    }
    Ok(())
}
