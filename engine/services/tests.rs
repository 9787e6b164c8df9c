//! Vectors of services.md 1 to 13 and workloads.md 4 and 15.3, then properties.

mod discovery;
mod properties;

use serde_json::json;

use super::*;
use crate::{
    json as tree,
    seam::{Act, Write},
};

fn canary(service: &Value) -> Canary {
    crds::decode::decode(&json!({
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "app", "namespace": "test", "uid": "c0ffee"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": service,
            "analysis": {},
        },
    }))
    .unwrap()
}

fn target(labels: &Value, containers: &Value) -> Value {
    json!({
        "kind": "Deployment",
        "metadata": {"name": "app", "namespace": "test"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"spec": {"containers": containers}}},
    })
}

fn app() -> Selector {
    Selector {
        key: "app".into(),
        value: "app".into(),
    }
}

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What the API server adds when it stores a new Service.
fn stored(mut service: Value) -> Value {
    let headless = service["spec"]["clusterIP"] == "None";
    let ip = if headless { "None" } else { "10.0.0.7" };
    let defaults = json!({
        "clusterIP": ip, "clusterIPs": [ip], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
    });
    tree::merge(&mut service["spec"], &defaults);
    let own = json!({"uid": "u1", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}]});
    tree::merge(&mut service["metadata"], &own);
    service["status"] = json!({"loadBalancer": {}});
    service
}

fn patch(canary: &Canary, role: Role, ports: &[Port], current: &Value) -> Option<Value> {
    let wanted = desired(canary, role, &app(), ports, Some(current));
    let write = Write::towards(reference(canary, role), Some(current), wanted)?;
    match write.act {
        Act::Merge { patch, .. } => Some(patch),
        other => panic!("a merge was expected, not {other:?}"),
    }
}

