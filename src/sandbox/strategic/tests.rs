use super::{Site, merge};
use serde_json::{Value, json};

const PODS: Site<'static> = Site::Native {
    kind: "Deployment",
    field: "",
};

fn merged(object: &Value, patch: &Value) -> Value {
    let mut object = object.clone();
    merge(&mut object, patch, PODS).unwrap();
    object
}

/// What the patch is about; object, patch, result.
type Case = (&'static str, Value, Value, Value);

#[test]
fn lists_of_builtin_kinds_merge_by_their_keys() {
    let two = json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]});
    let cases: [Case; 9] = [
        (
            "one item changes",
            two.clone(),
            json!({"containers": [{"name": "b", "image": "b:2"}]}),
            json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]}),
        ),
        (
            "a new item comes before those that the patch does not name, as with a real server",
            two.clone(),
            json!({"containers": [{"name": "c"}]}),
            json!({"containers": [{"name": "c"}, {"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}),
        ),
        (
            "an item is deleted",
            two.clone(),
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": [{"name": "b", "image": "b:1"}]}),
        ),
        (
            "the list is replaced",
            two.clone(),
            json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}),
            json!({"containers": [{"name": "z"}]}),
        ),
        (
            "the order is set",
            two.clone(),
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            json!({"containers": [{"name": "b", "image": "b:1"}, {"name": "a", "image": "a:1"}]}),
        ),
        (
            "lists without keys are replaced",
            json!({"args": ["x", "y"]}),
            json!({"args": ["z"]}),
            json!({"args": ["z"]}),
        ),
        (
            "finalizers are a set",
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}),
            json!({"metadata": {"finalizers": ["c", "b"]}}),
        ),
        (
            "only the retained keys survive",
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
            json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
            json!({"strategy": {"type": "Recreate"}}),
        ),
        (
            "null removes, and a map can be replaced",
            json!({"a": 1, "selector": {"x": "1", "y": "2"}}),
            json!({"a": null, "selector": {"$patch": "replace", "z": "3"}}),
            json!({"selector": {"z": "3"}}),
        ),
    ];
    for (what, object, patch, wanted) in cases {
        assert_eq!(merged(&object, &patch), wanted, "{what}");
    }
}

#[test]
fn ports_have_another_key_in_services() {
    let object = json!({"ports": [{"port": 80, "name": "a"}]});
    let patch = json!({"ports": [{"port": 80, "name": "b"}]});
    let service = Site::Native {
        kind: "Service",
        field: "",
    };
    let mut one = object.clone();
    merge(&mut one, &patch, service).unwrap();
    assert_eq!(one, patch);
    assert!(
        merge(&mut object.clone(), &patch, PODS).is_err(),
        "a container's port without containerPort"
    );
}

#[test]
fn unknown_directives_are_refused() {
    assert!(merge(&mut json!({}), &json!({"$patch": "explode"}), PODS).is_err());
}
