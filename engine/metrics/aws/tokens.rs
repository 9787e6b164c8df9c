//! Temporary credentials: the role of a Kubernetes service account (web identity), and the credentials agent of a container.

use jiff::Timestamp;
use serde_json::Value;

use super::Keys;
use crate::{
    http::{self, Method, Request, Response},
    metrics::{provider::TIMEOUT, xml::Element},
};

/// Name of our sessions in AWS's audit log.
const SESSION: &str = "aviary";

/// Credentials with their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The credentials.
    pub keys: Keys,
    /// When they end; `None`: never.
    pub ends: Option<Timestamp>,
}

/// `AssumeRoleWithWebIdentity` at the regional STS. It is not signed: the token is the proof.
pub fn web_identity_request(region: &str, role: &str, token: &str) -> Request {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "AssumeRoleWithWebIdentity");
    form.append_pair("Version", "2011-06-15");
    form.append_pair("RoleArn", role);
    form.append_pair("RoleSessionName", SESSION);
    form.append_pair("WebIdentityToken", token.trim());
    Request {
        method: Method::Post,
        url: format!("https://sts.{region}.{}/", super::domain(region)),
        headers: vec![(
            "Content-Type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )],
        body: form.finish(),
        timeout: TIMEOUT,
        skip_tls_verify: false,
        proxy: None,
    }
}

/// Read the answer to [`web_identity_request`].
pub fn web_identity(response: &Response) -> Result<Granted, String> {
    let root = Element::parse(&response.body).ok_or_else(|| unreadable(response))?;
    if let Some(error) = root.child("Error") {
        let text = |name| error.child(name).map(Element::trimmed).unwrap_or_default();
        return Err(http::excerpt(&format!("{}: {}", text("Code"), text("Message"))));
    }
    let found = root.at(&["AssumeRoleWithWebIdentityResult", "Credentials"]);
    let found = found.ok_or_else(|| unreadable(response))?;
    let text = |name| found.child(name).map(|element| element.trimmed().to_owned());
    granted(
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("SessionToken"),
        text("Expiration"),
    )
    .ok_or_else(|| unreadable(response))
}

/// `GET` of the credentials agent (`AWS_CONTAINER_CREDENTIALS_FULL_URI`), with the token it wants.
pub fn container_request(url: &str, token: Option<&str>) -> Request {
    let header = |token: &str| ("Authorization".to_owned(), token.trim().to_owned());
    Request {
        method: Method::Get,
        url: url.to_owned(),
        headers: token.map(header).into_iter().collect(),
        body: String::new(),
        timeout: TIMEOUT,
        skip_tls_verify: false,
        proxy: None,
    }
}

/// Read the answer to [`container_request`].
pub fn container(response: &Response) -> Result<Granted, String> {
    let body: Value = serde_json::from_str(&response.body).map_err(|_| unreadable(response))?;
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    granted(
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("Token"),
        text("Expiration"),
    )
    .ok_or_else(|| unreadable(response))
}

fn granted(id: Option<String>, secret: Option<String>, token: Option<String>, end: Option<String>) -> Option<Granted> {
    let full = |text: Option<String>| text.filter(|text| !text.is_empty());
    let ends = match full(end) {
        Some(end) => Some(end.parse().ok()?),
        None => None,
    };
    let (id, secret) = (full(id)?, full(secret)?);
    let keys = Keys {
        id,
        secret,
        token: full(token),
    };
    Some(Granted { keys, ends })
}

/// The body may hold credentials, so it is not told.
fn unreadable(response: &Response) -> String {
    format!(
        "no credentials in the answer (Status {})",
        http::status_text(response.status)
    )
}
