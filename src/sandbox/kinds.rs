//! The kinds that a fresh sandbox serves, and what the API server does differently for each of them.

use super::crd::Definition;
use serde_json::Value;
use std::sync::Arc;

/// One served resource: a row of the discovery document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// The one served version.
    pub version: String,
    /// Kind, as in manifests.
    pub kind: String,
    /// Plural, as in URLs.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether `/status` is a subresource, so that the main resource ignores status.
    pub has_status: bool,
    /// Whether it comes from a CRD. Custom kinds always count generations and never take an update without resourceVersion.
    pub custom: bool,
    /// What its CRD says, where there is one: schema, columns, names.
    pub definition: Option<Arc<Definition>>,
}

/// group, version, kind, plural, namespaced, status subresource
type Row = (&'static str, &'static str, &'static str, &'static str, bool, bool);

const NATIVE: [Row; 12] = [
    ("", "v1", "Namespace", "namespaces", false, true),
    ("", "v1", "Service", "services", true, true),
    ("", "v1", "ConfigMap", "configmaps", true, false),
    ("", "v1", "Secret", "secrets", true, false),
    ("", "v1", "Event", "events", true, false),
    ("events.k8s.io", "v1", "Event", "events", true, false),
    ("apps", "v1", "Deployment", "deployments", true, true),
    ("apps", "v1", "ReplicaSet", "replicasets", true, true),
    ("apps", "v1", "DaemonSet", "daemonsets", true, true),
    ("coordination.k8s.io", "v1", "Lease", "leases", true, false),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
        true,
    ),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", true, true),
];

