//! Alerts: which receivers get a message, and the request that brings it there (analysis.md 5; controller.md 7.5).
//!
//! Two pure steps, because the Secret with the address is read in between: [`route`] says who gets it and which Secret that needs,
//! [`Delivery::request`] makes the call from the Secret. The formats are one table, one file each.

use crds::{
    AlertProvider, Canary,
    analysis::{Alert as Entry, CrossNamespaceRef},
};
use serde_json::Value;
use std::{fmt, time::Duration};

use crate::{
    ObjectRef, Settings,
    http::{self, Address, BadAddress, Method, Request, Response},
    metrics::secret::{self, BadSecret},
    objects::kinds,
    seam::{Alert, Seen, Severity, Trouble, View},
    settings::GlobalAlerts,
};

mod discord;
mod gchat;
pub mod limits;
pub mod message;
mod msteams;
mod rocket;
mod slack;
pub mod texts;

pub use message::{Message, message};

/// Time limit of a delivery; there is no second attempt (analysis.md 5.5).
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Sender of a provider that names none.
pub const DEFAULT_USER: &str = "flagger";
/// Channel of a provider that names none.
pub const DEFAULT_CHANNEL: &str = "general";
/// Name of the controller-wide receiver in logs.
pub const GLOBAL: &str = "global";

/// One message on its way to one receiver. Its `Debug` form leaves out address and token.
#[derive(Clone)]
pub struct Delivery {
    /// Receiver, for logs.
    pub name: String,
    /// Secret with `address` and perhaps `token`, to be read before [`Delivery::request`].
    pub needs_secret: Option<ObjectRef>,
    /// What is told.
    pub message: Message,
    format: &'static Format,
    address: Option<String>,
    token: Option<String>,
    sender: Sender,
    proxy: Option<String>,
}

/// Under whose name and where a message appears, for the formats that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sender {
    user: String,
    channel: String,
}

/// How one kind of receiver is spoken to.
#[derive(Debug)]
struct Format {
    kind: &'static str,
    payload: fn(&Message, &Sender) -> Value,
    /// Path that the address must end with.
    suffix: Option<&'static str>,
    /// Whether a bot token is sent, and `ok: false` in the answer is a refusal.
    is_bot: bool,
    /// Whether a global receiver without user or channel is a mistake.
    needs_sender: bool,
}

/// Why a message does not reach a receiver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// The AlertProvider is not there, or its kind is not installed.
    #[error("alert provider {0} not found")]
    NoProvider(String),
    /// It lies in another namespace, which the controller's settings do not allow.
    #[error("alert provider {0} is in another namespace")]
    Foreign(String),
    /// It cannot be read.
    #[error("alert provider {name} cannot be read: {problem}")]
    Unreadable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Its type has no format.
    #[error("alert provider type {0} is not supported")]
    Unsupported(String),
    /// Neither an address in the provider nor a Secret.
    #[error("alert receiver {0} has no address")]
    NoAddress(String),
    /// The Secret that it names is not there.
    #[error("secret {0} not found")]
    NoSecret(String),
    /// The Secret is of no use.
    #[error(transparent)]
    Secret(#[from] BadSecret),
    /// The address is of no use.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// No receiver has a channel with such a long name; a part of it could be another channel's.
    #[error("the channel of alert receiver {0} has more than {max} characters", max = limits::CHANNEL_MAX)]
    Channel(String),
    /// The controller-wide Slack receiver lacks user or channel.
    #[error("the global alert receiver needs a user and a channel")]
    NoSender,
}

/// Every kind of receiver.
static FORMATS: [Format; 5] = [
    slack::FORMAT,
    msteams::FORMAT,
    discord::FORMAT,
    rocket::FORMAT,
    gchat::FORMAT,
];

/// Who gets an alert: the receivers of the canary whose severity lets it through, or, when the canary lists none, the controller-wide
/// one. A receiver that cannot be used does not stop the others.
pub fn route(
    canary: &Canary,
    alert: &Alert,
    settings: &Settings,
    view: &dyn View,
) -> Vec<Result<Delivery, Undeliverable>> {
    let message = message(canary, alert, settings);
    let entries = canary
        .spec
        .analysis
        .as_ref()
        .map(|analysis| analysis.alerts.as_slice())
        .unwrap_or_default();
    if entries.is_empty() {
        let global = settings.global_alerts.as_ref().filter(|global| !global.url.is_empty());
        return global.map(|global| to_global(global, message)).into_iter().collect();
    }
    let wanted = entries.iter().filter(|entry| alert.severity >= lowest(entry));
    wanted
        .map(|entry| to_entry(canary, entry, message.clone(), settings, view))
        .collect()
}

/// The lowest severity that an entry receives. Without one it is `info`, as documented; the peer then sends nothing (W-26).
fn lowest(entry: &Entry) -> Severity {
    match entry.severity.as_deref() {
        Some("error") => Severity::Error,
        Some("warn") => Severity::Warn,
        _ => Severity::Info,
    }
}

