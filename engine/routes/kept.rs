//! What others added to our rules stays with the rule that it was added to, also when rules come and go in front of it.

use serde_json::Value;

/// What a provider's rules look like.
pub(super) struct Shape<'a> {
    /// Fields that are written here; all others of the same rule are kept.
    pub(super) fields: &'a [&'a str],
    /// Whether a rule shares traffic between our two Services.
    pub(super) is_weighted: &'a dyn Fn(&Value) -> bool,
    /// Whether a rule leads to our primary.
    pub(super) is_ours: &'a dyn Fn(&Value) -> bool,
}

/// `rules` with foreign fields of their live counterparts: the weighted rule's is the weighted one, and the others follow from their
/// distance to it. A rule that is new in front of it takes over what the weighted one has, or its requests would miss a user's `retry`.
/// Rules that an adopted route had before leave nothing behind (RM-18).
pub(super) fn keeping_unknown(mut rules: Vec<Value>, live: &Value, shape: &Shape<'_>) -> Vec<Value> {
    let live = live.as_array().map_or(&[][..], Vec::as_slice);
    let weighted = |rules: &[Value]| rules.iter().rposition(|rule| (shape.is_weighted)(rule));
    let (Some(at), before) = (weighted(&rules), weighted(live)) else {
        return rules;
    };
    for (place, rule) in rules.iter_mut().enumerate() {
        let counterpart = before
            .and_then(|before| (before + place).checked_sub(at))
            .and_then(|place| live.get(place));
        let counterpart = counterpart.filter(|rule| (shape.is_ours)(rule));
        let (source, is_new) = match (counterpart, before) {
            (Some(rule), _) => (Some(rule), false),
            (None, Some(before)) if place < at => (live.get(before), true),
            _ => (None, false),
        };
        for (key, value) in source.and_then(Value::as_object).into_iter().flatten() {
            // Names of rules are unique.
            let is_left = shape.fields.contains(&key.as_str()) || is_new && key == "name";
            if !is_left {
                rule[key] = value.clone();
            }
        }
    }
    rules
}
