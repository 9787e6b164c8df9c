//! A real Graphite (Debian's), with series that were fed to it: the documented query gives the numbers that were fed in.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use actors::outbound;
use crds::{Canary, MetricTemplate, analysis::Metric};
use engine::metrics::{
    Model, Reading,
    provider::{Inquiry, provider},
    render,
};
use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

const PAGE: &str = include_str!("../docs/metric-providers/graphite.md");

/// The server; ended when dropped.
struct Graphite {
    process: Child,
    address: String,
}

impl Drop for Graphite {
    fn drop(&mut self) {
        self.process.kill().ok(); // it may have ended
        self.process.wait().ok();
    }
}

#[tokio::test]
async fn a_real_graphite_gives_the_numbers_that_were_fed_in() {
    drop(rustls::crypto::ring::default_provider().install_default()); // an error means that it is there already
    let Some(graphite) = Graphite::start().await else {
        return;
    };
    let documented = example().spec.query;
    let cases = [
        ("good", documented.as_str(), Ok(Some(95.0))),
        ("bad", &documented, Ok(Some(40.0))),
        ("mended", &documented, Ok(Some(95.0))), // the newest counts
        ("absent", &documented, Ok(None)),
        (
            "good",
            "target=stats.app.{{ target }}.SUCCESS.count&from=-5min",
            Ok(Some(95.0)),
        ),
        (
            "good",
            "target=asPercent(stats.app.{{ target }}.SUCCESS.count", // an unfinished text: Graphite takes it for no series
            Ok(None),
        ),
        (
            "good",
            "target=noSuchFunction(stats.app.{{ target }}.SUCCESS.count)",
            Err("400"),
        ),
    ];
    for (target, query, expected) in cases {
        let reading = graphite.ask(target, query).await;
        match (&reading, expected) {
            (Reading::Value(value), Ok(Some(fed))) => assert!((value - fed).abs() < 1e-9, "{target} {query}: {value}"),
            (Reading::NoData(_), Ok(None)) => {}
            (Reading::Failed(cause), Err(part)) => assert!(cause.contains(part), "{target} {query}: {cause}"),
            _ => panic!("{target} {query}: {reading:?}, not {expected:?}"),
        }
    }
}

/// The documented template.
fn example() -> MetricTemplate {
    let block = PAGE.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(block).unwrap();
    crds::decode::decode(&documents[0]).unwrap()
}

// === impl Graphite ===

impl Graphite {
    /// Feed and serve; `None` where there is no Graphite, which fails with `CI=true`.
    async fn start() -> Option<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let found = Command::new(own.join("tools/graphite")).output().unwrap();
        if !found.status.success() {
            let cause = String::from_utf8_lossy(&found.stderr).into_owned();
            assert!(env::var("CI").as_deref() != Ok("true"), "tests/tools/graphite: {cause}");
            println!("skipped: there is no Graphite; tests/tools/graphite says: {cause}");
            return None;
        }
        let packages = String::from_utf8(found.stdout).unwrap();
        let here = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("graphite");
        fs::remove_dir_all(&here).ok();
        fs::create_dir_all(&here).unwrap();
        let python = |words: &[&str]| {
            let mut command = Command::new("python3");
            command.args(words).stdin(Stdio::null());
            command.env(
                "PYTHONPATH",
                format!("{}:{}", own.join("graphite").display(), packages.trim()),
            );
            command.env("PYTHONDONTWRITEBYTECODE", "1");
            command
                .env("DJANGO_SETTINGS_MODULE", "settings")
                .env("AVIARY_GRAPHITE", &here);
            command
        };
        for words in [vec!["-m", "feed"], vec!["-m", "django", "migrate", "--run-syncdb"]] {
            let made = python(&words).output().unwrap();
            assert!(
                made.status.success(),
                "{words:?}: {}",
                String::from_utf8_lossy(&made.stderr)
            );
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let log = fs::File::create(here.join("log")).unwrap();
        let mut server = python(&["-m", "django", "runserver", "--noreload", &address]);
        server.stdout(log.try_clone().unwrap()).stderr(log);
        let graphite = Self {
            process: server.spawn().unwrap(),
            address: format!("http://{address}"),
        };
        for _ in 0..600 {
            if !matches!(graphite.ask("good", "target=a").await, Reading::Failed(cause) if cause.contains("refused")) {
                return Some(graphite);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!(
            "Graphite does not answer: {}",
            fs::read_to_string(here.join("log")).unwrap()
        );
    }

    async fn ask(&self, target: &str, query: &str) -> Reading {
        let mut canary = Canary::new(target, crds::CanarySpec::default());
        canary.metadata.namespace = Some("test".into());
        canary.spec.target_ref.name = target.into();
        let metric = Metric {
            interval: Some("1min".into()),
            ..Metric::default()
        };
        let mut spec = example().spec.provider;
        spec.address = Some(self.address.clone());
        spec.secret_ref = None;
        let query = render(query, &Model::of(&canary, &metric)).unwrap();
        let provider = provider("graphite").unwrap();
        let inquiry = Inquiry {
            spec: &spec,
            secret: None,
            query: &query,
            interval: "1min",
            now: jiff::Timestamp::UNIX_EPOCH, // the query says what it wants
        };
        let question = (provider.request)(&inquiry).unwrap();
        provider.read(&outbound::send(&outbound::production(), question.request).await)
    }
}
