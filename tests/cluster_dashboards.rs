//! Dashboards and alert rules against a real Prometheus: what a panel or a rule names is there, and says what was fed in.
//!
//! It needs no control plane. That the panels about the controller are filled by a real run is in `cluster_charts`.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for several tests, this one needs a part of them"
)]

mod builtins;
mod charts;
mod cluster;
mod companions;

use builtins::{Case, Row, rows};
use charts::{
    boards::{Asked, boards, queries},
    file, render,
};
use cluster::{
    lab::text,
    metrics::{scraping, serving},
    server::serve,
    until,
};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};
use tokio::time::Instant;

/// Rows of the dashboard, and the observer that has the same series.
const OBSERVERS: [(&str, &str); 13] = [
    ("Istio", "istio"),
    ("Gateway API and Kubernetes", "http"),
    ("Linkerd", "linkerd"),
    ("App Mesh", "appmesh"),
    ("Contour", "contour"),
    ("Gloo", "gloo"),
    ("Kuma", "kuma"),
    ("Open Service Mesh", "osm"),
    ("Traefik", "traefik"),
    ("NGINX", "nginx"),
    ("Skipper", "skipper"),
    ("APISIX", "apisix"),
    ("Knative", "knative"),
];

/// Prometheus' own tool, if Prometheus is wanted.
fn promtool() -> Option<PathBuf> {
    let Ok(prometheus) = std::env::var("AVIARY_PROMETHEUS") else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "AVIARY_PROMETHEUS must be set in CI"
        );
        println!("skipped: AVIARY_PROMETHEUS is not set (tests/tools/prometheus)");
        return None;
    };
    let tool = PathBuf::from(prometheus).with_file_name("promtool");
    assert!(
        tool.exists(),
        "promtool is missing beside Prometheus; remove it and call tests/tools/prometheus"
    );
    Some(tool)
}

fn check(tool: &PathBuf, words: &[&str]) -> String {
    let output = Command::new(tool)
        .args(words)
        .current_dir(file("deploy/rules"))
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{words:?}: {said}");
    said
}

#[test]
fn rules_fire_when_they_should() {
    let Some(tool) = promtool() else { return };
    let rules: Value = serde_saphyr::from_str(&fs::read_to_string(file("deploy/rules/aviary.yaml")).unwrap()).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    let names: Vec<&str> = groups
        .flat_map(|group| group["rules"].as_array().unwrap())
        .map(|rule| text(&rule["alert"]))
        .collect();
    let said = check(&tool, &["check", "rules", "aviary.yaml"]);
    assert!(said.contains(&format!("{} rules found", names.len())), "{said}");
    check(&tool, &["test", "rules", "tests.yaml"]);
    let tests: Value = serde_saphyr::from_str(&fs::read_to_string(file("deploy/rules/tests.yaml")).unwrap()).unwrap();
    for test in tests["tests"].as_array().unwrap() {
        let tested: Vec<&str> = test["alert_rule_test"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| text(&it["alertname"]))
            .collect();
        for name in &names {
            assert!(tested.contains(name), "{}: nothing is said of {name}", test["name"]);
        }
    }
}

