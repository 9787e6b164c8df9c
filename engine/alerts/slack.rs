//! Slack: incoming webhooks, or `chat.postMessage` with a bot token.

use serde_json::{Value, json};

use super::{Format, Message, Sender};
use crate::seam::Severity;

/// Slack.
pub(super) const FORMAT: Format = Format {
    kind: "slack",
    payload: |message, sender| attachment(message, sender, color(message.severity), escaped),
    suffix: None,
    is_bot: true,
    needs_sender: true,
};

/// Slack's names of colours.
pub(super) fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Warn => "good",
        Severity::Error => "danger",
    }
}

/// Slack reads `<!channel>` and `<https://...|a link>` wherever text is shown, and an error text could hold either.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The message as one attachment, the form that Discord and Rocket.Chat also read. They have no markup that `escape` would undo.
pub(super) fn attachment(message: &Message, sender: &Sender, color: &str, escape: fn(&str) -> String) -> Value {
    let fields = message.fields.iter();
    let fields: Vec<Value> = fields
        .map(|(name, value)| json!({"title": name, "value": escape(value), "short": false}))
        .collect();
    json!({
        "channel": sender.channel,
        "username": sender.user,
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [{
            "color": color,
            "author_name": message.title,
            "text": escape(&message.text),
            "mrkdwn_in": ["text"],
            "fields": fields,
        }],
    })
}
