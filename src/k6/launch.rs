//! One run of k6, from its files to its verdict (k6-webhook.md 3, rows 8 to 14, and 4).

use actors::world::World;
use rustix::process::getpid;
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    courier::{self, Courier, News},
    environment::environment,
    runs::{Fate, Launch, Run, Verdict},
    slack::Slack,
    summary::{Summary, THRESHOLDS, explain},
};
use crate::companion::{
    brake::Why,
    children::Children,
    program::{self, Cause, Ending, Farewell, Program},
    redaction::Redaction,
};

/// What k6 says when a script is loaded and about to run.
const STARTED: &str = "output:";
/// Time that it gets to say so: the peer's ten looks, 2 s apart.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Time between the interrupt, which k6 answers with its teardown and its summary, and SIGKILL.
const FAREWELL: Farewell = Farewell {
    interrupt: true,
    grace: Duration::from_secs(10),
};

/// What runs are made with.
pub(super) struct Pad {
    /// Time.
    pub(super) world: World,
    /// Everything that was started.
    pub(super) children: Children,
    /// Who is told.
    pub(super) slack: Slack,
    /// Time limit of a run.
    pub(super) limit: Duration,
    /// For uploads; not in scripts' environment.
    pub(super) cloud_token: String,
    /// What is not shown.
    pub(super) redaction: Redaction,
}

/// A folder of one run, readable for us only, and gone with it (K6-9).
struct Folder(PathBuf);

/// How far a run got.
enum Start {
    /// k6 runs; the URL of a cloud run.
    Up(Option<String>),
    /// It ended before.
    Over(Ending),
    /// It said nothing.
    Silent,
    /// It gave no URL.
    NoUrl,
}

// === impl Pad ===

impl Pad {
    /// As the runs want it.
    pub(super) fn launch(self) -> Launch {
        let pad = Arc::new(self);
        Arc::new(move |run| {
            let order = &run.order;
            let (courier, route) = courier::hire(
                &pad.slack,
                &order.name,
                &order.namespace,
                &order.channels,
                &order.context,
            );
            let (told, carried) = tokio::sync::oneshot::channel::<()>();
            pad.world.spawn(async move {
                route.work().await;
                told.send(()).ok();
            });
            let pad = pad.clone();
            let work = Box::pin(async move {
                let verdict = pad.perform(&run, courier).await;
                let canary = format!("{}.{}", run.order.name, run.order.namespace);
                tracing::info!(canary, id = run.id, fate = ?verdict.fate, cause = verdict.text, "test ended");
                verdict
            });
            let telling = Box::pin(async move { drop(carried.await) });
            (work, telling)
        })
    }

    async fn perform(&self, run: &Run, courier: Courier) -> Verdict {
        let made = Folder::make(run.id).and_then(|folder| self.program(run, &folder).map(|program| (folder, program)));
        let (folder, program) = match made {
            Ok(made) => made,
            Err(error) => return unstarted(format!("error while launching test: {error}")),
        };
        let going = program::run(
            &self.world,
            &self.children,
            &program,
            &run.output,
            self.limit,
            run.stop.clone(),
        );
        tokio::pin!(going);
        let start = tokio::select! {
            ending = &mut going => Start::Over(ending),
            start = self.start(run) => start,
        };
        let results = || {
            self.redaction
                .with(run.secrets.values().map(String::as_str))
                .clean(&run.output.text())
        };
        let ending = match start {
            Start::Up(url) => {
                courier.tell(News::Started(
                    url.map(|url| format!("Cloud URL: <{url}>")).unwrap_or_default(),
                ));
                run.up.notify_one();
                going.await
            }
            // Switched to be quiet, but it did its work.
            Start::Over(ending) if ending.is_success() => ending,
            Start::Over(ending) => {
                if let Some(Cause::NotStarted(error)) = &ending.cause {
                    return unstarted(format!("error while launching test: {error}"));
                }
                courier.tell(News::NotStarted(results()));
                let why = explain(ending.code(), &Summary::default());
                return Verdict {
                    exit_code: ending.code(),
                    ..unstarted(told("error while waiting for test to start", &ending, &why))
                };
            }
            Start::Silent => {
                run.brake.pull(Why::NotStarted);
                going.await;
                courier.tell(News::NotStarted(results()));
                return unstarted("error while waiting for test to start: timeout");
            }
            Start::NoUrl => {
                run.brake.pull(Why::NotStarted);
                going.await;
                return unstarted("couldn't find the cloud URL in the output");
            }
        };
        let summary = Summary::read(&fs::read_to_string(folder.summary()).unwrap_or_default());
        let verdict = judge(&ending, summary);
        let why = match &ending.cause {
            Some(Cause::Stopped(why)) => format!("stopped: {}", why.text()),
            _ => String::new(),
        };
        courier.tell(News::Ended(verdict.fate == Fate::Passed, results(), why));
        verdict
    }

