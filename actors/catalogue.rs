//! A registry that knows of each series its type, labels and meaning: what docs/metrics.md is made of, for every role of the binary.

use parking_lot::Mutex;
use prometheus::{Error, Registry, TextEncoder, core::Collector, proto::MetricType};
use std::fmt::Write;

/// The registry, and what was put into it. `Default` is an empty one.
#[derive(Default)]
pub struct Catalogue {
    registry: Registry,
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    name: String,
    kind: &'static str,
    labels: Vec<String>,
    meaning: String,
}

// === impl Catalogue ===

impl Catalogue {
    /// Register a series and give it back.
    ///
    /// # Errors
    /// When there is one of this name.
    pub fn kept<C: Collector + Clone + 'static>(&self, series: C) -> Result<C, Error> {
        self.keep(Box::new(series.clone()))?;
        Ok(series)
    }

    /// Register a series, and keep what is known of it.
    ///
    /// # Errors
    /// When there is one of this name.
    pub fn keep(&self, series: Box<dyn Collector>) -> Result<(), Error> {
        let families = series.collect();
        for description in series.desc() {
            let family = families.iter().find(|family| family.name() == description.fq_name);
            self.entries.lock().push(Entry {
                name: description.fq_name.clone(),
                kind: family.map_or("gauge", |family| word(family.get_field_type())),
                labels: description.variable_labels.clone(),
                meaning: description.help.clone(),
            });
        }
        self.registry.register(series)
    }

    /// All series as a Markdown table, sorted by name: name, type, labels, unit, meaning.
    pub fn table(&self) -> String {
        let mut entries = self.entries.lock();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let mut table = "| series | type | labels | unit | meaning |\n|---|---|---|---|---|\n".to_owned();
        for Entry {
            name,
            kind,
            labels,
            meaning,
        } in entries.iter()
        {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let (labels, unit) = (labels.join(", "), unit(name));
            writeln!(table, "| `{name}` | {kind} | {labels} | {unit} | {meaning} |").ok(); // a String takes everything
        }
        table
    }

    /// Everything in Prometheus' text format 0.0.4.
    pub fn text(&self) -> String {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.unwrap_or_else(|error| format!("# {error}\n"))
    }
}

/// A page whose table of this name, between `<!-- generated: NAME -->` and `<!-- generated: end -->`, is this one; `None` if it has none.
pub fn refreshed(page: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- generated: end -->");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{table}{end}{after}"))
}

fn word(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::GAUGE | MetricType::UNTYPED => "gauge",
    }
}

/// By the ending, as Prometheus wants it; the peer's gauges have none.
fn unit(name: &str) -> &'static str {
    match name {
        "flagger_canary_weight" => "percent",
        "flagger_canary_metric_analysis" => "the metric's own; durations in seconds",
        "flagger_canary_status" => "0, 1 or 2",
        "aviary_canary_accepted" => "0 or 1",
        "flagger_info" | "flagger_k6_webhook_build_info" => "always 1",
        _ if name.ends_with("_seconds") || name.ends_with("_seconds_total") => "seconds",
        _ if name.ends_with("_bytes") => "bytes",
        _ => "number",
    }
}
