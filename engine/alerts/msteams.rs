//! Microsoft Teams: a `MessageCard`.

use serde_json::{Value, json};

use super::{Format, Message};
use crate::seam::Severity;

/// Microsoft Teams.
pub(super) const FORMAT: Format = Format {
    kind: "msteams",
    payload: |message, _| card(message),
    suffix: None,
    is_bot: false,
    needs_sender: false,
};

/// Colours as six hexadecimal digits.
pub(super) fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Warn => "0076D7",
        Severity::Error => "FF0000",
    }
}

fn card(message: &Message) -> Value {
    let facts: Vec<Value> = message
        .fields
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    json!({
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": color(message.severity),
        "summary": message.title,
        "sections": [{
            "activityTitle": message.text,
            "activitySubtitle": message.title,
            "facts": facts,
        }],
    })
}
