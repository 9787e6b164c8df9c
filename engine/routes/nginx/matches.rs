//! Whom an A/B test chooses: NGINX knows one header and one cookie, either of which is enough.

use crds::service::{HttpMatch, StringMatch};

use crate::routes::{Refused, affinity::escaped};

/// Key of the match on a cookie, as the documents write it. Its `exact` is the cookie's name, whose value must be `always`.
const COOKIE: &str = "cookie";

/// The one header and the one cookie.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Chosen {
    /// Name of the header, and suffix of the annotation that says what it must be, with its text.
    header: Option<(String, &'static str, String)>,
    /// Name of the cookie.
    cookie: Option<String>,
}

// === impl Chosen ===

impl Chosen {
    /// What `analysis.match` says. What cannot be said in full is refused: the peer picks a header by chance, and leaves conditions out
    /// (RI-14).
    pub(super) fn of(given: &[HttpMatch]) -> Result<Self, Refused> {
        let mut chosen = Self::default();
        for (place, entry) in given.iter().enumerate() {
            let path = format!("analysis.match[{place}]");
            if !entry.query_params.is_empty() || !entry.source_labels.is_empty() {
                return Err(Refused::field(path, "NGINX chooses by a header or a cookie only"));
            }
            let mut headers = entry.headers.iter();
            let (Some((name, text)), None) = (headers.next(), headers.next()) else {
                let why = "NGINX cannot ask for several headers at once: name one header, or the cookie in an entry of its own";
                return Err(Refused::field(path, why));
            };
            let is_taken = if name.eq_ignore_ascii_case(COOKIE) {
                let name = cookie(text, &path)?;
                chosen.cookie.replace(name).is_some()
            } else {
                let (key, text) = condition(text, &format!("{path}.headers.{name}"))?;
                chosen.header.replace((name.clone(), key, text)).is_some()
            };
            if is_taken {
                return Err(Refused::field(path, "NGINX knows one header and one cookie"));
            }
        }
        Ok(chosen)
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Annotations, by what follows `<prefix>/canary`.
    pub(super) fn written(&self) -> Vec<(&'static str, String)> {
        let mut written = Vec::new();
        if let Some((name, key, text)) = &self.header {
            written.push(("-by-header", name.clone()));
            written.push((*key, text.clone()));
        }
        written.extend(self.cookie.iter().map(|name| ("-by-cookie", name.clone())));
        written
    }
}

fn cookie(text: &StringMatch, path: &str) -> Result<String, Refused> {
    let exact = text.exact.clone().filter(|name| !name.is_empty());
    exact.ok_or_else(|| {
        let why = "NGINX chooses by a cookie's name alone: write it as exact; its value must be always";
        Refused::field(format!("{path}.headers.{COOKIE}"), why)
    })
}

fn condition(text: &StringMatch, path: &str) -> Result<(&'static str, String), Refused> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(exact) = given(&text.exact) {
        return Ok(("-by-header-value", exact));
    }
    let prefix = given(&text.prefix).map(|prefix| format!("^{}", escaped(&prefix)));
    let suffix = given(&text.suffix).map(|suffix| format!("{}$", escaped(&suffix)));
    let pattern = given(&text.regex).or(prefix).or(suffix);
    let pattern = pattern.map(|pattern| ("-by-header-pattern", pattern));
    pattern.ok_or_else(|| Refused::field(path, "it names no exact, prefix, suffix or regex"))
}
