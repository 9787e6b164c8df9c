//! When two states are the same.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{TICK_SECS, moves::Answers};
use crate::{model::Model, objects::kinds};
use jiff::Timestamp;

/// Ages from this many ticks on are alike: they are beyond interval and deadline.
const AGE_TICKS_MAX: i64 = 3;
/// Fields that do not make a state another one.
const TOLD_APART_OTHERWISE: [&str; 4] = ["resourceVersion", "generation", "observedGeneration", "message"];

/// What a state is: objects without versions, times as ages in ticks, and what answers.
pub(super) fn fingerprint(model: &Model, answers: Answers) -> u64 {
    let mut hasher = DefaultHasher::new();
    answers.hash(&mut hasher);
    hash_age(model.last_check, model.now, &mut hasher);
    for (at, object) in model.objects() {
        at.name.hash(&mut hasher);
        at.kind.kind.hash(&mut hasher);
        let generation = &object["metadata"]["generation"];
        ([kinds::DEPLOYMENT, kinds::DAEMON_SET].contains(&at.kind)
            && object["status"]["observedGeneration"] == *generation)
            .hash(&mut hasher);
        hash_value(object, model.now, &mut hasher);
    }
    hasher.finish()
}

fn hash_value(value: &Value, now: Timestamp, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(fields) => {
            // Of all conditions, only the age of a Deployment's missing availability decides anything.
            let is_timeless = fields.contains_key("reason") && fields.get("status") != Some(&"False".into());
            for (key, value) in fields {
                let is_time = key.starts_with("last") && (is_timeless || fields.contains_key("message"));
                if is_time || TOLD_APART_OTHERWISE.contains(&key.as_str()) {
                    continue;
                }
                key.hash(hasher);
                match value.as_str().filter(|_| key.starts_with("last")).map(str::parse) {
                    Some(Ok(time)) => hash_age(Some(time), now, hasher),
                    _ => hash_value(value, now, hasher),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| hash_value(value, now, hasher)),
        Value::String(text) => text.hash(hasher),
        other => other.to_string().hash(hasher),
    }
}

fn hash_age(time: Option<Timestamp>, now: Timestamp, hasher: &mut DefaultHasher) {
    let ticks = time.map(|time| (now.duration_since(time).as_secs() / TICK_SECS).min(AGE_TICKS_MAX));
    ticks.hash(hasher);
}
