use super::{Author, after_update, merged};
use crate::sandbox::{failure::Failure, kinds::Resource, kinds::standard};
use serde_json::{Value, json};

const NOW: &str = "2026-01-01T00:00:00Z";

fn kind(plural: &str) -> Resource {
    standard().into_iter().find(|kind| kind.plural == plural).unwrap()
}

fn by(manager: &str) -> Author<'_> {
    Author {
        manager,
        subresource: "",
        time: NOW,
    }
}

fn config(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

/// Apply to what is there.
fn apply(live: &Value, data: &Value, manager: &str, force: bool) -> Result<Value, Failure> {
    merged(&kind("configmaps"), live, &config(data), by(manager), force)
}

/// Who owns which field of data.
fn owners(object: &Value) -> Vec<(String, Vec<String>)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let owner = |entry: &Value| {
        let fields = entry["fieldsV1"]["f:data"].as_object();
        let fields = fields.into_iter().flatten().map(|(field, _)| field.clone()).collect();
        (entry["manager"].as_str().unwrap().to_owned(), fields)
    };
    entries.iter().map(owner).collect()
}

fn one(manager: &str, fields: &[&str]) -> (String, Vec<String>) {
    (
        manager.to_owned(),
        fields.iter().map(|field| (*field).to_owned()).collect(),
    )
}

#[test]
fn fields_belong_to_who_applied_them() {
    let made = apply(&Value::Null, &json!({"x": "1", "y": "1"}), "a", false).unwrap();
    assert_eq!(owners(&made), [one("a", &["f:x", "f:y"])]);

    let refused = apply(&made, &json!({"x": "2"}), "b", false).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 1 conflict: conflict with \"a\": .data.x"
    );
    assert_eq!(
        (
            refused.code(),
            refused.status()["details"]["causes"][0]["field"].clone()
        ),
        (409, json!(".data.x"))
    );

    let shared = apply(&made, &json!({"x": "1"}), "b", false).unwrap();
    assert_eq!(owners(&shared), [one("a", &["f:x", "f:y"]), one("b", &["f:x"])]);

    let taken = apply(&made, &json!({"x": "2"}), "b", true).unwrap();
    assert_eq!(taken["data"], json!({"x": "2", "y": "1"}));
    assert_eq!(owners(&taken), [one("a", &["f:y"]), one("b", &["f:x"])]);
}

#[test]
fn what_is_no_longer_applied_goes_unless_somebody_else_has_it() {
    let made = apply(&Value::Null, &json!({"x": "1", "y": "1"}), "a", false).unwrap();
    let shared = apply(&made, &json!({"y": "1"}), "b", false).unwrap();
    let left = apply(&shared, &json!({}), "a", false).unwrap();
    assert_eq!(left["data"], json!({"y": "1"}));
    assert_eq!(owners(&left).last(), Some(&one("b", &["f:y"])));
    let none = apply(&left, &json!({}), "b", false).unwrap();
    assert!(none.get("data").is_none_or(|data| *data == json!({})), "{none}");
}

#[test]
fn the_same_again_changes_nothing() {
    let made = apply(&Value::Null, &json!({"x": "1"}), "a", false).unwrap();
    let later = Author {
        time: "2027-01-01T00:00:00Z",
        ..by("a")
    };
    let again = merged(&kind("configmaps"), &made, &config(&json!({"x": "1"})), later, false).unwrap();
    assert_eq!(again, made);
}

#[test]
fn updates_take_fields_from_their_owners() {
    let kind = kind("configmaps");
    let made = apply(&Value::Null, &json!({"x": "1", "y": "1"}), "a", false).unwrap();
    let mut changed = made.clone();
    changed["data"] = json!({"x": "2"});
    let entries = made["metadata"]["managedFields"].as_array().unwrap();
    let entries = after_update(&kind, &made, &changed, entries, by("editor"));
    changed["metadata"]["managedFields"] = json!(entries);
    // Nobody owns the removed field; the new owner of the changed one is told of in the conflict.
    assert_eq!(owners(&changed), [one("editor", &["f:x"])]);
    let refused = apply(&changed, &json!({"x": "1", "y": "1"}), "a", false).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 1 conflict: conflict with \"editor\" using v1: .data.x"
    );
}

#[test]
fn what_nobody_tracked_belongs_to_one_who_was_there_before() {
    let refused = apply(
        &config(&json!({"x": "1", "y": "1"})),
        &json!({"x": "2", "y": "2"}),
        "a",
        false,
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"before-first-apply\" using v1:\n- .data.x\n- .data.y"
    );
}

#[test]
fn items_of_keyed_lists_are_owned_one_by_one() {
    let kind = kind("deployments");
    let deployment = |containers: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"template": {"spec": {"containers": containers}}},
        })
    };
    let containers = |object: &Value| object["spec"]["template"]["spec"]["containers"].clone();
    let app = json!({"name": "app", "image": "app:1", "ports": [{"containerPort": 80}]});
    let side = json!({"name": "side", "image": "side:1"});
    let made = merged(&kind, &Value::Null, &deployment(json!([app])), by("a"), false).unwrap();
    let both = merged(&kind, &made, &deployment(json!([side])), by("b"), false).unwrap();
    assert_eq!(containers(&both), json!([app, side]));
    let named = json!([{"name": "side", "image": "side:2"}]);
    let refused = merged(&kind, &both, &deployment(named), by("a"), false).unwrap_err();
    let wanted = "Apply failed with 1 conflict: conflict with \"b\": \
                  .spec.template.spec.containers[name=\"side\"].image";
    assert_eq!(refused.to_string(), wanted);
    let gone = merged(&kind, &both, &deployment(json!([])), by("b"), false).unwrap();
    assert_eq!(containers(&gone), json!([app]));
    let key = "k:{\"containerPort\":80,\"protocol\":\"TCP\"}";
    let fields = &made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"];
    assert!(fields["k:{\"name\":\"app\"}"]["f:ports"][key].is_object(), "{fields}");
}

#[test]
fn managed_fields_cannot_be_applied() {
    let mut wrong = config(&json!({}));
    wrong["metadata"]["managedFields"] = json!([{"manager": "a"}]);
    let refused = merged(&kind("configmaps"), &Value::Null, &wrong, by("a"), false).unwrap_err();
    assert_eq!(refused.code(), 400);
}
