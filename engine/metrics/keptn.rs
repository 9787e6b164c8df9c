//! Keptn: the value of a KeptnMetric, or the verdict of an Analysis, in the controller's own cluster (analysis.md 4.9).
//!
//! The form of a query is `<kind>/<namespace>/<name>[/<timeframe>[/<key>=<value>;…]]`. Only the kind is taken in any case; the peer
//! lowers everything, which breaks the values of arguments (AN-41).

use serde_json::{Map, Value, json};

use super::{
    Reading,
    answer::{self, nothing, numeral, single},
    provider::{BadProvider, Inquiry, Provider, TIMEOUT, api_server},
    question::{Access, Question},
};
use crate::{Kind, http::Response};
use std::time::Duration;

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "keptn",
    request,
    probe,
    parse,
    probed,
};

/// What an Analysis is asked about when the query does not say.
const TIMEFRAME: &str = "1m";
/// How long an Analysis may take (analysis.md 4.9), and what the API server needs to make and delete it.
const ANALYSIS_TIMEOUT: Duration = Duration::from_secs(10 + TIMEOUT.as_secs());
/// The API group, in the version that the peer uses.
const GROUP: (&str, &str) = ("metrics.keptn.sh", "v1beta1");
/// Analyses, made and deleted for one query.
const ANALYSIS: Kind = Kind {
    group: GROUP.0,
    version: GROUP.1,
    kind: "Analysis",
    plural: "analyses",
};

fn request(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    let wrong = |cause: &str| {
        BadProvider::Query(format!(
            "{cause}; write keptnmetric/<namespace>/<name> or analysis/<namespace>/<name>"
        ))
    };
    let mut parts = inquiry.query.trim().splitn(5, '/');
    let (Some(kind), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong("a keptn query has three parts"));
    };
    if !is_name(namespace) || !is_name(name) {
        return Err(wrong("namespace and name must be names"));
    }
    match kind.to_ascii_lowercase().as_str() {
        "keptnmetric" | "keptnmetrics" => {
            let path = format!(
                "/apis/{}/{}/namespaces/{namespace}/keptnmetrics/{name}",
                GROUP.0, GROUP.1
            );
            Ok(Question {
                request: api_server(&path),
                access: Access::Cluster,
            })
        }
        "analysis" | "analyses" => {
            let timeframe = parts.next().filter(|text| !text.is_empty()).unwrap_or(TIMEFRAME);
            let arguments = arguments(parts.next().unwrap_or_default());
            let manifest = json!({"spec": {
                "analysisDefinition": {"name": name}, "timeframe": {"recent": timeframe}, "args": arguments,
            }});
            let mut request = api_server("/");
            request.timeout = ANALYSIS_TIMEOUT;
            Ok(Question {
                request,
                access: Access::Analysis {
                    object: ANALYSIS.named(namespace, name),
                    manifest: manifest.to_string(),
                },
            })
        }
        _ => Err(wrong("the first part of a keptn query is its kind")),
    }
}

/// The peer asks nothing and says yes; we ask whether the API is there.
#[expect(clippy::unnecessary_wraps, reason = "the table of providers has one type of builder")]
fn probe(_: &Inquiry<'_>) -> Result<Question, BadProvider> {
    Ok(Question {
        request: api_server(&format!("/apis/{}/{}", GROUP.0, GROUP.1)),
        access: Access::Cluster,
    })
}

fn parse(response: &Response) -> Reading {
    let body = match answer::json(response) {
        Ok(body) => body,
        Err(reading) => return reading,
    };
    if body["kind"] == "Analysis" {
        return match body["status"]["pass"].as_bool() {
            Some(pass) => Reading::Value(f64::from(u8::from(pass))),
            // A false verdict is left out of the object.
            None if body["status"]["state"] == "Completed" => Reading::Value(0.0),
            None => Reading::Failed("the analysis has no verdict".to_owned()),
        };
    }
    match &body["status"]["value"] {
        Value::String(text) => single(numeral(text)),
        Value::Null => nothing(),
        other => single(answer::measured(other)),
    }
}

fn probed(response: &Response) -> Result<(), String> {
    answer::online(response)
}

fn arguments(text: &str) -> Value {
    let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    let map: Map<String, Value> = pairs
        .map(|(key, value)| (key.trim().to_owned(), json!(value.trim())))
        .collect();
    Value::Object(map)
}

/// Names become parts of a URL.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !text.is_empty() && text.bytes().all(plain) && text.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests;
