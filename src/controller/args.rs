//! The controller's flags: those of the peer (deploy.md 2), the same names, defaults and meaning.

use clap::{ArgAction, Args as ClapArgs};
use engine::settings::{GlobalAlerts, INTERVAL_FLOOR, Settings};
use std::time::Duration;

/// Flags of the controller. Flags that Flagger has and whose behaviour comes with a later version say so.
#[derive(Clone, Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "one field per flag of the peer")]
pub struct Args {
    /// Path to a kubeconfig; without it the in-cluster configuration is used.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub kubeconfig: String,
    /// Requests per second to the API server (accepted; Aviary's requests are bounded by its pools).
    #[arg(long, default_value_t = 100)]
    pub kubeconfig_qps: u32,
    /// Burst of requests to the API server (accepted; see -kubeconfig-qps).
    #[arg(long, default_value_t = 250)]
    pub kubeconfig_burst: u32,
    /// URL of the API server; overrides the kubeconfig.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub master: String,
    /// Path to the kubeconfig of the cluster that holds the routing objects.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub kubeconfig_service_mesh: String,
    /// Prometheus of the builtin metrics.
    #[arg(long, default_value = "http://prometheus:9090")]
    pub metrics_server: String,
    /// How often Flagger matches canaries with jobs (accepted; Aviary reacts to events).
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub control_loop_interval: Duration,
    /// debug, info, warn or error.
    #[arg(long, default_value = "debug")]
    pub log_level: String,
    /// Port of /metrics, /healthz and /readyz.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Slack webhook or API URL. Environment: SLACK_URL.
    #[arg(long, default_value = "")]
    pub slack_url: String,
    /// Slack bot token. Environment: SLACK_TOKEN.
    #[arg(long, default_value = "")]
    pub slack_token: String,
    /// HTTP proxy for Slack. Environment: SLACK_PROXY_URL.
    #[arg(long, default_value = "")]
    pub slack_proxy_url: String,
    /// Sender of Slack messages.
    #[arg(long, default_value = "flagger")]
    pub slack_user: String,
    /// Slack channel.
    #[arg(long, default_value = "")]
    pub slack_channel: String,
    /// URL that receives every event. Environment: EVENT_WEBHOOK_URL.
    #[arg(long, default_value = "")]
    pub event_webhook: String,
    /// Microsoft Teams webhook; wins over Slack. Environment: MSTEAMS_URL.
    #[arg(long, default_value = "")]
    pub msteams_url: String,
    /// HTTP proxy for Microsoft Teams. Environment: MSTEAMS_PROXY_URL.
    #[arg(long, default_value = "")]
    pub msteams_proxy_url: String,
    /// Prefixes of labels and annotations that are copied to primary workloads, separated by commas; * means all.
    #[arg(long, default_value = "")]
    pub include_label_prefix: String,
    /// Workers on Flagger's queue (accepted; Aviary has one actor per canary).
    #[arg(long, default_value_t = 2)]
    pub threadiness: u32,
    /// Accepted for compatibility; without effect.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = truth)]
    pub zap_replace_globals: bool,
    /// Log encoding: json or console.
    #[arg(long, default_value = "json")]
    pub zap_encoding: String,
    /// Watch this namespace only.
    #[arg(long, default_value = "")]
    pub namespace: String,
    /// Traffic provider of canaries that name none.
    #[arg(long, default_value = "istio")]
    pub mesh_provider: String,
    /// Labels that are tried, in order, as pod selector.
    #[arg(long, default_value = "app,name,app.kubernetes.io/name")]
    pub selector_labels: String,
    /// Prefix of the NGINX controller's annotations.
    #[arg(long, default_value = "nginx.ingress.kubernetes.io")]
    pub ingress_annotations_prefix: String,
    /// Ingress class of Contour's proxies.
    #[arg(long, default_value = "")]
    pub ingress_class: String,
    /// Run only while holding the lease, so that several replicas can stand by.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = truth)]
    pub enable_leader_election: bool,
    /// Namespace of the lease.
    #[arg(long, default_value = "kube-system")]
    pub leader_election_namespace: String,
    /// Track ConfigMaps and Secrets of targets.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", value_parser = truth)]
    pub enable_config_tracking: bool,
    /// Name of the cluster, shown in alerts.
    #[arg(long, default_value = "")]
    pub cluster_name: String,
    /// Refuse references to other namespaces.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = truth)]
    pub no_cross_namespace_refs: bool,
    /// Give a deleted Canary's target its pods and its traffic back, unless spec.revertOnDeletion is false. Flagger has no such flag.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = truth)]
    pub revert_on_deletion: bool,
    /// Shortest interval between two checks. Only tests and demos lower it.
    #[arg(long, default_value = "10s", value_parser = duration, hide = true)]
    pub interval_floor: Duration,
    /// klog's verbosity (accepted; without effect).
    #[arg(long = "v", short = 'v', hide = true)]
    pub klog_verbosity: Option<i32>,
    /// klog's other flags.
    #[command(flatten)]
    pub klog: Klog,
}

