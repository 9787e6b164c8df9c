//! What load is asked for: the metadata of `type: http` and `type: grpc`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Method, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use std::time::Duration;

use super::super::order::{Refusal, duration};
use super::grpc;
use crate::companion::{
    payload::{Payload, truth},
    redaction::Redaction,
};

/// Length of a load that names neither a length nor a number of requests: hey's in the documents.
const DURATION: Duration = Duration::from_mins(1);
/// Connections of a load that names none: hey's in the documents.
const CONNECTIONS: u32 = 2;
/// Time limit of a request that names none: hey's.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Connections at most: each is a socket and some 100 KiB.
const CONNECTIONS_MAX: u32 = 1000;
/// Requests per second at most: more than one core can send.
const RATE_MAX: f64 = 100_000.0;
/// Keys that both types know.
const COMMON: [&str; 15] = [
    "type",
    "url",
    "duration",
    "requests",
    "rate",
    "connections",
    "headers",
    "timeout",
    "insecure",
    "wait",
    "interval",
    "maxErrorRate",
    "maxP95",
    "maxP99",
    "returnCmdOutput",
];
const HTTP: [&str; 4] = ["method", "body", "http2", "logCmdOutput"];
const GRPC: [&str; 4] = ["service", "call", "data", "logCmdOutput"];

/// A load.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Plan {
    /// Where to.
    pub(super) url: Url,
    /// How.
    pub(super) method: Method,
    /// Sent with each request.
    pub(super) headers: HeaderMap,
    /// Sent with each request.
    pub(super) body: Vec<u8>,
    /// The HTTP/2 protocol, without asking on plain connections.
    pub(super) http2: bool,
    /// Answers are gRPC's; the second value says that they are of the health service.
    pub(super) grpc: Option<bool>,
    /// Certificates are not looked at.
    pub(super) insecure: bool,
    /// Requests at a time.
    pub(super) connections: u32,
    /// Requests per second in all; `None`: as fast as they are answered.
    pub(super) rate: Option<f64>,
    /// Requests at most.
    pub(super) requests: u64,
    /// Time at most.
    pub(super) duration: Option<Duration>,
    /// Time limit of a request.
    pub(super) timeout: Duration,
    /// What makes the load a failure.
    pub(in super::super) limits: Limits,
}

/// What makes a load a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct Limits {
    /// Percent of requests without an answer, or with one of 400 and above.
    pub(super) errors_percent: Option<f64>,
    /// 95 of 100 requests are answered within this.
    pub(super) p95: Option<Duration>,
    /// 99 of 100 requests are answered within this.
    pub(super) p99: Option<Duration>,
}

// === impl Plan ===

impl Plan {
    /// Read the metadata. A key that nobody knows is a mistake (LT-19).
    pub(in super::super) fn read(payload: &Payload, is_grpc: bool) -> Result<Self, Refusal> {
        let own = if is_grpc { GRPC } else { HTTP };
        let known: Vec<&str> = COMMON.into_iter().chain(own).collect();
        if let Some(unknown) = payload.metadata.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(Refusal::bad(format!(
                "unknown key {unknown}; known are {}",
                known.join(", ")
            )));
        }
        let given = payload
            .get("url")
            .ok_or_else(|| Refusal::bad("url not found in metadata"))?;
        let mut url = address(given, is_grpc)?;
        let mut headers = headers(payload.get("headers").unwrap_or_default())?;
        let mut body = payload.get("body").unwrap_or_default().as_bytes().to_vec();
        let mut method = payload.get("method").unwrap_or("GET");
        let mut grpc = None;
        if is_grpc {
            let (path, message) = call(payload)?;
            grpc = Some(path == grpc::HEALTH);
            url.set_path(&path);
            body = grpc::frame(&message);
            method = "POST";
            headers.insert("content-type", HeaderValue::from_static("application/grpc"));
            headers.insert("te", HeaderValue::from_static("trailers"));
        }
        let requests = number(payload, "requests", 1.0, 1e12)?.map(|requests| requests as u64);
        let length = time(payload, "duration")?;
        Ok(Self {
            url,
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| Refusal::bad(format!("method {method:?} is none")))?,
            headers,
            body,
            http2: is_grpc || boolean(payload, "http2")?,
            grpc,
            insecure: boolean(payload, "insecure")?,
            connections: number(payload, "connections", 1.0, CONNECTIONS_MAX.into())?
                .map_or(CONNECTIONS, |connections| connections as u32),
            rate: number(payload, "rate", 0.001, RATE_MAX)?,
            duration: length.or_else(|| requests.is_none().then_some(DURATION)),
            requests: requests.unwrap_or(u64::MAX),
            timeout: time(payload, "timeout")?.unwrap_or(TIMEOUT),
            limits: Limits {
                errors_percent: number(payload, "maxErrorRate", 0.0, 100.0)?,
                p95: time(payload, "maxP95")?,
                p99: time(payload, "maxP99")?,
            },
        })
    }

    /// The plan in a line, without values of headers and without the body.
    pub(in super::super) fn shown(&self) -> String {
        let rate = self.rate.map_or("no limit".to_owned(), |rate| format!("{rate}/s"));
        let length = match self.duration {
            Some(duration) => format!("{duration:?}"),
            None => format!("{} requests", self.requests),
        };
        let line = format!(
            "{} {} ({length}, {} connections, {rate})",
            self.method, self.url, self.connections
        );
        Redaction::default().clean(&line)
    }

    /// Host and port that are called.
    pub(in super::super) fn url(&self) -> &Url {
        &self.url
    }
}

