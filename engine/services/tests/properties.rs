//! Properties of services.md 15 E.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

prop_compose! {
    fn container()(
        name in prop::sample::select(vec!["app", "side", "envoy", "a-container-whose-name-is-as-long-as-names-of-containers-can-be"]),
        ports in prop::collection::vec(
            (prop::option::of(prop::sample::select(vec!["http", "grpc", "metrics"])), 1_i64..6,
             prop::option::of(prop::sample::select(vec!["TCP", "UDP"]))),
            0..5,
        ),
    ) -> Value {
        let ports: Vec<Value> = ports
            .into_iter()
            .map(|(name, number, protocol)| json!({"name": name, "containerPort": number, "protocol": protocol}))
            .collect();
        json!({"name": name, "ports": ports})
    }
}

prop_compose! {
    fn service()(
        port in 1_i64..6,
        target in prop::option::of(prop::sample::select(vec![json!(2), json!("http"), json!("grpc"), json!(0)])),
        port_name in prop::option::of(prop::sample::select(vec!["grpc", "web"])),
        distribution in prop::option::of(prop::sample::select(vec!["PreferClose", "PreferSameZone"])),
        headless in any::<bool>(),
        annotations in prop::collection::btree_map("[a-c]", "[a-z]{0,3}", 0..3),
        unmanaged in prop::collection::vec("[a-c]", 0..2),
    ) -> Value {
        json!({
            "port": port, "targetPort": target, "portName": port_name, "trafficDistribution": distribution,
            "headless": headless, "portDiscovery": true, "apex": {"annotations": annotations, "labels": annotations},
            "unmanagedMetadata": {"annotations": unmanaged, "labels": unmanaged},
        })
    }
}

/// A Service that someone else made or edited, as it is stored.
fn foreign() -> impl Strategy<Value = Value> {
    let ports = prop::collection::btree_map("[a-d]|http|grpc", (1_i64..9, 30000_i64..30009), 1..4);
    let texts = || prop::collection::btree_map("[a-e]", "[a-z]{1,3}", 0..4);
    (ports, texts(), texts(), texts(), any::<bool>()).prop_map(|(ports, selector, labels, annotations, owned)| {
        let ports: Vec<Value> = ports
            .into_iter()
            .map(|(name, (port, node))| json!({"name": name, "port": port, "protocol": "TCP", "targetPort": port, "nodePort": node, "z": 1}))
            .collect();
        let owner = json!([{"kind": "Canary", "name": "app", "uid": "c0ffee", "controller": true}]);
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "app", "resourceVersion": "3", "finalizers": ["f"], "labels": labels, "annotations": annotations,
                "ownerReferences": if owned { owner } else { json!([]) },
            },
            "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.9", "sessionAffinity": "ClientIP", "unheardOf": [1], "selector": selector, "ports": ports},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
        })
    })
}

proptest! {
    /// services.md 15 E 1 and 2.
    #[test]
    fn created_services_are_valid_and_stable(service in service(), containers in prop::collection::vec(container(), 0..4)) {
        let canary = canary(&service);
        let (ports, _) = discovered_ports(&canary, &target(&json!({}), &json!(containers)));
        for role in Role::ALL {
            let made = desired(&canary, role, &app(), &ports, None);
            let listed = made["spec"]["ports"].as_array().unwrap();
            let sockets: BTreeSet<_> = listed.iter().map(|port| format!("{}/{}", port["port"], port["protocol"])).collect();
            let names: BTreeSet<_> = listed.iter().map(|port| port["name"].as_str().unwrap()).collect();
            prop_assert_eq!(sockets.len(), listed.len());
            prop_assert_eq!(names.len(), listed.len());
            prop_assert!(names.iter().all(|name| name.len() <= 63));
            prop_assert_eq!(patch(&canary, role, &ports, &stored(made)), None);
        }
    }

    /// services.md 15 E 2 and 5: one write settles it, and nothing else is touched.
    #[test]
    fn updates_settle_and_touch_only_named_fields(service in service(), live in foreign()) {
        let canary = canary(&service);
        let Some(change) = patch(&canary, Role::Apex, &[], &live) else { return Ok(()) };
        let mut after = live.clone();
        tree::merge(&mut after, &change);
        prop_assert_eq!(patch(&canary, Role::Apex, &[], &after), None);
        let rest = |object: &Value| {
            let mut rest = object.clone();
            tree::merge(&mut rest, &json!({
                "metadata": {"labels": null, "annotations": null},
                "spec": {"ports": null, "selector": null, "trafficDistribution": null},
            }));
            rest
        };
        prop_assert_eq!(rest(&after), rest(&live));
        if live["metadata"]["ownerReferences"] == json!([]) {
            prop_assert_eq!(&after["metadata"]["labels"], &live["metadata"]["labels"]);
            let kept = objects::metadata_map(&after, "annotations");
            prop_assert!(objects::metadata_map(&live, "annotations").iter().all(|(key, value)| kept.get(key) == Some(value)));
        }
    }
}