/// Flags of klog that Flagger registers, too (deploy.md 2): accepted, without effect.
#[derive(Clone, Debug, ClapArgs)]
pub struct Klog {
    /// Without effect.
    #[arg(long = "logtostderr", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth, hide = true)]
    pub logtostderr: Option<bool>,
    /// Without effect.
    #[arg(long = "alsologtostderr", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth, hide = true)]
    pub alsologtostderr: Option<bool>,
    /// Without effect.
    #[arg(long = "skip_headers", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth, hide = true)]
    pub skip_headers: Option<bool>,
    /// Without effect.
    #[arg(long = "skip_log_headers", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth, hide = true)]
    pub skip_log_headers: Option<bool>,
    /// Without effect.
    #[arg(long = "add_dir_header", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth, hide = true)]
    pub add_dir_header: Option<bool>,
    /// Without effect.
    #[arg(long = "one_output", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth, hide = true)]
    pub one_output: Option<bool>,
    /// Without effect.
    #[arg(long = "legacy_stderr_threshold_behavior", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = truth, hide = true)]
    pub legacy_stderr_threshold_behavior: Option<bool>,
    /// Without effect.
    #[arg(long = "stderrthreshold", hide = true)]
    pub stderrthreshold: Option<String>,
    /// Without effect.
    #[arg(long = "vmodule", hide = true)]
    pub vmodule: Option<String>,
    /// Without effect.
    #[arg(long = "log_dir", hide = true)]
    pub log_dir: Option<String>,
    /// Without effect.
    #[arg(long = "log_file", hide = true)]
    pub log_file: Option<String>,
    /// Without effect.
    #[arg(long = "log_file_max_size", hide = true)]
    pub log_file_max_size: Option<String>,
    /// Without effect.
    #[arg(long = "log_backtrace_at", hide = true)]
    pub log_backtrace_at: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    crds::decode::go_duration(text).ok_or_else(|| format!("{text:?} is no duration; write for example 10s or 1m30s"))
}

/// What Go takes for a boolean.
fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// Environment variables that override flags when they are not empty (deploy.md 3).
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    read: Vec<(&'static str, String)>,
}

// === impl Environment ===

impl Environment {
    /// Read the variables once.
    pub(super) fn read() -> Self {
        let names = [
            "SLACK_URL",
            "SLACK_TOKEN",
            "SLACK_PROXY_URL",
            "MSTEAMS_URL",
            "MSTEAMS_PROXY_URL",
            "EVENT_WEBHOOK_URL",
        ];
        Self {
            read: names
                .iter()
                .map(|name| (*name, std::env::var(name).unwrap_or_default()))
                .collect(),
        }
    }

    fn or(&self, name: &str, flag: &str) -> String {
        let found = self
            .read
            .iter()
            .find(|(known, value)| *known == name && !value.is_empty());
        found.map_or_else(|| flag.to_owned(), |(_, value)| value.clone())
    }
}

// === impl Args ===

impl Args {
    /// The settings that decisions depend on.
    pub(super) fn settings(&self, environment: &Environment) -> Settings {
        Settings {
            mesh_provider: self.mesh_provider.clone(),
            metrics_server: self.metrics_server.clone(),
            selector_labels: list(&self.selector_labels),
            include_label_prefixes: list(&self.include_label_prefix),
            config_tracking: self.enable_config_tracking,
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            ingress_annotations_prefix: self.ingress_annotations_prefix.clone(),
            ingress_class: self.ingress_class.clone(),
            revert_on_deletion: self.revert_on_deletion,
            // Known when both clusters are.
            mesh_apart: false,
            cluster_name: self.cluster_name.clone(),
            event_webhook: environment.or("EVENT_WEBHOOK_URL", &self.event_webhook),
            global_alerts: self.global_alerts(environment),
            interval_floor: self.interval_floor.min(INTERVAL_FLOOR),
        }
    }

    /// Slack unless a Teams URL is there (analysis.md 5.3). A Slack URL without channel or user is a mistake and sends nothing.
    fn global_alerts(&self, environment: &Environment) -> Option<GlobalAlerts> {
        let teams = environment.or("MSTEAMS_URL", &self.msteams_url);
        if !teams.is_empty() {
            return Some(GlobalAlerts {
                kind: "msteams".into(),
                url: teams,
                token: String::new(),
                proxy: environment.or("MSTEAMS_PROXY_URL", &self.msteams_proxy_url),
                user: self.slack_user.clone(),
                channel: self.slack_channel.clone(),
            });
        }
        let slack = environment.or("SLACK_URL", &self.slack_url);
        if slack.is_empty() {
            return None;
        }
        if self.slack_channel.is_empty() || self.slack_user.is_empty() {
            tracing::error!("alerts are off: -slack-url needs -slack-channel and -slack-user");
            return None;
        }
        Some(GlobalAlerts {
            kind: "slack".into(),
            url: slack,
            token: environment.or("SLACK_TOKEN", &self.slack_token),
            proxy: environment.or("SLACK_PROXY_URL", &self.slack_proxy_url),
            user: self.slack_user.clone(),
            channel: self.slack_channel.clone(),
        })
    }

    /// Namespace of the lease: the watched one, if only one is watched (deploy.md 8).
    pub(super) fn lease_namespace(&self) -> &str {
        if self.namespace.is_empty() {
            &self.leader_election_namespace
        } else {
            &self.namespace
        }
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(String::from)
        .collect()
}
