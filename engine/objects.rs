//! Names of Kubernetes objects and small readers for raw JSON. Foreign objects stay `serde_json::Value` so that no field is lost.

use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt};

/// A kind of object that the engine reads or writes. All but [`CLUSTER_WIDE`] are namespaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version inside the group.
    pub version: &'static str,
    /// Kind, as in manifests.
    pub kind: &'static str,
    /// Plural, as in URLs.
    pub plural: &'static str,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// What it is.
    pub kind: Kind,
    /// Where it is; empty for an object of the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The kinds that this engine knows.
pub mod kinds {
    use super::Kind;

    const fn kind(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
        Kind {
            group,
            version,
            kind,
            plural,
        }
    }

    /// flagger.app Canary.
    pub const CANARY: Kind = kind("flagger.app", "v1beta1", "Canary", "canaries");
    /// flagger.app MetricTemplate.
    pub const METRIC_TEMPLATE: Kind = kind("flagger.app", "v1beta1", "MetricTemplate", "metrictemplates");
    /// flagger.app AlertProvider.
    pub const ALERT_PROVIDER: Kind = kind("flagger.app", "v1beta1", "AlertProvider", "alertproviders");
    /// apps Deployment.
    pub const DEPLOYMENT: Kind = kind("apps", "v1", "Deployment", "deployments");
    /// apps DaemonSet.
    pub const DAEMON_SET: Kind = kind("apps", "v1", "DaemonSet", "daemonsets");
    /// core Service.
    pub const SERVICE: Kind = kind("", "v1", "Service", "services");
    /// core ConfigMap.
    pub const CONFIG_MAP: Kind = kind("", "v1", "ConfigMap", "configmaps");
    /// core Secret.
    pub const SECRET: Kind = kind("", "v1", "Secret", "secrets");
    /// autoscaling HorizontalPodAutoscaler.
    pub const HORIZONTAL_POD_AUTOSCALER: Kind = kind(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    );
    /// Knative Service.
    pub const KNATIVE_SERVICE: Kind = kind("serving.knative.dev", "v1", "Service", "services");
    /// Knative Revision.
    pub const KNATIVE_REVISION: Kind = kind("serving.knative.dev", "v1", "Revision", "revisions");
    /// KEDA ScaledObject.
    pub const SCALED_OBJECT: Kind = kind("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects");
    /// Gateway API HTTPRoute.
    pub const HTTP_ROUTE: Kind = kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes");
    /// Gateway API GRPCRoute.
    pub const GRPC_ROUTE: Kind = kind("gateway.networking.k8s.io", "v1", "GRPCRoute", "grpcroutes");
    /// Gateway API TCPRoute.
    pub const TCP_ROUTE: Kind = kind("gateway.networking.k8s.io", "v1", "TCPRoute", "tcproutes");
    /// Gateway API TCPRoute, of clusters before Gateway API 1.6.
    pub const TCP_ROUTE_V1ALPHA2: Kind = kind("gateway.networking.k8s.io", "v1alpha2", "TCPRoute", "tcproutes");
    /// Ingress of NGINX and Skipper.
    pub const INGRESS: Kind = kind("networking.k8s.io", "v1", "Ingress", "ingresses");
    /// TraefikService.
    pub const TRAEFIK_SERVICE: Kind = kind("traefik.io", "v1alpha1", "TraefikService", "traefikservices");
    /// Contour HTTPProxy.
    pub const HTTP_PROXY: Kind = kind("projectcontour.io", "v1", "HTTPProxy", "httpproxies");
    /// ApisixRoute.
    pub const APISIX_ROUTE: Kind = kind("apisix.apache.org", "v2", "ApisixRoute", "apisixroutes");
    /// Gloo RouteTable.
    pub const ROUTE_TABLE: Kind = kind("gateway.solo.io", "v1", "RouteTable", "routetables");
    /// Gloo Upstream.
    pub const UPSTREAM: Kind = kind("gloo.solo.io", "v1", "Upstream", "upstreams");
    /// Gateway API HTTPRoute, of clusters before Gateway API 1.0.
    pub const HTTP_ROUTE_V1BETA1: Kind = kind("gateway.networking.k8s.io", "v1beta1", "HTTPRoute", "httproutes");
    /// SMI TrafficSplit v1alpha1.
    pub const TRAFFIC_SPLIT_V1ALPHA1: Kind = kind("split.smi-spec.io", "v1alpha1", "TrafficSplit", "trafficsplits");
    /// SMI TrafficSplit v1alpha2.
    pub const TRAFFIC_SPLIT_V1ALPHA2: Kind = kind("split.smi-spec.io", "v1alpha2", "TrafficSplit", "trafficsplits");
    /// SMI TrafficSplit v1alpha3.
    pub const TRAFFIC_SPLIT_V1ALPHA3: Kind = kind("split.smi-spec.io", "v1alpha3", "TrafficSplit", "trafficsplits");
    /// Kuma TrafficRoute.
    pub const TRAFFIC_ROUTE: Kind = kind("kuma.io", "v1alpha1", "TrafficRoute", "trafficroutes");
    /// App Mesh VirtualNode v1beta1.
    pub const VIRTUAL_NODE_V1BETA1: Kind = kind("appmesh.k8s.aws", "v1beta1", "VirtualNode", "virtualnodes");
    /// App Mesh VirtualService v1beta1.
    pub const MESH_SERVICE_V1BETA1: Kind = kind("appmesh.k8s.aws", "v1beta1", "VirtualService", "virtualservices");
    /// App Mesh VirtualNode v1beta2.
    pub const VIRTUAL_NODE_V1BETA2: Kind = kind("appmesh.k8s.aws", "v1beta2", "VirtualNode", "virtualnodes");
    /// App Mesh VirtualRouter v1beta2.
    pub const VIRTUAL_ROUTER_V1BETA2: Kind = kind("appmesh.k8s.aws", "v1beta2", "VirtualRouter", "virtualrouters");
    /// App Mesh VirtualService v1beta2.
    pub const MESH_SERVICE_V1BETA2: Kind = kind("appmesh.k8s.aws", "v1beta2", "VirtualService", "virtualservices");
    /// Istio VirtualService.
    pub const VIRTUAL_SERVICE: Kind = kind("networking.istio.io", "v1beta1", "VirtualService", "virtualservices");
    /// Istio DestinationRule.
    pub const DESTINATION_RULE: Kind = kind("networking.istio.io", "v1beta1", "DestinationRule", "destinationrules");
}

