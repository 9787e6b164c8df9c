use super::*;
use serde_json::json;

#[test]
fn order_is_kept_where_it_means_nothing() {
    let live = json!({
        "hosts": ["b", "a"],
        "http": [{"match": [{"x": [2, 1]}, {"y": 1}], "route": [1, 2]}, {"second": true}],
    });
    let same = json!({
        "hosts": ["a", "b"],
        "http": [{"match": [{"y": 1}, {"x": [1, 2]}], "route": [2, 1]}, {"second": true}],
    });
    assert_eq!(settled(same, &live), live);
}

#[test]
fn what_differs_is_ours_and_the_rest_stays() {
    let live = json!({"hosts": ["b", "a"], "gateways": ["x", "y"], "http": [{"match": ["2", "1"], "timeout": "1s"}]});
    let desired =
        json!({"hosts": ["a", "b"], "gateways": ["y", "z"], "http": [{"match": ["1", "2"], "timeout": "2s"}]});
    let expected =
        json!({"hosts": ["b", "a"], "gateways": ["y", "z"], "http": [{"match": ["2", "1"], "timeout": "2s"}]});
    assert_eq!(settled(desired, &live), expected);
}

#[test]
fn the_order_of_rules_matters() {
    let live = json!({"rules": [{"a": 1}, {"b": 1}], "filters": [1, 2]});
    let desired = json!({"rules": [{"b": 1}, {"a": 1}], "filters": [2, 1]});
    assert_eq!(settled(desired.clone(), &live), desired);
}

#[test]
fn a_repeated_entry_is_not_the_same_set() {
    let desired = json!({"hosts": ["a", "b"]});
    assert_eq!(settled(desired.clone(), &json!({"hosts": ["a", "b", "a"]})), desired);
    assert_eq!(settled(desired.clone(), &Value::Null), desired);
}
