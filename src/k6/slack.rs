//! Slack's API, as far as it is used (k6-webhook.md 7): a message, its later text, and a file in its thread.

use actors::{
    outbound::{self, Outbound},
    world::World,
};
use engine::{
    http::{Method, Request, Response},
    seam::Trouble,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Where Slack is when nothing else is said.
const API: &str = "https://slack.com/api/";
/// Time limit of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses between tries of a call that got no answer or was told to wait: three tries in 3 s.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// Name and title of the file.
const FILE: &str = "k6-results.txt";

/// A client. Without a token nothing is sent.
#[derive(Clone)]
pub(super) struct Slack {
    world: World,
    outbound: Outbound,
    base: String,
    token: String,
}

/// A message that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The channel's id.
    channel: String,
    /// Its time stamp, which is its id.
    stamp: String,
}

// === impl Slack ===

impl Slack {
    /// `base` is empty for Slack itself.
    pub(super) fn new(world: World, outbound: Outbound, base: &str, token: &str) -> Self {
        let base = if base.is_empty() { API } else { base };
        Self {
            world,
            outbound,
            base: format!("{}/", base.trim_end_matches('/')),
            token: token.to_owned(),
        }
    }

    /// Whether anything is sent at all.
    pub(super) fn is_on(&self) -> bool {
        !self.token.is_empty()
    }

    /// Post a message.
    pub(super) async fn post(&self, channel: &str, text: &str, context: &str) -> Result<Message, String> {
        let mut body = content(text, context);
        body["channel"] = json!(channel);
        let answer = self.call("chat.postMessage", &body).await?;
        Ok(Message {
            channel: answer["channel"].as_str().unwrap_or(channel).to_owned(),
            stamp: answer["ts"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Give a message another text.
    pub(super) async fn update(&self, message: &Message, text: &str, context: &str) -> Result<(), String> {
        let mut body = content(text, context);
        body["channel"] = json!(message.channel);
        body["ts"] = json!(message.stamp);
        self.call("chat.update", &body).await.map(drop)
    }

    /// Put the results into a message's thread.
    pub(super) async fn attach(&self, message: &Message, results: &str) -> Result<(), String> {
        let form = format!("filename={FILE}&length={}", results.len());
        let place = self
            .send("files.getUploadURLExternal", "application/x-www-form-urlencoded", form)
            .await?;
        let (Some(url), Some(id)) = (place["upload_url"].as_str(), place["file_id"].as_str()) else {
            return Err("files.getUploadURLExternal: no place was given".to_owned());
        };
        let upload = request(url.to_owned(), "application/octet-stream", results.to_owned());
        let stored = self
            .persist(upload)
            .await
            .map_err(|trouble| format!("upload: {trouble}"))?;
        if stored.status >= 300 {
            return Err(format!("upload: status {}", stored.status));
        }
        let body = json!({
            "files": [{"id": id, "title": FILE}],
            "channel_id": message.channel,
            "thread_ts": message.stamp,
        });
        self.call("files.completeUploadExternal", &body).await.map(drop)
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Value, String> {
        self.send(method, "application/json; charset=utf-8", body.to_string())
            .await
    }

    async fn send(&self, method: &str, content: &str, body: String) -> Result<Value, String> {
        let mut request = request(format!("{}{method}", self.base), content, body);
        let bearer = format!("Bearer {}", self.token);
        request.headers.push(("Authorization".into(), bearer));
        let response = self
            .persist(request)
            .await
            .map_err(|trouble| format!("{method}: {trouble}"))?;
        let answer: Value = serde_json::from_str(&response.body)
            .map_err(|_| format!("{method}: status {}, and no JSON", response.status))?;
        if answer["ok"] == true {
            return Ok(answer);
        }
        Err(format!("{method}: {}", answer["error"].as_str().unwrap_or("refused")))
    }

    /// Try again where it may help.
    async fn persist(&self, request: Request) -> Result<Response, Trouble> {
        for pause in PAUSES {
            match outbound::send(&self.outbound, request.clone()).await {
                Ok(response) if response.status != 429 && response.status < 500 => return Ok(response),
                Err(refused @ Trouble::Refused(_)) => return Err(refused),
                Ok(_) | Err(_) => self.world.sleep(pause).await,
            }
        }
        outbound::send(&self.outbound, request).await
    }
}

fn request(url: String, content: &str, body: String) -> Request {
    Request {
        method: Method::Post,
        url,
        headers: vec![("Content-Type".into(), content.to_owned())],
        body,
        timeout: CALL_TIMEOUT,
        skip_tls_verify: false,
        proxy: None,
    }
}

/// One section with the text, one context block where there is a context. The plain text is for notifications on phones.
fn content(text: &str, context: &str) -> Value {
    let mut blocks = vec![json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})];
    if !context.is_empty() {
        blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]}));
    }
    json!({"text": text, "blocks": blocks})
}

#[cfg(test)]
mod tests;
