//! `kubernetes_secrets`: values from Secrets (k6-webhook.md 2.2, rows 5 to 7).

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};
use tokio::time::timeout;

use super::request::SecretKey;

/// Time limit of one read.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no value. Texts are the peer's.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSecret {
    /// `KUBERNETES_CLIENT` is not `in-cluster`.
    #[error("kubernetes client is not configured")]
    NoClient,
    /// The Secret cannot be read.
    #[error("error fetching secret {namespace}/{name}: {why}")]
    Unreadable {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The API server's words.
        why: String,
    },
    /// It has no such key.
    #[error("secret {namespace}/{name} does not have key {key}")]
    NoKey {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
}

/// The values, by variable; in the order of the variables, each Secret read once.
pub(super) async fn read(
    client: Option<&Client>,
    wanted: &BTreeMap<String, SecretKey>,
) -> Result<BTreeMap<String, String>, NoSecret> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let client = client.ok_or(NoSecret::NoClient)?;
    let mut known: BTreeMap<(&str, &str), Secret> = BTreeMap::new();
    let mut values = BTreeMap::new();
    for (variable, secret) in wanted {
        let place = (secret.namespace.as_str(), secret.name.as_str());
        let found = match known.entry(place) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(fetch(client, secret).await?),
        };
        let bytes = found.data.as_ref().and_then(|data| data.get(&secret.key));
        let bytes = bytes.ok_or_else(|| NoSecret::NoKey {
            namespace: secret.namespace.clone(),
            name: secret.name.clone(),
            key: secret.key.clone(),
        })?;
        values.insert(variable.clone(), String::from_utf8_lossy(&bytes.0).into_owned());
    }
    Ok(values)
}

async fn fetch(client: &Client, secret: &SecretKey) -> Result<Secret, NoSecret> {
    let api: Api<Secret> = Api::namespaced(client.clone(), &secret.namespace);
    let why = match timeout(READ_TIMEOUT, api.get(&secret.name)).await {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(kube::Error::Api(status))) => status.message.clone(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {READ_TIMEOUT:?}"),
    };
    Err(NoSecret::Unreadable {
        namespace: secret.namespace.clone(),
        name: secret.name.clone(),
        why,
    })
}

#[cfg(test)]
mod tests;
