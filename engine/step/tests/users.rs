//! What a request of a user meets: route, Service, pods. Read from the objects as a data plane reads them, not with the engine's eyes.

use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    model::Model,
    objects::{Kind, kinds, string_map},
    workloads::Workload,
};

/// Kinds whose weights stand in lists of their own shape.
const MESHES: [Kind; 3] = [
    kinds::TRAFFIC_SPLIT_V1ALPHA2,
    kinds::TRAFFIC_ROUTE,
    kinds::VIRTUAL_ROUTER_V1BETA2,
];

/// Who would get no answer, and why. `None`: every request that the routes let in ends at an available pod.
pub(super) fn unserved(model: &Model) -> Option<String> {
    let canary = model.canary();
    let namespace = &model.canary_at.namespace;
    if Workload::of(&canary.spec.target_ref) == Some(Workload::Knative) {
        return dark_revision(model, &canary.spec.target_ref.name);
    }
    let mut backends: Vec<String> = all(model, kinds::HTTP_ROUTE)
        .chain(all(model, kinds::VIRTUAL_SERVICE))
        .chain(all(model, kinds::TCP_ROUTE))
        .flat_map(backends)
        .collect();
    for kind in MESHES {
        // App Mesh has a router for those, too, who call the canary by its name.
        let of_apex = all(model, kind).filter(|route| {
            !route["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .ends_with("-canary")
        });
        of_apex.for_each(|route| weighted(&route["spec"], &mut backends));
    }
    // What others serve by the same route is not in this model.
    backends.retain(|name| name.starts_with(&*model.canary_at.name));
    if backends.is_empty() {
        let named = Some(canary.spec.apex_name()).filter(|name| !name.is_empty());
        // A Canary that is gone names nothing any more; here it has the name of its apex.
        let apex = named.unwrap_or(&model.canary_at.name).to_owned();
        let is_there = model.get(&kinds::SERVICE.named(namespace, &apex)).is_some();
        // Before there is an apex, users come on ways of their own.
        backends.extend(is_there.then_some(apex));
    }
    let has_pods = Workload::of(&canary.spec.target_ref) != Some(Workload::Service);
    backends.iter().find_map(|name| {
        let Some(service) = model.get(&kinds::SERVICE.named(namespace, name)) else {
            return Some(format!("there is no Service {name}"));
        };
        let selector = string_map(&service["spec"]["selector"]);
        (has_pods && pods(model, &selector) == 0).then(|| format!("no pod of Service {name} is available"))
    })
}

fn all(model: &Model, kind: Kind) -> impl Iterator<Item = &Value> {
    let found = model.objects().filter(move |(at, _)| at.kind == kind);
    found.map(|(_, object)| &**object)
}

/// Names of the Services with a share, in any rule of a route.
fn backends(route: &Value) -> Vec<String> {
    let rules = ["rules", "http"].map(|list| route["spec"][list].as_array());
    let backends = rules
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|rule| rule["backendRefs"].as_array().or_else(|| rule["route"].as_array()));
    backends
        .flatten()
        .filter(|backend| backend["weight"].as_i64() != Some(0))
        .filter_map(|backend| {
            backend["name"]
                .as_str()
                .or_else(|| backend["destination"]["host"].as_str())
        })
        .map(|host| host.split('.').next().unwrap_or(host).to_owned())
        .collect()
}

/// The same for meshes: whatever stands beside a weight.
fn weighted(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let places = [
                &value["service"],
                &value["destination"]["kuma.io/service"],
                &value["virtualNodeRef"]["name"],
            ];
            let name = places
                .into_iter()
                .find_map(Value::as_str)
                .filter(|_| value["weight"].as_i64() > Some(0));
            names.extend(name.map(|name| name.split('_').next().unwrap_or(name).to_owned()));
            fields.values().for_each(|field| weighted(field, names));
        }
        Value::Array(list) => list.iter().for_each(|entry| weighted(entry, names)),
        _ => {}
    }
}

/// Available pods with these labels.
fn pods(model: &Model, selector: &BTreeMap<String, String>) -> i64 {
    let workloads = all(model, kinds::DEPLOYMENT).chain(all(model, kinds::DAEMON_SET));
    let chosen = workloads.filter(|workload| {
        let labels = string_map(&workload["spec"]["template"]["metadata"]["labels"]);
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    });
    chosen
        .map(|workload| Workload::of_object(workload).available(workload))
        .sum()
}

/// A revision of a Knative Service that has a share and is not ready.
fn dark_revision(model: &Model, name: &str) -> Option<String> {
    let namespace = &model.canary_at.namespace;
    let service = model.get(&kinds::KNATIVE_SERVICE.named(namespace, name))?;
    let entries = service["spec"]["traffic"].as_array().into_iter().flatten();
    let mut named = entries
        .filter(|entry| entry["percent"].as_i64().unwrap_or(0) > 0)
        .filter_map(|entry| {
            let latest = &service["status"]["latestCreatedRevisionName"];
            entry["revisionName"].as_str().or_else(|| latest.as_str())
        });
    let is_ready = |revision: &str| {
        let found = model.get(&kinds::KNATIVE_REVISION.named(namespace, revision));
        found.is_some_and(|revision| revision["status"]["conditions"][0]["status"] == "True")
    };
    let dark = named.find(|revision| !is_ready(revision))?;
    Some(format!("revision {dark} is not ready"))
}
