//! What must not be seen in logs, answers and pages (LT-20, K6-2).

use std::{borrow::Cow, ffi::OsString};

/// Shorter values are not hidden: they would hide half of every text.
const SECRET_BYTES_MIN: usize = 6;
/// What stands instead.
const MASK: &str = "***";
/// Parts of the names of variables whose values are secret.
const SECRET_NAMES: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL"];
/// Headers whose values are secret wherever they stand in a command.
const SECRET_HEADERS: [&str; 4] = ["authorization:", "cookie:", "x-api-key:", "private-token:"];

/// The secrets that are known.
#[derive(Clone, Default)]
pub(crate) struct Redaction {
    secrets: Vec<String>,
}

// === impl Redaction ===

impl Redaction {
    /// Of this process's environment; values that are no UTF-8 are left out.
    pub(crate) fn of_environment() -> Self {
        let pair = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::of_variables(std::env::vars_os().filter_map(pair))
    }

    /// The values of variables whose names say that they are secret.
    fn of_variables(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut redaction = Self::default();
        for (name, value) in variables {
            let name = name.to_ascii_uppercase();
            // A path to a secret is none, and hiding it would only confuse.
            if SECRET_NAMES.iter().any(|part| name.contains(part)) && !value.starts_with('/') {
                redaction.add(&value);
            }
        }
        redaction
    }

    /// One more secret; each of its lines counts, too. Too short ones are left alone.
    pub(crate) fn add(&mut self, secret: &str) {
        let trimmed = secret.trim();
        for part in std::iter::once(trimmed).chain(trimmed.lines().map(str::trim)) {
            if part.len() >= SECRET_BYTES_MIN && !self.secrets.iter().any(|known| known == part) {
                self.secrets.push(part.to_owned());
            }
        }
        // The longest first, so that a secret that contains another one is hidden whole.
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// These secrets and one more.
    pub(crate) fn with<'s>(&self, secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut more = self.clone();
        for secret in secrets {
            more.add(secret);
        }
        more
    }

    /// A text without secrets: known values, credentials in URLs, and the values of telling headers.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut clean = Cow::Borrowed(text);
        for secret in &self.secrets {
            if clean.contains(secret.as_str()) {
                clean = Cow::Owned(clean.replace(secret.as_str(), MASK));
            }
        }
        without_headers(&without_userinfo(&clean))
    }
}

/// `://user:password@host` becomes `://***@host`.
fn without_userinfo(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after
            .find(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '?' | '#' | '"' | '\''))
            .unwrap_or(after.len());
        let host = match after[..end].rfind('@') {
            Some(sign) => {
                clean.push_str(MASK);
                sign
            }
            None => 0,
        };
        rest = &after[host..];
    }
    clean.push_str(rest);
    clean
}

/// The value of a secret header goes to the end of its line or to the quote that closes it.
fn without_headers(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    let next = |from: usize| {
        let found = SECRET_HEADERS
            .iter()
            .filter_map(|name| Some(from + lower[from..].find(name)? + name.len()));
        found.min()
    };
    while let Some(value) = next(at) {
        clean.push_str(&text[at..value]);
        let length = text[value..]
            .find(['\'', '"', '\n', '\r'])
            .unwrap_or(text.len() - value);
        if text[value..value + length].trim().is_empty() {
            clean.push_str(&text[value..value + length]);
        } else {
            clean.push(' ');
            clean.push_str(MASK);
        }
        at = value + length;
    }
    clean.push_str(&text[at..]);
    clean
}

#[cfg(test)]
mod tests;
