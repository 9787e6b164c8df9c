//! The applications and their Canaries, as users write them.

use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const CANARIES: &str = "/apis/flagger.app/v1beta1";
pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1";
/// On everything that a bench makes.
pub(crate) const LABEL: &str = "aviary.bench/fleet";
/// Weight per step, and the weight that is promoted from: five weights.
const STEP_WEIGHT: u32 = 10;
const MAX_WEIGHT: u32 = 50;
/// Checks of an analysis that does not end: eleven days at one per second.
const FOR_EVER: u32 = 1_000_000;

/// Name and namespace of one application.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct App {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What a Canary does with its application.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Analysis {
    /// Ten percent more per interval, up to fifty, with one metric.
    Weights,
    /// A check per interval, with one metric, that never comes to an end.
    Endless,
}

/// The fleet: `count` applications, one after the other in each of the namespaces.
pub(crate) fn apps(count: usize, namespaces: usize) -> Vec<App> {
    let app = |number: usize| App {
        namespace: namespace(number % namespaces),
        name: format!("app-{number:05}"),
    };
    (0..count).map(app).collect()
}

pub(crate) fn namespace(number: usize) -> String {
    format!("fleet-{number:03}")
}

pub(crate) fn namespace_object(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: "yes"}}})
}

// === impl App ===

impl App {
    /// Path of the collection of a kind in this application's namespace.
    pub(crate) fn collection(&self, root: &str, plural: &str) -> String {
        format!("{root}/namespaces/{}/{plural}", self.namespace)
    }

    /// One pod, as small as a Deployment can be.
    pub(crate) fn deployment(&self) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": {LABEL: "yes"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": self.name}},
                "template": {
                    "metadata": {"labels": {"app": self.name}},
                    "spec": {"terminationGracePeriodSeconds": 0, "containers": [container("1")]},
                },
            },
        })
    }

    /// A merge patch that releases a version.
    pub(crate) fn release(version: &str) -> Value {
        json!({"spec": {"template": {"spec": {"containers": [container(version)]}}}})
    }

    pub(crate) fn canary(&self, interval: Duration, analysis: Analysis) -> Value {
        let mut checks = json!({
            "interval": format!("{}ms", interval.as_millis()),
            "threshold": 5,
            "metrics": [{"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}}],
        });
        let provider = match analysis {
            Analysis::Weights => {
                checks["stepWeight"] = json!(STEP_WEIGHT);
                checks["maxWeight"] = json!(MAX_WEIGHT);
                "gatewayapi:v1"
            }
            Analysis::Endless => {
                checks["iterations"] = json!(FOR_EVER);
                checks["threshold"] = json!(FOR_EVER);
                "kubernetes"
            }
        };
        json!({
            "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": {LABEL: "yes"}},
            "spec": {
                "provider": provider,
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name},
                "service": {
                    "port": 9898,
                    "hosts": [format!("{}.example.com", self.name)],
                    "gatewayRefs": [{"name": "public", "namespace": "gateways"}],
                },
                "analysis": checks,
            },
        })
    }
}

fn container(version: &str) -> Value {
    json!({
        "name": "app", "image": format!("example.com/app:{version}"),
        "ports": [{"name": "http", "containerPort": 9898, "protocol": "TCP"}],
    })
}