#[test]
fn selector_is_the_first_accepted_key() {
    let default = ["app", "name", "app.kubernetes.io/name"];
    let cases = [
        (json!({"app": "web"}), &default[..], Some(("app", "web"))),
        (
            json!({"app.kubernetes.io/name": "web", "app": "w"}),
            &default,
            Some(("app", "w")),
        ),
        (json!({"name": "x", "tier": "front"}), &default, Some(("name", "x"))),
        (json!({"component": "web"}), &default, None),
        (json!({"component": "web"}), &["component"], Some(("component", "web"))),
        (Value::Null, &default, None),
    ];
    for (labels, accepted, expected) in cases {
        let found = selector(&target(&labels, &json!([])), &keys(accepted)).ok();
        let found = found.map(|found| (found.key, found.value));
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found, expected, "{labels}");
    }
    let error = selector(&target(&json!({"x": "y"}), &json!([])), &keys(&["app", "name"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Deployment app.test: spec.selector.matchLabels must contain one of [app, name]"
    );
}

/// Recorded scenario `service-options`: a name of its own, discovery, metadata of all three.
#[test]
fn creates_what_the_peer_creates() {
    let canary = canary(&json!({
        "name": "shop", "port": 80, "portName": "web", "targetPort": "http", "appProtocol": "http", "portDiscovery": true,
        "apex": {"annotations": {"a": "1"}, "labels": {"l": "apex"}},
        "canary": {"annotations": {"a": "2"}, "labels": {"l": "canary"}},
        "primary": {"annotations": {"a": "3"}, "labels": {"l": "primary", "app": "not this"}},
    }));
    let containers = json!([
        {"name": "app", "ports": [{"name": "http", "containerPort": 9898}, {"name": "grpc", "containerPort": 9999}, {"containerPort": 7777}]},
        {"name": "istio-proxy", "ports": [{"containerPort": 15001}]},
    ]);
    let (ports, notes) = discovered_ports(&canary, &target(&json!({"app": "app"}), &containers));
    assert_eq!(notes, Vec::<String>::new());
    let cases = [
        (Role::Apex, "shop", "app-primary", "1", "apex"),
        (Role::Primary, "shop-primary", "app-primary", "3", "primary"),
        (Role::Canary, "shop-canary", "app", "2", "canary"),
    ];
    for (role, name, selected, annotation, label) in cases {
        let expected = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": name, "namespace": "test",
                "labels": {"app": name, "l": label},
                "annotations": {
                    "a": annotation,
                    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
                    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
                },
                "ownerReferences": [{
                    "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "app", "uid": "c0ffee",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": {
                "type": "ClusterIP",
                "selector": {"app": selected},
                "ports": [
                    {"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http", "appProtocol": "http"},
                    {"name": "grpc", "port": 9999, "protocol": "TCP", "targetPort": 9999},
                    {"name": "tcp-app-2", "port": 7777, "protocol": "TCP", "targetPort": 7777},
                ],
            },
        });
        let made = desired(&canary, role, &app(), &ports, None);
        assert_eq!(made, expected);
        assert_eq!(
            patch(&canary, role, &ports, &stored(made)),
            None,
            "the second pass writes nothing"
        );
    }
}

#[test]
fn options_of_new_services() {
    let cases = [
        (json!({"port": 9898}), "/spec/ports/0/targetPort", json!(9898)),
        (
            json!({"port": 80, "targetPort": 0}),
            "/spec/ports/0/targetPort",
            json!(80),
        ),
        (
            json!({"port": 80, "targetPort": "0"}),
            "/spec/ports/0/targetPort",
            json!(80),
        ),
        (
            json!({"port": 80, "targetPort": "8080"}),
            "/spec/ports/0/targetPort",
            json!("8080"),
        ),
        (json!({"port": 80, "headless": true}), "/spec/clusterIP", json!("None")),
        (json!({"port": 80, "portName": ""}), "/spec/ports/0/name", json!("http")),
        (
            json!({"port": 80, "trafficDistribution": "PreferClose"}),
            "/spec/trafficDistribution",
            json!("PreferClose"),
        ),
    ];
    for (service, place, expected) in cases {
        let made = desired(&canary(&service), Role::Canary, &app(), &[], None);
        assert_eq!(made.pointer(place), Some(&expected), "{service}");
    }
}

/// Recorded scenario `service-adopted` and services.md 13.2.
#[test]
fn adopts_what_is_there() {
    let canary = canary(&json!({"port": 80, "targetPort": 8080}));
    let mut live = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "app", "namespace": "test", "labels": {"release": "r1"}, "resourceVersion": "3"},
        "spec": {
            "type": "NodePort", "sessionAffinity": "ClientIP", "clusterIP": "10.0.0.9", "unheardOf": {"x": 1},
            "selector": {"app": "app", "tier": "front"},
            "ports": [
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30080},
                {"name": "admin", "port": 81, "protocol": "TCP", "targetPort": 81, "nodePort": 30081},
            ],
        },
    });
    let change = patch(&canary, Role::Apex, &[], &live).unwrap();
    let taken = json!({"ports": live["spec"]["ports"], "selector": live["spec"]["selector"]});
    let original = json!({"metadata": {"annotations": {}}, "spec": taken}).to_string();
    let expected = json!({
        "metadata": {"annotations": {
            crate::objects::ORIGINAL: original,
            "helm.toolkit.fluxcd.io/driftDetection": "disabled", "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
        }},
        "spec": {
            "selector": {"app": "app-primary", "tier": null},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30080}],
        },
    });
    assert_eq!(change, expected);
    tree::merge(&mut live, &change);
    assert_eq!(patch(&canary, Role::Apex, &[], &live), None);
}

#[test]
fn adopted_and_equal_is_not_written() {
    let canary = canary(&json!({"port": 80}));
    let live = json!({
        "metadata": {"name": "app", "annotations": {"mine": "yes"}},
        "spec": {
            "selector": {"app": "app-primary"}, "trafficDistribution": "PreferClose",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}],
        },
    });
    assert_eq!(patch(&canary, Role::Apex, &[], &live), None);
}

#[test]
fn an_unnamed_port_keeps_its_node_port() {
    let canary = canary(&json!({"port": 80}));
    let live = json!({
        "metadata": {"name": "app"},
        "spec": {"selector": {"app": "app-primary"}, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30080}]},
    });
    let wanted = desired(&canary, Role::Apex, &app(), &[], Some(&live));
    assert_eq!(wanted["spec"]["ports"][0]["nodePort"], 30080);
    assert_eq!(wanted["spec"]["ports"][0]["name"], "http");
}

