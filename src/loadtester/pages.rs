//! `GET /tasks` as JSON and as a small page: what runs and what ran, with exit codes and the last lines (LT-6, LT-17).

use actors::world::World;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    gates::{Line, Switch},
    ledger::{Entry, Ledger, State},
    order::Kind,
    task::{Canary, Outcome},
};
use crate::companion::{
    output::last_lines,
    page::{Cell, page},
    redaction::Redaction,
};

/// Lines of each task in the list.
const LINES: usize = 15;

/// Turns monotonic time into wall time.
pub(super) struct Clock {
    now: Timestamp,
    instant: Instant,
}

/// A task, for others to see.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    id: u64,
    #[serde(flatten)]
    canary: Canary,
    #[serde(rename = "type")]
    kind: Kind,
    command: String,
    checksum: String,
    state: State,
    background: bool,
    calls: u64,
    admitted: Timestamp,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    #[serde(flatten)]
    outcome: Option<Outcome>,
    /// The last lines, or everything that is kept.
    output: String,
}

/// The whole list, the newest first.
#[derive(Serialize)]
pub(super) struct Views {
    tasks: Vec<View>,
}

/// All tasks.
pub(super) fn views(ledger: &Ledger, clock: &Clock, redaction: &Redaction) -> Views {
    let view = |entry: &Entry| {
        let mut view = whole(entry, clock, redaction);
        view.output = last_lines(&view.output, LINES);
        view
    };
    Views {
        tasks: ledger.entries().map(view).collect(),
    }
}

/// A task with all its output.
pub(super) fn whole(entry: &Entry, clock: &Clock, redaction: &Redaction) -> View {
    let ask = &entry.task.ask;
    let outcome = entry.task.done.borrow().as_deref().cloned();
    View {
        id: entry.task.id,
        canary: ask.key.canary.clone(),
        kind: ask.key.kind,
        command: ask.shown.clone(),
        checksum: ask.checksum.clone(),
        state: entry.state,
        background: ask.background,
        calls: entry.calls,
        admitted: clock.wall(entry.admitted),
        began: entry.began.map(|began| clock.wall(began)),
        ended: entry.ended.map(|ended| clock.wall(ended)),
        outcome,
        output: redaction.clean(&entry.task.output.text()),
    }
}

/// The page.
pub(super) fn html(views: &Views, gates: &[Line]) -> String {
    let rows = views.tasks.iter().map(|view| {
        let result = match &view.outcome {
            None => Cell::Text(format!("{:?}", view.state).to_lowercase()),
            Some(outcome) if outcome.success => Cell::Result("passed".into(), true),
            Some(outcome) => Cell::Result(outcome.cause.clone(), false),
        };
        vec![
            Cell::Text(view.id.to_string()),
            Cell::Text(format!("{}/{}", view.canary.namespace, view.canary.name)),
            Cell::Text(view.kind.as_str().to_owned()),
            Cell::Lines(view.command.clone()),
            Cell::Text(view.began.map(whole_secs).unwrap_or_default()),
            Cell::Text(view.ended.map(whole_secs).unwrap_or_default()),
            result,
            Cell::Lines(view.output.clone()),
        ]
    });
    let tasks: &[&str] = &[
        "#",
        "canary",
        "type",
        "command",
        "began",
        "ended",
        "result",
        "last lines",
    ];
    let lines = gates.iter().map(|line| {
        let switch = match line.name.switch {
            Switch::Gate => "gate",
            Switch::Rollback => "rollback",
        };
        let state = if line.gate.open { "open" } else { "closed" };
        vec![
            Cell::Text(switch.to_owned()),
            Cell::Text(format!("{}/{}", line.name.namespace, line.name.canary)),
            Cell::Text(state.to_owned()),
            Cell::Text(if line.gate.once {
                "the first that asks".to_owned()
            } else {
                line.gate.checksum.clone()
            }),
            Cell::Text(line.gate.until.map(whole_secs).unwrap_or_default()),
            Cell::Text(line.gate.changed.map(whole_secs).unwrap_or_default()),
            Cell::Text(line.gate.by.clone()),
        ]
    });
    let columns: &[&str] = &["switch", "canary", "state", "only for", "until", "changed", "by"];
    page(
        "Load tester",
        &[("Tasks", tasks, rows.collect()), ("Gates", columns, lines.collect())],
    )
}

fn whole_secs(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

// === impl Clock ===

impl Clock {
    /// Now.
    pub(super) fn of(world: &World) -> Self {
        Self {
            now: world.now(),
            instant: world.instant(),
        }
    }

    fn wall(&self, then: Instant) -> Timestamp {
        let ago =
            SignedDuration::try_from(self.instant.saturating_duration_since(then)).unwrap_or(SignedDuration::ZERO);
        self.now.checked_sub(ago).unwrap_or(self.now)
    }
}
