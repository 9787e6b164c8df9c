//! The dashboards as Grafana would ask them.

use serde_json::Value;
use std::fs;

use crate::{charts::file, cluster::lab::text};

/// Windows that Grafana puts in, in the tests: longer than the whole run.
const WINDOWS: [(&str, &str); 2] = [("$__rate_interval", "5m"), ("$__range", "1h")];

/// One query of a panel.
pub(crate) struct Query {
    pub(crate) board: String,
    pub(crate) panel: String,
    pub(crate) legend: String,
    pub(crate) expr: String,
}

/// All dashboards: name and content.
pub(crate) fn boards() -> Vec<(String, Value)> {
    let folder = fs::read_dir(file("deploy/charts/grafana/dashboards")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let mut boards: Vec<(String, Value)> = paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
        })
        .collect();
    boards.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(boards.len(), 4);
    boards
}

/// Every query of a dashboard, with its variables filled in.
pub(crate) fn queries(name: &str, board: &Value, variables: &[(&str, &str)]) -> Vec<Query> {
    let panels = board["panels"].as_array().unwrap().iter();
    let mut queries = Vec::new();
    for panel in panels.filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().expect("a panel has queries") {
            let mut expr = text(&target["expr"]).to_owned();
            for (variable, value) in WINDOWS {
                expr = expr.replace(variable, value);
            }
            for (variable, value) in variables {
                expr = expr.replace(&format!("${{{variable}}}"), value);
                expr = expr.replace(&format!("${variable}"), value);
            }
            assert!(!expr.contains('$'), "{name}: a variable is unknown: {expr}");
            queries.push(Query {
                board: name.to_owned(),
                panel: text(&panel["title"]).to_owned(),
                legend: text(&target["legendFormat"]).to_owned(),
                expr,
            });
        }
    }
    queries
}

/// A Prometheus that answers.
pub(crate) struct Asked {
    url: String,
    http: reqwest::Client,
}

// === impl Asked ===

impl Asked {
    pub(crate) fn at(url: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default()); // an error means that it is there already
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            url: url.to_owned(),
            http,
        }
    }

    /// Whether it answers yet.
    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/-/ready", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// The values of an instant query.
    pub(crate) async fn values(&self, query: &str) -> Vec<f64> {
        let request = self
            .http
            .get(format!("{}/api/v1/query", self.url))
            .query(&[("query", query)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let values = found.iter().map(|one| text(&one["value"][1]).parse::<f64>().unwrap());
        values.collect()
    }
}
