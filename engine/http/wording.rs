//! How answers read in Events and logs.

/// Longest part of an answer that is shown to people, in characters. An Event holds 1024 bytes: 256 characters of at most 3 bytes
/// leave a quarter of it for the sentence around (W-52).
pub const EXCERPT_CHARS_MAX: usize = 256;

/// The beginning of a text that came from outside, fit for an Event: trimmed, without control characters, at most
/// [`EXCERPT_CHARS_MAX`] characters.
pub fn excerpt(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let text = text.trim();
    let mut short: String = text.chars().take(EXCERPT_CHARS_MAX).map(clean).collect();
    if text.chars().nth(EXCERPT_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

/// A status as people read it: `500 Internal Server Error`, or the number alone for rare ones.
pub fn status_text(status: u16) -> String {
    let reason = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Content Too Large",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return status.to_string(),
    };
    format!("{status} {reason}")
}
