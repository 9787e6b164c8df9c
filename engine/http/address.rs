//! Addresses as users write them: of metrics servers, hooks and chat channels.

use base64::{Engine, engine::general_purpose::STANDARD};

/// Where a request goes: what users write as an address, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Absolute `http` or `https` URL with a host and without user name and password.
    pub url: url::Url,
    /// `Authorization` value from a `user:password@` part (analysis.md 2.2).
    pub authorization: Option<String>,
}

/// Why a text is no address. It does not repeat the text: addresses of chat channels are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// No URL at all.
    #[error("the address cannot be read: {0}")]
    Unreadable(String),
    /// Another scheme.
    #[error("the address has scheme {0}, not http or https")]
    Scheme(String),
}

// === impl Address ===

impl Address {
    /// Read an absolute URL.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let mut url = url::Url::parse(text.trim()).map_err(|error| BadAddress::Unreadable(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadAddress::Scheme(url.scheme().to_owned()));
        }
        let user = decoded(url.username());
        let password = decoded(url.password().unwrap_or_default());
        let authorization = (!user.is_empty() || !password.is_empty()).then(|| basic(&user, &password));
        // Both can fail only for URLs without a host, which have been refused.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, authorization })
    }
}

/// `Authorization` value of basic authentication.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn decoded(percent_encoded: &str) -> String {
    let bytes = percent_encoded.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = percent_encoded.get(at + 1..at + 3).filter(|_| byte == b'%');
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests;
