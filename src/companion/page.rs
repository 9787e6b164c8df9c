//! A small page without scripts: a table, and what somebody wrote is never taken for markup.

use std::fmt::Write as _;

/// The whole style.
const STYLE: &str = "body{font:14px/1.4 system-ui,sans-serif;margin:2rem}table{border-collapse:collapse}\
    th,td{text-align:left;vertical-align:top;padding:.3rem .8rem;border-bottom:1px solid #ddd}\
    pre{margin:0;white-space:pre-wrap;max-width:60rem;font-size:12px}.bad{color:#b00}.good{color:#070}";

/// A cell of a table.
pub(crate) enum Cell {
    /// Plain text.
    Text(String),
    /// Text as a program wrote it.
    Lines(String),
    /// A result, and whether it is a good one.
    Result(String, bool),
}

/// A table of a page: heading, column names, rows.
pub(crate) type Table<'t> = (&'t str, &'t [&'t str], Vec<Vec<Cell>>);

/// A page with a title and tables.
pub(crate) fn page(title: &str, tables: &[Table<'_>]) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>",
        title = escape(title)
    );
    for (heading, columns, rows) in tables {
        write!(html, "<h2>{} ({})</h2><table><tr>", escape(heading), rows.len()).ok();
        for column in *columns {
            write!(html, "<th>{}</th>", escape(column)).ok();
        }
        html.push_str("</tr>");
        for row in rows {
            html.push_str("<tr>");
            for cell in row {
                cell.write(&mut html);
            }
            html.push_str("</tr>");
        }
        html.push_str("</table>");
    }
    html.push_str("</html>");
    html
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

// === impl Cell ===

impl Cell {
    fn write(&self, html: &mut String) {
        // Writing into a String cannot fail.
        match self {
            Self::Text(text) => write!(html, "<td>{}</td>", escape(text)).ok(),
            Self::Lines(text) => write!(html, "<td><pre>{}</pre></td>", escape(text)).ok(),
            Self::Result(text, good) => {
                let class = if *good { "good" } else { "bad" };
                write!(html, "<td class=\"{class}\">{}</td>", escape(text)).ok()
            }
        };
    }
}
