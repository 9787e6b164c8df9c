//! Request matches: from Istio's shape, which the Canary uses, to that of the HTTPRoute (routers-mesh.md 4.1).

use crds::service::{HttpMatch, StringMatch};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::routes::{Refused, affinity::COOKIE};

/// One match of an HTTPRoute. Header and query matches are sorted by name: their order means nothing, and a random one looks like a
/// foreign edit (RM-6, observed.md A19).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Match {
    path: Option<Pair>,
    method: Option<String>,
    headers: BTreeMap<String, Pair>,
    query: BTreeMap<String, Pair>,
}

/// Kind of comparison and the text to compare with.
pub(super) type Pair = (&'static str, String);

/// The matches of `service.match`; never empty: without any, every path matches. An entry that the HTTPRoute has no words for at all is
/// left out, as with the peer.
pub(super) fn served(given: &[HttpMatch]) -> Result<Vec<Match>, Refused> {
    let mut all = Vec::new();
    for (place, entry) in given.iter().enumerate() {
        let translated = Match::read(entry, &format!("service.match[{place}]"))?;
        if translated != Match::default() {
            all.push(translated);
        }
    }
    if all.is_empty() {
        all.push(Match::default());
    }
    Ok(all)
}

/// The matches of an A/B test: every entry of `analysis.match` with every one of `service.match`. Where both name a header, the analysis
/// decides; all other conditions hold together (RM-9).
///
/// An entry that cannot be said in full is refused: leaving out a condition would send users to the canary whom nobody chose (RM-2).
pub(super) fn tested(analysis: &[HttpMatch], served: &[Match]) -> Result<Vec<Match>, Refused> {
    let mut all = Vec::new();
    for (place, entry) in analysis.iter().enumerate() {
        let path = format!("analysis.match[{place}]");
        if !entry.source_labels.is_empty() {
            return Err(Refused::field(
                path + ".sourceLabels",
                "the Gateway API has no match on the caller's labels",
            ));
        }
        let headers = pairs(&entry.headers, &format!("{path}.headers"))?;
        let query = pairs(&entry.query_params, &format!("{path}.queryParams"))?;
        if headers.is_empty() && query.is_empty() {
            return Err(Refused::field(
                path,
                "it would match every request: name a header or a query parameter",
            ));
        }
        all.extend(served.iter().map(|base| base.narrowed(&headers, &query)));
    }
    Ok(all)
}

/// The same matches for requests whose cookies match this expression.
pub(super) fn with_cookie(matches: &[Match], regex: &str) -> Vec<Match> {
    let cookie = BTreeMap::from([(COOKIE.to_owned(), ("RegularExpression", regex.to_owned()))]);
    matches
        .iter()
        .map(|found| found.narrowed(&cookie, &BTreeMap::new()))
        .collect()
}

/// As the API server stores them.
pub(super) fn stored(matches: &[Match]) -> Vec<Value> {
    matches.iter().map(Match::stored).collect()
}

/// Headers or query parameters; a comparison that the Gateway API does not have is refused.
pub(super) fn pairs(given: &BTreeMap<String, StringMatch>, path: &str) -> Result<BTreeMap<String, Pair>, Refused> {
    let pair = |(name, text): (&String, &StringMatch)| Ok((name.clone(), pair(text, &format!("{path}.{name}"))?));
    given.iter().map(pair).collect()
}

/// Both together. Names are compared without regard to case, as gateways do; they would look at the first of two only.
pub(super) fn with_headers(base: &BTreeMap<String, Pair>, more: &BTreeMap<String, Pair>) -> BTreeMap<String, Pair> {
    let mut all = base.clone();
    all.retain(|name, _| !more.keys().any(|other| other.eq_ignore_ascii_case(name)));
    all.extend(more.clone());
    all
}

/// As the API server stores them.
pub(super) fn stored_pairs(pairs: &BTreeMap<String, Pair>) -> Value {
    pairs
        .iter()
        .map(|(name, (kind, value))| json!({"type": kind, "name": name, "value": value}))
        .collect()
}

/// Headers and query parameters can be compared whole or by expression, nothing else.
fn pair(text: &StringMatch, path: &str) -> Result<Pair, Refused> {
    if let Some(exact) = present(text.exact.as_ref()) {
        return Ok(("Exact", exact));
    }
    let regex = present(text.regex.as_ref()).map(|regex| ("RegularExpression", regex));
    regex.ok_or_else(|| Refused::field(path, "only exact and regex can be used with the Gateway API"))
}

fn path_pair(uri: &StringMatch, path: &str) -> Result<Pair, Refused> {
    let regex = present(uri.regex.as_ref()).map(|regex| ("RegularExpression", regex));
    let exact = || present(uri.exact.as_ref()).map(|exact| ("Exact", exact));
    let prefix = || present(uri.prefix.as_ref()).map(|prefix| ("PathPrefix", prefix));
    let found = regex.or_else(exact).or_else(prefix);
    found.ok_or_else(|| Refused::field(path, "it names no regex, exact or prefix"))
}

fn present(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

// === impl Match ===

impl Match {
    fn read(entry: &HttpMatch, path: &str) -> Result<Self, Refused> {
        let uri = entry.uri.as_ref();
        let method = entry.method.as_ref().map(|method| {
            let exact = present(method.exact.as_ref());
            exact.ok_or_else(|| Refused::field(format!("{path}.method"), "only exact can be used with the Gateway API"))
        });
        Ok(Self {
            path: uri.map(|uri| path_pair(uri, &format!("{path}.uri"))).transpose()?,
            method: method.transpose()?,
            headers: pairs(&entry.headers, &format!("{path}.headers"))?,
            query: pairs(&entry.query_params, &format!("{path}.queryParams"))?,
        })
    }

    /// The same with more conditions.
    fn narrowed(&self, headers: &BTreeMap<String, Pair>, query: &BTreeMap<String, Pair>) -> Self {
        let mut narrow = self.clone();
        narrow.headers = with_headers(&self.headers, headers);
        narrow.query.extend(query.clone());
        narrow
    }

    /// As the API server stores it: without a path of its own, each match gets the path `/` (RM-5).
    fn stored(&self) -> Value {
        let everything = ("PathPrefix", "/".to_owned());
        let (kind, value) = self.path.as_ref().unwrap_or(&everything);
        let mut stored = json!({"path": {"type": kind, "value": value}});
        if let Some(method) = &self.method {
            stored["method"] = json!(method);
        }
        for (key, pairs) in [("headers", &self.headers), ("queryParams", &self.query)] {
            if !pairs.is_empty() {
                stored[key] = stored_pairs(pairs);
            }
        }
        stored
    }
}
