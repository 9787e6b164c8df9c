//! What a payload asks for (loadtester.md 5, 6), or why it cannot be had.

use serde::Serialize;
use std::{collections::BTreeSet, time::Duration};

use super::{
    concord::Concord,
    load::plan::Plan,
    ngrinder::Ngrinder,
    task::{Ask, Canary, Key},
};
use crate::companion::{
    payload::{Payload, truth},
    program::{Farewell, Program, find},
    redaction::Redaction,
    words,
};

/// Time between SIGTERM and SIGKILL: hey and ghz print their summary at once.
const FAREWELL: Farewell = Farewell {
    interrupt: false,
    grace: Duration::from_secs(3),
};
/// Types, as the peer spells them, and our own two at the end.
const KINDS: [(&str, Kind); 9] = [
    ("cmd", Kind::Cmd),
    ("bash", Kind::Bash),
    ("helm", Kind::Helm),
    ("helmv3", Kind::Helm),
    ("kubectl", Kind::Kubectl),
    ("concord", Kind::Concord),
    ("ngrinder", Kind::Ngrinder),
    ("http", Kind::Http),
    ("grpc", Kind::Grpc),
];

/// Type of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A command in the background.
    Cmd,
    /// A script that is waited for.
    Bash,
    /// `helm`; `helmv3` is the same.
    Helm,
    /// `kubectl`.
    Kubectl,
    /// A process on a Concord server.
    Concord,
    /// A test on an nGrinder server.
    Ngrinder,
    /// Our own generator.
    Http,
    /// Our own generator, gRPC.
    Grpc,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    /// Run a program.
    Program(Program),
    /// Delegate to Concord.
    Concord(Concord),
    /// Delegate to nGrinder.
    Ngrinder(Ngrinder),
    /// Make load.
    Load(Plan),
}

/// Why it is not done: an HTTP status and a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// Body.
    pub(super) text: String,
}

/// What payloads are read with.
pub(super) struct Reader {
    /// Programs that may be run; `None`: all, and a shell where the command needs one.
    pub(super) allowed: Option<BTreeSet<String>>,
    /// Hosts that may be called by our own generator, Concord and nGrinder, as `host` or `host:port`; `None`: all.
    pub(super) servers: Option<BTreeSet<String>>,
    /// What is not shown.
    pub(super) redaction: Redaction,
}

// === impl Reader ===

impl Reader {
    /// Read a payload.
    pub(super) fn read(&self, payload: &Payload) -> Result<Ask, Refusal> {
        if payload.metadata.is_empty() {
            return Err(Refusal::bad("metadata not found in payload"));
        }
        let name = payload.metadata.get("type").map_or("cmd", String::as_str);
        let kind = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let Some(kind) = kind else {
            let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            return Err(Refusal::bad(format!(
                "unknown task type {name}; known are {}",
                known.join(", ")
            )));
        };
        let (order, subject) = self.order(kind, payload)?;
        self.check_server(&order)?;
        let waits = match kind {
            Kind::Cmd | Kind::Ngrinder => false,
            Kind::Http | Kind::Grpc => flag(payload, "wait"),
            Kind::Bash | Kind::Helm | Kind::Kubectl | Kind::Concord => true,
        };
        let canary = Canary {
            namespace: payload.namespace.clone(),
            name: payload.name.clone(),
        };
        let interval = match payload.get("interval") {
            None => None,
            Some(text) => {
                Some(duration(text).ok_or_else(|| Refusal::bad(format!("interval {text:?} is no duration")))?)
            }
        };
        let shown = match &order {
            Order::Load(plan) => plan.shown(),
            _ => subject.clone(),
        };
        Ok(Ask {
            shown: self.redaction.clean(&shown),
            key: Key { canary, kind, subject },
            checksum: payload.checksum.clone(),
            order,
            background: !waits,
            log_output: kind != Kind::Cmd || flag(payload, "logCmdOutput"),
            return_output: flag(payload, "returnCmdOutput") || (waits && matches!(kind, Kind::Http | Kind::Grpc)),
            interval,
        })
    }

