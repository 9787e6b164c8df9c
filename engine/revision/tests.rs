use super::*;
use serde_json::json;

fn deployment(template: &Value) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "template": template}})
}

fn status(applied: &str, promoted: &str) -> CanaryStatus {
    CanaryStatus {
        last_applied_spec: Some(applied.into()),
        last_promoted_spec: Some(promoted.into()),
        ..CanaryStatus::default()
    }
}

#[test]
fn what_runs_decides_and_nothing_else() {
    let base =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}});
    let of = |template: &Value| of_deployment(&deployment(template));
    let same = [
        json!({"spec": {"containers": [{"image": "web:1", "name": "web"}]}, "metadata": {"labels": {"app": "web"}}}),
        json!({"metadata": {"creationTimestamp": null, "annotations": {}, "labels": {"app": "web"}},
            "spec": {"volumes": [], "securityContext": {}, "containers": [{"name": "web", "image": "web:1", "resources": {"limits": {}}}]}}),
    ];
    for template in &same {
        assert_eq!(of(template), of(&base), "{template}");
    }
    let different = [
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:2"}]}}),
        json!({"metadata": {"labels": {"app": "web"}, "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]}}),
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1", "newInK8s": 0}]}}),
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1", "args": ["", "a"]}]}}),
    ];
    for template in &different {
        assert_ne!(of(template), of(&base), "{template}");
    }
    let mut elsewhere = deployment(&base);
    elsewhere["spec"]["replicas"] = json!(7);
    elsewhere["spec"]["strategy"] = json!({"type": "Recreate"});
    elsewhere["metadata"]["annotations"] = json!({"note": "x"});
    assert_eq!(of_deployment(&elsewhere), of(&base));
}

#[test]
fn an_empty_selector_is_not_an_absent_one() {
    let term = |selector: Value| json!({"spec": {"topologySpreadConstraints": [selector]}});
    let none = of(&term(json!({"topologyKey": "zone"})));
    assert_ne!(of(&term(json!({"topologyKey": "zone", "labelSelector": {}}))), none);
    assert_eq!(of(&term(json!({"topologyKey": "zone", "labelSelector": null}))), none);
}

#[test]
fn the_text_is_stable_and_never_the_peers() {
    let revision = of_deployment(&deployment(
        &json!({"spec": {"containers": [{"name": "web", "image": "web:1"}]}}),
    ));
    // SHA-256 of {"spec":{"containers":[{"image":"web:1","name":"web"}]}}; a change here starts a run of every canary in the world.
    assert_eq!(revision, "v1-b60e34ee58722c6e");
    assert!(!is_peers(&revision));
}

#[test]
fn hashes_of_the_peer_are_known_by_their_look() {
    for (text, expected) in [
        ("5fc94b7ccf", true),
        ("d645bf5c6", true),
        ("4", true),
        ("", false),
        ("45678945678", false),
        ("5fa94", false),
        ("12345", false),
        ("16695041036171746379", false),
        ("v1-4567", false),
    ] {
        assert_eq!(is_peers(text), expected, "{text}");
    }
}

#[test]
fn a_change_is_what_was_neither_applied_nor_promoted() {
    assert!(changed(&CanaryStatus::default(), "v1-a"));
    assert!(changed(&status("", "v1-a"), "v1-a"));
    assert!(!changed(&status("v1-a", "v1-a"), "v1-a"));
    assert!(changed(&status("v1-a", "v1-a"), "v1-b"));
    assert!(
        !changed(&status("v1-b", "v1-a"), "v1-b"),
        "failed and not touched since"
    );
    assert!(!changed(&status("v1-b", "v1-a"), "v1-a"), "taken back by hand");
    assert!(changed(&status("v1-b", "v1-a"), "v1-c"));
}
