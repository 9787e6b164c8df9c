//! Pod templates of primaries.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::{FLAGGER_ID, Projection, spread};
use crate::{
    configs,
    json::set,
    objects::{string_map, without_toolkit},
    revision::canonical,
};

/// What `kubectl rollout restart` writes.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

impl Projection<'_> {
    /// The target's pod template as the primary has it (workloads.md 6, 7, 12.5): own label value, own `flagger-id`, own configs,
    /// apart from its own kind; everything else verbatim.
    pub fn template(&self, target: &Value) -> Value {
        let mut template = target["spec"]["template"].clone();
        let mut labels = without_toolkit(&string_map(&template["metadata"]["labels"]));
        labels.insert(self.selector_key.to_owned(), self.primary_value());
        set(&mut template, &["metadata", "labels"], texts(labels));

        let mut annotations = without_toolkit(&string_map(&template["metadata"]["annotations"]));
        annotations.insert(FLAGGER_ID.to_owned(), self.flagger_id.clone());
        set(&mut template, &["metadata", "annotations"], texts(annotations));

        remove(&mut template, "/metadata", "creationTimestamp");
        configs::rewrite(&mut template, self.tracked);
        let primary_value = self.primary_value();
        spread::rename(&mut template, self.selector_key, |value| {
            (value == self.selector_value).then(|| primary_value.clone())
        });
        template
    }
}

/// The pod template of `workload` in a form for [`runs_same`](super::runs_same), judged against what is expected.
pub(super) fn comparable(workload: &Value, expected: &Value) -> Value {
    let mut template = configs::without_suffix(workload["spec"]["template"].clone());
    remove(&mut template, "/metadata/annotations", FLAGGER_ID);
    let restart = &expected["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT];
    if restart.is_null() {
        remove(&mut template, "/metadata/annotations", RESTARTED_AT);
    }
    spread::rename_all(&mut template, |value| value.strip_suffix("-primary").map(str::to_owned));
    canonical(&template)
}

fn remove(template: &mut Value, pointer: &str, key: &str) {
    if let Some(Value::Object(fields)) = template.pointer_mut(pointer) {
        fields.remove(key);
    }
}

fn texts(map: BTreeMap<String, String>) -> Value {
    let entries: Map<String, Value> = map.into_iter().map(|(key, text)| (key, Value::String(text))).collect();
    Value::Object(entries)
}