    /// Wait until k6 says that it runs (K6-11).
    async fn start(&self, run: &Run) -> Start {
        let up = run.output.until(|text| text.contains(STARTED).then_some(()));
        tokio::select! {
            () = up => {}
            () = self.world.sleep(START_LIMIT) => return Start::Silent,
        }
        if !run.order.upload {
            return Start::Up(None);
        }
        tokio::select! {
            url = run.output.until(cloud_url) => Start::Up(Some(url)),
            // The line may be half written when it is looked at first.
            () = self.world.sleep(START_LIMIT) => Start::NoUrl,
        }
    }

    /// Write the files and name the command.
    fn program(&self, run: &Run, folder: &Folder) -> io::Result<Program> {
        fs::write(folder.script(), &run.order.script)?;
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut words = vec!["k6".to_owned(), "run".to_owned()];
        words.extend(["--summary-export".to_owned(), path(folder.summary())]);
        if run.order.upload {
            words.extend(["--out", "cloud"].map(String::from));
            // In a file, because what is in the environment is in the script's `__ENV`.
            if !self.cloud_token.is_empty() {
                let config = serde_json::json!({"collectors": {"cloud": {"token": self.cloud_token}}});
                fs::write(folder.config(), config.to_string())?;
                words.extend(["--config".to_owned(), path(folder.config())]);
            }
        }
        words.push(path(folder.script()));
        Ok(Program {
            words,
            environment: Some(environment(
                std::env::vars_os(),
                &run.order.variables,
                run.secrets.iter(),
            )),
            farewell: FAREWELL,
        })
    }
}

fn unstarted(text: impl Into<String>) -> Verdict {
    Verdict {
        fate: Fate::NotStarted,
        text: text.into(),
        exit_code: None,
        summary: Summary::default(),
    }
}

/// `failed to run: exit status 99`, and what that means.
fn told(what: &str, ending: &Ending, why: &str) -> String {
    match why {
        "" => format!("{what}: {}", ending.text()),
        why => format!("{what}: {}: {why}", ending.text()),
    }
}

fn judge(ending: &Ending, summary: Summary) -> Verdict {
    let code = ending.code();
    let fate = match (&ending.cause, code) {
        (Some(Cause::Stopped(_)), _) => Fate::Stopped,
        (None, Some(0)) => Fate::Passed,
        (None, Some(THRESHOLDS)) => Fate::ThresholdsCrossed,
        _ => Fate::TestError,
    };
    let text = match fate {
        Fate::Passed => String::new(),
        _ => told("failed to run", ending, &explain(code, &summary)),
    };
    Verdict {
        fate,
        text,
        exit_code: code,
        summary,
    }
}

/// `output: cloud (URL)` (k6-webhook.md 4.1): k6's own cloud, or Grafana's.
fn cloud_url(output: &str) -> Option<String> {
    let (_, after) = output.split_once("output: cloud (")?;
    let (url, _) = after.split_once(')')?;
    let rest = url.strip_prefix("https://")?;
    let (host, path) = rest.split_once('/')?;
    let run = match host {
        "app.k6.io" => path.strip_prefix("runs/")?,
        host if host.ends_with(".grafana.net") => path.strip_prefix("a/k6-app/runs/")?,
        _ => return None,
    };
    let is_number = !run.is_empty() && run.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| url.to_owned())
}

// === impl Folder ===

impl Folder {
    fn make(id: u64) -> io::Result<Self> {
        let name = format!("aviary-k6-{}-{id}", getpid().as_raw_nonzero());
        let path = std::env::temp_dir().join(name);
        // One of an earlier process with our number: nobody else's, as it would not be ours to delete.
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn script(&self) -> PathBuf {
        self.0.join("k6-script.js")
    }

    fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    fn config(&self) -> PathBuf {
        self.0.join("config.json")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        if let Err(error) = fs::remove_dir_all(path) {
            tracing::warn!(%error, path = %path.display(), "a test's files stay");
        }
    }
}

#[cfg(test)]
mod tests;
