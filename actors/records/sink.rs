//! The cluster as a place for Events.

use engine::seam::Trouble;
use futures::future::BoxFuture;
use k8s_openapi::{api::core::v1::Event as Record, apimachinery::pkg::apis::meta::v1::Time};
use kube::{
    Api, Client, Error,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{EventSink, Repeat};

/// Writes core/v1 Events.
pub struct KubeEvents {
    client: Client,
}

// === impl KubeEvents ===

impl KubeEvents {
    /// Events go to the cluster of this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    fn api(&self, namespace: &str) -> Api<Record> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

impl EventSink for KubeEvents {
    fn create(&self, record: Record) -> BoxFuture<'_, Result<(), Trouble>> {
        let api = self.api(record.metadata.namespace.as_deref().unwrap_or_default());
        Box::pin(async move {
            let created = api.create(&PostParams::default(), &record).await;
            created.map(drop).map_err(|error| trouble(&error))
        })
    }

    fn repeat(&self, repeat: Repeat) -> BoxFuture<'_, Result<(), Trouble>> {
        let api = self.api(&repeat.namespace);
        Box::pin(async move {
            let patch = json!({ "count": repeat.count, "lastTimestamp": Time(repeat.last) });
            let patched = api
                .patch(&repeat.name, &PatchParams::default(), &Patch::Merge(patch))
                .await;
            patched.map(drop).map_err(|error| trouble(&error))
        })
    }
}

fn trouble(error: &Error) -> Trouble {
    let text = error.to_string();
    let Error::Api(status) = error else {
        return Trouble::Unavailable(text);
    };
    match status.code {
        404 => Trouble::NotFound(text),
        409 => Trouble::Conflict(text),
        429 | 500.. => Trouble::Unavailable(text),
        _ => Trouble::Refused(text),
    }
}
