//! A release of a chart from its first day to its last: an earlier version, this one over it, and nothing afterwards.

use serde_json::Value;
use std::{fs, process::Command};

use super::{Ground, chart, file};
use crate::{cluster::lab::text, companions};

/// Charts beside the controller's, and a value that an upgrade may change.
const BESIDE: [(&str, &str); 3] = [
    ("loadtester", "networkPolicy.enabled=true"),
    ("k6-webhook", "webhook.vars.MAX_CONCURRENT_TESTS=7"),
    ("grafana", "anonymous.enabled=true"),
];

/// A chart as it may have been a version ago.
pub(crate) fn earlier_version(name: &str) -> String {
    let folder = companions::folder(&format!("chart-earlier-{name}")).join(name);
    let copied = Command::new("cp").arg("-rL").arg(chart(name)).arg(&folder).status();
    assert!(copied.unwrap().success());
    for name in ["Chart.yaml", "values.yaml"] {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .replace("version: 0.1.0", "version: 0.0.1")
            .replace("logLevel: info", "logLevel: debug");
        fs::write(path, text).unwrap();
    }
    folder.to_string_lossy().into_owned()
}

/// Names of the charts that a release was made of, in order.
pub(crate) fn history(ground: &Ground, release: &str, namespace: &str) -> Vec<String> {
    let history = ground.helm(&["history", release, "-o", "json", "-n", namespace]);
    let history: Vec<Value> = serde_json::from_str(&history).unwrap();
    history.iter().map(|one| text(&one["chart"]).to_owned()).collect()
}

/// The companions' charts and the dashboards: installed, upgraded, uninstalled.
pub(crate) fn come_and_go(ground: &Ground) {
    let place = ["-n", "test", "--wait", "--timeout=90s"];
    for (name, value) in BESIDE {
        let release = format!("passing-{name}");
        let (earlier, current) = (earlier_version(name), chart(name));
        ground.helm(&[&["install", &release, &earlier], &place[..]].concat());
        ground.helm(&[&["upgrade", "-i", &release, &current, "--set", value], &place[..]].concat());
        let wanted = [format!("{name}-0.0.1"), format!("{name}-{}", env!("CARGO_PKG_VERSION"))];
        assert_eq!(history(ground, &release, "test"), wanted);
        let manifest = ground.helm(&["get", "manifest", &release, "-n", "test"]);
        let path = ground.lab().log(&release).with_extension("yaml");
        fs::write(&path, manifest).unwrap();
        let path = path.to_string_lossy().into_owned();
        let look = ["-n", "test", "get", "-o", "name", "--ignore-not-found", "-f", &path];
        let there = ground.kubectl(&look);
        assert!(there.lines().count() >= 3, "{name}: {there}");
        ground.helm(&[&["uninstall", &release], &place[..]].concat());
        assert_eq!(ground.kubectl(&look), "", "{name} leaves something behind");
    }
    assert!(file("deploy/charts").read_dir().unwrap().count() == BESIDE.len() + 1, "a chart is not tried");
}
