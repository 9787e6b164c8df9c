//! Server-side tables: what `kubectl get` prints. Columns of builtin kinds are in [`columns`], those of others in their CRD.

mod columns;
mod jsonpath;
#[cfg(test)]
mod tests;

use super::{
    kinds::Resource,
    view::{Inside, partial},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A minute, an hour, a day and a year in seconds.
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// One column.
struct Column {
    name: String,
    kind: String,
    priority: i64,
    cell: Cell,
}

/// What a column shows.
enum Cell {
    Name,
    Age,
    /// The text at a JSON pointer, and what is shown where there is none.
    Text(&'static str, &'static str),
    /// The number at a JSON pointer; zero where there is none.
    Count(&'static str),
    /// What a function makes of the object, now.
    Made(fn(&Value, Timestamp) -> Value),
    /// What a JSON path of a CRD leads to.
    Path(String),
}

/// A table of these objects.
pub(super) fn table<'a>(
    resource: &Resource,
    objects: impl Iterator<Item = &'a Value>,
    inside: Inside,
    now: Timestamp,
) -> Value {
    let columns = columns_of(resource);
    let rows: Vec<Value> = objects.map(|object| row(&columns, object, inside, now)).collect();
    let definitions: Vec<Value> = columns.iter().map(Column::definition).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn row(columns: &[Column], object: &Value, inside: Inside, now: Timestamp) -> Value {
    let cells: Vec<Value> = columns.iter().map(|column| column.cell(object, now)).collect();
    match inside {
        Inside::Nothing => json!({ "cells": cells }),
        Inside::Metadata => json!({ "cells": cells, "object": partial(object) }),
        Inside::Object => json!({ "cells": cells, "object": object }),
    }
}

fn columns_of(resource: &Resource) -> Vec<Column> {
    if !resource.custom {
        return columns::native(&resource.kind);
    }
    let mut columns = vec![Column::new("Name", "string", 0, Cell::Name)];
    columns.extend(resource.columns().iter().map(|column| {
        let text = |field: &str| column[field].as_str().unwrap_or_default();
        let priority = column["priority"].as_i64().unwrap_or_default();
        Column::new(
            text("name"),
            text("type"),
            priority,
            Cell::Path(text("jsonPath").to_owned()),
        )
    }));
    if columns.len() == 1 {
        columns.push(Column::new("Age", "date", 0, Cell::Age));
    }
    columns
}

// === impl Column ===

impl Column {
    fn new(name: &str, kind: &str, priority: i64, cell: Cell) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            priority,
            cell,
        }
    }

    fn definition(&self) -> Value {
        let format = if matches!(self.cell, Cell::Name) { "name" } else { "" };
        json!({
            "name": self.name, "type": self.kind, "format": format, "description": "", "priority": self.priority,
        })
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        match &self.cell {
            Cell::Name => object["metadata"]["name"].clone(),
            Cell::Age => json!(age(&object["metadata"]["creationTimestamp"], now)),
            Cell::Text(pointer, absent) => {
                let found = object.pointer(pointer).and_then(Value::as_str);
                json!(found.unwrap_or(absent))
            }
            Cell::Count(pointer) => {
                let found = object.pointer(pointer).and_then(Value::as_i64);
                json!(found.unwrap_or_default())
            }
            Cell::Made(make) => make(object, now),
            Cell::Path(path) => match (jsonpath::find(object, path).first(), self.kind.as_str()) {
                (None | Some(Value::Null), _) => Value::Null,
                (Some(found), "date") => json!(age(found, now)),
                (Some(Value::String(text)), _) => json!(text),
                (Some(found), "string") => json!(found.to_string()),
                (Some(found), _) => (*found).clone(),
            },
        }
    }
}

/// Time since then, as kubectl writes ages: the longer ago, the coarser.
fn age(since: &Value, now: Timestamp) -> String {
    let Some(since) = since.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
        return "<unknown>".to_owned();
    };
    let seconds = now.as_second() - since.as_second();
    // A number, and below it the next smaller unit where it is not zero.
    let pair = |big: i64, unit: &str, small: i64, lesser: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{lesser}"),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => pair(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => pair(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => pair(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}
