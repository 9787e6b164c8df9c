use super::{Cause, Origin, check, fill, prune};
use serde_json::{Value, json};

fn schema() -> Value {
    json!({
        "type": "object", "required": ["spec"],
        "properties": {"spec": {
            "type": "object", "required": ["count"],
            "properties": {
                "count": {"type": "integer", "minimum": 1, "maximum": 5},
                "unit": {"type": "string", "enum": ["s", "m"], "default": "s"},
                "name": {"type": "string", "minLength": 2, "maxLength": 3},
                "port": {"x-kubernetes-int-or-string": true},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "steps": {"type": "array", "minItems": 1, "maxItems": 2, "items": {
                    "type": "object", "properties": {"seconds": {"type": "integer", "default": 5}},
                }},
            },
        }},
    })
}

fn checked(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(&schema(), object, "", &mut causes);
    causes
}

#[test]
fn broken_rules_are_told_as_the_api_server_tells_them() {
    let cases = [
        (json!({}), "spec: Required value"),
        (json!({"spec": {}}), "spec.count: Required value"),
        (
            json!({"spec": {"count": "x"}}),
            "spec.count: Invalid value: \"string\": spec.count in body must be of type integer: \"string\"",
        ),
        (
            json!({"spec": {"count": 0}}),
            "spec.count: Invalid value: 0: spec.count in body should be greater than or equal to 1",
        ),
        (
            json!({"spec": {"count": 6}}),
            "spec.count: Invalid value: 6: spec.count in body should be less than or equal to 5",
        ),
        (
            json!({"spec": {"count": 1, "unit": "h"}}),
            "spec.unit: Unsupported value: \"h\": supported values: \"s\", \"m\"",
        ),
        (
            json!({"spec": {"count": 1, "name": "a"}}),
            "spec.name: Invalid value: \"a\": spec.name in body should be at least 2 chars long",
        ),
        (
            json!({"spec": {"count": 1, "steps": [{"seconds": "x"}]}}),
            "spec.steps[0].seconds: Invalid value: \"string\": spec.steps[0].seconds in body must be of type integer: \"string\"",
        ),
        (
            json!({"spec": {"count": 1, "labels": {"a": 1}}}),
            "spec.labels.a: Invalid value: \"integer\": spec.labels.a in body must be of type string: \"integer\"",
        ),
        (
            json!({"spec": {"count": 1, "steps": []}}),
            "spec.steps: Invalid value: 0: spec.steps in body should have at least 1 items",
        ),
    ];
    for (object, wanted) in cases {
        let told: Vec<String> = checked(&object)
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.why))
            .collect();
        assert_eq!(told, [wanted], "{object}");
    }
    let good = json!({"spec": {"count": 5, "unit": "m", "port": "http", "free": {"a": [1]}, "labels": {"a": "b"}}});
    assert_eq!(checked(&good), []);
}

#[test]
fn unknown_fields_go_and_defaults_come() {
    let mut object = json!({
        "apiVersion": "v1", "kind": "K", "metadata": {"name": "a"}, "extra": 1,
        "spec": {"count": 1, "other": {"a": 1}, "free": {"any": {"thing": 1}}, "steps": [{"more": 1}], "labels": {"x": "y"}},
    });
    let mut unknown = Vec::new();
    prune(&schema(), Origin::Custom, &mut object, &mut unknown);
    unknown.sort();
    assert_eq!(unknown, ["extra", "spec.other", "spec.steps[0].more"]);
    fill(&schema(), &mut object);
    let wanted = json!({
        "apiVersion": "v1", "kind": "K", "metadata": {"name": "a"},
        "spec": {
            "count": 1, "unit": "s", "free": {"any": {"thing": 1}}, "steps": [{"seconds": 5}], "labels": {"x": "y"},
        },
    });
    assert_eq!(object, wanted);
}
