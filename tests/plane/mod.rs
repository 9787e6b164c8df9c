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

use std::path::PathBuf;

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

/// A program that tests/testers/build makes.
pub(crate) fn program(name: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var("HOME").unwrap());
    let cache = std::env::var("AVIARY_CACHE").map(PathBuf::from).unwrap_or_else(|_| {
        let base = std::env::var("XDG_CACHE_HOME").map(PathBuf::from);
        base.unwrap_or_else(|_| home().join(".cache")).join("aviary")
    });
    let path = cache.join("testers").join(name);
    assert!(path.exists(), "{} is missing; call tests/testers/build", path.display());
    path
}
