//! What all providers' answers have in common, so that each kind of nonsense means the same everywhere:
//!
//! | in the answer | it is |
//! |---|---|
//! | a status from 300 on, a broken body, an error inside a 200 | a provider error |
//! | no series, no point, `null`, NaN, an infinite value | no data |
//! | a text or an object where a number belongs, a histogram | a provider error |
//! | several points of one series, in any order | the newest that was measured |

use serde_json::Value;

use super::{Reading, texts::NO_VALUES};
use crate::http::{self, Response};

/// A measurement, or `None` for a gap; the error says what stands in its place.
pub(super) type Measured = Result<Option<f64>, String>;

/// The JSON of a good answer.
pub(super) fn json(response: &Response) -> Result<Value, Reading> {
    refused(response)?;
    serde_json::from_str(&response.body)
        .map_err(|_| Reading::Failed(format!("the answer is no JSON: {}", http::excerpt(&response.body))))
}

/// A bad status is a provider error, with the beginning of the body (AN-40).
pub(super) fn refused(response: &Response) -> Result<(), Reading> {
    if response.status < 300 {
        return Ok(());
    }
    Err(Reading::Failed(refusal(response, &response.body)))
}

/// The text of a bad status.
pub(super) fn refusal(response: &Response, cause: &str) -> String {
    let status = http::status_text(response.status);
    format!("error response: Status {status}: {}", http::excerpt(cause))
}

/// Whether the status says that all is well.
pub(super) fn online(response: &Response) -> Result<(), String> {
    match refused(response) {
        Ok(()) | Err(Reading::Value(_)) => Ok(()),
        Err(Reading::Failed(cause) | Reading::NoData(cause)) => Err(cause),
    }
}

/// No series, or none with a point.
pub(super) fn nothing() -> Reading {
    Reading::NoData(NO_VALUES.to_owned())
}

/// A number in JSON. The texts are how JSON writers spell what JSON cannot say; other texts are nonsense.
pub(super) fn measured(value: &Value) -> Measured {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64().filter(|number| number.is_finite())),
        Value::String(text) if is_gap(text) => Ok(None),
        Value::String(text) => Err(format!("{:?} is no number", http::excerpt(text))),
        Value::Bool(_) => Err("a boolean is no number".to_owned()),
        Value::Array(_) => Err("a list is no number".to_owned()),
        Value::Object(_) => Err("an object is no number".to_owned()),
    }
}

/// A number as text, where the vendor sends numbers so.
pub(super) fn numeral(text: &str) -> Measured {
    let text = text.trim();
    if text.is_empty() || is_gap(text) {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(value) => Ok(Some(value).filter(|value| value.is_finite())),
        Err(_) => Err(format!("{:?} is no number", http::excerpt(text))),
    }
}

/// The newest measured point: `(time, measurement)` in any order and any unit of time; of two at one time the later one in the list.
pub(super) fn newest(points: impl IntoIterator<Item = (f64, Measured)>) -> Reading {
    let mut found: Option<(f64, f64)> = None;
    for (at, measured) in points {
        let value = match measured {
            Err(cause) => return Reading::Failed(cause),
            Ok(None) => continue,
            Ok(Some(value)) => value,
        };
        if found.is_none_or(|(known, _)| at >= known) {
            found = Some((at, value));
        }
    }
    found.map_or_else(nothing, |(_, value)| Reading::Value(value))
}

/// One measurement.
pub(super) fn single(measured: Measured) -> Reading {
    newest([(0.0, measured)])
}

/// Place in a list as time, for lists without times: the last is the newest.
pub(super) fn place(index: usize) -> f64 {
    index as f64
}

fn is_gap(text: &str) -> bool {
    let word = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    matches!(word.as_str(), "nan" | "inf" | "infinity" | "null" | "none")
}

#[cfg(test)]
mod tests;
