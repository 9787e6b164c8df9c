//! Skipper's predicates: a list joined by `&&`, all of which must hold.

use crds::service::{HttpMatch, StringMatch};

use crate::routes::{Refused, affinity::escaped};

/// Gives the copy's routes more weight than the original's.
const ON: &str = "Weight(100)";
/// Matches nothing.
const OFF: &str = "False()";
const AND: &str = "&&";

/// The user's predicates behind ours and the chosen requests'.
pub(super) fn on(given: &str, chosen: &[String]) -> String {
    let ours = std::iter::once(ON).chain(chosen.iter().map(String::as_str));
    let known: Vec<&str> = ours.clone().collect();
    let others = parts(given).into_iter().filter(|part| !known.contains(part));
    joined(ours.chain(others.filter(|part| *part != OFF)))
}

/// The user's predicates, and that nothing matches.
pub(super) fn off(given: &str) -> String {
    let others = parts(given).into_iter().filter(|part| *part != ON && *part != OFF);
    joined(std::iter::once(OFF).chain(others))
}

pub(super) fn is_off(given: &str) -> bool {
    parts(given).contains(&OFF)
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(" && ")
}

/// The single predicates. What looks like a separator inside of a text or an expression is none.
fn parts(given: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut inside, mut is_escaped) = (0, None, false);
    for (at, letter) in given.char_indices() {
        match inside {
            _ if is_escaped => is_escaped = false,
            Some(_) if letter == '\\' => is_escaped = true,
            Some(quote) if letter == quote => inside = None,
            None if ['"', '/', '`'].contains(&letter) => inside = Some(letter),
            None if at >= from && given[at..].starts_with(AND) => {
                parts.push(&given[from..at]);
                from = at + AND.len();
            }
            _ => {}
        }
    }
    parts.push(&given[from.min(given.len())..]);
    let trimmed = parts.into_iter().map(str::trim);
    trimmed.filter(|part| !part.is_empty()).collect()
}

/// The predicates of an A/B test. All of an Ingress' predicates hold together, so there can be one entry only; in it any number of headers and
/// query parameters.
pub(super) fn chosen(given: &[HttpMatch]) -> Result<Vec<String>, Refused> {
    let path = "analysis.match";
    let entry = match given {
        [] => return Ok(Vec::new()),
        [entry] => entry,
        [..] => {
            return Err(Refused::field(
                path,
                "Skipper knows no alternatives: write one entry, if need be with a regex",
            ));
        }
    };
    let path = format!("{path}[0]");
    if !entry.source_labels.is_empty() {
        return Err(Refused::field(path, "Skipper cannot tell the caller's labels"));
    }
    let mut predicates = Vec::new();
    for (name, text) in &entry.headers {
        predicates.push(match (&text.exact, expression(text)) {
            (Some(exact), _) if !exact.is_empty() => format!("Header({}, {})", quoted(name), quoted(exact)),
            (_, Some(regex)) => format!("HeaderRegexp({}, {})", quoted(name), quoted(&regex)),
            _ => return Err(says_nothing(&format!("{path}.headers.{name}"))),
        });
    }
    for (name, text) in &entry.query_params {
        let exact = text.exact.as_ref().filter(|exact| !exact.is_empty());
        let exact = exact.map(|exact| format!("^{}$", escaped(exact)));
        let Some(regex) = exact.or_else(|| expression(text)) else {
            return Err(says_nothing(&format!("{path}.queryParams.{name}")));
        };
        predicates.push(format!("QueryParam({}, {})", quoted(name), quoted(&regex)));
    }
    if predicates.is_empty() {
        let why = "it would match every request: name a header or a query parameter";
        return Err(Refused::field(path, why));
    }
    Ok(predicates)
}

fn says_nothing(path: &str) -> Refused {
    Refused::field(path, "it names no exact, prefix, suffix or regex")
}

fn expression(text: &StringMatch) -> Option<String> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let prefix = || given(&text.prefix).map(|prefix| format!("^{}", escaped(&prefix)));
    let suffix = || given(&text.suffix).map(|suffix| format!("{}$", escaped(&suffix)));
    given(&text.regex).or_else(prefix).or_else(suffix)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
