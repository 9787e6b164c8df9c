//! `POST /launch-test`: what is asked for (k6-webhook.md 2).

use std::{collections::BTreeMap, time::Duration};

use crate::companion::payload::{BadPayload, Payload, truth};

/// Pause after a failure when nothing else is said: the documented one.
const FAILURE_DELAY: Duration = Duration::from_mins(2);
/// Channels of one test: each is told four times.
const CHANNELS_MAX: usize = 10;
/// Secrets of one test: each is a request to the API server.
const SECRETS_MAX: usize = 50;

/// A test to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// Name of the Canary.
    pub(super) name: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// Its phase.
    pub(super) phase: String,
    /// Its revision; may be empty.
    pub(super) checksum: String,
    /// k6's JavaScript.
    pub(super) script: String,
    /// Results go to the cloud.
    pub(super) upload: bool,
    /// The answer waits for the end.
    pub(super) wait: bool,
    /// Slack channels.
    pub(super) channels: Vec<String>,
    /// Stands under each Slack message.
    pub(super) context: String,
    /// Pause after a failure.
    pub(super) failure_delay: Duration,
    /// Environment of the script.
    pub(super) variables: BTreeMap<String, String>,
    /// Environment of the script from Secrets, by variable.
    pub(super) secrets: BTreeMap<String, SecretKey>,
}

/// `[NAMESPACE/]NAME/KEY`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SecretKey {
    /// Namespace of the Secret.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// Key of its data; may contain slashes.
    pub(super) key: String,
}

/// Why a request is none. Texts are the peer's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRequest {
    /// The body.
    #[error("error while validating request: {0}")]
    Body(#[from] BadPayload),
    /// A part of the hook's payload.
    #[error("error while validating request: error while validating base webhook: missing {0}")]
    Base(&'static str),
    /// There is nothing to run.
    #[error("error while validating request: missing script")]
    Script,
    /// A value of the metadata.
    #[error("error while validating request: error parsing value for '{key}': {why}")]
    Value {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

// === impl Order ===

impl Order {
    /// Read a body. What follows its first JSON value is ignored, as with the peer.
    pub(super) fn read(body: &[u8]) -> Result<Self, BadRequest> {
        let payload = Payload::read_first(body)?;
        for (name, value) in [
            ("name", &payload.name),
            ("namespace", &payload.namespace),
            ("phase", &payload.phase),
        ] {
            if value.is_empty() {
                return Err(BadRequest::Base(name));
            }
        }
        let script = payload.get("script").ok_or(BadRequest::Script)?.to_owned();
        let channels = payload.get("slack_channels").unwrap_or_default().split(',');
        let channels: Vec<String> = channels
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(String::from)
            .collect();
        if channels.len() > CHANNELS_MAX {
            return Err(bad("slack_channels", format!("more than {CHANNELS_MAX} channels")));
        }
        Ok(Self {
            script,
            channels,
            upload: flag(&payload, "upload_to_cloud", false)?,
            wait: flag(&payload, "wait_for_results", true)?,
            context: payload.get("notification_context").unwrap_or_default().to_owned(),
            failure_delay: delay(&payload)?,
            variables: variables(&payload)?,
            secrets: secrets(&payload)?,
            name: payload.name,
            namespace: payload.namespace,
            phase: payload.phase,
            checksum: payload.checksum,
        })
    }
}

fn bad(key: &'static str, why: impl Into<String>) -> BadRequest {
    let why = why.into();
    BadRequest::Value { key, why }
}

fn flag(payload: &Payload, key: &'static str, default: bool) -> Result<bool, BadRequest> {
    let Some(text) = payload.get(key) else {
        return Ok(default);
    };
    truth(text).ok_or_else(|| bad(key, format!("{text:?} is neither true nor false")))
}

fn delay(payload: &Payload) -> Result<Duration, BadRequest> {
    let key = "min_failure_delay";
    let Some(text) = payload.get(key) else {
        return Ok(FAILURE_DELAY);
    };
    crds::decode::go_duration(text).ok_or_else(|| bad(key, format!("invalid duration {text:?}")))
}

fn map(payload: &Payload, key: &'static str) -> Result<BTreeMap<String, String>, BadRequest> {
    let Some(text) = payload.get(key) else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_str(text).map_err(|error| bad(key, error.to_string()))
}

fn variables(payload: &Payload) -> Result<BTreeMap<String, String>, BadRequest> {
    let key = "env_vars";
    let variables = map(payload, key)?;
    check_names(key, variables.iter())?;
    Ok(variables)
}

/// What cannot be in an environment would make the start fail with words that help nobody.
fn check_names<'m>(
    key: &'static str,
    mut pairs: impl Iterator<Item = (&'m String, &'m String)>,
) -> Result<(), BadRequest> {
    let odd = pairs.find(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0'));
    odd.map_or(Ok(()), |(name, _)| {
        Err(bad(key, format!("{name:?} cannot be a variable")))
    })
}

fn secrets(payload: &Payload) -> Result<BTreeMap<String, SecretKey>, BadRequest> {
    let key = "kubernetes_secrets";
    let references = map(payload, key)?;
    check_names(key, references.iter())?;
    if references.len() > SECRETS_MAX {
        return Err(bad(key, format!("more than {SECRETS_MAX} secrets")));
    }
    let read = |(variable, reference): (String, String)| {
        let secret = SecretKey::read(&reference, &payload.namespace);
        let secret = secret.ok_or_else(|| bad(key, format!("{reference:?} is not [namespace/]name/key")))?;
        Ok((variable, secret))
    };
    references.into_iter().map(read).collect()
}

// === impl SecretKey ===

impl SecretKey {
    /// Split at slashes, twice at most (k6-webhook.md 2.2); `None` where there is no key (K6-3).
    fn read(reference: &str, own: &str) -> Option<Self> {
        let parts: Vec<&str> = reference.splitn(3, '/').collect();
        let (namespace, name, key) = match parts.as_slice() {
            [name, key] => (own, *name, *key),
            [namespace, name, key] => (*namespace, *name, *key),
            _ => return None,
        };
        let is_whole = !namespace.is_empty() && !name.is_empty() && !key.is_empty();
        is_whole.then(|| Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            key: key.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
