//! Datadog: timeseries points of the v1 API (analysis.md 4.2).
//!
//! The newest bucket that was complete when it was asked for is taken. The peer takes the oldest of ten intervals (AN-8), and reads a
//! gap as 0 (AN-7).

use serde_json::Value;

use super::{
    Reading,
    answer::{self, measured, newest, nothing},
    provider::{BadProvider, Inquiry, Provider, get},
    question::Question,
    secret,
};
use crate::http::{self, Address, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "datadog",
    request,
    probe: |inquiry| ask(inquiry, "/api/v1/validate", &[]),
    parse,
    probed: answer::online,
};

/// The site of templates that name none.
const ADDRESS: &str = "https://api.datadoghq.com";
/// Intervals in the window.
const WINDOW: u32 = 10;

fn request(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    let (from, to) = inquiry.window(WINDOW)?;
    let (from, to) = (from.as_second().to_string(), to.as_second().to_string());
    let pairs = [("query", inquiry.query), ("from", &from), ("to", &to)];
    ask(inquiry, "/api/v1/query", &pairs)
}

fn ask(inquiry: &Inquiry<'_>, path: &str, pairs: &[(&str, &str)]) -> Result<Question, BadProvider> {
    let secret = inquiry.needed_secret(PROVIDER.kind)?;
    let address = Address::parse(inquiry.address().unwrap_or(ADDRESS))?;
    let headers = vec![
        ("DD-API-KEY".to_owned(), secret::required(secret, "datadog_api_key")?),
        (
            "DD-APPLICATION-KEY".to_owned(),
            secret::required(secret, "datadog_application_key")?,
        ),
    ];
    Ok(Question::open(get(address, path, pairs, headers)))
}

fn parse(response: &Response) -> Reading {
    let body = match answer::json(response) {
        Ok(body) => body,
        Err(reading) => return reading,
    };
    let error = body["error"].as_str().or_else(|| body["errors"][0].as_str());
    if body["status"] == "error" || error.is_some_and(|error| !error.is_empty()) {
        return Reading::Failed(format!("error response: {}", http::excerpt(error.unwrap_or_default())));
    }
    let series = match &body["series"] {
        Value::Array(list) => list.first(),
        Value::Null => None,
        _ => return Reading::Failed("the series are no list".to_owned()),
    };
    let Some(series) = series else { return nothing() };
    let Some(points) = series["pointlist"].as_array() else {
        return nothing();
    };
    // A bucket is complete when it ended before the end of the window.
    let length = series["interval"].as_f64().map(|seconds| seconds * 1000.0);
    let end = body["to_date"].as_f64();
    let is_complete = |at: f64| length.zip(end).is_none_or(|(length, end)| at + length <= end);
    let all = points.iter().enumerate().map(|(index, point)| {
        let at = point[0].as_f64().unwrap_or_else(|| answer::place(index));
        (at, measured(&point[1]))
    });
    let all: Vec<_> = all.collect();
    match newest(all.iter().filter(|(at, _)| is_complete(*at)).cloned()) {
        // Buckets longer than the window are never complete in it.
        Reading::NoData(_) => newest(all),
        reading => reading,
    }
}

#[cfg(test)]
mod tests;