/// Debian's Prometheus knows no discovery by Kubernetes, so that is left out before the configuration is checked.
#[test]
fn the_bundled_prometheus_has_a_sound_configuration() {
    let Some(tool) = promtool() else { return };
    let whole = fs::read_to_string(file("deploy/kustomize/prometheus/prometheus.yml")).unwrap();
    let mut kept = String::new();
    let mut inside = false;
    for line in whole.lines() {
        inside = line.starts_with("  kubernetes_sd_configs:")
            || inside && (line.starts_with("  - role") || line.starts_with("    "));
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    assert_eq!(kept.matches("job_name").count(), 4, "{kept}");
    let path = companions::folder("bundled-prometheus").join("prometheus.yml");
    fs::write(&path, &kept).unwrap();
    check(&tool, &["check", "config", "--syntax-only", &path.to_string_lossy()]);
    for label in ["kubernetes_namespace", "kubernetes_pod_name"] {
        assert!(
            kept.contains(&format!("target_label: {label}")),
            "the builtin queries need {label}"
        );
    }
}

/// A pod that asks to be scraped, as discovery describes it, gets the labels that the builtin queries select by; another is left out.
#[tokio::test]
async fn the_bundled_prometheus_labels_pods() {
    if promtool().is_none() {
        return;
    }
    let exporter = serve(|path, _| match path {
        "/own" => (200, "http_requests_total 7\n".to_owned()),
        _ => (404, String::new()),
    });
    let folder = companions::folder("bundled-prometheus-labels");
    let pod = |name: &str, scrape: &str| {
        serde_json::json!({"targets": ["127.0.0.1:1"], "labels": {
            "__meta_kubernetes_namespace": "test", "__meta_kubernetes_pod_name": name, "__meta_kubernetes_pod_label_app": "podinfo",
            "__meta_kubernetes_pod_annotation_prometheus_io_scrape": scrape,
            "__meta_kubernetes_pod_annotation_prometheus_io_port": exporter.to_string(),
            "__meta_kubernetes_pod_annotation_prometheus_io_path": "/own",
        }})
    };
    let pods = serde_json::json!([pod("podinfo-1", "true"), pod("podinfo-2", "false")]);
    fs::write(folder.join("pods.json"), pods.to_string()).unwrap();
    let whole = fs::read_to_string(file("deploy/kustomize/prometheus/prometheus.yml")).unwrap();
    let job = &whole[whole.find("- job_name: kubernetes-pods").unwrap()..];
    let job = job.replace(
        "kubernetes_sd_configs:\n  - role: pod",
        "file_sd_configs:\n  - files: [pods.json]",
    );
    fs::write(
        folder.join("prometheus.yml"),
        format!("global: {{scrape_interval: 1s}}\nscrape_configs:\n{job}"),
    )
    .unwrap();
    let (_process, url) = serving(&folder, &folder.join("log"));
    let prometheus = Asked::at(&url);
    until("the pod is scraped", Duration::from_mins(1), async || {
        if !prometheus.is_ready().await {
            return None;
        }
        let query = r#"http_requests_total{kubernetes_namespace="test",kubernetes_pod_name="podinfo-1",app="podinfo"}"#;
        (prometheus.values(query).await == [7.0]).then_some(())
    })
    .await;
    assert_eq!(prometheus.values("up").await, [1.0]);
}

#[test]
fn dashboards_are_what_grafana_reads() {
    let mut ids = Vec::new();
    for (name, board) in boards() {
        ids.push(text(&board["uid"]).to_owned());
        let mut numbers = Vec::new();
        let mut places: Vec<(i64, i64, i64, i64)> = Vec::new();
        for panel in board["panels"].as_array().unwrap() {
            numbers.push(panel["id"].as_i64().unwrap());
            let kind = text(&panel["type"]);
            assert!(["row", "stat", "timeseries", "table"].contains(&kind), "{name}: {kind}");
            let place = ["x", "y", "w", "h"].map(|part| panel["gridPos"][part].as_i64().unwrap());
            let [x, y, w, h] = place;
            assert!(x + w <= 24, "{name}: {} is too wide", panel["title"]);
            let overlaps =
                |(ox, oy, ow, oh): &(i64, i64, i64, i64)| x < ox + ow && ox < &(x + w) && y < oy + oh && oy < &(y + h);
            assert!(
                !places.iter().any(overlaps),
                "{name}: {} covers another",
                panel["title"]
            );
            places.push((x, y, w, h));
            if kind != "row" {
                assert!(
                    !text(&panel["title"]).is_empty() && !text(&panel["description"]).is_empty(),
                    "{panel}"
                );
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(
            numbers.len(),
            board["panels"].as_array().unwrap().len(),
            "{name}: an id is there twice"
        );
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        ids,
        ["aviary-canary", "aviary-fleet", "aviary-operator", "aviary-traffic"]
    );
    let rendered = charts::objects(&render("grafana", "grafana", "default", &[]));
    let kept = charts::pick(&rendered, "ConfigMap", "grafana-dashboards").unwrap();
    for (name, board) in boards() {
        let in_chart: Value = serde_json::from_str(text(&kept["data"][format!("{name}.json")])).unwrap();
        assert_eq!(in_chart, board);
    }
}

/// Each row of the dashboard about traffic gives the numbers that were fed in as that provider's.
#[tokio::test]
async fn traffic_is_shown_for_every_provider() {
    if promtool().is_none() {
        return;
    }
    let rows = rows();
    let begun = Instant::now();
    let lines: Vec<builtins::Series> = rows.iter().flat_map(Row::series).collect();
    let exporter = serve(move |_, _| (200, builtins::exposition(&lines, begun.elapsed())));
    let folder = companions::folder("dashboards");
    let (_process, url) = scraping(&folder, exporter, &folder.join("log"));
    let prometheus = Asked::at(&url);
    let two = format!("rate({}[10s])", builtins::BEACON);
    until("Prometheus has two samples", Duration::from_mins(1), async || {
        if !prometheus.is_ready().await {
            return None;
        }
        (!prometheus.values(&two).await.is_empty()).then_some(())
    })
    .await;
    let board = boards().into_iter().find(|(name, _)| name == "traffic").unwrap().1;
    let mut shown = BTreeMap::new();
    for case in [Case::Good, Case::Bad] {
        let variables = [
            ("namespace", case.namespace()),
            ("target", "app"),
            ("service", "web"),
            ("ingress", "edge"),
        ];
        for query in queries("traffic", &board, &variables) {
            let (row, what) = query.panel.split_once(": ").unwrap();
            let observer = OBSERVERS
                .iter()
                .find(|(known, _)| *known == row)
                .unwrap_or_else(|| panic!("{row} is not known"))
                .1;
            let row = rows.iter().find(|row| row.name == observer).unwrap();
            let values = prometheus.values(&query.expr).await;
            if query.legend == "new" {
                let wanted = match what {
                    "success rate" => row.success_rate(case).unwrap(),
                    // The check cuts off the half millisecond.
                    "duration" => (row.duration_ms(case).unwrap() + 0.5) / 1000.0,
                    _ => values.first().copied().unwrap_or(f64::NAN),
                };
                assert_eq!(values.len(), 1, "{}: {values:?}: {}", query.panel, query.expr);
                assert!(
                    (values[0] - wanted).abs() < 1e-6,
                    "{} {case:?}: {values:?}, not {wanted}: {}",
                    query.panel,
                    query.expr
                );
                assert!(values[0].is_finite(), "{}", query.panel);
            } else {
                assert!(
                    !values.is_empty(),
                    "{} is empty for {}: {}",
                    query.panel,
                    query.legend,
                    query.expr
                );
            }
            *shown.entry(observer).or_insert(0) += 1;
        }
    }
    assert_eq!(shown.len(), OBSERVERS.len());
}
