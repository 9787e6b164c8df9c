//! A run as a picture: an SVG that plays the moments in which something turned, and that stands still on the last one where animation is
//! switched off or unknown.

use std::fmt::Write;

use super::frame::{Frame, Span, Tone};

/// Moments in one picture: a run has some 15 turns and 10 intervals, of which each adds two.
const FRAMES_MAX: usize = 60;
/// Columns that are shown.
const COLUMNS: usize = 96;
/// Width of a character and height of a row.
const CELL: (f64, f64) = (7.8, 18.0);
/// Room around the text.
const MARGIN: f64 = 16.0;
/// The picture runs so many times as fast as the demo.
const SPEED: f64 = 3.0;
/// Seconds for which the end stands.
const END: f64 = 6.0;

/// The moments that were worth keeping.
#[derive(Debug)]
pub(super) struct Picture {
    /// Seconds after which a moment is kept though nothing turned.
    gap: f64,
    frames: Vec<Frame>,
}

// === impl Picture ===

impl Picture {
    /// Nothing is kept yet. A moment is kept when something turned, and otherwise after so many seconds.
    pub(super) fn new(gap: f64) -> Self {
        Self {
            gap,
            frames: Vec::new(),
        }
    }

    /// Keep this moment if it is worth it.
    pub(super) fn see(&mut self, frame: &Frame) {
        let is_news = |before: &Frame| frame.turns(before) || frame.at - before.at >= self.gap;
        if self.frames.last().is_none_or(is_news) && self.frames.len() < FRAMES_MAX {
            self.frames.push(frame.clone());
        }
    }

    /// The SVG, with `last` as its end.
    pub(super) fn svg(&self, last: &Frame) -> String {
        let rows = last.rows().len();
        let (width, height) = (
            COLUMNS as f64 * CELL.0 + 2.0 * MARGIN,
            rows as f64 * CELL.1 + 2.0 * MARGIN,
        );
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" aria-label=\"A run of aviary demo: good is promoted, bad is rolled back\">\n<style>\n\
             text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre;fill:#c9d1d9}}\n\
             .d{{fill:#8b949e}}.s{{font-weight:bold;fill:#fff}}.g{{fill:#56d364}}.b{{fill:#ff7b72}}.c{{fill:#79c0ff}}\n{}</style>\n\
             <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n<g class=\"roll\">\n",
            self.animation(last, height)
        );
        // The end comes first: it is what is seen without animation.
        for (at, frame) in std::iter::once(last).chain(&self.frames).enumerate() {
            svg.push_str(&drawn(frame, at as f64 * height));
        }
        svg.push_str("</g>\n</svg>\n");
        svg
    }

    /// Roll from one moment to the next, each shown for as long as it lasted.
    fn animation(&self, last: &Frame, height: f64) -> String {
        let Some(first) = self.frames.first() else {
            return String::new();
        };
        let played = (last.at - first.at) / SPEED;
        let whole = played + END;
        let mut rules = String::new();
        for (at, frame) in self.frames.iter().enumerate() {
            let percent = (frame.at - first.at) / SPEED / whole * 100.0;
            let up = (at + 1) as f64 * height;
            write!(rules, "{percent:.2}%{{transform:translateY(-{up}px)}}").ok();
        }
        let end = played / whole * 100.0;
        write!(rules, "{end:.2}%,100%{{transform:none}}").ok();
        format!(
            "@keyframes roll{{{rules}}}\n.roll{{animation:roll {whole:.1}s step-end infinite}}\n\
             @media (prefers-reduced-motion:reduce){{.roll{{animation:none}}}}\n"
        )
    }
}

fn drawn(frame: &Frame, top: f64) -> String {
    let mut text = String::new();
    for (row, spans) in frame.rows().iter().enumerate() {
        if spans.is_empty() {
            continue;
        }
        let y = top + MARGIN + (row as f64 + 0.75) * CELL.1;
        write!(text, "<text y=\"{y:.0}\">").ok();
        let mut column = 0;
        for span in spans {
            text.push_str(&pieces(span, column));
            column += span.text.chars().count();
        }
        text.push_str("</text>\n");
    }
    text
}

/// A span without its blanks: what stands between two of them or more gets its own place, so that columns are right in every font.
fn pieces(span: &Span, column: usize) -> String {
    let shown: String = span.text.chars().take(COLUMNS.saturating_sub(column)).collect();
    let mut column = column;
    let mut pieces = String::new();
    for part in shown.split("  ") {
        let blanks = part.chars().take_while(|c| *c == ' ').count();
        let text = part.trim();
        if !text.is_empty() {
            pieces.push_str(&piece(text, span.tone, column + blanks));
        }
        column += part.chars().count() + 2;
    }
    pieces
}

fn piece(text: &str, tone: Tone, column: usize) -> String {
    let x = MARGIN + column as f64 * CELL.0;
    // The width is that of the terminal's cells, whatever the font's is.
    let width = text.chars().count() as f64 * CELL.0;
    let class = match tone {
        Tone::Plain => "",
        Tone::Dim => " class=\"d\"",
        Tone::Strong => " class=\"s\"",
        Tone::Good => " class=\"g\"",
        Tone::Bad => " class=\"b\"",
        Tone::Busy => " class=\"c\"",
    };
    format!(
        "<tspan x=\"{x:.1}\" textLength=\"{width:.1}\"{class}>{}</tspan>",
        escaped(text)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
