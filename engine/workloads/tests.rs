use super::*;
use crate::objects::kinds;
use serde_json::json;

mod properties;
mod worked_example;

/// What a projection needs, owned.
struct House {
    canary: Canary,
    settings: Settings,
    tracked: BTreeSet<ObjectRef>,
    selector: (String, String),
}

impl House {
    fn new(autoscaler: bool, prefixes: &[&str]) -> Self {
        let mut canary = json!({
            "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
            "metadata": {"name": "web", "namespace": "shop", "uid": "c0ffee"},
            "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
        });
        if autoscaler {
            canary["spec"]["autoscalerRef"] = json!({"kind": "HorizontalPodAutoscaler", "name": "web-hpa"});
        }
        Self {
            canary: serde_json::from_value(canary).unwrap(),
            settings: Settings {
                include_label_prefixes: prefixes.iter().map(ToString::to_string).collect(),
                ..Settings::default()
            },
            tracked: BTreeSet::new(),
            selector: ("app".into(), "web".into()),
        }
    }

    fn projection(&self, id: &str) -> Projection<'_> {
        Projection {
            canary: &self.canary,
            selector_key: &self.selector.0,
            selector_value: &self.selector.1,
            settings: &self.settings,
            tracked: &self.tracked,
            flagger_id: id.into(),
        }
    }
}

fn target(replicas: i64, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas, "paused": true,
            "selector": {"matchLabels": {"app": "web", "tier": "front"}},
            "template": {"metadata": {"labels": {"app": "web", "tier": "front"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
        }
    })
}

#[test]
fn replicas_are_the_targets_but_never_zero() {
    // Autoscaler, target's at creation, expected, target's at promotion, live primary's, expected.
    for (autoscaler, first, created, second, live, promoted) in [
        (false, 3, 3, 4, 3, 4), // golden `replicas`
        (false, 0, 1, 1, 1, 1), // golden `scaled-to-zero`
        (true, 1, 1, 2, 1, 1),  // golden `hpa`
        (true, 0, 1, 5, 7, 7),
        (true, 3, 3, 0, 0, 0),  // a scaler may do so
        (false, 3, 3, 0, 3, 3), // observed A2
        (false, 3, 3, 0, 0, 1),
    ] {
        let house = House::new(autoscaler, &[]);
        let primary = house.projection("1").new_primary(&target(first, "web:1"));
        assert_eq!(primary["spec"]["replicas"], created);
        let after = house
            .projection("2")
            .promoted(&target(second, "web:2"), &scaled(&primary, live));
        assert_eq!(after["spec"]["replicas"], promoted, "{autoscaler} {second} {live}");
    }
    let mut unset = target(1, "web:1");
    unset["spec"].as_object_mut().unwrap().remove("replicas");
    assert_eq!(
        House::new(false, &[]).projection("1").new_primary(&unset)["spec"]["replicas"],
        1
    );
}

#[test]
fn the_selector_label_may_have_another_key_and_value_than_the_name() {
    let mut house = House::new(false, &[]);
    house.selector = ("app.kubernetes.io/name".into(), "shop".into());
    let mut target = target(1, "app:1");
    target["metadata"]["labels"] = Value::Null;
    target["spec"]["template"]["metadata"]["labels"] = json!({"app.kubernetes.io/name": "shop", "tier": "front"});
    let primary = house.projection("1").new_primary(&target);
    let own = json!({"app.kubernetes.io/name": "shop-primary"});
    assert_eq!(primary["metadata"]["name"], "web-primary");
    assert_eq!(primary["metadata"]["labels"], own);
    assert_eq!(primary["spec"]["selector"], json!({"matchLabels": own}));
    let labels = json!({"app.kubernetes.io/name": "shop-primary", "tier": "front"});
    assert_eq!(primary["spec"]["template"]["metadata"]["labels"], labels);
}

