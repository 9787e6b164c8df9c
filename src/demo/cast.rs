//! The two applications: their manifests, and the metrics that their versions would have.

use actors::outbound::{self, Outbound};
use engine::http::{Request, Response};
use serde_json::{Value, json};
use std::time::Duration;

use crate::sandbox::{Failure, Sandbox};

/// Where both live.
pub(super) const NAMESPACE: &str = "demo";
/// Traffic is shifted by weights in HTTPRoutes of the Gateway API.
pub(super) const PROVIDER: &str = "gatewayapi:v1";
/// The new version.
const NEW: &str = "2.0.0";
/// The old version.
const OLD: &str = "1.0.0";
/// Time that an answer from the invented Prometheus takes.
const LATENCY: Duration = Duration::from_millis(2);

/// An application with its Canary.
#[derive(Debug)]
pub(super) struct Role {
    /// Name of the Deployment and of the Canary.
    pub(super) name: &'static str,
    /// Percent of requests to its new version that succeed.
    success: &'static str,
    /// How its release has to end.
    pub(super) end: &'static str,
}

/// Its new version works.
pub(super) const GOOD: Role = Role {
    name: "good",
    success: "100",
    end: "Succeeded",
};
/// 5 % of the requests to its new version fail.
pub(super) const BAD: Role = Role {
    name: "bad",
    success: "95",
    end: "Failed",
};

// === impl Role ===

impl Role {
    /// Create the Deployment of version 1 and the Canary.
    pub(super) fn install(&self, sandbox: &Sandbox) -> Result<(), Failure> {
        sandbox.create(self.deployment())?;
        sandbox.create(self.canary()).map(drop)
    }

    /// Set the image of version 2, as `kubectl set image` would.
    pub(super) fn release(&self, sandbox: &Sandbox) -> Result<(), Failure> {
        let patch = json!({ "spec": { "template": { "spec": { "containers": [self.container(NEW)] } } } });
        sandbox
            .patch("deployments.apps", NAMESPACE, self.name, &patch)
            .map(drop)
    }

    /// Phase in the Canary's status.
    pub(super) fn phase(&self, sandbox: &Sandbox) -> String {
        let canary = sandbox.get("canaries.flagger.app", NAMESPACE, self.name);
        let phase = canary.map(|canary| canary["status"]["phase"].as_str().unwrap_or("New").to_owned());
        phase.unwrap_or_default()
    }

    /// Percent of the traffic that the route gives to primary and canary.
    pub(super) fn weights(&self, sandbox: &Sandbox) -> (i64, i64) {
        let route = sandbox.get("httproutes.gateway.networking.k8s.io", NAMESPACE, self.name);
        let Ok(route) = route else { return (100, 0) };
        let backends = route["spec"]["rules"][0]["backendRefs"]
            .as_array()
            .into_iter()
            .flatten();
        let weight = |suffix: &str| {
            let name = format!("{}-{suffix}", self.name);
            let mut named = backends.clone().filter(|backend| backend["name"] == name.as_str());
            named.next().and_then(|backend| backend["weight"].as_i64()).unwrap_or(0)
        };
        (weight("primary"), weight("canary"))
    }

    /// Image that the primary should have at the end.
    pub(super) fn wanted_image(&self) -> String {
        let version = if self.end == "Succeeded" { NEW } else { OLD };
        format!("example.com/{}:{version}", self.name)
    }

    /// The share of successful requests in percent, as Prometheus would tell it: nothing where nothing was requested.
    fn success_rate(&self, sandbox: &Sandbox) -> Option<&'static str> {
        (self.weights(sandbox).1 > 0).then_some(self.success)
    }

    fn container(&self, version: &str) -> Value {
        json!({
            "name": "app", "image": format!("example.com/{}:{version}", self.name),
            "ports": [{ "name": "http", "containerPort": 9898 }],
        })
    }

    fn deployment(&self) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": self.name, "namespace": NAMESPACE, "labels": { "app": self.name } },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "app": self.name } },
                "template": {
                    "metadata": { "labels": { "app": self.name } },
                    "spec": { "containers": [self.container(OLD)] },
                },
            },
        })
    }

    fn canary(&self) -> Value {
        json!({
            "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
            "metadata": { "name": self.name, "namespace": NAMESPACE },
            "spec": {
                "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name },
                "service": {
                    "port": 9898,
                    "hosts": [format!("{}.example.com", self.name)],
                    "gatewayRefs": [{ "name": "gateway", "namespace": "default" }],
                },
                "analysis": {
                    // Raised to the controller's floor, which is the demo's interval.
                    "interval": "1ms", "threshold": 2, "stepWeight": 10, "maxWeight": 50,
                    "metrics": [{ "name": "request-success-rate", "interval": "1m", "thresholdRange": { "min": 99 } }],
                    "webhooks": [{ "name": "load-test", "type": "rollout", "url": "http://load-tester.demo/" }],
                },
            },
        })
    }
}

/// The world outside the cluster: a Prometheus that knows both applications, and a load tester that is always content.
pub(super) fn outbound(sandbox: &Sandbox) -> Outbound {
    let sandbox = sandbox.clone();
    outbound::scripted(move |request| (LATENCY, Ok(answer(&sandbox, request))))
}

fn answer(sandbox: &Sandbox, request: &Request) -> Response {
    let body = if request.url.contains("/api/v1/query") {
        samples(value(sandbox, &request.url))
    } else {
        String::new()
    };
    Response {
        status: 200,
        body,
        retry_after: None,
    }
}

/// The value of a query. It names the pods `<target>-…`; a query without a target is the controller's probe, `vector(1)`.
fn value(sandbox: &Sandbox, url: &str) -> Option<&'static str> {
    let asked = [&GOOD, &BAD]
        .into_iter()
        .find(|role| url.contains(&format!("%22{}-", role.name)));
    asked.map_or(Some("1"), |role| role.success_rate(sandbox))
}

/// An answer of Prometheus with one sample or none.
fn samples(value: Option<&str>) -> String {
    let samples: Vec<Value> = value
        .into_iter()
        .map(|value| json!({ "metric": {}, "value": [0, value] }))
        .collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": samples } }).to_string()
}