fn to_global(global: &GlobalAlerts, message: Message) -> Result<Delivery, Undeliverable> {
    let format = format(&global.kind)?;
    if format.needs_sender && (global.user.is_empty() || global.channel.is_empty()) {
        return Err(Undeliverable::NoSender);
    }
    Ok(Delivery {
        name: GLOBAL.to_owned(),
        needs_secret: None,
        message,
        format,
        address: some(&global.url),
        token: some(&global.token),
        sender: Sender {
            user: limits::shorten(&global.user, limits::USER_MAX),
            channel: global.channel.clone(),
        },
        proxy: some(&global.proxy),
    })
}

fn to_entry(
    canary: &Canary,
    entry: &Entry,
    message: Message,
    settings: &Settings,
    view: &dyn View,
) -> Result<Delivery, Undeliverable> {
    let CrossNamespaceRef { name, namespace } = &entry.provider_ref;
    let namespace = namespace
        .as_deref()
        .filter(|ns| !ns.is_empty())
        .unwrap_or(canary.namespace());
    let label = format!("{name}.{namespace}");
    if settings.no_cross_namespace_refs && namespace != canary.namespace() {
        return Err(Undeliverable::Foreign(label));
    }
    let Seen::Present(object) = view.object(&kinds::ALERT_PROVIDER.named(namespace, name)) else {
        return Err(Undeliverable::NoProvider(label));
    };
    let provider: AlertProvider = crds::decode::decode(&object).map_err(|error| Undeliverable::Unreadable {
        name: label,
        problem: error.to_string(),
    })?;
    let spec = provider.spec;
    let secret = spec
        .secret_ref
        .map(|secret| secret.name)
        .filter(|secret| !secret.is_empty());
    let or = |text: Option<String>, default: &str| text.filter(|text| !text.is_empty()).unwrap_or(default.to_owned());
    Ok(Delivery {
        name: name.clone(),
        needs_secret: secret.map(|secret| kinds::SECRET.named(namespace, &secret)),
        message,
        format: format(&spec.kind)?,
        address: spec.address.filter(|address| !address.is_empty()),
        token: None,
        sender: Sender {
            user: limits::shorten(&or(spec.username, DEFAULT_USER), limits::USER_MAX),
            channel: or(spec.channel, DEFAULT_CHANNEL),
        },
        proxy: spec.proxy.filter(|proxy| !proxy.is_empty()),
    })
}

fn format(kind: &str) -> Result<&'static Format, Undeliverable> {
    let found = FORMATS.iter().find(|format| format.kind == kind);
    found.ok_or_else(|| Undeliverable::Unsupported(kind.to_owned()))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

// === impl Delivery ===

impl Delivery {
    /// The call, given the Secret of [`Delivery::needs_secret`] as the API server has it (`None` where it is not there). The Secret's
    /// `address` wins over the provider's own; having both is allowed (analysis.md 5.1).
    pub fn request(&self, secret: Option<&Value>) -> Result<Request, Undeliverable> {
        if limits::length(&self.sender.channel) > limits::CHANNEL_MAX {
            return Err(Undeliverable::Channel(self.name.clone()));
        }
        if let (Some(needed), None) = (&self.needs_secret, secret) {
            return Err(Undeliverable::NoSecret(format!("{}.{}", needed.name, needed.namespace)));
        }
        let kept = |key| secret.map_or(Ok(None), |secret| secret::text(secret, key));
        let address = kept("address")?.or_else(|| self.address.clone());
        let address = address.ok_or_else(|| Undeliverable::NoAddress(self.name.clone()))?;
        let Address { mut url, authorization } = Address::parse(&address)?;
        if let Some(suffix) = self.format.suffix.filter(|suffix| !url.path().ends_with(suffix)) {
            let path = format!("{}{suffix}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let token = kept("token")?
            .or_else(|| self.token.clone())
            .filter(|token| !token.is_empty());
        let bearer = token
            .filter(|_| self.format.is_bot)
            .map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(
            bearer
                .or(authorization)
                .map(|value| ("Authorization".to_owned(), value)),
        );
        Ok(Request {
            method: Method::Post,
            url: url.into(),
            headers,
            body: (self.format.payload)(&self.message, &self.sender).to_string(),
            timeout: TIMEOUT,
            skip_tls_verify: false,
            proxy: self.proxy.clone(),
        })
    }

    /// Whether the message arrived. Slack says no with a 200 and `"ok": false`, which the peer takes for a yes (AN-31).
    pub fn verdict(&self, answer: &Result<Response, Trouble>) -> Result<(), String> {
        let response = answer.as_ref().map_err(|trouble| http::excerpt(&trouble.to_string()))?;
        if !(200..300).contains(&response.status) {
            let status = http::status_text(response.status);
            return Err(format!("status {status}: {}", http::excerpt(&response.body)));
        }
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        if self.format.is_bot && body["ok"] == false {
            let cause = body["error"].as_str().map(http::excerpt);
            return Err(format!("refused: {}", cause.unwrap_or_default()));
        }
        Ok(())
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Delivery")
            .field("name", &self.name)
            .field("format", &self.format.kind)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
