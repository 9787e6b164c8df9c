//! The load tester's flags: the peer's (loadtester.md 2.1), and ours below them.

use clap::{ArgAction, Args as ClapArgs};
use std::time::Duration;

use crate::companion::{payload::truth, server::Tls};

/// Flags of the load tester.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// debug, info, warn or error.
    #[arg(long, default_value = "debug")]
    pub log_level: String,
    /// Port of everything.
    #[arg(long, default_value_t = 9090)]
    pub port: u16,
    /// Time limit of each task.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub timeout: Duration,
    /// Only payloads whose namespace this matches are taken.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub namespace_regexp: String,
    /// Accepted for compatibility; without effect.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = boolean)]
    pub zap_replace_globals: bool,
    /// Log encoding: json or console.
    #[arg(long, default_value = "json")]
    pub zap_encoding: String,
    /// Tasks that run at a time, in the background, and as many that are waited for.
    #[arg(long, default_value_t = 20)]
    pub concurrency: usize,
    /// Tasks that wait for a place, in the background, and as many that are waited for; more are refused with 429.
    #[arg(long, default_value_t = 100)]
    pub queue: usize,
    /// Where gates are kept: file:PATH or configmap:NAMESPACE/NAME; in memory without it.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub gate_storage: String,
    /// Programs that may be run, separated by commas; without it all, and a shell where a command needs one.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub allow_commands: String,
    /// Hosts (host or host:port) that http, grpc, concord and ngrinder may call, separated by commas; without it all.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub allow_servers: String,
    /// File with a token that clients must show, as bearer or as the password of Basic.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub token_file: String,
    /// Status of a test that failed. Flagger hides the texts of 500; it shows those of 424.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(400..600))]
    pub failure_status: u16,
    /// Kubeconfig for -gate-storage=configmap; without it the in-cluster configuration is used.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub kubeconfig: String,
    /// TLS, by choice.
    #[command(flatten)]
    pub tls: Tls,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = super::order::duration(text);
    duration.ok_or_else(|| format!("{text:?} is no duration above 0; write for example 1h or 1m30s"))
}

fn boolean(text: &str) -> Result<bool, String> {
    truth(text).ok_or_else(|| format!("{text:?} is neither true nor false"))
}
