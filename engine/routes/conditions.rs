//! What controllers say about an object in its status.

use serde_json::Value;

/// Why the controller does not take the object as it is written: its condition `kind` is not true, or speaks of an older generation. `None`
/// where it says nothing; a condition without `observedGeneration` counts as current.
pub(super) fn objection(object: &Value, kind: &str) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    let seen = condition["observedGeneration"].as_i64().unwrap_or(generation);
    if seen < generation {
        return Some(format!("it has seen generation {seen} of {generation}"));
    }
    if condition["status"] == "True" {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let detail = text(&condition["errors"][0]["message"]);
    let message = text(&condition["message"]);
    let detail = if detail.is_empty() {
        message
    } else {
        format!("{message}: {detail}")
    };
    Some(format!("{}: {detail}", text(&condition["reason"])))
}
