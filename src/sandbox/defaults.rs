//! What the API server fills in, for the kinds whose controllers or readers see the difference. One function per kind.

use super::{crd, kinds::Resource, metadata};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// Addresses per third octet: 10.0.x.1 to 10.0.x.254.
const HOSTS: u32 = 254;
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Fill in absent fields. It is idempotent, so updates can use it too.
pub(super) fn apply(resource: &Resource, object: &mut Value) {
    fill(resource, object);
    // Writing through an index leaves null where nothing was.
    metadata::drop_nulls(object);
}

fn fill(resource: &Resource, object: &mut Value) {
    match resource.kind.as_str() {
        "Service" => service(&mut object["spec"]),
        "Secret" => secret(object),
        "Deployment" => deployment(&mut object["spec"]),
        "ReplicaSet" => replica_set(&mut object["spec"]),
        "DaemonSet" => daemon_set(&mut object["spec"]),
        "HorizontalPodAutoscaler" => preset(&mut object["spec"], "minReplicas", json!(1)),
        "HTTPRoute" => http_route(&mut object["spec"]),
        "Canary" => canary(object),
        "CustomResourceDefinition" if !resource.custom => crd::preset_names(object),
        _ => {}
    }
}

/// Give a new Service its address.
pub(super) fn allocate(object: &mut Value, addresses: &mut u32) {
    let spec = &mut object["spec"];
    if spec["type"] == "ExternalName" {
        return;
    }
    if spec["clusterIP"].as_str().is_none_or(str::is_empty) {
        *addresses += 1;
        let number = *addresses - 1;
        spec["clusterIP"] = json!(format!("10.0.{}.{}", number / HOSTS % 256, number % HOSTS + 1));
    }
    let address = spec["clusterIP"].clone();
    preset(spec, "clusterIPs", json!([address]));
}

/// Allocated values that an update leaves out are kept.
pub(super) fn inherit(resource: &Resource, object: &mut Value, before: &Value) {
    if resource.kind != "Service" || object["spec"]["type"] == "ExternalName" {
        return;
    }
    for field in ["clusterIP", "clusterIPs"] {
        if let Some(value) = before["spec"].get(field) {
            preset(&mut object["spec"], field, value.clone());
        }
    }
}

/// Set a field of an object that has none.
fn preset(object: &mut Value, field: &str, value: Value) {
    if object.is_null() {
        *object = json!({});
    }
    if let Some(fields) = object.as_object_mut() {
        fields.entry(field).or_insert(value);
    }
}

fn presets(object: &mut Value, fields: &[(&str, Value)]) {
    for (field, value) in fields {
        preset(object, field, value.clone());
    }
}

/// The items of a list field; none where it is absent.
fn items<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object
        .get_mut(field)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn service(spec: &mut Value) {
    presets(
        spec,
        &[("type", json!("ClusterIP")), ("sessionAffinity", json!("None"))],
    );
    if spec["type"] != "ExternalName" {
        let families = [
            ("ipFamilies", json!(["IPv4"])),
            ("ipFamilyPolicy", json!("SingleStack")),
        ];
        presets(spec, &families);
        preset(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    for port in items(spec, "ports") {
        preset(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        preset(port, "targetPort", number);
    }
}

fn secret(object: &mut Value) {
    preset(object, "type", json!("Opaque"));
    let Some(plain) = object.as_object_mut().and_then(|fields| fields.remove("stringData")) else {
        return;
    };
    for (key, value) in plain.as_object().into_iter().flatten() {
        let bytes = ByteString(value.as_str().unwrap_or_default().as_bytes().to_vec());
        object["data"][key.as_str()] = serde_json::to_value(bytes).unwrap_or_default();
    }
}

fn deployment(spec: &mut Value) {
    let strategy = json!({
        "type": "RollingUpdate",
        "rollingUpdate": { "maxUnavailable": "25%", "maxSurge": "25%" },
    });
    presets(
        spec,
        &[
            ("replicas", json!(1)),
            ("progressDeadlineSeconds", json!(600)),
            ("revisionHistoryLimit", json!(10)),
            ("strategy", strategy.clone()),
        ],
    );
    if spec["strategy"]["type"] == "RollingUpdate" {
        presets(
            &mut spec["strategy"]["rollingUpdate"],
            &[("maxUnavailable", json!("25%")), ("maxSurge", json!("25%"))],
        );
    }
    pod_template(&mut spec["template"]);
}

fn replica_set(spec: &mut Value) {
    preset(spec, "replicas", json!(1));
    pod_template(&mut spec["template"]);
}

fn daemon_set(spec: &mut Value) {
    let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1, "maxSurge": 0 } });
    presets(
        spec,
        &[("revisionHistoryLimit", json!(10)), ("updateStrategy", strategy)],
    );
    pod_template(&mut spec["template"]);
}