    /// The order and what makes it the same as another one.
    fn order(&self, kind: Kind, payload: &Payload) -> Result<(Order, String), Refusal> {
        let command = || {
            let command = payload.get("cmd").filter(|text| !text.trim().is_empty());
            command.ok_or_else(|| Refusal::bad("cmd not found in metadata"))
        };
        Ok(match kind {
            Kind::Cmd => (self.background(command()?)?, command()?.to_owned()),
            Kind::Bash => {
                self.allow("bash")?;
                let words = ["bash", "-c", command()?].map(String::from).to_vec();
                (program(words), command()?.to_owned())
            }
            Kind::Helm => (self.words("helm", command()?)?, command()?.to_owned()),
            Kind::Kubectl => (self.words("kubectl", command()?)?, command()?.to_owned()),
            Kind::Concord => {
                let concord = Concord::read(payload)?;
                let shown = concord.shown();
                (Order::Concord(concord), shown)
            }
            Kind::Ngrinder => {
                let ngrinder = Ngrinder::read(payload)?;
                let shown = ngrinder.shown();
                (Order::Ngrinder(ngrinder), shown)
            }
            Kind::Http | Kind::Grpc => {
                let plan = Plan::read(payload, kind == Kind::Grpc)?;
                let subject = format!("{plan:?}");
                (Order::Load(plan), subject)
            }
        })
    }

    /// `cmd`: a program where there is one, a shell where the command needs one (LT-1).
    fn background(&self, command: &str) -> Result<Order, Refusal> {
        let line = words::split(command);
        let plain = line.as_ref().ok().filter(|line| !line.needs_shell);
        let first = plain.and_then(|line| line.words.first());
        if self.allowed.is_some() {
            let line = line.as_ref().map_err(|error| Refusal::bad(format!("cmd: {error}")))?;
            if !line.needs_shell {
                let name = line
                    .words
                    .first()
                    .ok_or_else(|| Refusal::bad("cmd not found in metadata"))?;
                self.allow(name)?;
                return Ok(program(line.words.clone()));
            }
        } else if let (Some(line), Some(name)) = (plain, first)
            && find(name).is_some()
        {
            return Ok(program(line.words.clone()));
        }
        self.allow("sh")?;
        Ok(program(["sh", "-c", command].map(String::from).to_vec()))
    }

    /// `helm` and `kubectl`: arguments with a shell's quotes, but without a shell (LT-15).
    fn words(&self, name: &str, command: &str) -> Result<Order, Refusal> {
        self.allow(name)?;
        let line = words::split(command).map_err(|error| Refusal::bad(format!("cmd: {error}")))?;
        if name == "helm" && line.words.iter().any(|word| word == "--cleanup") {
            return Err(Refusal::bad(
                "--cleanup is an option of Helm 2; leave it out and give the test's pod the annotation helm.sh/hook-delete-policy",
            ));
        }
        let words = std::iter::once(name.to_owned()).chain(line.words);
        Ok(program(words.collect()))
    }

    /// LT-2: who may reach us shall not reach everybody else.
    fn check_server(&self, order: &Order) -> Result<(), Refusal> {
        let Some(servers) = &self.servers else { return Ok(()) };
        let url = match order {
            Order::Program(_) => return Ok(()),
            Order::Concord(concord) => concord.server(),
            Order::Ngrinder(ngrinder) => ngrinder.server(),
            Order::Load(plan) => plan.url(),
        };
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if servers.contains(host) || servers.contains(&format!("{host}:{port}")) {
            return Ok(());
        }
        Err(Refusal {
            status: 403,
            text: format!("server {host}:{port} is not allowed"),
        })
    }

    fn allow(&self, name: &str) -> Result<(), Refusal> {
        let Some(allowed) = &self.allowed else { return Ok(()) };
        if allowed.contains(name) {
            return Ok(());
        }
        let list: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let text = match name {
            "sh" => format!(
                "a shell is not allowed for this command; allowed are {}",
                list.join(", ")
            ),
            name => format!("command {name} is not allowed; allowed are {}", list.join(", ")),
        };
        Err(Refusal { status: 403, text })
    }
}

fn program(words: Vec<String>) -> Order {
    Order::Program(Program {
        words,
        environment: None,
        farewell: FAREWELL,
    })
}

/// Anything that is no boolean is false, as with the peer, but not silently (LT-19).
fn flag(payload: &Payload, key: &str) -> bool {
    let Some(text) = payload.get(key) else { return false };
    truth(text).unwrap_or_else(|| {
        tracing::warn!(key, value = text, "this is no boolean and counts as false");
        false
    })
}

/// A Go duration above 0.
pub(super) fn duration(text: &str) -> Option<Duration> {
    crds::decode::go_duration(text).filter(|duration| !duration.is_zero())
}

// === impl Refusal ===

impl Refusal {
    /// A request that cannot be understood.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self {
            status: 400,
            text: text.into(),
        }
    }
}

// === impl Kind ===

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Cmd,
        Self::Bash,
        Self::Helm,
        Self::Kubectl,
        Self::Concord,
        Self::Ngrinder,
        Self::Http,
        Self::Grpc,
    ];

    /// As users write it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cmd => "cmd",
            Self::Bash => "bash",
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
            Self::Concord => "concord",
            Self::Ngrinder => "ngrinder",
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

#[cfg(test)]
mod tests;
