//! The commands of docs/migrate.md, as a user types them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Ground, file};
use crate::companions;

/// The folder that the commands are called in: a clone, and the values that a user of Flagger has.
pub(crate) fn workplace(name: &str) -> PathBuf {
    let folder = companions::folder(name);
    std::os::unix::fs::symlink(file("deploy"), folder.join("deploy")).unwrap();
    let values = "meshProvider: gatewayapi:v1\nmetricsServer: http://127.0.0.1:9\nleaderElection: {enabled: true, replicaCount: 1}\n";
    fs::write(folder.join("values.yaml"), values).unwrap();
    folder
}

/// The commands of a section of the document.
pub(crate) fn commands(section: &str) -> Vec<String> {
    let text = fs::read_to_string(file("docs/migrate.md")).unwrap();
    let start = text
        .find(&format!("\n## {section}\n"))
        .unwrap_or_else(|| panic!("there is no section {section}"));
    let section = &text[start + 4..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let mut commands: Vec<String> = Vec::new();
    for line in section.lines().map(str::trim_start) {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
        } else if let Some(more) = line.strip_prefix("> ") {
            let command = commands.last_mut().unwrap();
            *command = format!("{command}\n{more}");
        }
    }
    assert!(commands.len() >= 3, "{commands:?}");
    commands
}

/// Type one, as the administrator; it must succeed.
pub(crate) fn run(ground: &Ground, folder: &Path, command: &str) {
    let bin = Path::new(ground.lab().env("AVIARY_KUBECTL")).parent().unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", command]).current_dir(folder);
    shell.env("PATH", companions::path(&[bin]));
    shell.env("KUBECONFIG", ground.lab().env("AVIARY_ADMIN_KUBECONFIG"));
    // Helm without a cluster's answer takes an old version for granted; with one it asks.
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
}
