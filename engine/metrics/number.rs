//! Numbers as the peer prints them: log parsers and alert rules match on these forms (analysis.md 2.6).

/// A float in the shortest form that reads back the same: `99`, `0.5`, `1e+06`. Below 1e-04 and from 1e+06 on it has an exponent.
pub fn shortest(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return value.to_string();
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// Milliseconds as a Go duration: `500ms`, `1.515s`, `1m0s`, `0s`.
pub fn duration(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let total = milliseconds.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < 1000 {
        return format!("{sign}{total}ms");
    }
    let (hours, minutes, rest) = (total / 3_600_000, total / 60_000 % 60, total % 60_000);
    let seconds = match rest % 1000 {
        0 => format!("{}", rest / 1000),
        fraction => format!("{}.{:03}", rest / 1000, fraction)
            .trim_end_matches('0')
            .to_owned(),
    };
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests;