fn pod_template(template: &mut Value) {
    let spec = &mut template["spec"];
    presets(
        spec,
        &[
            ("restartPolicy", json!("Always")),
            ("terminationGracePeriodSeconds", json!(30)),
            ("dnsPolicy", json!("ClusterFirst")),
            ("securityContext", json!({})),
            ("schedulerName", json!("default-scheduler")),
        ],
    );
    items(spec, "containers").for_each(container);
    items(spec, "initContainers").for_each(container);
    for volume in items(spec, "volumes") {
        for source in ["configMap", "secret", "projected", "downwardAPI"] {
            if volume[source].is_object() {
                preset(&mut volume[source], "defaultMode", json!(420));
            }
        }
    }
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .split_once(':')
        .map_or("latest", |(_, tag)| tag);
    let pull = if tag == "latest" && !image.contains('@') {
        "Always"
    } else {
        "IfNotPresent"
    };
    presets(
        container,
        &[
            ("terminationMessagePath", json!("/dev/termination-log")),
            ("terminationMessagePolicy", json!("File")),
            ("imagePullPolicy", json!(pull)),
            ("resources", json!({})),
        ],
    );
    for port in items(container, "ports") {
        preset(port, "protocol", json!("TCP"));
    }
    for variable in items(container, "env") {
        if variable["valueFrom"]["fieldRef"].is_object() {
            preset(&mut variable["valueFrom"]["fieldRef"], "apiVersion", json!("v1"));
        }
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[field].is_object() {
            probe(&mut container[field]);
        }
    }
}

fn probe(probe: &mut Value) {
    let numbers = [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ];
    for (field, number) in numbers {
        preset(probe, field, json!(number));
    }
    if probe["httpGet"].is_object() {
        presets(
            &mut probe["httpGet"],
            &[("path", json!("/")), ("scheme", json!("HTTP"))],
        );
    }
}

fn http_route(spec: &mut Value) {
    let path = || json!({ "type": "PathPrefix", "value": "/" });
    for parent in items(spec, "parentRefs") {
        presets(parent, &[("group", json!(GATEWAY_GROUP)), ("kind", json!("Gateway"))]);
    }
    preset(spec, "rules", json!([{}]));
    for rule in items(spec, "rules") {
        preset(rule, "matches", json!([{}]));
        for matching in items(rule, "matches") {
            preset(matching, "path", path());
            presets(
                &mut matching["path"],
                &[("type", json!("PathPrefix")), ("value", json!("/"))],
            );
            items(matching, "headers").for_each(|header| preset(header, "type", json!("Exact")));
            items(matching, "queryParams").for_each(|param| preset(param, "type", json!("Exact")));
        }
        for backend in items(rule, "backendRefs") {
            backend_ref(backend);
            preset(backend, "weight", json!(1));
        }
        mirrors(rule, "filters");
    }
}

/// Group and kind of the backends that filters mirror to.
fn mirrors(rule: &mut Value, field: &str) {
    for filter in items(rule, field) {
        if let Some(backend) = filter.pointer_mut("/requestMirror/backendRef") {
            backend_ref(backend);
        }
    }
}

fn backend_ref(backend: &mut Value) {
    presets(backend, &[("group", json!("")), ("kind", json!("Service"))]);
}

/// The four defaults of the peer's schema (crates.md 2.1).
fn canary(object: &mut Value) {
    if let Some(affinity) = object.pointer_mut("/spec/analysis/sessionAffinity") {
        preset(affinity, "maxAge", json!(86_400));
    }
    let Some(service) = object.pointer_mut("/spec/service") else {
        return;
    };
    for gateway in items(service, "gatewayRefs") {
        presets(gateway, &[("group", json!(GATEWAY_GROUP)), ("kind", json!("Gateway"))]);
    }
    for mirror in items(service, "mirror") {
        if let Some(backend) = mirror.get_mut("backendRef") {
            backend_ref(backend);
        }
    }
}
