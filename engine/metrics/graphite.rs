//! Graphite's render API (analysis.md 4.5). The query is a URL query string, and the interval Graphite's own text, such as `1min`.

use serde_json::Value;
use std::collections::BTreeMap;

use super::{
    Reading,
    answer::{self, Measured, measured, newest, nothing, numeral},
    prometheus::Auth,
    provider::{BadProvider, Inquiry, Provider, get},
    question::Question,
    secret,
};
use crate::http::{Address, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "graphite",
    request: |inquiry| ask(inquiry, inquiry.query),
    probe: |inquiry| ask(inquiry, "target=test"),
    parse,
    probed,
};

fn ask(inquiry: &Inquiry<'_>, query: &str) -> Result<Question, BadProvider> {
    let address = Address::parse(inquiry.needed_address(PROVIDER.kind)?)?;
    let auth = match inquiry.secret()? {
        None => Auth::Open,
        Some(secret) => Auth::Basic {
            user: secret::required(secret, "username")?,
            password: secret::required(secret, "password")?,
        },
    };
    let words: Vec<&str> = query.split_whitespace().collect();
    let words = words.join(" ");
    let (pairs, _) = words.split_once('#').unwrap_or((&words, ""));
    let mut sorted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in url::form_urlencoded::parse(pairs.as_bytes()) {
        sorted.entry(key.into_owned()).or_default().push(value.into_owned());
    }
    if !sorted.contains_key("target") {
        return Err(BadProvider::Query(
            "a graphite query needs a target, such as target=app.errors".to_owned(),
        ));
    }
    sorted.insert("format".to_owned(), vec!["json".to_owned()]);
    let pairs = sorted
        .iter()
        .flat_map(|(key, values)| values.iter().map(move |value| (key.as_str(), value.as_str())));
    let pairs: Vec<(&str, &str)> = pairs.collect();
    let headers = auth.header().map(|value| ("Authorization".to_owned(), value));
    let mut request = get(address, "/render", &pairs, headers.into_iter().collect());
    request.skip_tls_verify = inquiry.spec.insecure_skip_verify == Some(true);
    Ok(Question::open(request))
}

/// The newest point of the last target that has one (analysis.md 4.5).
fn parse(response: &Response) -> Reading {
    let body = match answer::json(response) {
        Ok(body) => body,
        Err(reading) => return reading,
    };
    let Some(targets) = body.as_array() else {
        return Reading::Failed("the answer is no list of targets".to_owned());
    };
    let mut last = nothing();
    for target in targets {
        let points = target["datapoints"].as_array().map_or(&[][..], Vec::as_slice);
        let points = points.iter().enumerate().map(|(index, point)| {
            let at = point[1].as_f64().unwrap_or_else(|| answer::place(index));
            (at, of_point(&point[0]))
        });
        match newest(points) {
            Reading::NoData(_) => {}
            Reading::Failed(cause) => return Reading::Failed(cause),
            Reading::Value(value) => last = Reading::Value(value),
        }
    }
    last
}

/// Some storages send numbers as text.
fn of_point(value: &Value) -> Measured {
    value.as_str().map_or_else(|| measured(value), numeral)
}

fn probed(response: &Response) -> Result<(), String> {
    match parse(response) {
        Reading::Value(_) | Reading::NoData(_) => Ok(()),
        Reading::Failed(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests;
