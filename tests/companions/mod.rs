//! What the tests of the load tester and the k6 webhook share: the programs of others, a companion to talk to, servers to load.

pub(crate) mod docs;
pub(crate) mod grpc;
pub(crate) mod target;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use crate::cluster::{
    process::{Process, free_port},
    until,
};

/// Longest wait for something that takes a second on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running `aviary loadtester` or `aviary k6-webhook`.
pub(crate) struct Companion {
    pub(crate) process: Process,
    pub(crate) url: String,
    pub(crate) log: PathBuf,
    http: reqwest::Client,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) retry_after: Option<String>,
}

/// The folder of hey, ghz, k6, helm and bats. Fails with what to do if one is missing.
pub(crate) fn testers() -> PathBuf {
    let cache = || {
        let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let base = xdg.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        base.map(|base| base.join("aviary"))
    };
    let cache = std::env::var_os("AVIARY_CACHE").map(PathBuf::from).or_else(cache);
    let folder = cache.expect("HOME is set").join("testers");
    for program in ["hey", "ghz", "k6", "helm", "bats"] {
        let path = folder.join(program);
        assert!(
            path.exists() || is_on_path(program),
            "{program} is missing; run tests/testers/build"
        );
    }
    assert!(is_on_path("curl"), "curl is missing; run tests/testers/build");
    folder
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// The `PATH` with the testers first, and more folders before them.
pub(crate) fn path(more: &[&Path]) -> std::ffi::OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folders = more.iter().map(|folder| folder.to_path_buf());
    let all = folders.chain([testers()]).chain(std::env::split_paths(&own));
    std::env::join_paths(all).unwrap()
}

/// A folder of this test, empty; it stays until the next run.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

// === impl Companion ===

impl Companion {
    /// `aviary loadtester` with these flags.
    pub(crate) async fn loadtester(name: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start("loadtester", "-port", name, flags, variables).await
    }

    /// `aviary k6-webhook` with these flags.
    pub(crate) async fn k6(name: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start("k6-webhook", "-listen-port", name, flags, variables).await
    }

    async fn start(role: &str, port_flag: &str, name: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default()); // an error means that it is there already
        let port = free_port();
        let log = folder(name).join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_aviary"));
        command
            .arg(role)
            .arg(format!("{port_flag}={port}"))
            .arg("-log-level=info")
            .args(flags);
        command
            .env("PATH", path(&[]))
            .env("K6_NO_USAGE_REPORT", "true")
            .env("NO_PROXY", "*");
        command.envs(variables.iter().copied());
        let mut companion = Self {
            process: Process::start(&mut command, &log),
            url: format!("http://127.0.0.1:{port}"),
            log,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let what = format!("{name} answers, see {}", companion.log.display());
        until(&what, PATIENCE, async || {
            assert!(companion.process.ended().is_none(), "{}", companion.said());
            let answer = companion.http.get(format!("{}/healthz", companion.url)).send().await;
            answer.ok().filter(|answer| answer.status() == 200).map(drop)
        })
        .await;
        companion
    }

    /// What it has logged.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.get(path).await.body).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &impl ToString) -> Answer {
        read(self.http.post(format!("{}{path}", self.url)).body(body.to_string())).await
    }

    /// A request that can be given up by dropping it.
    pub(crate) fn request(&self, path: &str, body: &impl ToString) -> reqwest::RequestBuilder {
        // A connection of its own, so that giving up closes it.
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        client.post(format!("{}{path}", self.url)).body(body.to_string())
    }

    /// End it as a kubelet does.
    pub(crate) async fn terminate(mut self) -> (ExitStatus, String) {
        self.process.signal("TERM");
        let status = until("it ends after SIGTERM", PATIENCE, async || self.process.ended()).await;
        let said = self.said();
        (status, said)
    }

    /// Processes that it has started and that are still there, by their mark.
    pub(crate) fn children(&self) -> Vec<String> {
        let prefix = format!("AVIARY_TASK={}-", self.process.id());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let marked = entries.filter_map(|entry| {
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let is_ours = environment
                .split(|byte| *byte == 0)
                .any(|line| line.starts_with(prefix.as_bytes()));
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            is_ours.then(|| String::from_utf8_lossy(&command).replace('\0', " "))
        });
        marked.collect()
    }
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let retry_after = answer
        .headers()
        .get("retry-after")
        .map(|value| value.to_str().unwrap().to_owned());
    Answer {
        status: answer.status().as_u16(),
        retry_after,
        body: answer.text().await.unwrap(),
    }
}
