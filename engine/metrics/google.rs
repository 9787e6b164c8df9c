//! Tokens of Google's APIs: a service account's signed assertion, or the metadata server of the node (analysis.md 4.6).

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{fmt, time::Duration};

use super::{provider::TIMEOUT, secret::BadSecret};
use crate::http::{self, Address, Method, Request, Response};

/// What the token may do: read metrics.
const SCOPE: &str = "https://www.googleapis.com/auth/monitoring.read";
/// Life of an assertion in seconds; Google allows an hour.
const LIFE_SECS: i64 = 3600;
/// Where accounts without a `token_uri` get their token.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// Where the controller's own identity gets its token (Workload Identity).
const METADATA: &str = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

/// A service account, from its JSON key. The `Debug` form shows no key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceAccount {
    /// `client_email`.
    pub email: String,
    /// `private_key_id`.
    pub key_id: String,
    /// `private_key`, decoded: PKCS#8 in DER.
    pub key: Vec<u8>,
    /// `token_uri`.
    pub token_uri: String,
}

/// A bearer token with its life.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token.
    pub text: String,
    /// How long it is good for.
    pub life: Duration,
}

/// What an account signs (RS256) to get a token: header and claims, encoded and joined.
pub fn to_sign(account: &ServiceAccount, now: Timestamp) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": account.key_id});
    let issued = now.as_second();
    let claims = json!({
        "iss": account.email, "scope": SCOPE, "aud": account.token_uri, "iat": issued, "exp": issued + LIFE_SECS,
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// The request that changes an assertion for a token.
pub fn token_request(account: &ServiceAccount, signed: &str, signature: &[u8]) -> Request {
    let assertion = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    form.append_pair("assertion", &assertion);
    Request {
        method: Method::Post,
        url: account.token_uri.clone(),
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

/// The request for a token of the controller's own identity.
pub fn metadata_request() -> Request {
    Request {
        method: Method::Get,
        url: METADATA.to_owned(),
        headers: vec![("Metadata-Flavor".to_owned(), "Google".to_owned())],
        body: String::new(),
        timeout: TIMEOUT,
        skip_tls_verify: false,
        proxy: None,
    }
}

/// Read the answer to [`token_request`] or [`metadata_request`]. Errors never hold the body of a good answer.
pub fn token(response: &Response) -> Result<Token, String> {
    let status = http::status_text(response.status);
    let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
    if response.status >= 300 {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let cause = http::excerpt(&format!("{} {}", text("error"), text("error_description")));
        return Err(format!("no token: Status {status}: {cause}"));
    }
    let text = body["access_token"]
        .as_str()
        .filter(|text| !text.is_empty() && !text.contains(char::is_control));
    let text = text.ok_or_else(|| format!("no token in the answer (Status {status})"))?;
    let life = body["expires_in"].as_u64().unwrap_or_default();
    Ok(Token {
        text: text.to_owned(),
        life: Duration::from_secs(life),
    })
}

// === impl ServiceAccount ===

impl ServiceAccount {
    /// Read a JSON key; the error names the Secret key that it stands under.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bad = || BadSecret::Unreadable("serviceAccountKey");
        let json: Value = serde_json::from_str(text).map_err(|_| bad())?;
        let field = |name: &str| json[name].as_str().filter(|text| !text.is_empty());
        let token_uri = field("token_uri").unwrap_or(TOKEN_URI);
        Address::parse(token_uri).map_err(|_| bad())?;
        Ok(Self {
            email: field("client_email").ok_or_else(bad)?.to_owned(),
            key_id: field("private_key_id").unwrap_or_default().to_owned(),
            key: field("private_key").and_then(der).ok_or_else(bad)?,
            token_uri: token_uri.to_owned(),
        })
    }
}

/// The bytes between the lines of a PEM.
fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServiceAccount({})", self.email)
    }
}

#[cfg(test)]
mod tests;
