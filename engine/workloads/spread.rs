//! The selectors by which pods keep apart from their own kind: pod anti-affinity and topology spread (workloads.md 7).
//!
//! A primary keeps apart from primaries, so the selector label's value is replaced in there. Deliberate differences (WL-14): the
//! value is compared with the selector label's value, not with the object's name (the same where both agree, and the only
//! sensible thing where they do not), all values of an expression are, not only the first equal one, and only that label counts,
//! because no other label of the primary's pods gets a suffix.
//! `podAffinity` stays: who wants to be near the canary's neighbours still does.

use serde_json::Value;

/// Replace values of the label `key` by what `renamed` gives for them.
pub(super) fn rename(pod_template: &mut Value, key: &str, renamed: impl Fn(&str) -> Option<String>) {
    each_selector(pod_template, |selector| {
        rename_in(selector, |label| label == key, &renamed);
    });
}

/// As [`rename`], for all labels.
pub(super) fn rename_all(pod_template: &mut Value, renamed: impl Fn(&str) -> Option<String>) {
    each_selector(pod_template, |selector| {
        rename_in(selector, |_| true, &renamed);
    });
}

fn each_selector(pod_template: &mut Value, act: impl Fn(&mut Value)) {
    let Some(spec) = pod_template.get_mut("spec") else {
        return;
    };
    let lists = [
        (
            "/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution",
            "/labelSelector",
        ),
        (
            "/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution",
            "/podAffinityTerm/labelSelector",
        ),
        ("/topologySpreadConstraints", "/labelSelector"),
    ];
    for (list, selector) in lists {
        let terms = spec.pointer_mut(list).and_then(Value::as_array_mut);
        for term in terms.into_iter().flatten() {
            term.pointer_mut(selector).into_iter().for_each(&act);
        }
    }
}

fn rename_in(selector: &mut Value, counts: impl Fn(&str) -> bool, renamed: &impl Fn(&str) -> Option<String>) {
    let labels = selector.get_mut("matchLabels").and_then(Value::as_object_mut);
    for (_, value) in labels.into_iter().flatten().filter(|(label, _)| counts(label)) {
        replace(value, renamed);
    }
    let expressions = selector.get_mut("matchExpressions").and_then(Value::as_array_mut);
    for expression in expressions.into_iter().flatten() {
        if !expression["key"].as_str().is_some_and(&counts) {
            continue;
        }
        let values = expression.get_mut("values").and_then(Value::as_array_mut);
        values.into_iter().flatten().for_each(|value| replace(value, renamed));
    }
}

fn replace(value: &mut Value, renamed: &impl Fn(&str) -> Option<String>) {
    if let Some(name) = value.as_str().and_then(renamed) {
        *value = Value::String(name);
    }
}
