//! Where the demo is shown: a view that is drawn again and again on a terminal, or one line for each thing that happens.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, ErrorKind, Write},
};

use super::frame::{Frame, Panel, Span, Tone};

/// Characters between the brackets of a bar in a line.
const BAR: i64 = 10;

/// The place where the demo is shown.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    is_terminal: bool,
    /// The reader has gone (`| head`): the demo goes on, silently.
    is_gone: bool,
    /// Rows of the view that stands on the terminal.
    drawn: usize,
    /// Number of the last Event that has its line.
    told: u64,
    /// Phase and weights of the last line.
    shown: BTreeMap<&'static str, (String, (i64, i64))>,
    /// The last line with checks.
    checked: BTreeMap<&'static str, String>,
}

// === impl Screen ===

impl<'a> Screen<'a> {
    /// Nothing is shown yet.
    pub(super) fn new(out: &'a mut dyn Write, is_terminal: bool) -> Self {
        Self {
            out,
            is_terminal,
            is_gone: false,
            drawn: 0,
            told: 0,
            shown: BTreeMap::new(),
            checked: BTreeMap::new(),
        }
    }

    /// Show the present moment.
    pub(super) fn show(&mut self, frame: &Frame) -> io::Result<()> {
        let text = if self.is_terminal {
            self.view(frame)
        } else {
            self.lines(frame)
        };
        self.write(&text)
    }

    /// Say something. On a terminal it stands below the view, which is not drawn over any more.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.drawn = 0;
        self.write(text)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.is_gone || text.is_empty() {
            return Ok(());
        }
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(())
            }
            result => result,
        }
    }

    /// The view, drawn over the last one. Rows that are too long for the terminal are cut by it.
    fn view(&mut self, frame: &Frame) -> String {
        let rows = frame.rows();
        let mut text = match std::mem::replace(&mut self.drawn, rows.len()) {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A\r"),
        };
        text.push_str("\x1b[?7l");
        for row in rows {
            text.extend(row.iter().map(colored));
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J\x1b[?7h");
        text
    }

    /// What is new since the last call.
    fn lines(&mut self, frame: &Frame) -> String {
        let mut text = String::new();
        for panel in &frame.panels {
            let state = (panel.phase.clone(), panel.split);
            let events = frame
                .events
                .iter()
                .filter(|told| told.number > self.told && told.name == panel.name);
            let mut news: Vec<&str> = events.map(|told| told.message.as_str()).collect();
            if news.is_empty() && self.shown.get(panel.name) != Some(&state) {
                news.push("");
            }
            for message in news {
                text.push_str(&line(frame.at, panel, message));
                self.shown.insert(panel.name, state.clone());
            }
            text.push_str(&self.checks(panel));
        }
        self.told = frame.events.last().map_or(self.told, |told| told.number);
        text
    }

    /// A line for the last checks, once.
    fn checks(&mut self, panel: &Panel) -> String {
        let checks = panel.checks.iter().map(|check| {
            let (value, word) = (check.value(), check.word());
            format!("{} {value} ({}) {word}", check.name, check.limit)
        });
        let checks: Vec<String> = checks.collect();
        let text = checks.join("; ");
        if text.is_empty() || self.checked.get(panel.name) == Some(&text) {
            return String::new();
        }
        let mut line = format!("         {:<5} {text}", panel.name);
        for server in &panel.servers {
            if let Some(version) = server.version.as_ref().filter(|_| server.is_running) {
                let (role, requests) = (server.role, server.requests);
                write!(line, "; {role} {version}: {requests} requests").ok();
            }
        }
        self.checked.insert(panel.name, text);
        line.push('\n');
        line
    }
}

fn colored(span: &Span) -> String {
    let code = match span.tone {
        Tone::Plain => return span.text.clone(),
        Tone::Dim => 2,
        Tone::Strong => 1,
        Tone::Good => 32,
        Tone::Bad => 31,
        Tone::Busy => 36,
    };
    format!("\x1b[{code}m{}\x1b[0m", span.text)
}

/// One line; without trailing blanks.
fn line(seconds: f64, panel: &Panel, text: &str) -> String {
    let (name, phase) = (panel.name, &panel.phase);
    let line = format!("{seconds:6.1}s  {name:<5} {phase:<13} {} {text}", bar(panel.split.1));
    format!("{}\n", line.trim_end())
}

/// `[####------]  40%`
fn bar(weight: i64) -> String {
    let filled = (weight.clamp(0, 100) * BAR + 50) / 100;
    let part = |sign: &str, count: i64| sign.repeat(usize::try_from(count).unwrap_or_default());
    format!("[{}{}] {weight:3}%", part("#", filled), part("-", BAR - filled))
}

#[cfg(test)]
pub(super) mod tests;
