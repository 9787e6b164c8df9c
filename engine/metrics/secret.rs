//! Reading credentials out of a Kubernetes Secret as the API server has it: values of `data` are base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

/// Why a Secret is of no use. Values are never part of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// The key is not there.
    #[error("the secret has no key {0}")]
    Missing(&'static str),
    /// The value is no base64, no text, or holds characters that no header can carry.
    #[error("the value of key {0} in the secret is not usable text")]
    Unreadable(&'static str),
}

/// The text under a key, without line ends around it: editors add them, and no header, URL or password field takes them (AN-16).
pub fn text(secret: &Value, key: &'static str) -> Result<Option<String>, BadSecret> {
    let Some(encoded) = secret["data"][key].as_str() else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| BadSecret::Unreadable(key))?;
    let text = String::from_utf8(bytes).map_err(|_| BadSecret::Unreadable(key))?;
    let text = text.trim_matches(['\r', '\n']).to_owned();
    if text.chars().any(char::is_control) {
        return Err(BadSecret::Unreadable(key));
    }
    Ok(Some(text))
}

/// A text of several lines under a key, such as a JSON key file.
pub fn lines(secret: &Value, key: &'static str) -> Result<Option<String>, BadSecret> {
    let Some(encoded) = secret["data"][key].as_str() else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| BadSecret::Unreadable(key))?;
    let text = String::from_utf8(bytes).map_err(|_| BadSecret::Unreadable(key))?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// The text under a key that must be there.
pub fn required(secret: &Value, key: &'static str) -> Result<String, BadSecret> {
    text(secret, key)?.ok_or(BadSecret::Missing(key))
}

#[cfg(test)]
mod tests;
