//! Request matches as lists of conditions, all of which must hold. Each list has its path once: a second one would make the proxy invalid
//! (RI-11).

use crds::service::{HttpMatch, StringMatch};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::routes::{Refused, affinity::escaped};

/// The conditions of `service.match`, one list for each entry; without any, every path matches. Only paths, headers and query parameters are
/// known to Contour, the rest is left out as with the peer.
pub(super) fn served(given: &[HttpMatch]) -> Result<Vec<Vec<Value>>, Refused> {
    let mut all: Vec<Vec<Value>> = Vec::new();
    for (place, entry) in given.iter().enumerate() {
        let field = format!("service.match[{place}]");
        let mut conditions = vec![path(entry.uri.as_ref())];
        conditions.extend(named(&entry.headers, "header", &format!("{field}.headers"))?);
        conditions.extend(named(
            &entry.query_params,
            "queryParameter",
            &format!("{field}.queryParams"),
        )?);
        // Of two equal routes Contour keeps one.
        if !all.contains(&conditions) {
            all.push(conditions);
        }
    }
    if all.is_empty() {
        all.push(vec![path(None)]);
    }
    Ok(all)
}

/// The conditions of an A/B test: every entry of `analysis.match` with every one of `service.match`, so that entries are alternatives. Where
/// both name a header, the analysis decides.
pub(super) fn tested(given: &[HttpMatch], served: &[Vec<Value>]) -> Result<Vec<Vec<Value>>, Refused> {
    let mut all = Vec::new();
    for (place, entry) in given.iter().enumerate() {
        let field = format!("analysis.match[{place}]");
        if !entry.source_labels.is_empty() {
            return Err(Refused::field(field, "Contour cannot tell the caller's labels"));
        }
        let mut chosen = named(&entry.headers, "header", &format!("{field}.headers"))?;
        chosen.extend(named(
            &entry.query_params,
            "queryParameter",
            &format!("{field}.queryParams"),
        )?);
        if chosen.is_empty() {
            let why = "it would match every request: name a header or a query parameter";
            return Err(Refused::field(field, why));
        }
        for base in served {
            let others = base
                .iter()
                .filter(|condition| !chosen.iter().any(|by| is_same(by, condition)));
            all.push(others.chain(&chosen).cloned().collect());
        }
    }
    Ok(all)
}

fn is_same(one: &Value, other: &Value) -> bool {
    let name = |condition: &Value, field: &str| condition[field]["name"].as_str().map(str::to_ascii_lowercase);
    let is_same = |field| name(one, field).is_some() && name(one, field) == name(other, field);
    is_same("header") || is_same("queryParameter")
}

fn path(uri: Option<&StringMatch>) -> Value {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let Some(uri) = uri else { return json!({"prefix": "/"}) };
    let (prefix, exact, regex) = (given(&uri.prefix), given(&uri.exact), given(&uri.regex));
    match (prefix, exact, regex) {
        (Some(prefix), _, _) => json!({"prefix": prefix}),
        (_, Some(exact), _) => json!({"exact": exact}),
        (_, _, Some(regex)) => json!({"regex": regex}),
        _ => json!({"prefix": "/"}),
    }
}

/// Expressions match the whole text, so prefixes and suffixes are anchored by themselves (RI-12).
fn named(given: &BTreeMap<String, StringMatch>, field: &str, path: &str) -> Result<Vec<Value>, Refused> {
    let condition = |(name, text): (&String, &StringMatch)| {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let prefix = || said(&text.prefix).map(|prefix| format!("{}.*", escaped(&prefix)));
        let suffix = || said(&text.suffix).map(|suffix| format!(".*{}", escaped(&suffix)));
        let regex = || said(&text.regex).or_else(prefix).or_else(suffix);
        let exact = said(&text.exact).map(|exact| ("exact", exact));
        let Some((how, text)) = exact.or_else(|| Some(("regex", regex()?))) else {
            let why = "it names no exact, prefix, suffix or regex";
            return Err(Refused::field(format!("{path}.{name}"), why));
        };
        Ok(json!({field: {"name": name, how: text}}))
    };
    given.iter().map(condition).collect()
}
