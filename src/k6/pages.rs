//! `GET /tests` as JSON and as a small page: what runs, what ran, and what it measured (K6-18).

use actors::world::World;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::runs::{Fate, Run, Runs, Verdict};
use crate::companion::{
    output::last_lines,
    page::{Cell, page},
    redaction::Redaction,
};

/// Lines of each run in the list.
const LINES: usize = 15;
/// What is shown of the summary on the page: metric and value.
const FIGURES: [(&str, &str, &str); 4] = [
    ("requests", "http_reqs", "count"),
    ("failed", "http_req_failed", "value"),
    ("p95 ms", "http_req_duration", "p(95)"),
    ("iterations", "iterations", "count"),
];

/// A run, for others to see.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    id: u64,
    namespace: String,
    name: String,
    phase: String,
    checksum: String,
    state: &'static str,
    began: Timestamp,
    ended: Option<Timestamp>,
    #[serde(flatten)]
    verdict: Option<Verdict>,
    /// The last lines, or everything that is kept.
    output: String,
}

/// The whole list, the newest first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Views {
    slots: usize,
    free_slots: usize,
    tests: Vec<View>,
}

/// All runs.
pub(super) fn views(runs: &Runs, world: &World, redaction: &Redaction) -> Views {
    let (slots, free_slots) = runs.slots();
    let view = |run: &std::sync::Arc<Run>| {
        let mut view = whole(run, world, redaction);
        view.output = last_lines(&view.output, LINES);
        view
    };
    Views {
        slots,
        free_slots,
        tests: runs.list().iter().map(view).collect(),
    }
}

/// A run with all its output.
pub(super) fn whole(run: &Run, world: &World, redaction: &Redaction) -> View {
    let wall = |then: tokio::time::Instant| {
        let ago = world.instant().saturating_duration_since(then);
        let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::ZERO);
        world.now().checked_sub(ago).unwrap_or_else(|_| world.now())
    };
    let verdict = run.verdict.borrow().clone();
    let order = &run.order;
    View {
        id: run.id,
        namespace: order.namespace.clone(),
        name: order.name.clone(),
        phase: order.phase.clone(),
        checksum: order.checksum.clone(),
        state: if verdict.is_some() { "ended" } else { "running" },
        began: wall(run.began),
        ended: verdict.as_ref().map(|(at, _)| wall(*at)),
        verdict: verdict.map(|(_, verdict)| (*verdict).clone()),
        output: redaction
            .with(run.secrets.values().map(String::as_str))
            .clean(&run.output.text()),
    }
}

/// The page.
pub(super) fn html(views: &Views) -> String {
    let rows = views.tests.iter().map(|view| {
        let result = match &view.verdict {
            None => Cell::Text("running".into()),
            Some(verdict) if verdict.fate == Fate::Passed => Cell::Result("passed".into(), true),
            Some(verdict) => Cell::Result(verdict.text.clone(), false),
        };
        let metrics = view.verdict.as_ref().map(|verdict| &verdict.summary.metrics);
        vec![
            Cell::Text(view.id.to_string()),
            Cell::Text(format!("{}/{}", view.namespace, view.name)),
            Cell::Text(view.phase.clone()),
            Cell::Text(whole_secs(view.began)),
            Cell::Text(view.ended.map(whole_secs).unwrap_or_default()),
            result,
            Cell::Lines(metrics.map(figures).unwrap_or_default()),
            Cell::Lines(view.output.clone()),
        ]
    });
    let columns: &[&str] = &[
        "#",
        "canary",
        "phase",
        "began",
        "ended",
        "result",
        "figures",
        "last lines",
    ];
    page("k6 tests", &[("Tests", columns, rows.collect())])
}

fn figures(metrics: &Map<String, Value>) -> String {
    let line = |(label, metric, value): &(&str, &str, &str)| {
        let number = metrics.get(*metric)?.get(*value)?.as_f64()?;
        Some(format!("{label}: {number:.3}"))
    };
    let lines: Vec<String> = FIGURES.iter().filter_map(line).collect();
    lines.join("\n")
}

fn whole_secs(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
