//! The command line: one binary, one subcommand per role.

use clap::{Parser, Subcommand};
use std::{
    ffi::OsString,
    io::{ErrorKind, Write},
    process::ExitCode,
};

use crate::{controller, k6, loadtester};

/// Progressive delivery for Kubernetes: a drop-in replacement for Flagger.
#[derive(Debug, Parser)]
#[command(
    name = "aviary",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
#[command(after_help = "Start with `aviary demo`: it needs no cluster. Flags may be written with one dash or two.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller against a cluster.
    #[command(args_override_self = true)]
    Controller(Box<controller::Args>),
    /// Run load, acceptance tests and gates for hooks: Flagger's load tester.
    #[command(args_override_self = true)]
    Loadtester(Box<loadtester::Args>),
    /// Run k6 for hooks: grafana's flagger-k6-webhook.
    #[command(args_override_self = true)]
    K6Webhook(Box<k6::Args>),
    /// Print the CustomResourceDefinitions, or the admission policies, as YAML.
    #[command(after_help = "Example: aviary crds | kubectl apply --server-side -f -")]
    Crds {
        /// Print the ValidatingAdmissionPolicies that warn of what can never work.
        #[arg(long)]
        policies: bool,
    },
    /// Print the table of traffic providers, docs/providers.md.
    Providers,
    /// Release a good and a bad version on an embedded cluster, with real requests, and show what happens.
    #[cfg(feature = "sandbox")]
    Demo(crate::demo::Args),
    /// Serve the embedded cluster for kubectl on loopback, until ctrl-c.
    #[cfg(feature = "sandbox")]
    Sandbox(crate::sandbox::command::Args),
}

/// Parse the command line and run what it names. The exit code is 2 for a wrong command line and 1 for a failure.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(normalize(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let result = match cli.command {
        Command::Controller(args) => controller::main(*args),
        Command::Crds { policies: false } => print(&crds::manifest::yaml()),
        Command::Crds { policies: true } => print(&crds::policy::yaml()),
        Command::Providers => print(&engine::routes::page()),
        Command::Loadtester(args) => loadtester::main(*args),
        Command::K6Webhook(args) => k6::main(*args),
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => crate::demo::main(&args),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => crate::sandbox::command::main(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aviary: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Print a document. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Go programs write long flags with one dash; clap wants two. Everything of the form `-word` becomes `--word`; `-h` and values stay.
fn normalize(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    args.map(|arg| match arg.to_str() {
        Some(text) if is_long_with_one_dash(text) => OsString::from(format!("-{text}")),
        _ => arg,
    })
}

fn is_long_with_one_dash(text: &str) -> bool {
    let Some(name) = text.strip_prefix('-') else {
        return false;
    };
    let letters = name.split('=').next().unwrap_or_default();
    letters.len() > 1 && letters.starts_with(|first: char| first.is_ascii_lowercase())
}

#[cfg(test)]
mod tests;
