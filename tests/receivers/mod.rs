//! Doubles of chats. Each checks a request against its receiver's public documentation and says what is wrong with it.

use engine::http::{Method, Request, Response};
use serde_json::Value;

/// A double of one receiver.
pub(crate) struct Receiver {
    /// Name of the provider on the page.
    pub(crate) name: &'static str,
    pub(crate) url: &'static str,
    /// `Authorization`.
    bearer: Option<&'static str>,
    /// What its documentation says it answers.
    answer: &'static str,
    /// What is wrong with a payload.
    check: fn(&Value) -> Result<(), &'static str>,
}

/// All of them.
pub(crate) static RECEIVERS: [Receiver; 6] = [
    Receiver {
        name: "on-call",
        url: "https://hooks.slack.com/services/YOUR/SLACK/WEBHOOK",
        bearer: None,
        answer: "ok",
        check: |body| attachment(body, "on-call-alerts", &["good", "danger"]),
    },
    Receiver {
        name: "bot",
        url: "https://slack.com/api/chat.postMessage",
        bearer: Some("Bearer xoxb-s3cret-word"),
        answer: r#"{"ok":true,"channel":"C1","ts":"1503435956.000247"}"#,
        check: |body| attachment(body, "general", &["good", "danger"]),
    },
    Receiver {
        name: "teams",
        url: "https://example.webhook.office.com/webhookb2/YOUR/TEAMS/WEBHOOK",
        bearer: None,
        answer: "1",
        check: card,
    },
    Receiver {
        name: "discord",
        url: "https://discord.com/api/webhooks/YOUR/DISCORD-WEBHOOK/slack?thread_id=42",
        bearer: None,
        answer: "ok",
        check: |body| attachment(body, "general", &["good", "danger"]),
    },
    Receiver {
        name: "rocket",
        url: "https://rocket.example.com/hooks/YOUR/ROCKET-WEBHOOK",
        bearer: None,
        answer: r#"{"success":true}"#,
        check: |body| attachment(body, "releases", &["#0076D7", "#FF0000"]),
    },
    Receiver {
        name: "google-chat",
        url: "https://chat.googleapis.com/v1/spaces/SPACE/messages?key=YOUR-KEY&token=s3cret-word",
        bearer: None,
        answer: r#"{"name":"spaces/SPACE/messages/1"}"#,
        check: chat_card,
    },
];

/// The form that Slack, Discord and Rocket.Chat take: one attachment with a text, a colour, and fields that are not empty.
pub(crate) fn attachment(body: &Value, channel: &str, colors: &[&str]) -> Result<(), &'static str> {
    let attachment = &body["attachments"][0];
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if body["channel"] != channel || !text(&body["username"]) {
        return Err("channel or username");
    }
    if !text(&attachment["text"]) || !text(&attachment["author_name"]) {
        return Err("a text is missing");
    }
    if !colors.iter().any(|color| attachment["color"] == *color) {
        return Err("no such colour");
    }
    let fields = attachment["fields"].as_array().ok_or("fields are a list")?;
    let are_full = fields
        .iter()
        .all(|field| text(&field["title"]) && text(&field["value"]));
    are_full.then_some(()).ok_or("an empty field")
}

/// A MessageCard: needs its type, its context, and a summary or a text.
pub(crate) fn card(body: &Value) -> Result<(), &'static str> {
    let is_card = body["@type"] == "MessageCard" && body["@context"] == "http://schema.org/extensions";
    let section = &body["sections"][0];
    if !is_card || !body["summary"].is_string() || !section["activityTitle"].is_string() {
        return Err("no MessageCard");
    }
    let is_color = ["0076D7", "FF0000"].iter().any(|color| body["themeColor"] == *color);
    (is_color && section["facts"].is_array())
        .then_some(())
        .ok_or("colour or facts")
}

/// A card of Google Chat: a header with a title, sections of text paragraphs.
pub(crate) fn chat_card(body: &Value) -> Result<(), &'static str> {
    let card = &body["cards"][0];
    let sections = card["sections"].as_array().ok_or("sections are a list")?;
    let is_text = |section: &Value| section["widgets"][0]["textParagraph"]["text"].is_string();
    let is_good = card["header"]["title"].is_string() && !sections.is_empty() && sections.iter().all(is_text);
    is_good.then_some(()).ok_or("header or text paragraphs")
}

// === impl Receiver ===

impl Receiver {
    /// The documented answer, or 400 with what is wrong.
    pub(crate) fn answer(&self, request: &Request) -> Response {
        let complaint = self.complaint(request);
        Response {
            status: if complaint.is_none() { 200 } else { 400 },
            body: complaint.map_or_else(
                || self.answer.to_owned(),
                |complaint| format!("{complaint}: {request:?}"),
            ),
            retry_after: None,
        }
    }

    fn complaint(&self, request: &Request) -> Option<&'static str> {
        let header = |wanted: &str| {
            let found = request
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str())
        };
        if request.method != Method::Post || request.url != self.url {
            return Some("method or URL");
        }
        if header("content-type") != Some("application/json") || header("authorization") != self.bearer {
            return Some("headers");
        }
        match serde_json::from_str(&request.body) {
            Ok(body) => (self.check)(&body).err(),
            Err(_) => Some("no JSON"),
        }
    }
}
