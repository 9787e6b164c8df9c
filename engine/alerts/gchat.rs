//! Google Chat: a card of the first generation.

use serde_json::{Value, json};
use std::iter;

use super::{Format, Message};

/// Google Chat.
pub(super) const FORMAT: Format = Format {
    kind: "gchat",
    payload: |message, _| card(message),
    suffix: None,
    is_bot: false,
    needs_sender: false,
};

fn card(message: &Message) -> Value {
    let fields = message.fields.iter();
    let fields = fields.map(|(name, value)| section(&format!("{}<br>{}", escaped(name), emphasised(value))));
    let sections: Vec<Value> = iter::once(section(&emphasised(&message.text))).chain(fields).collect();
    json!({
        "cards": [{
            "header": {
                "title": "Flagger",
                "subtitle": message.title,
                "imageUrl": "https://flagger.app/favicon.png",
            },
            "sections": sections,
        }],
    })
}

fn section(html: &str) -> Value {
    json!({"widgets": [{"textParagraph": {"text": html}}]})
}

fn emphasised(text: &str) -> String {
    format!("<font color=#848484><strong>{}</strong></font>", escaped(text))
}

/// The text is read as HTML; the peer sends it as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
