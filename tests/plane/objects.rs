//! podinfo as its users have it: a Deployment, a Service, a route of their own, and the Canary that takes them over.

use serde_json::{Value, json};

use super::kubelet::NODE;
use crate::cluster::lab::Room;

/// Name of everything.
pub(crate) const APP: &str = "podinfo";
/// The Gateway, in the room of the routes.
pub(crate) const GATEWAY: &str = "public";
/// The weights of a run.
pub(crate) const WEIGHTS: [i64; 4] = [10, 30, 50, 100];

/// The errors of the canary's own pods among what users asked of them; probes and scrapes have other paths.
const QUERY: &str = r#"100 * sum(rate(http_request_duration_seconds_count{
    kubernetes_namespace="{{ namespace }}", kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)", path="root", status!~"5.."
  }[{{ interval }}]))
  / sum(rate(http_request_duration_seconds_count{
    kubernetes_namespace="{{ namespace }}", kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)", path="root"
  }[{{ interval }}]))"#;

/// The ways into the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// HTTPRoute; judged by what the pods count.
    Gateway,
    /// IngressRoute and TraefikService; judged by what Traefik counts.
    Traefik,
}

/// A version of the app, and whether it works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) name: &'static str,
    pub(crate) is_faulty: bool,
}

// === impl Version ===

impl Version {
    pub(crate) const fn good(name: &'static str) -> Self {
        Self { name, is_faulty: false }
    }

    /// A third of its answers are errors, of which a third say that it is the server's fault.
    pub(crate) const fn faulty(name: &'static str) -> Self {
        Self { name, is_faulty: true }
    }

    /// The pod's containers. A faulty version fails its probes at random, too; ten in a row do not happen. Nor are pods lost to probes that
    /// a busy machine answers late.
    fn containers(self) -> Value {
        let arguments = if self.is_faulty {
            json!(["--random-error"])
        } else {
            json!([])
        };
        json!([{
            "name": "podinfod",
            "image": "stefanprodan/podinfo:6.9.2",
            "command": ["./podinfo", "--port=9898", "--level=error"],
            "args": arguments,
            "env": [{"name": "PODINFO_UI_MESSAGE", "value": self.name}],
            "ports": [{"name": "http", "containerPort": 9898, "protocol": "TCP"}],
            "readinessProbe": {
                "httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 10,
            },
            // Time for the gateway to hear that the pod goes: Traefik looks every two seconds.
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        }])
    }

    pub(crate) async fn deploy(self, room: &Room<'_>) {
        let patch = json!({"spec": {"template": {"spec": {"containers": self.containers()}}}});
        room.patch("deployments", APP, patch).await;
    }

    /// Deployment and Service, before there is a Canary.
    pub(crate) async fn install(self, room: &Room<'_>) {
        let labels = json!({"app": APP});
        let template = json!({
            "metadata": {"labels": labels},
            "spec": {
                "nodeSelector": {"kubernetes.io/hostname": NODE},
                "terminationGracePeriodSeconds": 30,
                "containers": self.containers(),
            },
        });
        let spec = json!({"replicas": 2, "selector": {"matchLabels": labels}, "template": template});
        room.create("deployments", json!({"metadata": {"name": APP}, "spec": spec}))
            .await;
        let ports = json!([{"name": "http", "port": 9898, "targetPort": "http"}]);
        let service = json!({"metadata": {"name": APP}, "spec": {"selector": labels, "ports": ports}});
        room.create("services", service).await;
    }
}

// === impl Way ===

impl Way {
    /// The name under which users know the app of a room.
    pub(crate) fn host(room: &Room<'_>) -> String {
        format!("{}.example.com", room.name)
    }

    /// The users' own route, to the Service.
    pub(crate) async fn open(self, room: &Room<'_>) {
        match self {
            Self::Gateway => {
                let backend = json!({"name": APP, "port": 9898});
                let spec = json!({
                    "parentRefs": [{"name": GATEWAY}], "hostnames": [Self::host(room)],
                    "rules": [{"backendRefs": [backend]}],
                });
                room.create("httproutes", json!({"metadata": {"name": APP}, "spec": spec}))
                    .await;
            }
            Self::Traefik => {
                let service = json!({"name": APP, "kind": "Service", "port": 9898, "weight": 1});
                let spec = json!({"weighted": {"services": [service]}});
                room.create("traefikservices", json!({"metadata": {"name": APP}, "spec": spec}))
                    .await;
                let rule = json!({
                    "kind": "Rule", "match": format!("Host(`{}`)", Self::host(room)),
                    "services": [{"kind": "TraefikService", "name": APP}],
                });
                let route = json!({
                    "apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": APP},
                    "spec": {"entryPoints": ["web"], "routes": [rule]},
                });
                let path = format!("/apis/traefik.io/v1alpha1/namespaces/{}/ingressroutes", room.name);
                room.lab.call("POST", &path, Some(&route)).await.unwrap();
            }
        }
    }

    /// The Canary, with this analysis over the common one.
    pub(crate) async fn guard(self, room: &Room<'_>, analysis: Value) {
        let mut common = json!({"interval": "2s", "threshold": 3});
        engine::json::merge(&mut common, &analysis);
        let provider = match self {
            Self::Gateway => "gatewayapi:v1",
            Self::Traefik => "traefik",
        };
        let mut service = json!({"port": 9898, "targetPort": "http"});
        if self == Self::Gateway {
            service["hosts"] = json!([Self::host(room)]);
            service["gatewayRefs"] = json!([{"name": GATEWAY, "namespace": room.name}]);
        }
        let spec = json!({
            "provider": provider, "revertOnDeletion": true, "progressDeadlineSeconds": 60,
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP},
            "service": service, "analysis": common,
        });
        room.create("canaries", json!({"metadata": {"name": APP}, "spec": spec}))
            .await;
    }

    /// What judges a run of this way.
    pub(crate) async fn metrics(self, room: &Room<'_>, prometheus: &str) -> Value {
        match self {
            Self::Gateway => {
                let provider = json!({"type": "prometheus", "address": prometheus});
                let spec = json!({"provider": provider, "query": QUERY});
                room.create(
                    "metrictemplates",
                    json!({"metadata": {"name": "successes"}, "spec": spec}),
                )
                .await;
                json!([{
                    "name": "successes", "templateRef": {"name": "successes"}, "interval": "10s",
                    "thresholdRange": {"min": 99},
                }])
            }
            Self::Traefik => json!([
                {"name": "request-success-rate", "interval": "10s", "thresholdRange": {"min": 99}},
                // The smallest bucket that Traefik has is 100 ms; a quiet machine answers in two.
                {"name": "request-duration", "interval": "10s", "thresholdRange": {"max": 5000}},
            ]),
        }
    }
}
