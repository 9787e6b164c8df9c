//! Every builtin query against a real Prometheus, whose series an exporter makes: the number that comes out is the one that went in.
//!
//! It needs no control plane, only Prometheus. Each observer has its own numbers, so that a query which selects another's series, the
//! primary's or another namespace's is found out.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod builtins;
mod cluster;

use actors::outbound::{self, Outbound};
use builtins::{Case, Row, rows};
use cluster::{metrics::scraping, process::Process, server::serve, until};
use crds::{Canary, CanarySpec, analysis::Metric};
use engine::{
    metrics::{self, Builtin, Model, Observer, Reading, Source, prometheus},
    seam::Verdict,
};
use std::{fs, time::Duration};
use tokio::time::Instant;

/// Window of the queries: ten scrapes.
const INTERVAL: &str = "10s";

#[derive(Clone, Copy, Debug)]
enum Expected {
    Value(f64),
    Text(&'static str),
}

/// Queries whose answers are no plain number, as a real server shapes them.
const ODD_ANSWERS: [(&str, Expected); 8] = [
    ("vector(0.25)", Expected::Value(0.25)),
    ("vector(0) / 0", Expected::Text("no values found")),
    (
        "vector(1) / 0",
        Expected::Text("no values found, +Inf is no measurement"),
    ),
    ("nothing_of_this_name", Expected::Text("no values found")),
    ("1", Expected::Text("the result is a scalar")),
    ("\"text\"", Expected::Text("the result is a string")),
    ("up[1m]", Expected::Text("the result is a matrix")),
    ("rate(", Expected::Text("error response: Status 400 Bad Request")),
];

struct Server {
    _process: Process,
    url: String,
    outbound: Outbound,
    folder: std::path::PathBuf,
}

#[tokio::test]
async fn every_builtin_query_gives_the_number_that_was_fed_in() {
    if std::env::var("AVIARY_PROMETHEUS").is_err() && std::env::var("CI").as_deref() != Ok("true") {
        println!(
            "skipped: AVIARY_PROMETHEUS is not set; run AVIARY_PROMETHEUS=$(tests/tools/prometheus) cargo test --test cluster_builtins"
        );
        return;
    }
    drop(rustls::crypto::ring::default_provider().install_default()); // an error means that it is there already
    let rows = rows();
    let server = start(&rows).await;
    let mut wrong = Vec::new();
    for row in &rows {
        for case in Case::ALL {
            wrong.extend(check(&server, row, case).await);
        }
    }
    for (query, expected) in ODD_ANSWERS {
        let reading = query_text(&server, query).await;
        let fits = match (&reading, expected) {
            (Reading::Value(value), Expected::Value(expected)) => (value - expected).abs() < 1e-9,
            (Reading::NoData(text) | Reading::Failed(text), Expected::Text(part)) => text.contains(part),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{query}: {reading:?}, not {expected:?}"));
        }
    }
    fs::remove_dir_all(&server.folder).ok(); // what is left is a few kilobytes of a temporary folder
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} observers, {} cases each", rows.len(), Case::ALL.len());
}

/// What differs from what was fed in.
async fn check(server: &Server, row: &Row, case: Case) -> Vec<String> {
    let mut wrong = Vec::new();
    for (builtin, name, expected) in [
        (Builtin::SuccessRate, "request-success-rate", row.success_rate(case)),
        (Builtin::Duration, "request-duration", row.duration_ms(case)),
    ] {
        let reading = ask(server, row, case, builtin).await;
        let judged = metrics::judge(
            &Metric {
                name: name.into(),
                ..Metric::default()
            },
            &Source::Builtin(builtin),
            &reading,
            &Canary::new("app", CanarySpec::default()),
            row.provider,
        );
        let fits = match (expected, judged.value) {
            (Some(expected), Some(value)) => (value - expected).abs() < 1e-6,
            (None, None) => judged.verdict == Verdict::NotEnough,
            _ => false,
        };
        if !fits {
            wrong.push(format!(
                "{} {case:?} {name}: {expected:?} was fed in, {reading:?} came out",
                row.name
            ));
        }
    }
    wrong
}

async fn ask(server: &Server, row: &Row, case: Case, builtin: Builtin) -> Reading {
    let query = Observer::of(row.provider).query(builtin, &model(row, case));
    query_text(server, &query).await
}

async fn query_text(server: &Server, query: &str) -> Reading {
    let auth = prometheus::Auth::Open;
    let request = prometheus::request(&server.url, query, &auth, &std::collections::BTreeMap::new(), false).unwrap();
    let answer = outbound::send(&server.outbound, request).await;
    prometheus::PROVIDER.read(&answer)
}

fn model(row: &Row, case: Case) -> Model {
    Model {
        name: "app".into(),
        namespace: case.namespace().into(),
        kind: row.kind.into(),
        target: row.target.into(),
        service: "web".into(),
        ingress: "edge".into(),
        route: row.route.into(),
        interval: INTERVAL.into(),
        ..Model::default()
    }
}

/// Prometheus with the exporter as its only target; ready when rates can be asked for.
async fn start(rows: &[Row]) -> Server {
    let begun = Instant::now();
    let lines: Vec<builtins::Series> = rows.iter().flat_map(Row::series).collect();
    let exporter = serve(move |_, _| (200, builtins::exposition(&lines, begun.elapsed())));
    let folder = std::env::temp_dir().join(format!("aviary-builtins-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (process, url) = scraping(&folder, exporter, &folder.join("log"));
    let server = Server {
        _process: process,
        url,
        outbound: outbound::production(),
        folder,
    };
    // All series stand on one page, so that one is scraped twice says that all are.
    let two = format!("rate({}[{INTERVAL}])", builtins::BEACON);
    until("Prometheus has two samples", Duration::from_mins(1), async || {
        matches!(query_text(&server, &two).await, Reading::Value(_)).then_some(())
    })
    .await;
    server
}
