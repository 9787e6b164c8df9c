//! Who may ask for what: a bearer token and a filter of namespaces, both by choice (LT-1, K6-1).

use actix_web::http::header::HeaderMap;
use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::Regex;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The rules. Without any, everybody may ask for everything, as with the peer.
#[derive(Default)]
pub(crate) struct Access {
    token: Option<[u8; 32]>,
    namespaces: Option<Regex>,
}

// === impl Access ===

impl Access {
    /// Compile the pattern (searched for, not anchored, as with the peer) and read the token; empty means none.
    pub(crate) fn new(namespaces: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let namespaces = match namespaces {
            "" => None,
            pattern => Some(Regex::new(pattern).context("-namespace-regexp")?),
        };
        let token = token.map(|token| Sha256::digest(token.as_bytes()).into());
        Ok(Self { token, namespaces })
    }

    /// Whether the caller has shown the token: as a bearer, or as the password of Basic, which is what a controller can be given in a
    /// hook's URL.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.token else { return true };
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
        let Some(shown) = shown.and_then(credential) else {
            return false;
        };
        // Digests are compared, so that the time tells nothing about the token.
        let digest: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        digest == *wanted
    }

    /// Whether payloads of this namespace are taken.
    pub(crate) fn allows(&self, namespace: &str) -> bool {
        self.namespaces
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(namespace))
    }
}

/// The token in a file, without white space around it.
pub(crate) fn read_token(path: &str) -> anyhow::Result<Option<String>> {
    if path.is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(Path::new(path)).with_context(|| format!("-token-file {path}"))?;
    match text.trim() {
        "" => bail!("-token-file {path} is empty"),
        token => Ok(Some(token.to_owned())),
    }
}

fn credential(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    Some(pair.split_once(':')?.1.to_owned())
}

#[cfg(test)]
mod tests;
