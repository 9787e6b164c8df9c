//! Kubernetes quantities: `2500m`, `1.5Gi`, `12e6`.

/// Decimal suffixes with their powers of ten.
const DECIMAL: [(&str, i32); 9] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
/// Binary suffixes with their powers of 1024.
const BINARY: [(&str, i32); 6] = [("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];

/// The number that a quantity stands for; `None` for what is none.
pub fn parse(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | '.'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    if !number.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    let factor = factor(suffix)?;
    Some(number * factor).filter(|value| value.is_finite())
}

fn factor(suffix: &str) -> Option<f64> {
    if suffix.is_empty() {
        return Some(1.0);
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(known, _)| *known == suffix) {
        return Some(10_f64.powi(*power));
    }
    if let Some((_, power)) = BINARY.iter().find(|(known, _)| *known == suffix) {
        return Some(1024_f64.powi(*power));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    Some(10_f64.powi(exponent))
}

#[cfg(test)]
mod tests;
