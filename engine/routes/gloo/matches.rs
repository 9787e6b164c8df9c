//! Whom an A/B test chooses. Matchers are alternatives; what one of them says must all hold.

use crds::service::{HttpMatch, StringMatch};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::routes::{Refused, affinity::escaped};

/// One matcher for each entry.
pub(super) fn tested(given: &[HttpMatch]) -> Result<Vec<Value>, Refused> {
    let mut all = Vec::new();
    for (place, entry) in given.iter().enumerate() {
        let path = format!("analysis.match[{place}]");
        if !entry.source_labels.is_empty() {
            return Err(Refused::field(path, "Gloo cannot tell the caller's labels"));
        }
        let headers = texts(&entry.headers, &format!("{path}.headers"))?;
        let query = texts(&entry.query_params, &format!("{path}.queryParams"))?;
        if headers.is_empty() && query.is_empty() {
            let why = "it would match every request: name a header or a query parameter";
            return Err(Refused::field(path, why));
        }
        let mut matcher = json!({});
        for (field, texts) in [("headers", headers), ("queryParameters", query)] {
            if !texts.is_empty() {
                matcher[field] = json!(texts);
            }
        }
        all.push(matcher);
    }
    Ok(all)
}

/// Expressions match the whole text.
fn texts(given: &BTreeMap<String, StringMatch>, path: &str) -> Result<Vec<Value>, Refused> {
    let text = |(name, text): (&String, &StringMatch)| {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(exact) = said(&text.exact) {
            return Ok(json!({"name": name, "value": exact}));
        }
        let prefix = || said(&text.prefix).map(|prefix| format!("{}.*", escaped(&prefix)));
        let suffix = || said(&text.suffix).map(|suffix| format!(".*{}", escaped(&suffix)));
        let regex = said(&text.regex).or_else(prefix).or_else(suffix);
        let why = "it names no exact, prefix, suffix or regex";
        let regex = regex.ok_or_else(|| Refused::field(format!("{path}.{name}"), why))?;
        Ok(json!({"name": name, "value": regex, "regex": true}))
    };
    given.iter().map(text).collect()
}
