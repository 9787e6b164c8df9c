//! Hooks: who is called when, with what, and what the answer means (controller.md 5.7, 7; analysis.md 6.2).

use crds::{Canary, CanaryStatus, Phase, analysis::Webhook};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

use crate::{
    Settings,
    http::{self, Address, BadAddress, Method, Request, Response},
    retry,
    seam::{Event, EventType, HookCall, Trouble},
};

pub mod checksum;
pub mod texts;

pub use checksum::checksum;
pub use texts::report;

/// Time limit of one attempt when a hook names none.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time limit that a hook gets: an acceptance test may take an hour. With all attempts that is 11 × 1 h and 181 s of pauses.
pub const TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// Name of the controller-wide event receiver in logs.
pub const GLOBAL_EVENTS: &str = "event-webhook";

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Kind {
    /// Before a run starts; holds it in phase Waiting.
    ConfirmRollout,
    /// Before traffic moves.
    PreRollout,
    /// At each check, before the metrics. Also hooks without a type.
    Rollout,
    /// Before each step.
    ConfirmTrafficIncrease,
    /// Before the promotion.
    ConfirmPromotion,
    /// After the run.
    PostRollout,
    /// At each check; success means: roll back.
    Rollback,
    /// With each Event.
    Event,
}

/// Why a hook cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHook {
    /// No usable URL.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// No Go duration, or 0.
    #[error("timeout {0:?} is no duration")]
    Timeout(String),
    /// Negative or not whole.
    #[error("retries must be a whole number, not {0}")]
    Retries(String),
}

/// The hooks of a kind, in list order.
pub fn of_kind(canary: &Canary, kind: Kind) -> Vec<&Webhook> {
    let hooks = canary.spec.analysis.iter().flat_map(|analysis| &analysis.webhooks);
    hooks.filter(|hook| Kind::of(hook) == Some(kind)).collect()
}

/// The call of a hook. `phase` goes into the payload, the rest of it is the canary as last read (controller.md 7.1, 7.3).
pub fn call(canary: &Canary, hook: &Webhook, phase: Phase) -> Result<HookCall, BadHook> {
    let metadata: BTreeMap<&str, &str> = hook.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    hook_call(hook, &payload(canary, phase, &metadata))
}

/// What an answer means: any 2xx is consent, as documented; the peer refuses 203 and above (W-32). The error is the cause for the
/// Event: the answer's body, with the status in front where the server failed or said nothing.
pub fn verdict(answer: &Result<Response, Trouble>) -> Result<(), String> {
    let response = answer.as_ref().map_err(|trouble| http::excerpt(&trouble.to_string()))?;
    if (200..300).contains(&response.status) {
        return Ok(());
    }
    let body = http::excerpt(&response.body);
    let status = http::status_text(response.status);
    Err(match (body.is_empty(), response.status) {
        (true, _) => format!("status {status}"),
        (false, 429 | 500..) => format!("status {status}: {body}"),
        (false, _) => body,
    })
}

/// Payload of an event (controller.md 7.4). The hook's own metadata is merged, the three keys of the event win.
pub fn event_payload(canary: &Canary, event: &Event, at: Timestamp, hook: Option<&Webhook>) -> Value {
    let timestamp = at.as_millisecond().to_string();
    let severity = match event.severity {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    let own = hook.into_iter().flat_map(|hook| &hook.metadata);
    let mut metadata: BTreeMap<&str, &str> = own.map(|(k, v)| (k.as_str(), v.as_str())).collect();
    metadata.extend([
        ("eventMessage", event.message.as_str()),
        ("eventType", severity),
        ("timestamp", &timestamp),
    ]);
    payload(canary, event.phase, &metadata)
}

/// The calls that an event causes: the canary's hooks of kind `event`, or if there is none, the controller-wide receiver.
pub fn event_calls(
    canary: &Canary,
    settings: &Settings,
    event: &Event,
    at: Timestamp,
) -> Vec<Result<HookCall, BadHook>> {
    let hooks = of_kind(canary, Kind::Event);
    if !hooks.is_empty() {
        let calls = hooks.into_iter();
        return calls
            .map(|hook| hook_call(hook, &event_payload(canary, event, at, Some(hook))))
            .collect();
    }
    if settings.event_webhook.is_empty() {
        return Vec::new();
    }
    let global = Webhook {
        name: GLOBAL_EVENTS.to_owned(),
        url: settings.event_webhook.clone(),
        ..Webhook::default()
    };
    vec![hook_call(&global, &event_payload(canary, event, at, None))]
}

fn payload(canary: &Canary, phase: Phase, metadata: &BTreeMap<&str, &str>) -> Value {
    let status = canary.status.as_ref();
    let checksum = checksum(status.unwrap_or(&CanaryStatus::default()));
    let mut payload = json!({
        "name": canary.name(),
        "namespace": canary.namespace(),
        "phase": phase.as_str(),
        "checksum": checksum,
    });
    if !metadata.is_empty() {
        payload["metadata"] = json!(metadata);
    }
    payload
}

fn hook_call(hook: &Webhook, payload: &Value) -> Result<HookCall, BadHook> {
    let Address { url, authorization } = Address::parse(&hook.url)?;
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    headers.extend(authorization.map(|value| ("Authorization".to_owned(), value)));
    Ok(HookCall {
        name: hook.name.clone(),
        request: Request {
            method: Method::Post,
            url: url.into(),
            headers,
            body: payload.to_string(),
            timeout: timeout(hook)?,
            skip_tls_verify: hook.disable_tls == Some(true),
            proxy: None,
        },
        retries: retries(hook)?,
    })
}

/// The peer ignores timeouts of fewer than two characters (controller.md 7.1).
fn timeout(hook: &Webhook) -> Result<Duration, BadHook> {
    let Some(text) = hook.timeout.as_deref().filter(|text| text.len() >= 2) else {
        return Ok(TIMEOUT);
    };
    let timeout = crds::decode::go_duration(text).filter(|timeout| !timeout.is_zero());
    let timeout = timeout.ok_or_else(|| BadHook::Timeout(text.to_owned()))?;
    Ok(timeout.min(TIMEOUT_MAX))
}

fn retries(hook: &Webhook) -> Result<u32, BadHook> {
    let Some(number) = hook.retries else { return Ok(0) };
    let retries = number.whole().and_then(|whole| u64::try_from(whole).ok());
    let retries = retries.ok_or_else(|| BadHook::Retries(number.0.to_string()))?;
    let most = retry::HOOK.attempts - 1;
    Ok(u32::try_from(retries).unwrap_or(most).min(most))
}

// === impl Kind ===

impl Kind {
    /// The kind of a hook; `None` for a type that does not exist, such a hook is never called.
    pub fn of(hook: &Webhook) -> Option<Self> {
        Some(match hook.kind.as_deref().unwrap_or_default() {
            "confirm-rollout" => Self::ConfirmRollout,
            "pre-rollout" => Self::PreRollout,
            "" | "rollout" => Self::Rollout,
            "confirm-traffic-increase" => Self::ConfirmTrafficIncrease,
            "confirm-promotion" => Self::ConfirmPromotion,
            "post-rollout" => Self::PostRollout,
            "rollback" => Self::Rollback,
            "event" => Self::Event,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
