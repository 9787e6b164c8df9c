//! Processes that a test starts. None survives it, however it ends.

use std::{
    fs::File,
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use super::{lab::Lab, until};

/// Kills the process in `$0` when the test process ends without having said that the process is gone: its end of the pipe closes then.
const LEASH: &str = r#"trap "" TERM INT; read -r word || kill -9 "$0""#;

/// A running process.
pub(crate) struct Process {
    child: Child,
    leash: Child,
}

/// `aviary controller`, as the account of deploy/kustomize/base.
pub(crate) struct Controller {
    process: Process,
    port: u16,
    http: reqwest::Client,
}

// === impl Process ===

impl Process {
    /// Start a command; what it says goes to the end of `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut leash = Command::new("sh");
        leash.args(["-c", LEASH, &child.id().to_string()]);
        let leash = leash.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self {
            child,
            leash: leash.spawn().unwrap(),
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success(), "kill -s {name}");
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok(); // an error means that it has ended
        self.child.wait().ok();
        if let Some(mut pipe) = self.leash.stdin.take() {
            std::io::Write::write_all(&mut pipe, b"gone\n").ok();
        }
        self.leash.wait().ok();
    }
}

// === impl Controller ===

impl Controller {
    /// Start one, with more flags, and wait until its caches are filled.
    pub(crate) async fn start(lab: &Lab, name: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aviary"));
        command.args(["controller", "-mesh-provider=gatewayapi:v1", "-log-level=info"]);
        command.args(flags);
        Self::launch(lab, name, command).await
    }

    /// Start this command line with what only a test needs, and wait until its caches are filled.
    pub(crate) async fn launch(lab: &Lab, name: &str, mut command: Command) -> Self {
        let port = free_port();
        command.arg("-kubeconfig").arg(lab.env("AVIARY_KUBECONFIG"));
        command.arg("-interval-floor=1s").arg(format!("-port={port}"));
        let mut controller = Self {
            process: Process::start(&mut command, &lab.log(name)),
            port,
            http: reqwest::Client::new(),
        };
        let log = lab.log(name);
        until(
            &format!("{name} is ready, see {}", log.display()),
            Duration::from_mins(1),
            async || {
                assert!(
                    controller.process.ended().is_none(),
                    "{name} ended, see {}",
                    log.display()
                );
                let (status, _) = controller.http("/readyz").await?;
                (status == 200).then_some(())
            },
        )
        .await;
        controller
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Status and body of one of its pages; `None` if it does not listen.
    pub(crate) async fn http(&self, path: &str) -> Option<(u16, String)> {
        let answer = self
            .http
            .get(format!("http://127.0.0.1:{}{path}", self.port))
            .send()
            .await
            .ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    /// Lines of `/metrics` that begin with a name.
    pub(crate) async fn series(&self, name: &str) -> Vec<String> {
        let (_, text) = self.http("/metrics").await.unwrap();
        text.lines()
            .filter(|line| line.starts_with(name))
            .map(String::from)
            .collect()
    }

    /// Whether this replica acts.
    pub(crate) async fn acts(&self) -> bool {
        matches!(self.http("/debug/state").await, Some((200, _)))
    }

    /// End it as a kubelet does; gives how it ended.
    pub(crate) async fn terminate(mut self, limit: Duration) -> ExitStatus {
        self.process.signal("TERM");
        until("the controller ends after SIGTERM", limit, async || {
            self.process.ended()
        })
        .await
    }

    /// End it without a chance to clean up.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
