//! The arithmetic of `benches/fleet`, so that its figures can be believed. The bench itself is run by `cargo bench`.

#![expect(dead_code, reason = "the modules belong to the bench, which uses all of them")]

#[path = "../benches/fleet/audit.rs"]
mod audit;
#[path = "../benches/fleet/figures.rs"]
mod figures;
#[path = "../benches/fleet/usage.rs"]
mod usage;

use audit::Audit;
use figures::{Counts, Figures, Histogram};
use serde_json::json;
use std::{fs::File, io::Write};

const METRICS: &str = "\
# TYPE lateness histogram
lateness_bucket{le=\"0.001\"} 50
lateness_bucket{le=\"0.002\"} 90
lateness_bucket{le=\"0.01\"} 98
lateness_bucket{le=\"+Inf\"} 100
lateness_sum 1.5
lateness_count 100
";

fn close(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() < 1e-9)
}

#[test]
fn reads_percentiles_from_a_histogram() {
    let histogram = Histogram::parse(METRICS, "lateness").unwrap();
    // share, expected: within a bucket evenly, at its bound exactly, above the last bound that bound
    let cases = [
        (0.25, 0.0005),
        (0.5, 0.001),
        (0.7, 0.0015),
        (0.9, 0.002),
        (0.94, 0.006),
        (0.99, 0.01),
    ];
    for (share, expected) in cases {
        let found = histogram.quantile(share);
        assert!(close(found, expected), "{share}: {found:?}, not {expected}");
    }
    assert_eq!(Histogram::parse(METRICS, "late"), None);
}

#[test]
fn takes_away_what_was_observed_before() {
    let now = Histogram::parse(METRICS, "lateness").unwrap();
    let earlier = "lateness_bucket{le=\"0.001\"} 50\nlateness_bucket{le=\"0.002\"} 50\nlateness_bucket{le=\"0.01\"} 50\nlateness_bucket{le=\"+Inf\"} 50\n";
    let since = now.since(&Histogram::parse(earlier, "lateness").unwrap());
    assert!(close(Some(since.count()), 50.0));
    // 40 of 50 lie between 1 and 2 ms, so the middle one lies 25/40 into that bucket.
    assert!(close(since.quantile(0.5), 0.001 + 0.001 * 25.0 / 40.0));
    assert_eq!(now.since(&now).quantile(0.5), None);
}

#[test]
fn takes_the_nearest_rank_of_samples_and_the_middle_of_runs() {
    let mut samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
    assert_eq!(figures::quantile(&mut samples, 0.5), Some(100.0));
    assert_eq!(figures::quantile(&mut samples, 0.99), Some(198.0));
    assert_eq!(figures::quantile(&mut [], 0.5), None);
    assert_eq!(figures::median(&mut [3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(figures::median(&mut [4.0, 1.0]), Some(2.5));
    assert_eq!(figures::median(&mut []), None);
}

#[test]
fn shows_each_figure_once_with_the_median_of_its_runs() {
    let run = |seconds: f64, lateness: Option<f64>| {
        let mut figures = Figures::default();
        figures.add("seconds", seconds);
        figures.add_some("lateness", lateness);
        figures.add_rates("idle", &Counts::from([("patch".into(), 30), ("get".into(), 30)]), 60.0);
        figures
    };
    let runs = [run(30.0, None), run(10.0, Some(1.5)), run(20.0, None)];
    let document = figures::document(&json!({"canaries": 3}), &runs);
    let expected = json!({"seconds": 20.0, "lateness": 1.5, "idle: API requests/s": 1.0, "idle: get/s": 0.5, "idle: patch/s": 0.5});
    assert_eq!(document["median"], expected);
    assert_eq!(document["runs"][1]["seconds"], json!(10.0));
    let table = figures::table(&runs);
    let seconds: Vec<&str> = table
        .lines()
        .find(|line| line.starts_with("seconds"))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(seconds, ["seconds", "10.0", "20.0", "30.0"]);
}

#[test]
fn reads_what_the_kernel_says() {
    let stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 4 0 1000 1 1";
    assert!(close(usage::cpu_secs(stat), 3.0));
    let status = "Name:\tvim\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
    assert!(close(usage::mib(status, "VmRSS"), 10.0));
    assert!(close(usage::mib(status, "VmHWM"), 20.0));
    assert_eq!(usage::mib(status, "VmSwap"), None);
    assert!(usage::of_parts().contains_key("this bench"));
    let own = usage::of(std::process::id()).unwrap();
    assert!(own.rss_mib > 0.5 && own.peak_mib >= own.rss_mib, "{own:?}");
}

#[test]
fn counts_complete_lines_of_the_audit_log_by_verb() {
    let path = std::env::temp_dir().join(format!("aviary-audit-{}", std::process::id()));
    let mut log = File::create(&path).unwrap();
    writeln!(log, r#"{{"verb":"list","objectRef":{{"resource":"canaries"}}}}"#).unwrap();
    let mut audit = Audit::open(&path).unwrap();
    assert_eq!(
        audit.counts().unwrap(),
        Counts::default(),
        "what was there before is not counted"
    );
    let lines = [
        r#"{"verb":"patch","objectRef":{"resource":"canaries","subresource":"status"},"user":{"username":"x"}}"#,
        r#"{"verb":"patch","objectRef":{"resource":"httproutes"}}"#,
        r#"{"verb":"update","objectRef":{"resource":"leases"}}"#,
        r#"{"verb":"get"}"#,
    ];
    for line in lines {
        writeln!(log, "{line}").unwrap();
    }
    write!(log, r#"{{"verb":"cre"#).unwrap();
    let expected = Counts::from([("patch".into(), 2), ("get".into(), 1)]);
    assert_eq!(audit.counts().unwrap(), expected);
    writeln!(log, r#"ate","objectRef":{{"resource":"events"}}}}"#).unwrap();
    let now = audit.counts().unwrap();
    assert_eq!(figures::since(&now, &expected), Counts::from([("create".into(), 1)]));
    std::fs::remove_file(&path).unwrap();
}
