//! Dynatrace: metric data points of the v2 API (analysis.md 4.8). A gap is no data; the peer reads it as 0 (AN-7).

use super::{
    Reading,
    answer::{self, measured, newest, nothing},
    provider::{BadProvider, Inquiry, Provider, get},
    question::Question,
    secret,
};
use crate::http::{Address, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "dynatrace",
    request,
    probe: |inquiry| ask(inquiry, "/api/v2/metrics", &[("pageSize", "1")]),
    parse,
    probed: answer::online,
};

/// Intervals in the window.
const WINDOW: u32 = 10;

fn request(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    let (from, to) = inquiry.window(WINDOW)?;
    let millis = |second: i64| second.saturating_mul(1000).to_string();
    let (from, to) = (millis(from.as_second()), millis(to.as_second()));
    let pairs = [
        ("metricSelector", inquiry.query.trim()),
        ("resolution", "Inf"),
        ("from", &from),
        ("to", &to),
    ];
    ask(inquiry, "/api/v2/metrics/query", &pairs)
}

fn ask(inquiry: &Inquiry<'_>, path: &str, pairs: &[(&str, &str)]) -> Result<Question, BadProvider> {
    let address = Address::parse(inquiry.needed_address(PROVIDER.kind)?)?;
    let token = secret::required(inquiry.needed_secret(PROVIDER.kind)?, "dynatrace_token")?;
    let headers = vec![("Authorization".to_owned(), format!("Api-Token {token}"))];
    Ok(Question::open(get(address, path, pairs, headers)))
}

/// The newest point of the last tuple of dimensions of the first metric.
fn parse(response: &Response) -> Reading {
    let body = match answer::json(response) {
        Ok(body) => body,
        Err(reading) => return reading,
    };
    let Some(result) = body["result"].as_array() else {
        return Reading::Failed("the answer has no result".to_owned());
    };
    let data = result.first().and_then(|metric| metric["data"].as_array());
    let Some(tuple) = data.and_then(|data| data.last()) else {
        return nothing();
    };
    let values = tuple["values"].as_array().map_or(&[][..], Vec::as_slice);
    newest(values.iter().enumerate().map(|(index, value)| {
        let at = tuple["timestamps"][index]
            .as_f64()
            .unwrap_or_else(|| answer::place(index));
        (at, measured(value))
    }))
}

#[cfg(test)]
mod tests;
