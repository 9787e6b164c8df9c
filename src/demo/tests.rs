//! The whole demo, with the shortest interval.

use super::{Args, interval, run};
use serde_json::Value;
use std::{fs, path::PathBuf, time::Duration};

#[test]
fn both_releases_end_as_told_with_real_requests() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/demo-test");
    fs::create_dir_all(&folder).unwrap();
    let args = Args {
        interval: Duration::from_secs(1),
        report: Some(folder.join("report.json")),
        picture: Some(folder.join("demo.svg")),
        keep: false,
        kubeconfig: folder.join("kubeconfig"),
        verbose: false,
    };
    let mut out = Vec::new();
    let ended = run(&args, &mut out, false);
    let text = String::from_utf8(out).unwrap();
    let report = ended.unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    assert!(report.passed, "{:?}\n{text}", report.problems);

    for weight in [10, 20, 30, 40, 50] {
        assert!(
            text.contains(&format!("Advance good.demo canary weight {weight}")),
            "{text}"
        );
    }
    assert!(text.contains("Halt bad.demo advancement success rate "), "{text}");
    assert!(
        text.contains("request-success-rate 100.00 % (at least 99 %) passed"),
        "{text}"
    );
    assert!(
        text.contains("good  Succeeded  its primary runs example.com/good:2.0.0"),
        "{text}"
    );
    assert!(
        text.contains("bad   Failed     its primary runs example.com/bad:1.0.0"),
        "{text}"
    );

    let written = fs::read_to_string(folder.join("report.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    let [good, bad] = [0, 1].map(|at| &written["canaries"][at]);
    assert_eq!(good["weights"], serde_json::json!([0, 10, 20, 30, 40, 50, 0]));
    let phases = [
        "Initializing",
        "Initialized",
        "Progressing",
        "Promoting",
        "Finalising",
        "Succeeded",
    ];
    assert_eq!(good["phases"], serde_json::json!(phases));
    assert_eq!(
        bad["phases"],
        serde_json::json!(["Initializing", "Initialized", "Progressing", "Failed"])
    );
    let failed = bad["servers"].as_array().unwrap().iter();
    let failed = failed.filter(|server| server["workload"] == "bad" && server["version"] == "2.0.0");
    let counts: Vec<(u64, u64)> = failed
        .map(|server| (server["requests"].as_u64().unwrap(), server["failed"].as_u64().unwrap()))
        .collect();
    let [(requests, failed)] = counts[..] else {
        panic!("{counts:?}")
    };
    assert_eq!(failed, (requests + 10) / 20, "every 20th, from the 10th on");
    let picture = fs::read_to_string(folder.join("demo.svg")).unwrap();
    assert!(picture.contains("Succeeded") && picture.contains("Failed") && picture.contains("@keyframes"));
}

#[test]
fn intervals_are_go_durations_that_give_enough_requests() {
    assert_eq!(interval("1500ms"), Ok(Duration::from_millis(1500)));
    assert!(interval("500ms").is_err());
    assert!(interval("soon").unwrap_err().contains("1500ms"));
}
