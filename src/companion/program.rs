//! One program in a process group of its own: bounded in time and output, stopped with all its children.

use actors::world::World;
use futures::future::{FutureExt, select_all};
use rustix::process::Signal;
use std::{collections::BTreeMap, io, os::fd::OwnedFd, process::ExitStatus, process::Stdio, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    process::{Child, Command},
};

use super::{
    brake::{Stop, Why},
    children::{Children, Group},
    output::Output,
};

/// Read at once from a program's output.
const CHUNK_BYTES: usize = 16 * 1024;
/// Time that a killed process gets to be gone; it cannot refuse, but may hang in the kernel.
const BURIAL: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Program and arguments.
    pub(crate) words: Vec<String>,
    /// Its whole environment; `None`: ours.
    pub(crate) environment: Option<BTreeMap<String, String>>,
    /// What is sent first when it shall stop.
    pub(crate) farewell: Farewell,
}

/// How a program is asked to stop before it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Farewell {
    /// The interrupt of a terminal, which k6 answers with its teardown, instead of SIGTERM.
    pub(crate) interrupt: bool,
    /// Time until it is killed.
    pub(crate) grace: Duration,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// `None`: it did not start, or did not end.
    pub(crate) status: Option<ExitStatus>,
    /// Why it was ended.
    pub(crate) cause: Option<Cause>,
}

/// Why a program was ended, or did not begin.
#[derive(Debug)]
pub(crate) enum Cause {
    /// Its time was over.
    Limit(Duration),
    /// It was asked to stop.
    Stopped(Why),
    /// It could not be started.
    NotStarted(io::Error),
}

/// Run a program to its end. Dropping this kills it.
pub(crate) async fn run(
    world: &World,
    children: &Children,
    program: &Program,
    output: &Output,
    limit: Duration,
    mut stop: Stop,
) -> Ending {
    let (mut child, group, mut pipe) = match start(children, program) {
        Ok(started) => started,
        Err(error) => {
            return Ending {
                status: None,
                cause: Some(Cause::NotStarted(error)),
            };
        }
    };
    let mut work = Box::pin(finish(&mut child, &mut pipe, output));
    let cause = tokio::select! {
        status = &mut work => return Ending { status: status.ok(), cause: None },
        why = stop.pulled() => Cause::Stopped(why),
        () = world.sleep(limit) => Cause::Limit(limit),
    };
    group.signal(if program.farewell.interrupt {
        Signal::Int
    } else {
        Signal::Term
    });
    let left = select_all([
        async { (&mut work).await.ok() }.boxed(),
        world.sleep(program.farewell.grace).map(|()| None).boxed(),
    ]);
    let (mut status, ..) = left.await;
    drop(work);
    if status.is_none() {
        group.signal(Signal::Kill);
        // Only the leader is waited for: what has left the group may hold the pipe, and is swept.
        tokio::select! {
            ended = child.wait() => status = ended.ok(),
            () = world.sleep(BURIAL) => {}
        }
    }
    let cause = Some(cause);
    Ending { status, cause }
}

/// Everything in the pipe, until all who may write to it are gone, and then the end of the program.
async fn finish(child: &mut Child, pipe: &mut pipe::Receiver, output: &Output) -> io::Result<ExitStatus> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => output.push(&chunk[..length]),
        }
    }
    child.wait().await
}

/// Output and errors go through one pipe, so that they keep their order.
fn start(children: &Children, program: &Program) -> io::Result<(Child, Group, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let Some((name, arguments)) = program.words.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no command"));
    };
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(writer.try_clone()?).stderr(writer);
    if let Some(environment) = &program.environment {
        command.env_clear().envs(environment);
    }
    let (child, group) = children.spawn(&mut command)?;
    // The command holds our copies of the writing end.
    drop(command);
    Ok((child, group, pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?))
}

/// Where a program is: the first file of that name on the PATH that may be executed.
pub(crate) fn find(name: &str) -> Option<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let is_program = |path: &std::path::Path| {
        std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(name.into()).filter(|path: &std::path::PathBuf| is_program(path));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

// === impl Ending ===

impl Ending {
    /// Whether it ended well, by itself.
    pub(crate) fn is_success(&self) -> bool {
        self.cause.is_none() && self.status.is_some_and(|status| status.success())
    }

    /// The exit code; `None` if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status?.code()
    }

    /// What went wrong, in Go's words (loadtester.md 5.1): `exit status 1`, `signal: killed`.
    pub(crate) fn text(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        let status = match self.status {
            None => None,
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Some(format!("exit status {code}")),
                (None, Some(signal)) => Some(format!("signal: {}", signal_name(signal))),
                (None, None) => None,
            },
        };
        let cause = match &self.cause {
            None => None,
            Some(Cause::Limit(limit)) => Some(format!("time limit of {limit:?} exceeded")),
            Some(Cause::Stopped(why)) => Some(format!("stopped: {}", why.text())),
            Some(Cause::NotStarted(error)) => Some(format!("not started: {error}")),
        };
        match (status, cause) {
            (Some(status), Some(cause)) => format!("{status} ({cause})"),
            (Some(text), None) | (None, Some(text)) => text,
            (None, None) => "no exit status".to_owned(),
        }
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "hangup".into(),
        2 => "interrupt".into(),
        6 => "aborted".into(),
        9 => "killed".into(),
        11 => "segmentation fault".into(),
        13 => "broken pipe".into(),
        15 => "terminated".into(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests;
