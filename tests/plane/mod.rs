//! A small real cluster inside a network namespace: pods are processes with addresses of their own, and requests go through real proxies.
//!
//! The control plane is tests/controlplane's. What a kubelet would do is done by `kubelet.rs` and `pod.rs`; there is no kube-proxy, as gateways
//! send requests to the pods' addresses themselves.

pub(crate) mod address;
pub(crate) mod affinity;
pub(crate) mod gates;
pub(crate) mod kubelet;
pub(crate) mod load;
pub(crate) mod nginx;
pub(crate) mod objects;
pub(crate) mod pod;
pub(crate) mod probe;
pub(crate) mod scrape;
pub(crate) mod stage;
pub(crate) mod tally;
pub(crate) mod traefik;
pub(crate) mod translation;
pub(crate) mod visitor;

use jiff::Timestamp;
use serde_json::json;
use std::{future::Future, path::PathBuf, time::Duration};
use tokio::task::JoinHandle;

use crate::cluster::{
    lab::{Lab, Room},
    until,
};

/// Set by tests/dataplane/run: the name of the network namespace in which everything runs.
const INSIDE: &str = "AVIARY_PLANE";

/// Whether this process may add addresses and listen where it likes. Without a word it is outside; in CI that fails.
pub(crate) fn is_inside() -> bool {
    if std::env::var(INSIDE).is_ok() {
        return true;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{INSIDE} must be set in CI: call tests/run plane"
    );
    println!("skipped: not in a network namespace; call tests/run plane, or tests/plane/run where everything is built");
    false
}

/// Start a task of the test's own.
#[expect(
    clippy::disallowed_methods,
    reason = "parts of the test's cluster, outside any World"
)]
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// The time, as objects have it.
#[expect(
    clippy::disallowed_methods,
    reason = "parts of the test's cluster, outside any World"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Apply definitions that tests/testers/build has copied from a proxy's module.
pub(crate) async fn install(lab: &Lab, file: &str) {
    let file = program(file);
    let applied = lab.kubectl(&["apply", "--server-side", "-f", file.to_str().unwrap()]);
    assert!(applied.status.success(), "{applied:?}");
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    until(
        "the proxy's kinds are established",
        Duration::from_mins(1),
        async || lab.kubectl(&wait).status.success().then_some(()),
    )
    .await;
}

/// A Gateway for everybody's routes.
pub(crate) async fn gateway(room: &Room<'_>, name: &str, class: &str, port: u16) {
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": name},
        "spec": {"gatewayClassName": class, "listeners": [{
            "name": "http", "protocol": "HTTP", "port": port, "allowedRoutes": {"namespaces": {"from": "All"}},
        }]},
    });
    let path = format!("/apis/gateway.networking.k8s.io/v1/namespaces/{}/gateways", room.name);
    room.lab.call("POST", &path, Some(&gateway)).await.unwrap();
}

/// A program that tests/testers/build makes.
pub(crate) fn program(name: &str) -> PathBuf {
    let given = |name: &str| std::env::var(name).ok().map(PathBuf::from);
    let cache = given("AVIARY_CACHE").unwrap_or_else(|| {
        let base = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
        base.unwrap().join("aviary")
    });
    let path = cache.join("testers").join(name);
    assert!(path.exists(), "{} is missing; call tests/testers/build", path.display());
    path
}
