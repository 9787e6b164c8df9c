//! The External Metrics API of Kubernetes, at the API server or at an adapter's own address (analysis.md 4.11).
//!
//! The controller's own token goes to the API server only. The peer sends it to any `address`, in place of the Secret's (AN-14).

use serde_json::Value;

use super::{
    Reading,
    answer::{self, Measured, nothing, single},
    provider::{BadProvider, Inquiry, Provider, api_server, get},
    quantity,
    question::{Access, Question},
    secret,
};
use crate::http::{self, Address, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "externalmetrics",
    request,
    probe: |inquiry| ask(inquiry, API, &[]),
    parse,
    probed: answer::online,
};

/// The API; it answers for itself. The peer asks for a metric that does not exist, and takes the 404 for an outage (AN-42).
const API: &str = "/apis/external.metrics.k8s.io/v1beta1";
/// Namespace of a query that names none.
const NAMESPACE: &str = "default";

fn request(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    let wrong = || BadProvider::Query("write [<namespace>/]<metric>[?labelSelector=<selector>]".to_owned());
    let query = inquiry.query.trim();
    let (name, pairs) = query.split_once('?').unwrap_or((query, ""));
    let (namespace, metric) = name.split_once('/').unwrap_or((NAMESPACE, name));
    let namespace = if namespace.is_empty() { NAMESPACE } else { namespace };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_name = |text: &str| !text.is_empty() && text.chars().all(plain) && text.chars().any(|c| c != '.');
    // Names of metrics have more characters than names of objects, but none that could end a part of the path.
    let is_metric = |text: &str| {
        !text.is_empty() && text.chars().all(|c| plain(c) || matches!(c, ':' | '|')) && text.chars().any(|c| c != '.')
    };
    if !is_name(namespace) || !is_metric(metric) {
        return Err(wrong());
    }
    let selector = url::form_urlencoded::parse(pairs.as_bytes()).find(|(key, _)| key == "labelSelector");
    let selector = selector.map(|(_, value)| value.into_owned());
    let path = format!("{API}/namespaces/{namespace}/{metric}");
    let pairs: Vec<(&str, &str)> = selector.iter().map(|value| ("labelSelector", value.as_str())).collect();
    ask(inquiry, &path, &pairs)
}

fn ask(inquiry: &Inquiry<'_>, path: &str, pairs: &[(&str, &str)]) -> Result<Question, BadProvider> {
    let token = match inquiry.secret()? {
        Some(secret) => Some(secret::required(secret, "token")?),
        None => None,
    };
    let Some(address) = inquiry.address() else {
        // A token is of no use here: the controller has rights of its own, which is what the peer uses, too, whatever the Secret holds.
        let mut request = api_server(path);
        if !pairs.is_empty() {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish();
            request.url = format!("{}?{query}", request.url);
        }
        return Ok(Question {
            request,
            access: Access::Cluster,
        });
    };
    let headers = token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}")));
    let mut request = get(Address::parse(address)?, path, pairs, headers.into_iter().collect());
    request.skip_tls_verify = inquiry.spec.insecure_skip_verify == Some(true);
    Ok(Question::open(request))
}

fn parse(response: &Response) -> Reading {
    let body = match answer::json(response) {
        Ok(body) => body,
        Err(reading) => return reading,
    };
    match &body["items"] {
        Value::Array(items) => items
            .first()
            .map_or_else(nothing, |item| single(of_item(&item["value"]))),
        Value::Null if body["kind"] == "ExternalMetricValueList" => nothing(),
        _ => Reading::Failed("the answer is no list of metric values".to_owned()),
    }
}

fn of_item(value: &Value) -> Measured {
    match value {
        Value::String(text) => {
            let wrong = || format!("{:?} is no quantity", http::excerpt(text));
            quantity::parse(text).map(Some).ok_or_else(wrong)
        }
        other => answer::measured(other),
    }
}

#[cfg(test)]
mod tests;
