//! One moment of the demo: what is known, and how it is laid out in rows, for the terminal and for the picture.

use super::chronicle::{Story, Told};

/// Characters between the ends of a weight bar.
const BAR: i64 = 40;
/// Events that are shown.
const EVENTS_SHOWN: usize = 6;
/// Rows of one application.
const CHECKS_SHOWN: usize = 2;

/// How a piece of text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Dim,
    Strong,
    Good,
    Bad,
    Busy,
}

/// A piece of text in one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// One moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    /// Seconds since the start.
    pub(super) at: f64,
    /// Time between two checks.
    pub(super) interval: String,
    /// One for each application.
    pub(super) panels: Vec<Panel>,
    /// The last Events, oldest first.
    pub(super) events: Vec<Told>,
}

/// One application at that moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) name: &'static str,
    pub(super) plot: &'static str,
    pub(super) phase: String,
    /// Weights of primary and canary.
    pub(super) split: (i64, i64),
    /// Share of the canary in percent since it has this weight.
    pub(super) measured: Option<f64>,
    /// Primary and canary.
    pub(super) servers: [Server; 2],
    /// The last checks.
    pub(super) checks: Vec<Measurement>,
}

/// The version that runs or ran last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Server {
    pub(super) role: &'static str,
    /// None when nothing ever ran.
    pub(super) version: Option<String>,
    pub(super) is_running: bool,
    pub(super) requests: u64,
    pub(super) failed: u64,
}

/// A check with its limit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measurement {
    pub(super) name: String,
    /// In milliseconds for durations, in percent for rates.
    pub(super) value: f64,
    pub(super) limit: String,
    pub(super) passed: bool,
}

// === impl Measurement ===

impl Measurement {
    /// What a check measured last, beside the limits that the Canary sets.
    pub(super) fn of(name: &str, value: f64, story: &Story) -> Self {
        let unit = unit(name);
        let (least, most) = story.limits.get(name).copied().unwrap_or_default();
        let limits = [
            least.map(|least| format!("at least {least}{unit}")),
            most.map(|most| format!("at most {most}{unit}")),
        ];
        Self {
            name: name.to_owned(),
            value,
            limit: limits.into_iter().flatten().collect::<Vec<String>>().join(", "),
            passed: least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most),
        }
    }

    /// The value with its unit.
    pub(super) fn value(&self) -> String {
        format!("{:.2}{}", self.value, unit(&self.name))
    }

    /// The verdict in one word.
    pub(super) fn word(&self) -> &'static str {
        if self.passed { "passed" } else { "failed" }
    }
}

fn unit(check: &str) -> &'static str {
    match check {
        "request-success-rate" => " %",
        "request-duration" => " ms",
        _ => "",
    }
}

// === impl Frame ===

impl Frame {
    /// The rows from top to bottom; their number is always the same.
    pub(super) fn rows(&self) -> Vec<Vec<Span>> {
        let title = vec![
            span("Aviary releases two applications, with real requests", Tone::Strong),
            span(
                format!("   {:5.1} s   a check every {}", self.at, self.interval),
                Tone::Dim,
            ),
        ];
        let mut rows = vec![title, Vec::new()];
        for panel in &self.panels {
            rows.extend(panel.rows());
            rows.push(Vec::new());
        }
        rows.push(vec![span("what `kubectl describe canary` tells", Tone::Dim)]);
        let shown = self.events.len().saturating_sub(EVENTS_SHOWN);
        let events = self.events.iter().skip(shown).map(event);
        let blank = std::iter::repeat_n(Vec::new(), EVENTS_SHOWN.saturating_sub(self.events.len()));
        rows.extend(events.chain(blank));
        rows
    }

    /// Whether something has changed that a picture should show.
    pub(super) fn turns(&self, before: &Self) -> bool {
        let turn = |panel: &Panel| (panel.phase.clone(), panel.split);
        self.panels.iter().map(turn).ne(before.panels.iter().map(turn))
    }
}

// === impl Panel ===

impl Panel {
    fn rows(&self) -> Vec<Vec<Span>> {
        let phase = if self.phase.is_empty() { "New" } else { &self.phase };
        let mut rows = vec![
            vec![
                span(format!("{:<6}", self.name), Tone::Strong),
                span(format!("{phase:<20}"), tone(phase)),
                span(self.plot, Tone::Dim),
            ],
            self.weight(),
        ];
        rows.extend(self.servers.iter().map(Server::row));
        let checks = self.checks.iter().take(CHECKS_SHOWN).map(Measurement::row);
        let blank = std::iter::repeat_n(Vec::new(), CHECKS_SHOWN.saturating_sub(self.checks.len()));
        rows.extend(checks.chain(blank));
        rows
    }

    fn weight(&self) -> Vec<Span> {
        let weight = self.split.1;
        let filled = (weight.clamp(0, 100) * BAR + 50) / 100;
        let part = |sign: &str, count: i64| sign.repeat(usize::try_from(count).unwrap_or_default());
        let measured = self.measured.map(|share| format!("   measured {share:.1} %"));
        vec![
            span("  new version  ", Tone::Plain),
            span(part("█", filled), Tone::Busy),
            span(part("░", BAR - filled), Tone::Dim),
            span(format!(" {weight:3} %"), Tone::Strong),
            span(measured.unwrap_or_default(), Tone::Dim),
        ]
    }
}

// === impl Server ===

impl Server {
    fn row(&self) -> Vec<Span> {
        let Some(version) = &self.version else {
            return vec![span(format!("  {:<13}not running", self.role), Tone::Dim)];
        };
        let tone = if self.is_running { Tone::Plain } else { Tone::Dim };
        let failed = if self.failed > 0 { Tone::Bad } else { Tone::Dim };
        let stopped = if self.is_running { "" } else { "   stopped" };
        vec![
            span(
                format!("  {:<13}{version:<8}{:>8} requests", self.role, self.requests),
                tone,
            ),
            span(format!("{:>8} failed", self.failed), failed),
            span(stopped, Tone::Dim),
        ]
    }
}

impl Measurement {
    fn row(&self) -> Vec<Span> {
        let tone = if self.passed { Tone::Good } else { Tone::Bad };
        vec![
            span(format!("  {:<22}{:>11}   ", self.name, self.value()), Tone::Plain),
            span(format!("{:<20}", self.limit), Tone::Dim),
            span(self.word(), tone),
        ]
    }
}

fn event(told: &Told) -> Vec<Span> {
    let tone = if told.warns { Tone::Bad } else { Tone::Plain };
    vec![
        span(format!("{:6.1} s  ", told.at), Tone::Dim),
        span(told.message.clone(), tone),
    ]
}

fn tone(phase: &str) -> Tone {
    match phase {
        "Succeeded" => Tone::Good,
        "Failed" => Tone::Bad,
        "Initialized" | "New" => Tone::Plain,
        _ => Tone::Busy,
    }
}

fn span(text: impl Into<String>, tone: Tone) -> Span {
    Span {
        text: text.into(),
        tone,
    }
}
