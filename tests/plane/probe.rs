//! The readiness probe of a container, sent as a kubelet sends it.

use k8s_openapi::api::core::v1::{Container, HTTPGetAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::{net::Ipv4Addr, time::Duration};

/// What Kubernetes assumes where the probe says nothing.
const PERIOD_SECS: i32 = 10;
const FAILURES_MAX: i32 = 3;
const TIMEOUT_SECS: i32 = 1;

/// A probe and what came of it.
pub(crate) struct Probe {
    url: Option<String>,
    pub(crate) period: Duration,
    failures_max: i32,
    failures: i32,
    http: reqwest::Client,
    pub(crate) is_ready: bool,
}

// === impl Probe ===

impl Probe {
    /// A container without a probe is ready when it runs.
    pub(crate) fn of(container: &Container, address: Ipv4Addr) -> Self {
        let probe = container.readiness_probe.as_ref();
        let get = probe.and_then(|probe| probe.http_get.as_ref());
        let or = |given: Option<i32>, default: i32| given.filter(|value| *value > 0).unwrap_or(default);
        let secs = |given, default| Duration::from_secs(or(given, default).unsigned_abs().into());
        let timeout = secs(probe.and_then(|probe| probe.timeout_seconds), TIMEOUT_SECS);
        Self {
            url: get.map(|get| {
                format!(
                    "http://{address}:{}{}",
                    port(container, get),
                    get.path.as_deref().unwrap_or("/")
                )
            }),
            period: secs(probe.and_then(|probe| probe.period_seconds), PERIOD_SECS),
            failures_max: or(probe.and_then(|probe| probe.failure_threshold), FAILURES_MAX),
            failures: 0,
            // Each probe is a connection of its own, as a kubelet's.
            http: reqwest::Client::builder()
                .timeout(timeout)
                .pool_max_idle_per_host(0)
                .build()
                .unwrap(),
            is_ready: false,
        }
    }

    /// Send it once; gives whether readiness has changed.
    pub(crate) async fn look(&mut self) -> bool {
        let before = self.is_ready;
        let passed = match &self.url {
            None => true,
            Some(url) => {
                let answer = self.http.get(url).send().await;
                // As a kubelet: every answer below 400 is good.
                answer.is_ok_and(|answer| answer.status().as_u16() < 400)
            }
        };
        self.failures = if passed { 0 } else { self.failures + 1 };
        self.is_ready = passed || (before && self.failures < self.failures_max);
        before != self.is_ready
    }
}

fn port(container: &Container, get: &HTTPGetAction) -> i32 {
    match &get.port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            let port = ports.find(|port| port.name.as_ref() == Some(name));
            port.unwrap_or_else(|| panic!("no port is called {name}"))
                .container_port
        }
    }
}
