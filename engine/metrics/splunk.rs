//! Splunk Observability: a SignalFlow program over HTTP, answered with server-sent events (analysis.md 4.10).
//!
//! The peer keeps a WebSocket, which it never closes (AN-19); this is one request, which ends with its answer.

use serde_json::Value;
use std::collections::BTreeSet;

use super::{
    Reading,
    answer::{self, Measured, measured, newest},
    provider::{BadProvider, Inquiry, Provider, get},
    question::Question,
    secret,
};
use crate::http::{self, Address, Method, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "splunk",
    request,
    probe,
    parse,
    probed: answer::online,
};

/// Intervals in the window.
const WINDOW: u32 = 10;

/// What the events of a computation gave so far.
#[derive(Default)]
struct Heard {
    points: Vec<(f64, Measured)>,
    series: BTreeSet<String>,
    ended: bool,
}

fn request(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    let (from, to) = inquiry.window(WINDOW)?;
    let (from, to) = (from.as_millisecond().to_string(), to.as_millisecond().to_string());
    let address = address(inquiry, "api.", "stream.")?;
    let pairs = [("start", from.as_str()), ("stop", &to), ("immediate", "true")];
    let mut headers = token(inquiry)?;
    headers.push(("Content-Type".to_owned(), "text/plain".to_owned()));
    headers.push(("Accept".to_owned(), "text/event-stream".to_owned()));
    let mut request = get(address, "/v2/signalflow/execute", &pairs, headers);
    request.method = Method::Post;
    inquiry.query.clone_into(&mut request.body);
    Ok(Question::open(request))
}

fn probe(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    let address = address(inquiry, "stream.", "api.")?;
    Ok(Question::open(get(
        address,
        "/v2/metric",
        &[("limit", "1")],
        token(inquiry)?,
    )))
}

fn token(inquiry: &Inquiry<'_>) -> Result<Vec<(String, String)>, BadProvider> {
    let token = secret::required(inquiry.needed_secret(PROVIDER.kind)?, "sf_token_key")?;
    Ok(vec![("X-SF-Token".to_owned(), token)])
}

/// Documented are both `https://api.REALM…` and `wss://stream.REALM…`; each has its part of the API.
fn address(inquiry: &Inquiry<'_>, given: &str, needed: &str) -> Result<Address, BadProvider> {
    let text = inquiry.needed_address(PROVIDER.kind)?.trim();
    let text = match text.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => text.to_owned(),
    };
    let mut address = Address::parse(&text)?;
    let host = address.url.host_str().and_then(|host| host.strip_prefix(given));
    if let Some(realm) = host.map(|realm| format!("{needed}{realm}")) {
        let _ = address.url.set_host(Some(&realm)); // it fails only for what is no host, and this was one
    }
    Ok(address)
}

fn parse(response: &Response) -> Reading {
    if let Err(reading) = answer::refused(response) {
        return reading;
    }
    let mut heard = Heard::default();
    let body = response.body.replace("\r\n", "\n");
    for block in body.split("\n\n") {
        let (kind, data) = event(block);
        if data.is_empty() {
            continue;
        }
        let Ok(data) = serde_json::from_str::<Value>(&data) else {
            return Reading::Failed(format!("the answer is no event stream: {}", http::excerpt(block)));
        };
        if let Err(cause) = heard.take(&kind, &data) {
            return Reading::Failed(http::excerpt(&cause));
        }
    }
    match (heard.ended, heard.series.len()) {
        (false, _) => Reading::Failed(format!(
            "the computation did not end: {}",
            http::excerpt(&response.body)
        )),
        (true, 0 | 1) => newest(heard.points),
        (true, many) => Reading::Failed(format!("multiple values returned: the program gives {many} series")),
    }
}

/// Kind and data of one event; several data lines are one text.
fn event(block: &str) -> (String, String) {
    let (mut kind, mut data) = (String::new(), Vec::new());
    for line in block.lines() {
        if let Some(text) = line.strip_prefix("event:") {
            text.trim().clone_into(&mut kind);
        } else if let Some(text) = line.strip_prefix("data:") {
            data.push(text);
        }
    }
    (kind, data.join("\n"))
}

// === impl Heard ===

impl Heard {
    fn take(&mut self, kind: &str, data: &Value) -> Result<(), String> {
        let text = |key: &str| data[key].as_str().unwrap_or_default();
        match kind {
            "control-message" => match text("event") {
                "END_OF_CHANNEL" => self.ended = true,
                "CHANNEL_ABORT" => {
                    return Err(format!(
                        "error response: the computation was aborted: {}",
                        data["abortInfo"]
                    ));
                }
                _ => {}
            },
            "error" => return Err(format!("error response: {} {}", text("errorType"), text("message"))),
            "data" => {
                let at = data["logicalTimestampMs"]
                    .as_f64()
                    .unwrap_or_else(|| answer::place(self.points.len()));
                for element in data["data"].as_array().into_iter().flatten() {
                    self.series
                        .insert(element["tsId"].as_str().unwrap_or_default().to_owned());
                    self.points.push((at, measured(&element["value"])));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
