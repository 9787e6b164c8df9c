//! AWS Signature Version 4, and the first requests that give credentials (analysis.md 4.3).
//!
//! Time and credentials are given, never looked up: the same request at the same time has the same signature.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, fmt::Write as _};

use super::{
    provider::BadProvider,
    secret::{self, BadSecret},
};
use crate::http::{Method, Request};

pub mod tokens;

/// Block of SHA-256 in bytes, which HMAC pads its key to.
const BLOCK: usize = 64;
/// Name of the algorithm, in the header and in what is signed.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Hosts of AWS: only these are asked with the controller's own credentials, or whoever writes a template could collect requests that
/// are signed with them (AN-14).
const HOSTS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

/// Credentials. The `Debug` form shows the id only, which is no secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keys {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    pub secret: String,
    /// Session token of temporary credentials.
    pub token: Option<String>,
}

/// What a signature is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signing {
    /// Region, such as `eu-west-1`.
    pub region: String,
    /// Signing name of the service: `monitoring`, `aps`.
    pub service: &'static str,
    /// Credentials of the template's Secret; the controller's own for `None`.
    pub keys: Option<Keys>,
}

/// The request with `X-Amz-Date`, `X-Amz-Security-Token` and `Authorization`. Its query is sent in the form that is signed, because
/// AWS reads `+` as a plus.
pub fn sign(request: &Request, signing: &Signing, keys: &Keys, now: Timestamp) -> Result<Request, url::ParseError> {
    let mut url = url::Url::parse(&request.url)?;
    let pairs = url.query_pairs().map(|(key, value)| (encoded(&key), encoded(&value)));
    let mut pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort();
    let query = pairs.join("&");
    url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));

    let at = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = at.get(..8).unwrap_or_default();
    let mut signed = request.clone();
    signed.url = url.to_string();
    signed.headers.push(("X-Amz-Date".to_owned(), at.clone()));
    if let Some(token) = &keys.token {
        signed.headers.push(("X-Amz-Security-Token".to_owned(), token.clone()));
    }
    let headers = canonical_headers(&url, &signed.headers);
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    let names = names.join(";");

    let mut text = String::from(match request.method {
        Method::Get => "GET\n",
        Method::Post => "POST\n",
        Method::Put => "PUT\n",
    });
    let _ = writeln!(text, "{}\n{query}", path(&url)); // writing to a String cannot fail
    for (name, value) in &headers {
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "\n{names}\n{}", hex(&Sha256::digest(&request.body)));

    let Signing { region, service, .. } = signing;
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!("{ALGORITHM}\n{at}\n{scope}\n{}", hex(&Sha256::digest(&text)));
    let mut key = hmac(format!("AWS4{}", keys.secret).as_bytes(), day.as_bytes());
    for part in [region.as_str(), service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let credential = format!("{}/{scope}", keys.id);
    let value = format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}");
    signed.headers.push(("Authorization".to_owned(), value));
    Ok(signed)
}

/// Credentials under the Secret keys `aws_access_key_id`, `aws_secret_access_key` and, for temporary ones, `aws_session_token`;
/// `None` where the first is missing. The peer knows the controller's own only (AN-26).
pub(super) fn keys(secret: &serde_json::Value) -> Result<Option<Keys>, BadSecret> {
    let Some(id) = secret::text(secret, "aws_access_key_id")? else {
        return Ok(None);
    };
    Ok(Some(Keys {
        id,
        secret: secret::required(secret, "aws_secret_access_key")?,
        token: secret::text(secret, "aws_session_token")?,
    }))
}

/// A region becomes part of a host name, so nothing but a name will do.
pub(super) fn region(text: Option<&str>, provider: &'static str) -> Result<String, BadProvider> {
    let region = text.map(str::trim).filter(|region| !region.is_empty());
    let region = region.ok_or(BadProvider::Missing(provider, "a region"))?;
    let is_name = region
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name {
        return Ok(region.to_owned());
    }
    Err(BadProvider::Query(format!("region {region:?} is no name of a region")))
}

/// How to sign for `url`; the controller's own credentials go to AWS only.
pub(super) fn signing(
    url: &url::Url,
    region: String,
    service: &'static str,
    keys: Option<Keys>,
) -> Result<Signing, BadProvider> {
    let host = url.host_str().unwrap_or_default();
    if keys.is_none() && !HOSTS.iter().any(|end| host.ends_with(end)) {
        return Err(BadProvider::Ambient(host.to_owned()));
    }
    Ok(Signing { region, service, keys })
}

/// Name of the domain of AWS's hosts in a region.
pub(super) fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}

/// Names in lower case, sorted; values of one name joined, with runs of blanks made one.
fn canonical_headers(url: &url::Url, headers: &[(String, String)]) -> BTreeMap<String, String> {
    let host = url.host_str().unwrap_or_default();
    let host = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut canonical = BTreeMap::from([("host".to_owned(), host)]);
    for (name, value) in headers {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        let value = words.join(" ");
        canonical
            .entry(name.to_ascii_lowercase())
            .and_modify(|known| {
                known.push(',');
                known.push_str(&value);
            })
            .or_insert(value);
    }
    canonical
}

/// The path, each segment encoded once more than it is sent, as every service but S3 wants it.
fn path(url: &url::Url) -> String {
    let segments: Vec<String> = url.path().split('/').map(encoded).collect();
    segments.join("/")
}

/// All bytes but the unreserved ones of RFC 3986 as `%XX`.
fn encoded(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            safe.push(char::from(byte));
        } else {
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    safe
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    let short = if key.len() > BLOCK {
        Sha256::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    for (place, byte) in block.iter_mut().zip(short) {
        *place = byte;
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner);
    outer.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

// === impl Keys ===

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
