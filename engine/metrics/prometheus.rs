//! Prometheus and everything that speaks its HTTP API: the server of builtin and inline queries, and a template provider (analysis.md 4.1).

use serde_json::Value;
use std::{collections::BTreeMap, fmt};

use super::{
    Reading,
    answer::{self, nothing, numeral},
    aws,
    provider::{BadProvider, Inquiry, Provider, TIMEOUT},
    question::{Access, Question},
    secret::{self, BadSecret},
    texts::NO_VALUES,
};
use crate::http::{self, Address, Method, Request, Response};

/// The entry in the table of providers; its `read` and `online` also serve the server of builtin and inline queries.
pub const PROVIDER: Provider = Provider {
    kind: "prometheus",
    request: |inquiry| inquire(inquiry, inquiry.query),
    probe: |inquiry| inquire(inquiry, PROBE),
    parse,
    probed: available,
};

/// Signing name of Amazon's managed Prometheus.
const SERVICE: &str = "aps";

/// A query that every server answers with 1, without any series.
const PROBE: &str = "vector(1)";

/// Credentials of a server. The `Debug` form shows none.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Auth {
    /// None.
    #[default]
    Open,
    /// `Authorization: Bearer …`.
    Bearer(String),
    /// Basic authentication.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
}

/// What a JSON answer holds.
enum Element {
    Value(f64),
    /// NaN; the peer takes the last element, whatever it is.
    Gap,
    Infinite(String),
    Nonsense(String),
    Range,
    Histogram,
    Empty,
}

/// `GET <address>/api/v1/query`. The path of the address is kept, its query string is not; a `user:password@` part becomes basic
/// authentication unless `auth` says otherwise. `Authorization` is sent once, whatever `headers` say (AN-11).
pub fn request(
    address: &str,
    query: &str,
    auth: &Auth,
    headers: &BTreeMap<String, Vec<String>>,
    skip_verify: bool,
) -> Result<Request, BadProvider> {
    let Address { mut url, authorization } = Address::parse(address)?;
    let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_fragment(None);
    url.set_query(None);
    url.query_pairs_mut().append_pair("query", &squeezed(query));
    let authorization = auth.header().or(authorization);
    let mut sent = Vec::new();
    for (name, values) in headers {
        if authorization.is_some() && name.eq_ignore_ascii_case("authorization") {
            continue;
        }
        for value in values {
            sent.push(checked_header(name, value)?);
        }
    }
    sent.extend(authorization.map(|value| ("Authorization".to_owned(), value)));
    Ok(Request {
        method: Method::Get,
        url: url.into(),
        headers: sent,
        body: String::new(),
        timeout: TIMEOUT,
        skip_tls_verify: skip_verify,
        proxy: None,
    })
}

/// The question whether a server works (analysis.md 2.3); [`available`] reads the answer.
pub fn availability_request(
    address: &str,
    auth: &Auth,
    headers: &BTreeMap<String, Vec<String>>,
    skip_verify: bool,
) -> Result<Request, BadProvider> {
    request(address, PROBE, auth, headers, skip_verify)
}

/// Whether the answer to [`availability_request`] is the 1 that was asked for.
pub fn available(response: &Response) -> Result<(), String> {
    match parse(response) {
        Reading::Value(1.0) => Ok(()),
        Reading::Value(value) => Err(format!("{PROBE} gave {value}")),
        Reading::NoData(cause) | Reading::Failed(cause) => Err(cause),
    }
}

/// Read an answer. As with the peer the last series with a value counts; NaN and no series are no data. Unlike it, `status: error`
/// in a 200 and native histograms are failures, and infinite values are no data (AN-10, analysis.md 1.4).
pub fn parse(response: &Response) -> Reading {
    let answer = match answer::json(response) {
        Ok(answer) => answer,
        Err(reading) => return reading,
    };
    if answer["status"] == "error" {
        let text = |key: &str| answer[key].as_str().map(http::excerpt).unwrap_or_default();
        return Reading::Failed(format!("error response: {}: {}", text("errorType"), text("error")));
    }
    match answer["data"]["resultType"].as_str() {
        Some("vector") | None => {}
        Some(kind) => return Reading::Failed(format!("the result is a {kind}, an instant vector is needed")),
    }
    match &answer["data"]["result"] {
        Value::Array(elements) => last_of(elements),
        Value::Null => nothing(),
        _ => Reading::Failed("the result is no list of series".to_owned()),
    }
}

