//! The kinds that a fresh sandbox serves, and what the API server does differently for each of them.

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

const CUSTOM: [Row; 7] = [
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
];

/// The kinds of a fresh sandbox.
pub fn standard() -> Vec<Resource> {
    let native = NATIVE.iter().map(|row| Resource::from_row(row, false));
    let custom = CUSTOM.iter().map(|row| Resource::from_row(row, true));
    native.chain(custom).collect()
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
