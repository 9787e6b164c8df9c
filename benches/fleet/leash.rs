//! A shell that waits for this process to end, and then ends what this process has started, however it went.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
};

/// Runs the command in `$0` when the pipe is closed without a word, which is what a killed process does.
const WATCH: &str = r#"trap "" TERM INT HUP; read -r word || eval "$0""#;

/// Dropping it calls the shell off.
pub(crate) struct Leash(Child);

// === impl Leash ===

impl Leash {
    /// Run this shell command should this process be killed.
    pub(crate) fn new(command: &str) -> std::io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH, command]);
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            pipe.write_all(b"done\n").ok(); // an error means that the shell has gone already
        }
        self.0.wait().ok();
    }
}