#[test]
fn promotion_takes_the_release_and_keeps_what_is_the_primarys() {
    let house = House::new(false, &["team.example/"]);
    let mut before = target(1, "web:1");
    before["metadata"]["annotations"] = json!({"team.example/tier": "gold", "team.example/gone": "x", "note": "a",
        "deployment.kubernetes.io/revision": "8", "kubectl.kubernetes.io/last-applied-configuration": "{}"});
    let mut live = house.projection("1").new_primary(&before);
    assert_eq!(
        live["metadata"]["annotations"],
        json!({"team.example/tier": "gold", "team.example/gone": "x", "note": "a"})
    );
    live["metadata"]["resourceVersion"] = json!("5");
    live["metadata"]["annotations"]["foreign.example/x"] = json!("stays");
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    live["metadata"]["labels"]["foreign"] = json!("stays");
    live["spec"]["paused"] = json!(false);
    live["spec"]["minReadySeconds"] = json!(9);
    live["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    live["status"] = json!({"replicas": 1});

    let mut after = target(2, "web:2");
    after["metadata"]["annotations"] =
        json!({"team.example/tier": "silver", "note": "b", "deployment.kubernetes.io/revision": "9"});
    after["metadata"]["labels"]["team.example/owner"] = json!("cart");
    after["spec"]["newInK8s"] = json!({"x": 1});
    after["spec"]["strategy"] = json!({"type": "Recreate"});
    let promoted = house.projection("2").promoted(&after, &live);

    let mut expected = live.clone();
    expected["metadata"]["annotations"] = json!({"team.example/tier": "silver", "note": "b", "foreign.example/x": "stays",
        "deployment.kubernetes.io/revision": "2"});
    expected["metadata"]["labels"] = json!({"app": "web-primary", "team.example/owner": "cart", "foreign": "stays"});
    expected["spec"] = json!({
        "paused": false, "replicas": 2, "newInK8s": {"x": 1}, "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {"app": "web-primary"}},
        "template": {
            "metadata": {"labels": {"app": "web-primary", "tier": "front"}, "annotations": {"flagger-id": "2"}, "creationTimestamp": null},
            "spec": {"containers": [{"name": "web", "image": "web:2"}]}
        }
    });
    assert_eq!(promoted, expected);
    assert_eq!(house.projection("2").promoted(&after, &promoted), promoted, "W-19");
}

#[test]
fn labels_and_annotations_follow_the_prefixes() {
    let mut labelled = target(1, "web:1");
    labelled["metadata"]["labels"] =
        json!({"app": "web", "team.example/owner": "cart", "kustomize.toolkit.fluxcd.io/name": "apps"});
    for (prefixes, expected) in [
        (&[][..], json!({"app": "web-primary"})),
        (&[""][..], json!({"app": "web-primary"})),
        (
            &["team"][..],
            json!({"app": "web-primary", "team.example/owner": "cart"}),
        ),
        (
            &["other", "*"][..],
            json!({"app": "web-primary", "team.example/owner": "cart"}),
        ),
        (&["kustomize"][..], json!({"app": "web-primary"})),
    ] {
        let primary = House::new(false, prefixes).projection("1").new_primary(&labelled);
        assert_eq!(primary["metadata"]["labels"], expected, "{prefixes:?}");
        assert!(primary["metadata"].get("annotations").is_none());
    }
}

#[test]
fn pods_keep_apart_from_their_own_kind_only() {
    let house = House::new(false, &[]);
    let spread = |selector: Value| {
        let mut target = target(1, "web:1");
        target["spec"]["template"]["spec"]["topologySpreadConstraints"] = json!([{"labelSelector": selector}]);
        house.projection("1").template(&target)["spec"]["topologySpreadConstraints"][0]["labelSelector"].clone()
    };
    for (selector, expected) in [
        (
            json!({"matchLabels": {"app": "web"}}),
            json!({"matchLabels": {"app": "web-primary"}}),
        ),
        (
            json!({"matchLabels": {"app": "cache"}}),
            json!({"matchLabels": {"app": "cache"}}),
        ),
        // No other label of the primary's pods gets a suffix, so no other is replaced.
        (
            json!({"matchLabels": {"app": "web", "name": "web"}}),
            json!({"matchLabels": {"app": "web-primary", "name": "web"}}),
        ),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "web"]}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web-primary", "web-primary"]}]}),
        ),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a", "web"]}, {"key": "x", "operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a", "web-primary"]}, {"key": "x", "operator": "Exists"}]}),
        ),
        (json!({}), json!({})),
        (Value::Null, Value::Null),
    ] {
        assert_eq!(spread(selector.clone()), expected, "{selector}");
    }
}

