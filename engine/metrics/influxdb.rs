//! InfluxDB 2: Flux, answered in annotated CSV (analysis.md 4.7).
//!
//! No rows are no data and an error table is an error; the peer reads both as 0 (AN-5). Integers count, so that the documented
//! `count()` works. The documented Secret lacks `org`, and the documented template the address: both are asked for by name.

use jiff::Timestamp;
use serde_json::json;

use super::{
    Reading,
    answer::{self, Measured, newest, nothing, numeral},
    provider::{BadProvider, Inquiry, Provider, get},
    question::Question,
    secret,
};
use crate::http::{self, Address, Method, Response};

mod csv;

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "influxdb",
    request: |inquiry| ask(inquiry, inquiry.query),
    probe: |inquiry| ask(inquiry, PROBE),
    parse,
    probed: answer::online,
};

/// A query that says whether token and organisation are good.
const PROBE: &str = "from(bucket: \"default\") |> range(start: -2h) |> limit(n: 1)";

/// What is known of the table that is being read.
#[derive(Default)]
struct Table {
    kinds: Vec<String>,
    defaults: Vec<String>,
    names: Vec<String>,
}

fn ask(inquiry: &Inquiry<'_>, query: &str) -> Result<Question, BadProvider> {
    let address = Address::parse(inquiry.needed_address(PROVIDER.kind)?)?;
    let (token, org) = match inquiry.secret()? {
        None => {
            return Err(BadProvider::Missing(
                PROVIDER.kind,
                "a secretRef with the keys token and org",
            ));
        }
        Some(secret) => (secret::text(secret, "token")?, secret::required(secret, "org")?),
    };
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Accept".to_owned(), "application/csv".to_owned()),
    ];
    headers.extend(token.map(|token| ("Authorization".to_owned(), format!("Token {token}"))));
    let mut request = get(address, "/api/v2/query", &[("org", &org)], headers);
    request.method = Method::Post;
    let dialect = json!({"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": true});
    request.body = json!({"query": query, "type": "flux", "dialect": dialect}).to_string();
    Ok(Question::open(request))
}

/// The newest row of the first table.
fn parse(response: &Response) -> Reading {
    if let Err(reading) = answer::refused(response) {
        return reading;
    }
    let Some(records) = csv::records(&response.body) else {
        return Reading::Failed(format!("the answer is no CSV: {}", http::excerpt(&response.body)));
    };
    let no_csv = || Reading::Failed(format!("the answer is no CSV: {}", http::excerpt(&response.body)));
    let mut table = Table::default();
    let mut first: Option<String> = None;
    let mut points = Vec::new();
    for record in records {
        match record.first().map(String::as_str) {
            _ if record.iter().all(String::is_empty) => table = Table::default(),
            Some("#datatype") => {
                table = Table {
                    kinds: record,
                    ..Table::default()
                }
            }
            Some("#default") => table.defaults = record,
            Some("#group") => {}
            // In annotated CSV the first column belongs to the annotations.
            Some("") if table.names.is_empty() && record.len() > 1 => table.names = record,
            Some("") if !table.names.is_empty() => {
                if let Some(error) = table.cell(&record, "error") {
                    return Reading::Failed(format!("error response: {}", http::excerpt(error)));
                }
                let id = table.cell(&record, "table").unwrap_or_default().to_owned();
                if *first.get_or_insert_with(|| id.clone()) == id {
                    points.push(table.point(&record, points.len()));
                }
            }
            _ => return no_csv(),
        }
    }
    if points.is_empty() { nothing() } else { newest(points) }
}

// === impl Table ===

impl Table {
    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// A cell by the name of its column; the column's default where it is empty.
    fn cell<'t>(&'t self, record: &'t [String], name: &str) -> Option<&'t str> {
        let at = self.place(name)?;
        let cell = record.get(at).filter(|cell| !cell.is_empty());
        cell.or_else(|| self.defaults.get(at)).map(String::as_str)
    }

    fn point(&self, record: &[String], index: usize) -> (f64, Measured) {
        let time = self
            .cell(record, "_time")
            .and_then(|time| time.parse::<Timestamp>().ok());
        // Without times the first row counts, as with the peer.
        let at = time.map_or(-answer::place(index), |time| time.as_second() as f64);
        (at, self.value(record))
    }

    fn value(&self, record: &[String]) -> Measured {
        let Some(text) = self.cell(record, "_value") else {
            return Err("the result has no column _value".to_owned());
        };
        let kind = self
            .place("_value")
            .and_then(|at| self.kinds.get(at))
            .map(String::as_str);
        match kind {
            Some("double" | "long" | "unsignedLong") | None => numeral(text),
            Some(kind) => Err(format!("the value is a {}, a number is needed", http::excerpt(kind))),
        }
    }
}

#[cfg(test)]
mod tests;
