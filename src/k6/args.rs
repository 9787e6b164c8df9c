//! The k6 webhook's flags and variables: the peer's (k6-webhook.md 1.1), and ours below them. A flag wins over its variable.

use clap::Args as ClapArgs;
use std::time::Duration;

use crate::companion::server::Tls;

/// Levels that the peer's logger knows.
const LEVELS: [&str; 8] = ["panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"];

/// Flags of the k6 webhook.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Token for uploads to the k6 cloud.
    #[arg(
        long,
        env = "K6_CLOUD_TOKEN",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub cloud_token: String,
    /// Port of everything.
    #[arg(long, env = "LISTEN_PORT", default_value_t = 8000)]
    pub listen_port: u16,
    /// panic, fatal, error, warn, info, debug or trace.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_parser = level)]
    pub log_level: String,
    /// Slack bot token; without it nothing is sent.
    #[arg(
        long,
        env = "SLACK_TOKEN",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub slack_token: String,
    /// Another base URL of Slack's API.
    #[arg(long, env = "SLACK_API_URL", default_value = "", hide_default_value = true)]
    pub slack_api_url: String,
    /// in-cluster reads the secrets of kubernetes_secrets with the pod's account; anything else reads none.
    #[arg(long, env = "KUBERNETES_CLIENT", default_value = "none")]
    pub kubernetes_client: String,
    /// Tests at a time; more are refused with 429.
    #[arg(long, env = "MAX_CONCURRENT_TESTS", default_value_t = 1000)]
    pub max_concurrent_tests: usize,
    /// Time limit of each test.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub timeout: Duration,
    /// Only payloads whose namespace this matches are taken.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub namespace_regexp: String,
    /// File with a token that clients must show, as bearer or as the password of Basic.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub token_file: String,
    /// Reads secrets with this kubeconfig instead of the pod's account.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub kubeconfig: String,
    /// TLS, by choice.
    #[command(flatten)]
    pub tls: Tls,
}

fn level(text: &str) -> Result<String, String> {
    let known = LEVELS.contains(&text);
    known
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no level; there are {}", LEVELS.join(", ")))
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = crds::decode::go_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| format!("{text:?} is no duration above 0; write for example 1h or 1m30s"))
}
