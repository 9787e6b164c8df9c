//! The two applications and what is written about them: their manifests.

use serde_json::{Value, json};
use std::time::Duration;

use crate::sandbox::{Failure, Sandbox};

/// Where both live.
pub(super) const NAMESPACE: &str = "demo";
/// Traffic is shifted by weights in HTTPRoutes of the Gateway API.
pub(super) const PROVIDER: &str = "gatewayapi:v1";
/// The new version.
pub(super) const NEW: &str = "2.0.0";
/// The old version.
pub(super) const OLD: &str = "1.0.0";
/// Window of the checks' queries: long enough for some hundred requests, short enough to be about this release.
const WINDOW: &str = "30s";

/// An application with its Canary.
#[derive(Debug)]
pub(super) struct Role {
    /// Name of the Deployment and of the Canary.
    pub(super) name: &'static str,
    /// What is special about its new version.
    pub(super) plot: &'static str,
    /// One in so many requests to its new version fails; 0 for none.
    fails_every: u64,
    /// How its release has to end.
    pub(super) end: &'static str,
}

/// Its new version works.
pub(super) const GOOD: Role = Role {
    name: "good",
    plot: "its new version works",
    fails_every: 0,
    end: "Succeeded",
};
/// 5 % of the requests to its new version fail.
pub(super) const BAD: Role = Role {
    name: "bad",
    plot: "5 % of the requests to its new version fail",
    fails_every: 20,
    end: "Failed",
};
/// Both, in the order in which they are shown.
pub(super) const CAST: [&Role; 2] = [&GOOD, &BAD];

/// The application of that name.
pub(super) fn role(name: &str) -> Option<&'static Role> {
    CAST.into_iter().find(|role| role.name == name)
}

/// A duration as Go and Kubernetes write it: `4s`, `1500ms`.
pub(super) fn go_text(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

// === impl Role ===

impl Role {
    /// Create the Deployment of version 1 and the Canary.
    pub(super) fn install(&self, sandbox: &Sandbox, interval: Duration) -> Result<(), Failure> {
        sandbox.create(self.deployment())?;
        sandbox.create(self.canary(interval)).map(drop)
    }

    /// Set the image of version 2, as `kubectl set image` would.
    pub(super) fn release(&self, sandbox: &Sandbox) -> Result<(), Failure> {
        let patch = json!({ "spec": { "template": { "spec": { "containers": [self.container(NEW)] } } } });
        sandbox
            .patch("deployments.apps", NAMESPACE, self.name, &patch)
            .map(drop)
    }

    /// Host name of its route.
    pub(super) fn host(&self) -> String {
        format!("{}.example.com", self.name)
    }

    /// Name of the Deployment that the controller makes.
    pub(super) fn primary(&self) -> String {
        format!("{}-primary", self.name)
    }

    /// Image of a version.
    pub(super) fn image(&self, version: &str) -> String {
        format!("example.com/{}:{version}", self.name)
    }

    /// Image that the primary should have at the end.
    pub(super) fn wanted_image(&self) -> String {
        self.image(if self.end == GOOD.end { NEW } else { OLD })
    }

    /// Whether the `nth` request (from 1) to a server with this image fails. The first one fails half-way through its round, so that a few
    /// requests more or less between two checks hardly change the share.
    pub(super) fn fails(&self, image: &str, nth: u64) -> bool {
        self.fails_every > 0 && image == self.image(NEW) && nth % self.fails_every == self.fails_every / 2
    }

    fn container(&self, version: &str) -> Value {
        json!({
            "name": "app", "image": self.image(version),
            "ports": [{ "name": "http", "containerPort": 9898 }],
        })
    }

    fn deployment(&self) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": self.name, "namespace": NAMESPACE, "labels": { "app": self.name } },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": { "app": self.name } },
                "template": {
                    "metadata": { "labels": { "app": self.name } },
                    "spec": { "containers": [self.container(OLD)] },
                },
            },
        })
    }

    fn canary(&self, interval: Duration) -> Value {
        json!({
            "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
            "metadata": { "name": self.name, "namespace": NAMESPACE },
            "spec": {
                "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name },
                "service": {
                    "port": 9898,
                    "hosts": [self.host()],
                    "gatewayRefs": [{ "name": "gateway", "namespace": NAMESPACE }],
                },
                "analysis": {
                    "interval": go_text(interval), "threshold": 2, "stepWeight": 10, "maxWeight": 50,
                    "metrics": [
                        { "name": "request-success-rate", "interval": WINDOW, "thresholdRange": { "min": 99 } },
                        { "name": "request-duration", "interval": WINDOW, "thresholdRange": { "max": 500 } },
                    ],
                },
            },
        })
    }
}
