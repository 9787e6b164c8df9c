//! The command line of the bench; its help is the manual.

use clap::{Parser, ValueEnum};
use std::{path::PathBuf, time::Duration};

const TEACHES: &str = "\
WHAT IT DOES
  course      N applications and N Canaries in T namespaces. In order:
                initialise  from the start of the controller until every Canary says Initialized
                idle        nothing happens; what does the controller ask of the API server?
                roll-out    all N get a new image at once, 10 % more traffic per interval up to 50 %
                restart     SIGTERM, start again; nothing may be released a second time
  throughput  five times N Canaries in an analysis without end on the sandbox; the interval is lowered until the 99th percentile
              of the lateness of steps passes a second. Steps per second at the last interval that was kept up with. Below 1.5 s a
              Canary's own brake (a step per second) would be measured: then give more --canaries.
  isolation   the same on the sandbox, at the interval; one namespace misbehaves: objects on which the mind panics, hooks and a
              metrics server that never answer, 100 object changes per second. Lateness of all others, with it and without.
  servers     the same on the sandbox, at the interval; every second Canary asks a metrics server of its own, which answers at once
              and then takes 4 s each. Lateness of the others, whose server is fast throughout, and the ratio of both.

WHERE
  --on real      etcd, kube-apiserver, controller-manager, scheduler and kwok, started here in a folder of their own by
                 tests/controlplane (built by the first call of tests/controlplane/build) and taken down at the end. The controller
                 is a process of its own: its CPU and memory are those of that process, its requests those of the audit log.
  --env FILE     the same, on a control plane that is up: the env file of tests/controlplane/up. Cleaned at the end.
  --on sandbox   the embedded cluster in this process: no etcd to wait for. CPU and memory are those of the cluster, the load and
                 the controller together; requests are counted where the controller's client hands them over.

READING THE FIGURES
  Everything is written as minimum, median and maximum of --runs. Lateness is the time from when a step was due to its start, from
  the controller's own aviary_step_lateness_seconds; `gap` is the same seen from outside: the time between two weights in the status,
  minus the interval. The second exists for a peer, too. Requests are per verb, watches included, leases left out.

ANOTHER CONTROLLER
  --peer-command 'flagger -kubeconfig={kubeconfig} -port={port} -metrics-server={metrics} -mesh-provider=gatewayapi:v1'
                 is run by sh in place of ours, as the same account (which gets every right), through the same course.

EXAMPLES
  cargo bench --bench fleet                                        1,000 Canaries, once: 10 minutes
  cargo bench --bench fleet -- course --runs 3 --json fleet.json   medians of three
  cargo bench --bench fleet -- --on sandbox --canaries 5000        five thousand on the embedded cluster
  cargo bench --bench fleet -- throughput isolation servers
  cargo bench --bench fleet -- --quick                             20 Canaries on the sandbox: does it work?";

/// What a fleet of canaries costs.
#[derive(Clone, Debug, Parser)]
#[command(name = "fleet", after_help = TEACHES)]
pub(crate) struct Args {
    /// What to run; without it, the course.
    #[arg(value_enum)]
    pub(crate) parts: Vec<Part>,
    /// Canaries, each with an application of one pod.
    #[arg(long, default_value_t = 1000)]
    pub(crate) canaries: usize,
    /// Namespaces that they are spread over.
    #[arg(long, default_value_t = 50)]
    pub(crate) namespaces: usize,
    /// Seconds between two checks of a canary.
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// Where the course is run.
    #[arg(long, value_enum, default_value = "real")]
    pub(crate) on: On,
    /// A control plane that is up: the env file of tests/controlplane/up.
    #[arg(long, value_name = "FILE")]
    pub(crate) env: Option<PathBuf>,
    /// How often everything is done, each time from nothing.
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: usize,
    /// Seconds that idleness, a step of the throughput and each side of the isolation are measured for.
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub(crate) window: Duration,
    /// Another controller: a command for sh, with {kubeconfig}, {port} and {metrics}.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) peer_command: Option<String>,
    /// Write all figures of all runs here, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// A small fleet on the sandbox, everything once.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

/// One of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Part {
    /// Initialise, idle, roll out, restart.
    Course,
    /// Steps per second.
    Throughput,
    /// One bad tenant among many.
    Isolation,
    /// One slow metrics server beside a fast one.
    Servers,
}

/// A kind of cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// etcd, kube-apiserver and the others as processes.
    Real,
    /// The embedded cluster.
    Sandbox,
}

// === impl Args ===

impl Args {
    /// With what `--quick` means and what is left open.
    pub(crate) fn settled(mut self) -> Self {
        if self.quick {
            self.canaries = 20;
            self.namespaces = 4;
            self.interval = Duration::from_secs(1);
            self.window = Duration::from_secs(3);
            self.on = On::Sandbox;
            self.env = None;
            if self.parts.is_empty() {
                self.parts = vec![Part::Course, Part::Throughput, Part::Isolation, Part::Servers];
            }
        }
        if self.parts.is_empty() {
            self.parts = vec![Part::Course];
        }
        self.parts.sort();
        self.parts.dedup();
        self.canaries = self.canaries.max(1);
        self.namespaces = self.namespaces.clamp(1, self.canaries);
        self.runs = self.runs.max(1);
        self
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .trim_end_matches('s')
        .parse()
        .map_err(|_| format!("{text:?} is no number of seconds"))?;
    Duration::try_from_secs_f64(number)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("{text:?} is no time that could be waited"))
}
