//! A real kube client on the sandbox, under a paused clock.

mod objects;
mod repeats;
mod served;
mod strict;
mod watches;
mod workloads;

use super::{Sandbox, Settings};
use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{runtime::Handle, time::Instant};

/// A sandbox whose wall clock follows the paused clock, from 2026-01-01.
fn sandbox() -> Sandbox {
    tuned(Settings::default())
}

fn tuned(settings: Settings) -> Sandbox {
    let born = Instant::now();
    let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = move || epoch + SignedDuration::try_from(born.elapsed()).unwrap();
    let runtime = Handle::current();
    let spawner = move |task| drop(runtime.spawn(task));
    Sandbox::new(Arc::new(clock), Arc::new(spawner), settings)
}

fn config(name: &str, labels: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels }, "data": { "k": "v" } })
}

fn canary(name: &str) -> Value {
    json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": { "name": name },
        "spec": { "analysis": { "interval": "1m" } }, "status": { "phase": "Lies" },
    })
}

fn deployment(name: &str, replicas: i64, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "app", "image": image }] },
            },
        },
    })
}

/// Raw objects of a kind in the default namespace.
fn api(client: &Client, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::default_namespaced_with(client.clone(), &resource)
}

fn typed(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// Code of a refused request.
fn code<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("not refused: {other:?}"),
    }
}