#[test]
fn repairs_and_follows_the_canary() {
    let before = canary(&json!({"port": 80, "trafficDistribution": "PreferClose"}));
    let live = stored(desired(&before, Role::Apex, &app(), &[], None));
    let cases = [
        (
            "selector by hand",
            json!({"port": 80, "trafficDistribution": "PreferClose"}),
            json!({"spec": {"selector": {"app": "app"}}}),
        ),
        (
            "port renamed",
            json!({"port": 80, "portName": "web", "trafficDistribution": "PreferClose"}),
            json!({}),
        ),
        (
            "protocol added",
            json!({"port": 80, "appProtocol": "grpc", "trafficDistribution": "PreferClose"}),
            json!({}),
        ),
        (
            "distribution changed",
            json!({"port": 80, "trafficDistribution": "PreferSameZone"}),
            json!({}),
        ),
        ("distribution removed", json!({"port": 80}), json!({})),
    ];
    for (about, service, edit) in cases {
        let canary = canary(&service);
        let mut live = live.clone();
        tree::merge(&mut live, &edit);
        let change = patch(&canary, Role::Apex, &[], &live).unwrap_or_else(|| panic!("{about}: nothing written"));
        tree::merge(&mut live, &change);
        let fresh = desired(&canary, Role::Apex, &app(), &[], None);
        for field in ["ports", "selector", "trafficDistribution"] {
            assert_eq!(live["spec"].get(field), fresh["spec"].get(field), "{about}");
        }
        assert_eq!(live["spec"]["clusterIP"], "10.0.0.7", "{about}");
        assert_eq!(patch(&canary, Role::Apex, &[], &live), None, "{about}");
    }
}

/// services.md 6, 8 and 13.3: exact on owned Services, hands off on others.
#[test]
fn metadata_by_owner() {
    let plain = json!({"port": 80, "apex": {"annotations": {"x": "2"}}});
    let unmanaged = json!({
        "port": 80, "apex": {"annotations": {"x": "2"}},
        "unmanagedMetadata": {"annotations": ["x", "absent"], "labels": ["cloud"]},
    });
    let cases = [
        (
            &plain,
            "app",
            "c0ffee",
            json!({"annotations": {"x": "2", "y": null}, "labels": {"cloud": null}}),
        ),
        (&unmanaged, "app", "c0ffee", json!({"annotations": {"y": null}})),
        // Not ours: another Canary, or an earlier one of the same name (SV-6).
        (&plain, "other", "c0ffee", Value::Null),
        (&plain, "app", "beef", Value::Null),
    ];
    for (service, owner, uid, expected) in cases {
        let canary = canary(service);
        let mut live = stored(desired(&canary, Role::Apex, &app(), &[], None));
        live["metadata"]["ownerReferences"][0]["name"] = json!(owner);
        live["metadata"]["ownerReferences"][0]["uid"] = json!(uid);
        live["metadata"]["annotations"]["x"] = json!("1");
        live["metadata"]["annotations"]["y"] = json!("by hand");
        live["metadata"]["labels"]["cloud"] = json!("set");
        let change = patch(&canary, Role::Apex, &[], &live).map_or(Value::Null, |change| change["metadata"].clone());
        assert_eq!(change, expected, "{owner} {uid}");
        let foreign = other_canary(&canary, &live);
        assert_eq!(foreign.as_deref(), (owner != "app").then_some(owner));
    }
}

#[test]
fn headless_cannot_be_switched() {
    let (plain, headless) = (
        canary(&json!({"port": 80})),
        canary(&json!({"port": 80, "headless": true})),
    );
    let live = stored(desired(&plain, Role::Canary, &app(), &[], None));
    assert_eq!(patch(&headless, Role::Canary, &[], &live), None);
    assert!(unapplied(&headless, &live).unwrap().contains("app-canary"));
    assert_eq!(unapplied(&plain, &live), None);
    let adopted = json!({"metadata": {"name": "app"}, "spec": {"clusterIP": "10.0.0.9"}});
    assert_eq!(unapplied(&headless, &adopted), None);
}

#[test]
fn only_real_port_numbers_pass() {
    let cases = [
        (json!(80), Ok(80)),
        (json!(80.5), Err(80.5)),
        (json!(0), Err(0.0)),
        (json!(70000), Err(70000.0)),
    ];
    for (given, expected) in cases {
        let expected = expected.map_err(BadPort::OutOfRange);
        assert_eq!(port(&canary(&json!({"port": given}))), expected);
    }
    let mut without = canary(&json!({"port": 80}));
    without.spec.service = None;
    assert_eq!(port(&without), Err(BadPort::NoService));
}
