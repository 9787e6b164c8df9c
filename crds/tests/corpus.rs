//! Documents and recorded scenarios: everything users were ever shown can be read. On the real API server it is
//! `tests/cluster_corpus.rs` that says the same.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod examples;

use crds::{AlertProvider, MetricTemplate, decode, problems};
use examples::Example;

fn reads(example: &Example) {
    let Example { from, object } = example;
    let error = match object["kind"].as_str() {
        Some("Canary") => decode::canary(object).err(),
        Some("MetricTemplate") => decode::decode::<MetricTemplate>(object).err(),
        Some("AlertProvider") => decode::decode::<AlertProvider>(object).err(),
        _ => panic!("{from}: not ours"),
    };
    assert_eq!(error, None, "{from}: {object}");
}

#[test]
fn documents() {
    let Some(seeds) = examples::shared("seeds") else {
        return;
    };
    let found = examples::documents(&seeds);
    found.iter().for_each(reads);
    let of = |kind: &str| found.iter().filter(|example| example.object["kind"] == kind).count();
    let (canaries, templates, providers) = (of("Canary"), of("MetricTemplate"), of("AlertProvider"));
    println!("{canaries} canaries, {templates} templates, {providers} providers");
    assert!(canaries >= 93 && templates >= 12 && providers >= 1);
}

#[test]
fn documents_written_out() {
    for example in examples::written_out() {
        reads(&example);
        if example.object["kind"] == "Canary" {
            let (canary, _) = decode::canary(&example.object).unwrap();
            assert_eq!(problems::problems(&canary), [], "{}", example.from);
        }
    }
}

#[test]
fn recorded_scenarios() {
    for part in ["scenarios", "scenarios-routes"] {
        let golden = part.replace("scenarios", "golden");
        let Some(directory) = examples::shared(&format!("data/traces/{part}")) else {
            continue;
        };
        let found = examples::scenarios(&directory, &directory.join("..").join(golden));
        found.iter().for_each(reads);
        assert!(found.len() >= 200, "{part}: only {} were found", found.len());
    }
}
