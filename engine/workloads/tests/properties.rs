//! Properties of workloads.md 17.H 1: projections are pure and idempotent.

use super::*;
use proptest::prelude::*;

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["web", "conf", "cred", "web-canary", "cache"]).prop_map(str::to_owned)
}

/// Anything: unknown fields must survive and must not disturb.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        names().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn selectors() -> impl Strategy<Value = Value> {
    (names(), names(), anything()).prop_map(|(label, value, odd)| {
        json!({"matchLabels": {"app": label, "name": value}, "odd": odd,
            "matchExpressions": [{"key": "app", "operator": "In", "values": [value, label]}]})
    })
}

prop_compose! {
    fn targets()(
        replicas in 0..4_i64, annotations in prop::collection::btree_map("[a-z.]{1,9}/[a-z]{1,3}", names(), 0..4),
        labels in prop::collection::btree_map("[a-z]{1,5}", names(), 0..4),
        configs in prop::collection::vec(names(), 6), required in selectors(), preferred in selectors(), spread in selectors(),
        odd in anything(), odd_spec in anything(),
    ) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": labels, "annotations": annotations},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "odd": odd_spec, "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    "odd": odd,
                    "volumes": [{"configMap": {"name": configs[0]}}, {"projected": {"sources": [{"secret": {"name": configs[1]}}]}}],
                    "containers": [{"envFrom": [{"secretRef": {"name": configs[2]}}]}],
                    "initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": configs[3], "key": "x"}}}]}],
                    "affinity": {"podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": required}],
                        "preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"labelSelector": preferred}}]}},
                    "topologySpreadConstraints": [{"labelSelector": spread}],
                }
            }}
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn projections_are_pure_and_idempotent(target in targets(), tracked in prop::collection::btree_set(names(), 0..4), prefix in "[a-z]?|\\*") {
        let mut house = House::new(false, &[&prefix]);
        for name in &tracked {
            house.tracked.insert(kinds::CONFIG_MAP.named("shop", name));
            house.tracked.insert(kinds::SECRET.named("shop", name));
        }
        let before = target.clone();
        let projection = house.projection("id");
        let primary = projection.new_primary(&target);
        prop_assert_eq!(&target, &before, "the input is not touched");
        prop_assert_eq!(&projection.new_primary(&target), &primary);
        prop_assert!(!primary.to_string().contains("-primary-primary"), "{}", primary);
        prop_assert_eq!(&projection.template(&primary), &primary["spec"]["template"], "a primary's primary is the same");
        prop_assert_eq!(&primary["spec"]["template"]["spec"]["odd"], &target["spec"]["template"]["spec"]["odd"]);
        prop_assert_eq!(&primary["spec"]["odd"], &target["spec"]["odd"]);
        prop_assert!(runs_same(&primary, &primary));

        let promoted = projection.promoted(&target, &primary);
        prop_assert_eq!(&promoted, &primary, "promoting what runs already changes nothing");
        prop_assert!(crate::json::merge_diff(&primary, &promoted).is_none());
    }
}