fn last_of(elements: &[Value]) -> Reading {
    let mut last = nothing();
    for element in elements {
        match classify(element) {
            Element::Value(value) => last = Reading::Value(value),
            Element::Gap => last = nothing(),
            Element::Infinite(text) => last = Reading::NoData(format!("{NO_VALUES}, {text} is no measurement")),
            Element::Nonsense(cause) => return Reading::Failed(cause),
            Element::Range => {
                return Reading::Failed("multiple values returned: the result is a range vector".to_owned());
            }
            Element::Histogram => {
                return Reading::Failed("the result is a native histogram, a number is needed".to_owned());
            }
            Element::Empty => {}
        }
    }
    last
}

fn classify(element: &Value) -> Element {
    if element.get("values").is_some() || element.get("histograms").is_some() {
        return Element::Range;
    }
    match element["value"].get(1) {
        Some(Value::String(text)) => match numeral(text) {
            Ok(Some(value)) => Element::Value(value),
            Ok(None) if text.to_ascii_lowercase().contains("inf") => Element::Infinite(text.clone()),
            Ok(None) => Element::Gap,
            Err(cause) => Element::Nonsense(cause),
        },
        Some(other) => Element::Nonsense(format!("the value {} is no text", http::excerpt(&other.to_string()))),
        None if element.get("histogram").is_some() => Element::Histogram,
        None => Element::Empty,
    }
}

/// With a `region` and no other credentials it is Amazon's managed Prometheus, which wants signatures (AN-26); the peer has no use for
/// the region here.
fn inquire(inquiry: &Inquiry<'_>, query: &str) -> Result<Question, BadProvider> {
    let spec = inquiry.spec;
    let address = inquiry.needed_address(PROVIDER.kind)?;
    let secret = inquiry.secret()?;
    let keys = secret.map(aws::keys).transpose()?.flatten();
    let has_others = secret.is_some() && keys.is_none();
    let skip_verify = spec.insecure_skip_verify == Some(true);
    if let (Some(region), false) = (spec.region.as_deref().filter(|region| !region.is_empty()), has_others) {
        let region = aws::region(Some(region), PROVIDER.kind)?;
        let request = request(address, query, &Auth::Open, &spec.headers, skip_verify)?;
        let url = Address::parse(&request.url)?.url;
        return Ok(Question {
            request,
            access: Access::Aws(aws::signing(&url, region, SERVICE, keys)?),
        });
    }
    let auth = secret.map(Auth::from_secret).transpose()?.unwrap_or_default();
    request(address, query, &auth, &spec.headers, skip_verify).map(Question::open)
}

/// One blank for each run of white space, as the peer sends queries, but only between words: texts in quotes stay as they are, and a
/// comment ends with its line instead of swallowing the rest.
fn squeezed(query: &str) -> String {
    let mut sent = String::with_capacity(query.len());
    let mut quote = None;
    let mut characters = query.trim().chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), _) => {
                sent.push(c);
                if c == '\\' && open != '`' {
                    sent.extend(characters.next());
                } else if c == open {
                    quote = None;
                }
            }
            (None, '#') => {
                characters.find(|c| *c == '\n');
                push_blank(&mut sent);
            }
            (None, c) if c.is_whitespace() => push_blank(&mut sent),
            (None, c) => {
                quote = matches!(c, '"' | '\'' | '`').then_some(c);
                sent.push(c);
            }
        }
    }
    sent
}

fn push_blank(sent: &mut String) {
    if !sent.ends_with(' ') {
        sent.push(' ');
    }
}

fn checked_header(name: &str, value: &str) -> Result<(String, String), BadProvider> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_sendable = !name.is_empty() && name.chars().all(is_token) && !value.chars().any(char::is_control);
    is_sendable
        .then(|| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| BadProvider::Header(name.to_owned()))
}

// === impl Auth ===

impl Auth {
    /// Credentials from a Secret: `token`, else `username` and `password`, both.
    pub fn from_secret(secret: &Value) -> Result<Self, BadSecret> {
        if let Some(token) = secret::text(secret, "token")? {
            return Ok(Self::Bearer(token));
        }
        Ok(Self::Basic {
            user: secret::required(secret, "username")?,
            password: secret::required(secret, "password")?,
        })
    }

    /// Value of `Authorization`.
    pub(super) fn header(&self) -> Option<String> {
        match self {
            Self::Open => None,
            Self::Bearer(token) => Some(format!("Bearer {token}")),
            Self::Basic { user, password } => Some(http::basic(user, password)),
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "Open",
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
        })
    }
}

#[cfg(test)]
mod tests;