fn address(given: &str, is_grpc: bool) -> Result<Url, Refusal> {
    let text = if is_grpc && !given.contains("://") {
        format!("http://{given}")
    } else {
        given.to_owned()
    };
    let url = Url::parse(&text).map_err(|error| Refusal::bad(format!("url: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Refusal::bad("url: only http and https can be called"));
    }
    Ok(url)
}

/// Path and message of a gRPC call.
fn call(payload: &Payload) -> Result<(String, Vec<u8>), Refusal> {
    let Some(call) = payload.get("call") else {
        return Ok((
            grpc::HEALTH.to_owned(),
            grpc::health_request(payload.get("service").unwrap_or_default()),
        ));
    };
    let parts = call.trim_start_matches('/').split_once('/');
    let Some((service, method)) = parts.filter(|(service, method)| !service.is_empty() && !method.is_empty()) else {
        return Err(Refusal::bad("call must look like package.Service/Method"));
    };
    let data = payload.get("data").unwrap_or_default();
    let message = STANDARD.decode(data.trim());
    let message = message.map_err(|error| Refusal::bad(format!("data must be the message in base64: {error}")))?;
    Ok((format!("/{service}/{method}"), message))
}

/// `Name: value`, one a line, or a JSON object.
fn headers(text: &str) -> Result<HeaderMap, Refusal> {
    let text = text.trim();
    let pairs: Vec<(String, String)> = if text.starts_with('{') {
        let object: std::collections::BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|error| Refusal::bad(format!("headers: {error}")))?;
        object.into_iter().collect()
    } else {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let pair = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        let pairs: Option<Vec<_>> = lines.map(pair).collect();
        pairs.ok_or_else(|| Refusal::bad("headers must be lines like `Name: value`, or a JSON object"))?
    };
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let key =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| Refusal::bad(format!("header {name:?} is none")))?;
        let value =
            HeaderValue::from_str(&value).map_err(|_| Refusal::bad(format!("header {name} has no valid value")))?;
        headers.append(key, value);
    }
    Ok(headers)
}

fn number(payload: &Payload, key: &str, least: f64, most: f64) -> Result<Option<f64>, Refusal> {
    let Some(text) = payload.get(key) else { return Ok(None) };
    let number = text
        .trim()
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number));
    number
        .map(Some)
        .ok_or_else(|| Refusal::bad(format!("{key} must be a number from {least} to {most}, not {text:?}")))
}

fn time(payload: &Payload, key: &str) -> Result<Option<Duration>, Refusal> {
    let Some(text) = payload.get(key) else { return Ok(None) };
    duration(text)
        .map(Some)
        .ok_or_else(|| Refusal::bad(format!("{key} must be a duration such as 30s, not {text:?}")))
}

fn boolean(payload: &Payload, key: &str) -> Result<bool, Refusal> {
    let Some(text) = payload.get(key) else { return Ok(false) };
    truth(text).ok_or_else(|| Refusal::bad(format!("{key} must be true or false, not {text:?}")))
}
