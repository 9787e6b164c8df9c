//! Request matches. The Canary uses Istio's own shape, so they are taken over; what is added is the comparison by suffix.

use crds::service::{HttpMatch, StringMatch};
use serde_json::{Value, json};

use crate::routes::{
    Refused,
    affinity::{COOKIE, escaped},
};

/// The matches of an A/B test: every entry of `analysis.match` with every one of `service.match`. Where both name a header, a parameter or
/// a label, the analysis decides; all other conditions hold together (RM-9).
pub(super) fn tested(analysis: &[HttpMatch], served: &[HttpMatch]) -> Result<Vec<HttpMatch>, Refused> {
    let everything = [HttpMatch::default()];
    let served = if served.is_empty() { &everything } else { served };
    let mut all = Vec::new();
    for (place, entry) in analysis.iter().enumerate() {
        if entry.headers.is_empty() && entry.query_params.is_empty() && entry.source_labels.is_empty() {
            return Err(Refused::field(
                format!("analysis.match[{place}]"),
                "it would match every request: name a header, a query parameter or a label of the caller",
            ));
        }
        all.extend(served.iter().map(|base| narrowed(base, entry)));
    }
    Ok(all)
}

/// The same matches for requests whose cookies match this expression.
pub(super) fn with_cookie(matches: &[HttpMatch], regex: &str) -> Vec<HttpMatch> {
    let mut cookie = HttpMatch::default();
    let text = StringMatch {
        regex: Some(regex.to_owned()),
        ..StringMatch::default()
    };
    cookie.headers.insert(COOKIE.to_owned(), text);
    if matches.is_empty() {
        return vec![cookie];
    }
    matches.iter().map(|base| narrowed(base, &cookie)).collect()
}

/// Header names are compared without regard to case: two conditions on one header would be both asked for under different names.
fn narrowed(base: &HttpMatch, by: &HttpMatch) -> HttpMatch {
    let mut narrow = base.clone();
    narrow
        .headers
        .retain(|name, _| !by.headers.keys().any(|other| other.eq_ignore_ascii_case(name)));
    narrow.headers.extend(by.headers.clone());
    narrow.query_params.extend(by.query_params.clone());
    narrow.source_labels.extend(by.source_labels.clone());
    narrow
}

/// As they stand in the VirtualService.
pub(super) fn stored(matches: &[HttpMatch]) -> Value {
    matches.iter().map(|found| json!(spelled(found.clone()))).collect()
}

/// Istio cannot compare by suffix, which the documents allow in an A/B test: an expression can (its expressions match the whole text).
fn spelled(mut found: HttpMatch) -> HttpMatch {
    for text in found.headers.values_mut() {
        let others = [&text.exact, &text.prefix, &text.regex];
        if let (Some(suffix), true) = (&text.suffix, others.iter().all(|other| other.is_none())) {
            text.regex = Some(format!(".*{}", escaped(suffix)));
        }
        text.suffix = None;
    }
    found
}
