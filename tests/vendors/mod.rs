//! Doubles of the vendors. Each checks a request against the vendor's public documentation and says what is wrong with it.

use actors::outbound::{self, Outbound};
use bytes::Bytes;
use engine::http::{Method, Request, Response};
use http_body_util::Full;
use kube::client::Body;
use reqwest::Url;
use serde_json::json;
use std::{convert::Infallible, time::Duration};

mod aws;
mod others;

pub(crate) use aws::ROLE;

/// The token of the controller's service account.
pub(crate) const WEB_IDENTITY: &str = "eyJ.web.identity";
/// The token that Google's metadata server gives.
const GOOGLE_TOKEN: &str = "ya29.token";

/// What is wrong with a request.
type Complaint = String;

/// A double.
pub(crate) struct Vendor {
    /// Kind and name of the template that asks it.
    pub(crate) name: &'static str,
    /// The value of the documented answer.
    pub(crate) value: f64,
    /// The answer to a question, or what is wrong with it.
    pub(crate) question: fn(&Asked) -> Result<String, Complaint>,
    /// The answer to a probe: status and body, or what is wrong with it.
    pub(crate) probe: fn(&Asked) -> Result<(u16, String), Complaint>,
}

/// A request, taken apart.
pub(crate) struct Asked {
    request: Request,
    url: Url,
}

/// All doubles.
static VENDORS: [&[Vendor]; 2] = [&aws::VENDORS, &others::VENDORS];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    VENDORS
        .iter()
        .flat_map(|vendors| vendors.iter())
        .map(|vendor| vendor.name)
}

pub(crate) fn vendor(name: &str) -> &'static Vendor {
    let mut all = VENDORS.iter().flat_map(|vendors| vendors.iter());
    all.find(|vendor| vendor.name == name).unwrap()
}

/// Whether a request asks for a token, not for a value.
pub(crate) fn is_for_a_token(request: &Request) -> bool {
    ["https://sts.", "http://metadata.google.internal/"]
        .iter()
        .any(|start| request.url.starts_with(start))
}

fn reply(status: u16, body: String) -> Response {
    Response {
        status,
        body,
        retry_after: None,
    }
}

// === impl Vendor ===

impl Vendor {
    /// The world as far as this vendor is concerned.
    pub(crate) fn outbound(&'static self) -> Outbound {
        outbound::scripted(move |request| (Duration::from_millis(20), Ok(self.answer(request))))
    }

    pub(crate) fn answer(&self, request: &Request) -> Response {
        let asked = Asked {
            request: request.clone(),
            url: request.url.parse().unwrap(),
        };
        let answered = match asked.url.host_str() {
            Some("metadata.google.internal") => metadata(&asked).map(|body| (200, body)),
            Some(host) if host.starts_with("sts.") => aws::sts(&asked).map(|body| (200, body)),
            _ => match ((self.question)(&asked), (self.probe)(&asked)) {
                (Ok(body), _) => Ok((200, body)),
                (_, Ok(answer)) => Ok(answer),
                (Err(complaint), Err(other)) => Err(format!("as a question: {complaint}; as a probe: {other}")),
            },
        };
        match answered {
            Ok((status, body)) => reply(status, body),
            Err(complaint) => reply(418, complaint),
        }
    }

    /// An API server that knows what the examples ask it for.
    pub(crate) fn api_server(
        &'static self,
    ) -> impl tower::Service<
        http::Request<Body>,
        Response = http::Response<Full<Bytes>>,
        Error = Infallible,
        Future = std::future::Ready<Result<http::Response<Full<Bytes>>, Infallible>>,
    > + Send
    + 'static {
        tower::service_fn(move |request: http::Request<Body>| {
            let asked = Request {
                method: Method::Get,
                url: format!("https://kubernetes.default.svc{}", request.uri()),
                headers: Vec::new(),
                body: String::new(),
                timeout: Duration::from_secs(5),
                skip_tls_verify: false,
                proxy: None,
            };
            let answer = self.answer(&asked);
            let response = http::Response::builder()
                .status(answer.status)
                .body(Full::from(answer.body))
                .unwrap();
            std::future::ready(Ok(response))
        })
    }
}

/// Google's metadata server: without its header it does not answer.
fn metadata(asked: &Asked) -> Result<String, Complaint> {
    asked.is(
        Method::Get,
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token",
    )?;
    asked.headers(&[("Metadata-Flavor", "Google")])?;
    Ok(json!({"access_token": GOOGLE_TOKEN, "expires_in": 3599, "token_type": "Bearer"}).to_string())
}

// === impl Asked ===

impl Asked {
    /// Method and URL without its query.
    fn is(&self, method: Method, url: &str) -> Result<(), Complaint> {
        let mut bare = self.url.clone();
        bare.set_query(None);
        if self.request.method == method && bare.as_str() == url {
            return Ok(());
        }
        Err(format!("{:?} {bare} is not {method:?} {url}", self.request.method))
    }

    /// Exactly these parameters, in any order; gives their values in this order.
    fn parameters(&self, names: &[&str]) -> Result<Vec<String>, Complaint> {
        let found: Vec<(String, String)> = self.url.query_pairs().into_owned().collect();
        exactly(&found, names)
    }

    /// Exactly these headers.
    fn headers(&self, expected: &[(&str, &str)]) -> Result<(), Complaint> {
        let mut found = self.request.headers.clone();
        let mut expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        found.sort();
        expected.sort();
        if found == expected {
            Ok(())
        } else {
            Err(format!("headers {found:?} are not {expected:?}"))
        }
    }

    fn header(&self, name: &str) -> Result<&str, Complaint> {
        let mut found = self.request.headers.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            _ => Err(format!("there must be one header {name}")),
        }
    }

    fn has_no_body(&self) -> Result<(), Complaint> {
        if self.request.body.is_empty() {
            Ok(())
        } else {
            Err("a GET has no body".into())
        }
    }
}

/// The values of these names, each of which must be there once, and no other.
fn exactly(found: &[(String, String)], names: &[&str]) -> Result<Vec<String>, Complaint> {
    if found.len() != names.len() {
        return Err(format!("{found:?} are not the parameters {names:?}"));
    }
    let value = |name: &&str| {
        let pair = found.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.clone())
            .ok_or_else(|| format!("{name} is missing in {found:?}"))
    };
    names.iter().map(value).collect()
}

/// `from` and `to` in this unit, so many seconds apart, ending now.
fn window(from: &str, to: &str, per_second: i64, seconds: i64) -> Result<(), Complaint> {
    let number = |text: &str| text.parse::<i64>().map_err(|error| format!("{text}: {error}"));
    let (from, to) = (number(from)?, number(to)?);
    if to == 1_700_000_000 * per_second && to - from == seconds * per_second {
        return Ok(());
    }
    Err(format!("{from} to {to} is not the window of {seconds} s that ends now"))
}
