//! A real Prometheus, and an exporter that plays the metrics of the released applications.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::time::Instant;

use super::{
    lab::Lab,
    process::{Process, free_port},
    server::serve,
    until,
};

/// Bounds of the histogram, in seconds. All requests take between the second and the third.
const BOUNDS: [(&str, bool); 4] = [("0.005", false), ("0.1", false), ("0.25", true), ("+Inf", true)];

/// Prometheus, with the exporter as its only target.
pub(crate) struct Prometheus {
    _process: Process,
    pub(crate) url: String,
    http: reqwest::Client,
}

/// A Prometheus in this folder that asks one exporter every second; gives its address, too.
pub(crate) fn scraping(folder: &Path, exporter: u16, log: &Path) -> (Process, String) {
    let config = folder.join("prometheus.yml");
    let scrape =
        "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: all, static_configs: [{targets: [\"127.0.0.1:";
    fs::write(&config, format!("{scrape}{exporter}\"]}}]}}]\n")).unwrap();
    serving(folder, log)
}

/// A Prometheus with the `prometheus.yml` of this folder; gives its address, too.
pub(crate) fn serving(folder: &Path, log: &Path) -> (Process, String) {
    let config = folder.join("prometheus.yml");
    let port = free_port();
    let mut command = Command::new(binary());
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    (Process::start(&mut command, log), format!("http://127.0.0.1:{port}"))
}

// === impl Prometheus ===

impl Prometheus {
    /// Start both; `errors` gives the percentage of failing requests by namespace. Ready when rates can be asked for.
    pub(crate) async fn start(lab: &Lab, errors: BTreeMap<String, u64>) -> Self {
        let namespaces: Vec<String> = errors.keys().cloned().collect();
        let begun = Instant::now();
        let exporter = serve(move |_, _| (200, exposition(&errors, begun.elapsed())));
        let folder = PathBuf::from(lab.env("AVIARY_RUN_DIR")).join(format!("prometheus-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (process, url) = scraping(&folder, exporter, &lab.log("prometheus"));
        let server = Self {
            _process: process,
            url,
            http: reqwest::Client::new(),
        };
        for namespace in namespaces {
            let query =
                format!("rate(http_request_duration_seconds_count{{kubernetes_namespace=\"{namespace}\"}}[10s])");
            until("Prometheus has two samples", Duration::from_mins(1), async || {
                server.has(&query).await
            })
            .await;
        }
        server
    }

    async fn has(&self, query: &str) -> Option<()> {
        let request = self
            .http
            .get(format!("{}/api/v1/query", self.url))
            .query(&[("query", query)]);
        let answer: serde_json::Value = request.send().await.ok()?.json().await.ok()?;
        (!answer["data"]["result"].as_array()?.is_empty()).then_some(())
    }
}

fn binary() -> String {
    if let Ok(path) = std::env::var("AVIARY_PROMETHEUS") {
        return path;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/prometheus");
    let output = Command::new(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A thousand requests per second to a pod of the canary. The primary's pods fail always, to show that they are not asked about.
fn exposition(errors: &BTreeMap<String, u64>, since: Duration) -> String {
    let requests = u64::try_from(since.as_millis()).unwrap();
    let mut text = String::new();
    for (namespace, percent) in errors {
        let failed = requests * percent / 100;
        for (pod, failed) in [
            ("podinfo-6b9d5c7f4-x2x8q", failed),
            ("podinfo-primary-7c6f8d5b9-k4wz7", requests),
        ] {
            for (status, count) in [("200", requests - failed), ("500", failed)] {
                let labels =
                    format!("kubernetes_namespace=\"{namespace}\",kubernetes_pod_name=\"{pod}\",status=\"{status}\"");
                writeln!(text, "http_request_duration_seconds_count{{{labels}}} {count}").unwrap();
                for (bound, within) in BOUNDS {
                    let count = if within { count } else { 0 };
                    writeln!(
                        text,
                        "http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {count}"
                    )
                    .unwrap();
                }
            }
        }
    }
    text
}
