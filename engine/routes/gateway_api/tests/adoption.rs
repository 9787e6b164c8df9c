//! A route that was there before.

use super::*;

/// Recorded scenario `service-adopted`.
#[test]
fn adopts_what_is_there() {
    let canary = canary(&json!({}));
    let mut live = stored(json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "app", "namespace": NAMESPACE, "annotations": {"mine": "yes"}, "labels": {"theirs": "1"}},
        "spec": {
            "hostnames": ["old.example.com"], "unheardOf": 1,
            "rules": [{"name": "old", "backendRefs": [{"name": "app", "port": 80}]}],
        },
    }));
    assert_eq!(
        observed(&context(&canary, Some(&live))),
        Err(Unready::NoSplit("HTTPRoute app.test".into()))
    );
    let before = live.clone();
    let mut change = patch(&canary, &live, Split::PRIMARY).unwrap();
    tree::merge(&mut live, &change);
    let annotations = change["metadata"]["annotations"].as_object_mut().unwrap();
    let saved = annotations
        .remove("flagger.kubernetes.io/original-configuration")
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(saved.as_str().unwrap()).unwrap(),
        before["spec"]
    );
    let expected = json!({
        "metadata": {
            "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled", "kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
            "labels": null,
        },
        "spec": {
            "hostnames": ["app.example.com"],
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": "default"}],
            "rules": [{"backendRefs": [backend("app-primary", 100), backend("app-canary", 0)], "matches": everything()}],
        },
    });
    assert_eq!(change, expected);
    assert_eq!(patch(&canary, &live, Split::PRIMARY), None);

    // RM-21: the peer leaves the route to Services that go with the Canary.
    let back = (V1.reverted)(&context(&canary, Some(&live))).remove(0).unwrap();
    assert_eq!(back["spec"], before["spec"]);
    assert_eq!(back["metadata"]["annotations"]["mine"], "yes");
    let own = made(&canary, Split::PRIMARY);
    assert_eq!((V1.reverted)(&context(&canary, Some(&own))), [None]);
}
