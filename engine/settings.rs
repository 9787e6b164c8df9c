//! The process-wide settings that decisions depend on; one value, made from the command line and never changed.

use std::time::Duration;

/// Settings of the controller (deploy.md 2).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `-mesh-provider`: traffic provider of canaries that name none.
    pub mesh_provider: String,
    /// `-metrics-server`: Prometheus of builtin and inline queries.
    pub metrics_server: String,
    /// `-selector-labels`: keys tried, in order, as pod selector.
    pub selector_labels: Vec<String>,
    /// `-include-label-prefix`: prefixes of labels and annotations that are copied to the primary; `*` means all.
    pub include_label_prefixes: Vec<String>,
    /// `-enable-config-tracking`.
    pub config_tracking: bool,
    /// `-no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// `-ingress-annotations-prefix`: what the NGINX controller's annotations begin with.
    pub ingress_annotations_prefix: String,
    /// `-ingress-class`: class of Contour's proxies, empty for none.
    pub ingress_class: String,
    /// `-revert-on-deletion`: what holds for canaries that do not say (W-18).
    pub revert_on_deletion: bool,
    /// `-kubeconfig-service-mesh` names another cluster: objects there cannot be owned by a Canary here (deploy.md 2).
    pub mesh_apart: bool,
    /// `-cluster-name`, empty for none.
    pub cluster_name: String,
    /// `-event-webhook`, empty for none.
    pub event_webhook: String,
    /// Where alerts go when a canary names no receiver.
    pub global_alerts: Option<GlobalAlerts>,
    /// Shortest interval between two checks. 10 s; only the demo and tests lower it.
    pub interval_floor: Duration,
}

/// The controller-wide receiver of alerts (analysis.md 5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalAlerts {
    /// `slack` or `msteams`.
    pub kind: String,
    /// Webhook URL.
    pub url: String,
    /// Bot token, empty for none.
    pub token: String,
    /// Proxy URL, empty for none.
    pub proxy: String,
    /// Sender.
    pub user: String,
    /// Channel.
    pub channel: String,
}

/// Shortest interval between two checks (controller.md 1.3).
pub const INTERVAL_FLOOR: Duration = Duration::from_secs(10);

impl Default for Settings {
    fn default() -> Self {
        Self {
            mesh_provider: "istio".into(),
            metrics_server: "http://prometheus:9090".into(),
            selector_labels: ["app", "name", "app.kubernetes.io/name"].map(String::from).to_vec(),
            include_label_prefixes: Vec::new(),
            config_tracking: true,
            no_cross_namespace_refs: false,
            ingress_annotations_prefix: "nginx.ingress.kubernetes.io".into(),
            ingress_class: String::new(),
            revert_on_deletion: false,
            mesh_apart: false,
            cluster_name: String::new(),
            event_webhook: String::new(),
            global_alerts: None,
            interval_floor: INTERVAL_FLOOR,
        }
    }
}
