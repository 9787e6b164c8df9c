use super::*;
use crate::json::merge_diff;

fn canary(service: &Value) -> Canary {
    crds::decode::decode(&json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "web", "namespace": "shop", "uid": "c0ffee"},
        "spec": {"targetRef": {"apiVersion": "v1", "kind": "Service", "name": "web"}, "service": service},
    }))
    .unwrap()
}

fn target(spec: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7",
            "labels": {"app": "web", "kustomize.toolkit.fluxcd.io/name": "apps"},
            "annotations": {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "ownerReferences": [{"kind": "App", "name": "shop", "controller": true}],
        },
        "spec": spec,
    })
}

fn copied(target: &Value, current: Option<&Value>) -> Value {
    copy(
        &canary(&json!({"port": 80})),
        &Settings::default(),
        target,
        Role::Primary,
        current,
    )
}

/// WL-6, SV-1, observed A1: the API server refuses a copy that asks for the same addresses and ports.
#[test]
fn copies_of_all_types_ask_for_nothing_that_is_taken() {
    let port = |more: Value| {
        let mut port = json!({"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080});
        crate::json::merge(&mut port, &more);
        json!([port])
    };
    let shared = json!({"selector": {"app": "web"}, "sessionAffinity": "ClientIP", "internalTrafficPolicy": "Local",
        "publishNotReadyAddresses": true, "futureField": {"a": 1}});
    let addresses = json!({"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"});
    let outside = json!({"externalTrafficPolicy": "Local", "allocateLoadBalancerNodePorts": true, "healthCheckNodePort": 31000,
        "loadBalancerIP": "1.2.3.4", "loadBalancerSourceRanges": ["0.0.0.0/0"], "loadBalancerClass": "x", "externalIPs": ["9.9.9.9"]});
    let mut plain = shared.clone();
    crate::json::merge(&mut plain, &json!({"type": "ClusterIP", "ports": port(json!({}))}));
    for (kind, extra, expected) in [
        ("ClusterIP", json!({}), plain.clone()),
        ("NodePort", outside.clone(), plain.clone()),
        ("LoadBalancer", outside, plain.clone()),
    ] {
        let mut spec = shared.clone();
        crate::json::merge(&mut spec, &addresses);
        crate::json::merge(&mut spec, &extra);
        crate::json::merge(
            &mut spec,
            &json!({"type": kind, "ports": port(json!({"nodePort": 30080}))}),
        );
        assert_eq!(copied(&target(&spec), None)["spec"], expected, "{kind}");
    }
    let mut headless = plain.clone();
    headless["clusterIP"] = json!("None");
    let mut spec = headless.clone();
    spec["clusterIPs"] = json!(["None"]);
    assert_eq!(copied(&target(&spec), None)["spec"], headless);
    let name = json!({"type": "ExternalName", "externalName": "v1.example.net", "ports": port(json!({}))});
    assert_eq!(copied(&target(&name), None)["spec"], name);
}

#[test]
fn metadata_is_the_copys_own() {
    let made = copied(&target(&json!({"type": "ClusterIP"})), None);
    let metadata = &made["metadata"];
    assert_eq!(metadata["name"], "web-primary");
    assert_eq!(metadata["labels"], json!({"app": "web"}));
    assert_eq!(metadata["annotations"], json!({"note": "x"}));
    assert_eq!(
        metadata["ownerReferences"],
        json!([owner_reference(&canary(&json!({"port": 80})))])
    );
    assert_eq!((metadata.get("uid"), metadata.get("resourceVersion")), (None, None));
}

#[test]
fn a_second_pass_keeps_addresses_and_what_others_put_there() {
    let first = target(&json!({"type": "ClusterIP", "selector": {"app": "one"}, "clusterIP": "10.0.0.9"}));
    let mut live = copied(&first, None);
    crate::json::merge(
        &mut live,
        &json!({"metadata": {"annotations": {"cloud": "y"}, "finalizers": ["z"]},
            "spec": {"clusterIP": "10.0.0.77", "clusterIPs": ["10.0.0.77"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}}),
    );
    assert_eq!(merge_diff(&live, &copied(&first, Some(&live))), None);
    let mut second = first.clone();
    second["spec"]["selector"] = json!({"app": "two"});
    assert_eq!(
        merge_diff(&live, &copied(&second, Some(&live))),
        Some(json!({"spec": {"selector": {"app": "two"}}}))
    );
    // Another type needs no address.
    let name = target(&json!({"type": "ExternalName", "externalName": "v2.example.net"}));
    let patch = merge_diff(&live, &copied(&name, Some(&live))).unwrap();
    assert_eq!(patch["spec"]["clusterIP"], Value::Null);
    assert_eq!(patch["spec"]["externalName"], "v2.example.net");
}

#[test]
fn the_canarys_traffic_distribution_wins_and_stays() {
    let of_target = target(&json!({"type": "ClusterIP", "trafficDistribution": "PreferClose"}));
    let settings = Settings::default();
    for (given, expected) in [
        (json!("PreferSameNode"), "PreferSameNode"),
        (json!(""), "PreferClose"),
        (json!(null), "PreferClose"),
    ] {
        let canary = canary(&json!({"port": 80, "trafficDistribution": given}));
        let made = copy(&canary, &settings, &of_target, Role::Primary, None);
        let promoted = copy(&canary, &settings, &of_target, Role::Primary, Some(&made));
        assert_eq!(promoted["spec"]["trafficDistribution"], expected, "{given} (WL-17)");
    }
}

#[test]
fn addresses_and_node_ports_are_no_revision() {
    let port = |node: i64| json!([{"port": 80, "nodePort": node}]);
    let one = target(&json!({"type": "NodePort", "clusterIP": "10.0.0.1", "ports": port(1), "selector": {"a": "b"}}));
    let other = target(&json!({"type": "NodePort", "clusterIP": "10.0.0.2", "ports": port(2), "selector": {"a": "b"}}));
    assert_eq!(revision(&one), revision(&other));
    let next = target(&json!({"type": "NodePort", "clusterIP": "10.0.0.1", "ports": port(1), "selector": {"a": "c"}}));
    assert_ne!(revision(&one), revision(&next));
}
