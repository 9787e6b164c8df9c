//! Logs in the peer's form: one JSON object per line on standard error, with `ts`, `level`, `caller`, `msg` and, where it is about
//! one, `canary` (deploy.md 6).

use serde_json::{Map, Value, json};
use std::{fmt, io};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Install the logger. Anything that is no level, the documented `warning` included, means `info`.
pub(crate) fn install(level: &str, encoding: &str) {
    let level = match level {
        "debug" => "debug",
        "warn" => "warn",
        "error" | "fatal" | "panic" => "error",
        _ => "info",
    };
    // The HTTP and Kubernetes libraries tell every request at debug; their warnings are enough.
    let filter = EnvFilter::new(format!("warn,aviary={level},actors={level},engine={level}"));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match encoding {
        "console" => layer.boxed(),
        _ => layer.event_format(Json).boxed(),
    };
    // A second logger in one process (tests) is no error.
    drop(tracing_subscriber::registry().with(filter).with(layer).try_init());
}

struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("level".into(), level(*metadata.level()).into());
        line.insert("ts".into(), now().into());
        line.insert("caller".into(), caller(metadata.file(), metadata.line()).into());
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    }
}

fn caller(file: Option<&str>, line: Option<u32>) -> String {
    format!("{}:{}", file.unwrap_or("-"), line.unwrap_or(0))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log line's own time; no decision depends on it"
)]
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

struct Fields<'m>(&'m mut Map<String, Value>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(key(field.name()), value.into());
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.0.insert(key(field.name()), value.into());
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.0.insert(key(field.name()), value.into());
    }

    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.0.insert(key(field.name()), json!(value));
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.0.insert(key(field.name()), value.into());
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.insert(key(field.name()), format!("{value:?}").into());
    }
}

fn key(name: &str) -> String {
    if name == "message" { "msg".into() } else { name.into() }
}
