//! What the tests of deploy/ share: a control plane of their own that nobody has installed anything on, Helm, and what is rendered.

pub(crate) mod boards;
pub(crate) mod chores;
pub(crate) mod everything;
pub(crate) mod flagger;
pub(crate) mod judgement;
pub(crate) mod lifecycle;
pub(crate) mod peer;
pub(crate) mod steps;
pub(crate) mod values;

use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crate::{cluster::lab::Lab, companions};

/// Where the controller of the control plane's token lives.
pub(crate) const HOME: &str = "aviary-system";
/// Takes the control plane in `$1` down, by the script `$0`, when the pipe closes: at the end of the test, however it ends.
const LEASH: &str = r#"trap "" TERM INT; read -r word; "$0" "$1""#;
/// What Helm takes the cluster for where it asks none; a Helm that is built from its module alone takes an old one.
const KUBERNETES: &str = "--kube-version=1.33.0";

/// A fresh control plane.
pub(crate) struct Ground {
    lab: Lab,
    leash: Child,
}

// === impl Ground ===

impl Ground {
    /// Start one; `None`, with a word about it, where cluster tests are skipped.
    pub(crate) async fn up(name: &str) -> Option<Self> {
        if std::env::var("AVIARY_CLUSTER_ENV").is_err() {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "AVIARY_CLUSTER_ENV must be set in CI"
            );
            println!("skipped: AVIARY_CLUSTER_ENV is not set, so no control plane is wanted");
            return None;
        }
        let folder = companions::folder(name);
        let mut leash = Command::new("sh");
        leash
            .args(["-c", LEASH])
            .arg(file("tests/controlplane/down"))
            .arg(&folder);
        let leash = leash.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let leash = leash.spawn().unwrap();
        let up = Command::new(file("tests/controlplane/up"))
            .arg(&folder)
            .output()
            .unwrap();
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        let lab = Lab::at(&folder.join("env").to_string_lossy()).await;
        Some(Self { lab, leash })
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Helm, as the administrator; what it says.
    pub(crate) fn helm(&self, words: &[&str]) -> String {
        said(&mut self.command(words), words)
    }

    /// The command line of Helm, as the administrator.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut helm = Command::new(companions::testers().join("helm"));
        helm.args(words);
        helm.arg("--kubeconfig").arg(self.lab.env("AVIARY_ADMIN_KUBECONFIG"));
        helm
    }

    /// Put these objects on the API server without keeping them; unknown fields are errors. Gives its warnings.
    pub(crate) fn would_apply(&self, what: &str, manifest: &str) -> String {
        let path = self.lab.log("rendered").with_extension("yaml");
        fs::write(&path, manifest).unwrap();
        let words = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
        ];
        let path = path.to_string_lossy();
        let words = [&words[..], &[&path]].concat();
        let output = self.lab.kubectl(&words);
        let warnings = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{what}: {warnings}");
        warnings
    }

    /// kubectl, which must succeed; what it says.
    pub(crate) fn kubectl(&self, words: &[&str]) -> String {
        let output = self.lab.kubectl(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.leash.stdin.take() {
            pipe.write_all(b"done\n").ok();
        }
        self.leash.wait().ok();
    }
}

/// A file of the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A part of ../shared; `None`, with a word about it, where it is not at hand; in CI that fails.
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let near = ["../shared", "../../shared"].map(|near| file(near).join(part));
    if let Some(path) = near.into_iter().find(|path| path.exists()) {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "../shared/{part} must be there in CI"
    );
    println!("skipped: ../shared/{part} is not there");
    None
}

/// A chart of ours.
pub(crate) fn chart(name: &str) -> String {
    file("deploy/charts").join(name).to_string_lossy().into_owned()
}

fn said(command: &mut Command, words: &[&str]) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// `helm template`, whole.
pub(crate) fn attempt(name: &str, release: &str, namespace: &str, values: &[&str]) -> Output {
    let mut helm = Command::new(companions::testers().join("helm"));
    helm.args(["template", release, &chart(name), KUBERNETES, "-n", namespace]);
    helm.args(values).output().unwrap()
}

/// What a chart renders, as text.
pub(crate) fn render(name: &str, release: &str, namespace: &str, values: &[&str]) -> String {
    let output = attempt(name, release, namespace, values);
    assert!(
        output.status.success(),
        "{name} {values:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// `helm lint --strict`.
pub(crate) fn lint(name: &str, values: &[&str]) {
    let mut helm = Command::new(companions::testers().join("helm"));
    helm.args(["lint", "--strict", KUBERNETES, &chart(name)]).args(values);
    said(&mut helm, values);
}

/// The objects of a text of several documents.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// The only object of this kind and name.
pub(crate) fn pick<'o>(objects: &'o [Value], kind: &str, name: &str) -> Option<&'o Value> {
    let mut found = objects
        .iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found.next();
    assert!(found.next().is_none(), "{kind} {name} is there twice");
    object
}