/// Kinds whose objects belong to the whole cluster.
pub const CLUSTER_WIDE: [Kind; 1] = [kinds::TRAFFIC_ROUTE];

/// API groups of the objects that meshes and gateways read, which `-kubeconfig-service-mesh` has in a cluster of their own. Ingresses and
/// Knative's objects belong to the canaries' cluster (RI-24).
const MESH_GROUPS: [&str; 12] = [
    "apisix.apache.org",
    "appmesh.k8s.aws",
    "gateway.networking.k8s.io",
    "gateway.solo.io",
    "gloo.solo.io",
    "kuma.io",
    "networking.istio.io",
    "projectcontour.io",
    "specs.smi-spec.io",
    "split.smi-spec.io",
    "traefik.containo.us",
    "traefik.io",
];

/// Annotation value that stops GitOps tools from undoing a generated object (services.md 1).
pub const GITOPS_ANNOTATIONS: [(&str, &str); 2] = [
    ("helm.toolkit.fluxcd.io/driftDetection", "disabled"),
    ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
];

/// Keys containing this text are never copied to generated objects (workloads.md 1).
pub const TOOLKIT_MARKER: &str = "toolkit.fluxcd.io";

/// kubectl's copy of the manifest that was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What an object said before a Canary adopted it. The peer's name, so that either may revert what the other adopted.
pub const ORIGINAL: &str = "flagger.kubernetes.io/original-configuration";

// === impl Kind ===

impl Kind {
    /// `apiVersion` of manifests: `v1`, `apps/v1`, …
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether its objects live in namespaces.
    pub fn is_namespaced(self) -> bool {
        !CLUSTER_WIDE.contains(&self)
    }

    /// Whether objects of this kind are where the mesh is.
    pub fn is_of_mesh(self) -> bool {
        MESH_GROUPS.contains(&self.group)
    }

    /// The object of this kind with that name. Where the kind has no namespaces, the namespace is left out.
    pub fn named(self, namespace: &str, name: &str) -> ObjectRef {
        let namespace = if self.is_namespaced() { namespace } else { "" };
        ObjectRef {
            kind: self,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

// === impl ObjectRef ===

impl fmt::Display for ObjectRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return write!(formatter, "{} {}", self.kind.kind, self.name);
        }
        write!(formatter, "{} {}.{}", self.kind.kind, self.name, self.namespace)
    }
}

/// `metadata.resourceVersion`, empty when there is none.
pub fn resource_version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

/// `metadata.labels` or `metadata.annotations` (`field`) as a map; values that are not text are left out.
pub fn metadata_map(object: &Value, field: &str) -> BTreeMap<String, String> {
    string_map(&object["metadata"][field])
}

/// An object of texts as a map; entries that are not text are left out.
pub fn string_map(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The entries whose key has nothing to do with a GitOps toolkit.
pub fn without_toolkit(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter()
        .filter(|(key, _)| !key.contains(TOOLKIT_MARKER))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Controller owner reference to a Canary (workloads.md 1).
pub fn owner_reference(canary: &crds::Canary) -> Value {
    json!({
        "apiVersion": crds::API_VERSION,
        "kind": "Canary",
        "name": canary.name(),
        "uid": canary.metadata.uid.as_deref().unwrap_or_default(),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Whether the controller owner of `object` is this very Canary: same kind, name and uid (SV-6).
pub fn is_controlled_by(object: &Value, canary: &crds::Canary) -> bool {
    controller_of(object).is_some_and(|owner| {
        owner["kind"] == "Canary"
            && owner["name"] == canary.name()
            && canary.metadata.uid.as_deref().is_none_or(|uid| owner["uid"] == uid)
    })
}

/// The owner reference with `controller: true`.
pub fn controller_of(object: &Value) -> Option<&Value> {
    object["metadata"]["ownerReferences"]
        .as_array()?
        .iter()
        .find(|owner| owner["controller"] == true)
}