/// What a strict sandbox serves besides, so that kubectl can install what users install.
const MORE: [Row; 6] = [
    ("", "v1", "ServiceAccount", "serviceaccounts", true, false),
    (CRD_GROUP, "v1", "CustomResourceDefinition", CRD_PLURAL, false, true),
    (RBAC, "v1", "ClusterRole", "clusterroles", false, false),
    (RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", false, false),
    (RBAC, "v1", "Role", "roles", true, false),
    (RBAC, "v1", "RoleBinding", "rolebindings", true, false),
];
const RBAC: &str = "rbac.authorization.k8s.io";
/// Group of CustomResourceDefinitions.
pub(super) const CRD_GROUP: &str = "apiextensions.k8s.io";
/// Plural of CustomResourceDefinitions.
pub(super) const CRD_PLURAL: &str = "customresourcedefinitions";

/// Plural; short names; whether `kubectl get all` shows it; whether it has a scale subresource.
const NAMES: [(&str, &[&str], bool, bool); 11] = [
    ("namespaces", &["ns"], false, false),
    ("services", &["svc"], true, false),
    ("configmaps", &["cm"], false, false),
    ("events", &["ev"], false, false),
    ("deployments", &["deploy"], true, true),
    ("replicasets", &["rs"], true, true),
    ("daemonsets", &["ds"], true, false),
    ("horizontalpodautoscalers", &["hpa"], true, false),
    ("ingresses", &["ing"], false, false),
    ("serviceaccounts", &["sa"], false, false),
    (CRD_PLURAL, &["crd", "crds"], false, false),
];

const CUSTOM: [Row; 12] = [
    ("flagger.app", "v1beta1", "Canary", "canaries", true, true),
    (
        "flagger.app",
        "v1beta1",
        "MetricTemplate",
        "metrictemplates",
        true,
        true,
    ),
    ("flagger.app", "v1beta1", "AlertProvider", "alertproviders", true, true),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", true, true),
    ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", true, true),
    (
        "networking.istio.io",
        "v1beta1",
        "VirtualService",
        "virtualservices",
        true,
        true,
    ),
    (
        "networking.istio.io",
        "v1beta1",
        "DestinationRule",
        "destinationrules",
        true,
        true,
    ),
    (
        "traefik.io",
        "v1alpha1",
        "TraefikService",
        "traefikservices",
        true,
        false,
    ),
    ("projectcontour.io", "v1", "HTTPProxy", "httpproxies", true, true),
    ("apisix.apache.org", "v2", "ApisixRoute", "apisixroutes", true, true),
    ("gateway.solo.io", "v1", "RouteTable", "routetables", true, false),
    ("gloo.solo.io", "v1", "Upstream", "upstreams", true, false),
];

/// The kinds of a fresh sandbox.
pub fn standard() -> Vec<Resource> {
    let native = NATIVE.iter().map(|row| Resource::from_row(row, false));
    let custom = CUSTOM.iter().map(|row| Resource::from_row(row, true));
    native.chain(custom).collect()
}

/// What a strict sandbox serves besides.
pub(super) fn more() -> Vec<Resource> {
    MORE.iter().map(|row| Resource::from_row(row, false)).collect()
}

// === impl Resource ===

impl Resource {
    /// A namespaced kind from a CRD with a status subresource.
    pub fn custom(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self::from_row(&(group, version, kind, plural, true, true), true)
    }

    fn from_row(row: &(&str, &str, &str, &str, bool, bool), custom: bool) -> Self {
        let (group, version, kind, plural, namespaced, has_status) = *row;
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            has_status,
            custom,
            definition: None,
        }
    }

    /// `apiVersion` of manifests.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Names that kubectl takes instead of the plural.
    pub(super) fn short_names(&self) -> Vec<String> {
        match &self.definition {
            Some(definition) => definition.names("shortNames"),
            None => self.known().1.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// Groups of kinds that kubectl takes as one, such as `all`.
    pub(super) fn categories(&self) -> Vec<String> {
        match &self.definition {
            Some(definition) => definition.names("categories"),
            None if self.known().2 => vec!["all".to_owned()],
            None if self.plural == CRD_PLURAL => vec!["api-extensions".to_owned()],
            None if self.plural == "httproutes" => vec!["gateway-api".to_owned()],
            None => Vec::new(),
        }
    }

    /// The kind in lower case, or what its CRD says.
    pub(super) fn singular(&self) -> String {
        let named = self
            .definition
            .as_ref()
            .and_then(|definition| definition.name("singular"));
        named.unwrap_or_else(|| self.kind.to_lowercase())
    }

    /// Kind of lists.
    pub(super) fn list_kind(&self) -> String {
        let named = self
            .definition
            .as_ref()
            .and_then(|definition| definition.name("listKind"));
        named.unwrap_or_else(|| format!("{}List", self.kind))
    }

    /// JSON pointers of the scale subresource: wanted replicas, replicas, and the selector as text or as an object.
    pub(super) fn scale(&self) -> Option<[String; 3]> {
        if let Some(definition) = &self.definition {
            return definition.scale();
        }
        let pointers = ["/spec/replicas", "/status/replicas", "/spec/selector"];
        self.known().3.then(|| pointers.map(str::to_owned))
    }

    /// Columns that its CRD names for `kubectl get`.
    pub(super) fn columns(&self) -> &[Value] {
        self.definition.as_ref().map_or(&[], |definition| definition.columns())
    }

    fn known(&self) -> &'static (&'static str, &'static [&'static str], bool, bool) {
        const UNKNOWN: &(&str, &[&str], bool, bool) = &("", &[], false, false);
        let mut rows = NAMES.iter().filter(|_| !self.custom);
        rows.find(|row| row.0 == self.plural).unwrap_or(UNKNOWN)
    }

    /// The name that error messages use: `services`, `deployments.apps`.
    pub(super) fn qualified(&self) -> String {
        dotted(&self.plural, &self.group)
    }

    /// The kind as messages about invalid objects write it: `Service`, `Deployment.apps`.
    pub(super) fn qualified_kind(&self) -> String {
        dotted(&self.kind, &self.group)
    }

    /// Whether `metadata.generation` is kept.
    pub(super) fn counts_generations(&self) -> bool {
        self.custom || ["deployments", "replicasets", "daemonsets", "ingresses"].contains(&self.plural.as_str())
    }

    /// Whether a PUT without resourceVersion overwrites whatever is there.
    pub(super) fn overwrites(&self) -> bool {
        !self.custom && self.plural != "leases"
    }
}

fn dotted(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}