#[test]
fn the_selectors_value_counts_and_not_the_name() {
    let mut house = House::new(false, &[]);
    house.selector = ("app".into(), "frontend".into());
    let mut named = target(1, "web:1");
    named["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] = json!([
        {"weight": 1, "podAffinityTerm": {"labelSelector": {"matchLabels": {"app": "frontend"}}}},
        {"weight": 1, "podAffinityTerm": {"labelSelector": {"matchLabels": {"app": "web"}}}}]);
    let template = house.projection("1").template(&named);
    let terms = &template["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!(
        terms[0]["podAffinityTerm"]["labelSelector"]["matchLabels"]["app"],
        "frontend-primary"
    );
    assert_eq!(
        terms[1]["podAffinityTerm"]["labelSelector"]["matchLabels"]["app"],
        "web"
    );
}

#[test]
fn ids_follow_from_what_is_promoted() {
    let configs = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let inputs = [
        ("v1-a", configs(&[])),
        ("v1-b", configs(&[])),
        ("v1-a", configs(&[("configmap/conf", "241889ca0604e333")])),
        ("v1-a", configs(&[("configmap/conf", "f234cb93c08ad64e")])),
        ("v1-a", configs(&[("secret/conf", "f234cb93c08ad64e")])),
    ];
    let ids: BTreeSet<String> = inputs
        .iter()
        .map(|(revision, configs)| flagger_id(revision, configs))
        .collect();
    assert_eq!(ids.len(), inputs.len());
    for id in &ids {
        let parts: Vec<&str> = id.split('-').collect();
        assert_eq!(
            parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12],
            "{id}"
        );
        assert!(
            parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']),
            "{id}"
        );
        assert!(
            id.chars()
                .all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c)),
            "{id}"
        );
    }
    assert_eq!(flagger_id("v1-a", &inputs[2].1), flagger_id("v1-a", &inputs[2].1));
}

#[test]
fn a_target_comes_back_with_as_many_pods_as_fit() {
    let with = |replicas: Option<i64>| json!({"spec": {"replicas": replicas}});
    for (target, primary, scaler_min, expected) in [
        (Some(3), None, None, 3),
        (Some(3), Some(9), Some(5), 3),
        (Some(0), Some(4), None, 4),
        (None, Some(4), None, 4),
        (Some(0), Some(0), None, 1),
        (Some(0), None, None, 1),
        (Some(0), Some(4), Some(2), 2),
        (Some(0), Some(4), Some(1), 1),
        (Some(0), Some(4), Some(0), 1),
    ] {
        let primary = primary.map(|count| with(Some(count)));
        let count = replicas_from_zero(&with(target), primary.as_ref(), scaler_min);
        assert_eq!(count, expected, "{target:?} {primary:?} {scaler_min:?}");
    }
    assert_eq!(replicas(&json!({})), 1);
    assert_eq!(replicas(&scaled(&target(3, "web:1"), 0)), 0);
}

#[test]
fn a_primary_of_the_peer_is_recognised() {
    let mut house = House::new(false, &[]);
    let mut target = target(1, "web:1");
    target["spec"]["template"]["spec"]["initContainers"] =
        json!([{"name": "a", "envFrom": [{"configMapRef": {"name": "conf"}}]}]);
    target["spec"]["template"]["spec"]["topologySpreadConstraints"] =
        json!([{"labelSelector": {"matchLabels": {"app": "web"}}}]);
    let unrenamed = house.projection("peer").new_primary(&target);
    house.tracked.insert(kinds::CONFIG_MAP.named("shop", "conf"));
    let expected = house.projection("ours").new_primary(&target);
    let pointer = "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels/app";

    let mut same = [
        expected.clone(),
        unrenamed.clone(),
        unrenamed.clone(),
        scaled(&unrenamed, 9),
        unrenamed.clone(),
    ];
    *same[1].pointer_mut(pointer).unwrap() = json!("web");
    same[2]["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
        json!("2026-01-01T00:00:00Z");
    same[4]["spec"]["template"]["spec"]["securityContext"] = json!({});
    for primary in &same {
        assert!(runs_same(primary, &expected), "{primary}");
    }

    let mut other = [unrenamed.clone(), unrenamed.clone(), unrenamed];
    other[0]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:0");
    other[1]["spec"]["template"]["metadata"]["annotations"]["x"] = json!("y");
    other[2]["spec"]["template"]["metadata"]["labels"]["app"] = json!("web");
    for primary in &other {
        assert!(!runs_same(primary, &expected), "{primary}");
    }
    let mut restarted = expected.clone();
    restarted["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
        json!("2026-01-01T00:00:00Z");
    assert!(
        !runs_same(&expected, &restarted),
        "a restart of the target asks for a run"
    );
}
