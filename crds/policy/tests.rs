//! The policies against the checked-in file and the documentation. What the expressions say is tested on the real API server, by
//! `tests/cluster_policy.rs`.

use super::*;
use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn the_checked_in_file_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/policies/policies.yaml");
    if std::env::var("AVIARY_REGENERATE").is_ok_and(|value| value == "1") {
        fs::write(&path, yaml()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let stale = "run `AVIARY_REGENERATE=1 cargo test -p crds generated`";
    assert!(written == yaml(), "deploy/policies/policies.yaml is stale: {stale}");
}

#[test]
fn the_yaml_reads_back_as_the_policies() {
    let read: Vec<Value> = serde_saphyr::from_multiple(&yaml()).unwrap();
    assert_eq!(read, policies());
}

#[test]
fn every_rule_has_a_name_a_way_out_and_its_line_in_the_documentation() {
    let mut rules = rules::rules();
    rules.push(rules::deletion());
    let notes = include_str!("../../docs/policies.md");
    let mut ids = BTreeSet::new();
    for rule in rules {
        assert!(ids.insert(rule.id), "{} stands twice", rule.id);
        assert!(!rule.instead.is_empty(), "{}", rule.id);
        for text in [&rule.problem, &rule.instead] {
            assert!(!text.contains('\''), "{}: {text}", rule.id);
        }
        let line = format!("| `{}` | `{}` |", rule.id, rule.path);
        assert!(notes.contains(&line), "docs/policies.md has no line {line}");
    }
}

#[test]
fn what_is_at_rest_is_warned_of_and_nothing_is_denied_by_default() {
    let all = policies();
    let names: Vec<&str> = all.iter().filter_map(|it| it["metadata"]["name"].as_str()).collect();
    assert_eq!(names, [CANARIES, CANARIES, DELETIONS, DELETIONS]);
    for pair in all.chunks(2) {
        assert_eq!(pair[0]["spec"]["failurePolicy"], "Ignore");
        assert_eq!(pair[1]["spec"]["validationActions"], json!(["Warn", "Audit"]));
        assert_eq!(pair[1]["spec"]["policyName"], pair[0]["metadata"]["name"]);
    }
}
