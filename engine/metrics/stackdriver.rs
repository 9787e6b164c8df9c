//! Google Cloud Monitoring, formerly Stackdriver: MQL through the REST twin of the peer's call (analysis.md 4.6).
//!
//! Integers count (AN-6); distributions and texts are errors, not 0. `address` in place of Google's own is ours and needs a key of its
//! own in the Secret.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Reading,
    answer::{self, Measured, measured, newest, nothing, numeral},
    google::ServiceAccount,
    provider::{BadProvider, Inquiry, Provider, get},
    question::{Access, Question},
    secret,
};
use crate::http::{self, Address, Method, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "stackdriver",
    request: |inquiry| ask(inquiry, inquiry.query),
    probe: |inquiry| ask(inquiry, ""),
    parse,
    probed,
};

/// Google's own address, and the domain that alone gets tokens of the controller's own identity (AN-14).
const ADDRESS: &str = "https://monitoring.googleapis.com";
const DOMAIN: &str = ".googleapis.com";

fn ask(inquiry: &Inquiry<'_>, query: &str) -> Result<Question, BadProvider> {
    let secret = inquiry.needed_secret(PROVIDER.kind)?;
    let project = secret::required(secret, "project")?;
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    if project.is_empty() || !project.chars().all(is_id) {
        return Err(BadProvider::Query(
            "project in the secret is no id of a project".to_owned(),
        ));
    }
    let account = secret::lines(secret, "serviceAccountKey")?;
    let account = account.as_deref().map(ServiceAccount::parse).transpose()?;
    let address = Address::parse(inquiry.address().unwrap_or(ADDRESS))?;
    let host = address.url.host_str().unwrap_or_default();
    if account.is_none() && !(host.ends_with(DOMAIN) && address.url.scheme() == "https") {
        return Err(BadProvider::Ambient(host.to_owned()));
    }
    let path = format!("/v3/projects/{project}/timeSeries:query");
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let mut request = get(address, &path, &[], headers);
    request.method = Method::Post;
    request.body = json!({ "query": query }).to_string();
    Ok(Question {
        request,
        access: Access::Google(account),
    })
}

fn parse(response: &Response) -> Reading {
    let body = match answer::json(response) {
        Ok(body) => body,
        Err(reading) => return reading,
    };
    let Some(series) = body["timeSeriesData"].get(0) else {
        return match body["partialErrors"][0]["message"].as_str() {
            Some(error) => Reading::Failed(format!("error response: {}", http::excerpt(error))),
            None => nothing(),
        };
    };
    let points = series["pointData"].as_array().map_or(&[][..], Vec::as_slice);
    // The newest comes first unless the times say otherwise.
    newest(points.iter().enumerate().map(|(index, point)| {
        let end = point["timeInterval"]["endTime"].as_str();
        let end = end.and_then(|end| end.parse::<Timestamp>().ok());
        let at = end.map_or(-answer::place(index), |end| end.as_second() as f64);
        (at, of_value(&point["values"][0]))
    }))
}

fn of_value(value: &Value) -> Measured {
    if let Some(double) = value.get("doubleValue") {
        return measured(double);
    }
    match value.get("int64Value") {
        Some(Value::String(text)) => numeral(text),
        Some(number) => measured(number),
        None => match value.as_object().and_then(|typed| typed.keys().next()) {
            None => Ok(None),
            Some(kind) => Err(format!("the value is a {}, a number is needed", http::excerpt(kind))),
        },
    }
}

/// An empty query is refused as such by whoever has let us in.
fn probed(response: &Response) -> Result<(), String> {
    let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
    if response.status == 400 && body["error"]["status"] == "INVALID_ARGUMENT" {
        return Ok(());
    }
    answer::online(response)
}

#[cfg(test)]
mod tests;
