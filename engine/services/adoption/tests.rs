use serde_json::json;

use super::*;

/// services.md 10 and 13.3.
#[test]
fn reverts_the_apex() {
    let app = Selector {
        key: "app".into(),
        value: "app".into(),
    };
    let applied = json!({"spec": {"selector": {"app": "app", "tier": "front"}}}).to_string();
    let spec = json!({"type": "NodePort", "selector": {"app": "app-primary"}, "ports": [{"name": "http", "port": 80}]});
    let cases = [
        (
            json!({"annotations": {LAST_APPLIED: applied}}),
            Some(json!({"app": "app", "tier": "front"})),
        ),
        (
            json!({"annotations": {LAST_APPLIED: "no JSON"}}),
            Some(json!({"app": "app"})),
        ),
        (
            json!({"annotations": {LAST_APPLIED: "{}"}}),
            Some(json!({"app": "app"})),
        ),
        (json!({}), Some(json!({"app": "app"}))),
        (
            json!({"ownerReferences": [{"kind": "Deployment", "name": "d", "controller": true}]}),
            Some(json!({"app": "app"})),
        ),
        (
            json!({"ownerReferences": [{"kind": "Canary", "name": "other", "controller": true}]}),
            None,
        ),
    ];
    for (metadata, expected) in cases {
        let live = json!({"metadata": metadata, "spec": spec});
        let reverted = reverted_apex(&app, &live);
        let expected = expected.map(|selector| {
            let mut whole = live.clone();
            whole["spec"]["selector"] = selector;
            whole
        });
        assert_eq!(reverted, expected, "{metadata}");
    }
}
