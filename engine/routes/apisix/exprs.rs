//! Whom an A/B test chooses, as APISIX' expressions, all of which must hold.

use crds::service::{HttpMatch, StringMatch};
use serde_json::{Value, json};

use crate::routes::{Refused, affinity::escaped};

/// The expressions of each entry; entries are alternatives.
pub(super) fn chosen(given: &[HttpMatch]) -> Result<Vec<Vec<Value>>, Refused> {
    let mut all = Vec::new();
    for (place, entry) in given.iter().enumerate() {
        let path = format!("analysis.match[{place}]");
        if !entry.source_labels.is_empty() {
            return Err(Refused::field(path, "APISIX cannot tell the caller's labels"));
        }
        let headers = entry
            .headers
            .iter()
            .map(|(name, text)| ("Header", "headers", name, text));
        let query = entry
            .query_params
            .iter()
            .map(|(name, text)| ("Query", "queryParams", name, text));
        let exprs = headers
            .chain(query)
            .map(|(scope, field, name, text)| {
                let said = said(text);
                let why = "it names no exact, prefix, suffix or regex";
                let (op, value) = said.ok_or_else(|| Refused::field(format!("{path}.{field}.{name}"), why))?;
                // One of `value` and `set` may be there, so the other is left out altogether (RI-20).
                Ok(json!({"subject": {"scope": scope, "name": name}, "op": op, "value": value}))
            })
            .collect::<Result<Vec<Value>, Refused>>()?;
        if exprs.is_empty() {
            let why = "it would match every request: name a header or a query parameter";
            return Err(Refused::field(path, why));
        }
        all.push(exprs);
    }
    Ok(all)
}

fn said(text: &StringMatch) -> Option<(&'static str, String)> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(exact) = given(&text.exact) {
        return Some(("Equal", exact));
    }
    let prefix = given(&text.prefix).map(|prefix| format!("^{}", escaped(&prefix)));
    let suffix = given(&text.suffix).map(|suffix| format!("{}$", escaped(&suffix)));
    let regex = given(&text.regex).or(prefix).or(suffix);
    regex.map(|regex| ("RegexMatch", regex))
}
