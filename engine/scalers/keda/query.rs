//! Queries of the target's triggers, asked for the primary instead (workloads.md 14.2, WL-13).
//!
//! The peer replaces every piece of text that looks like the target, so `webhook_total{app="web"}` asks for `web-primaryhook_total`. Here
//! only whole names count, and in PromQL only those inside of quotes: outside of them stand metrics, labels and functions.

/// The query with `<target>` and `<target>-canary` replaced by `<target>-primary`. `quoted`: only inside of quotes.
pub(super) fn for_primary(query: &str, target: &str, quoted: bool) -> String {
    let mut found = String::with_capacity(query.len());
    let (mut rest, mut before, mut quote) = (query, None, None);
    while let Some(c) = rest.chars().next() {
        let begins = !before.is_some_and(is_of_name) && (quote.is_some() || !quoted) && !target.is_empty();
        let named = rest.strip_prefix(target).filter(|_| begins);
        if let Some(after) = named.and_then(behind_name) {
            found.push_str(target);
            found.push_str("-primary");
            // The end of a name, so that nothing begins right behind it.
            (rest, before) = (after, Some('y'));
            continue;
        }
        quote = match (quote, c) {
            (None, '"' | '\'' | '`') => Some(c),
            (Some(open), _) if open == c && before != Some('\\') => None,
            _ => quote,
        };
        found.push(c);
        (rest, before) = (rest.get(c.len_utf8()..).unwrap_or_default(), Some(c));
    }
    found
}

/// What follows the target's name or its `-canary`; `None` where more letters make it the name of something else, such as `web-db`, or of the
/// primary already. `web-.*` and `web-[a-z]+` are patterns for the target's pods.
fn behind_name(after: &str) -> Option<&str> {
    let ends = |text: &str| !text.starts_with(is_of_name) || is_pattern(text);
    let of_canary = after.strip_prefix("-canary").filter(|rest| ends(rest));
    of_canary.or(Some(after).filter(|after| ends(after)))
}

/// A dash, and then no name.
fn is_pattern(after: &str) -> bool {
    after
        .strip_prefix('-')
        .is_some_and(|rest| !rest.starts_with(is_of_name))
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
