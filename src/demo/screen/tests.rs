use super::{Screen, bar};
use crate::demo::{
    chronicle::Told,
    frame::{Frame, Measurement, Panel, Server},
};
use std::io::{self, ErrorKind, Write};

/// A reader that has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(in crate::demo) fn frame(at: f64, weight: i64) -> Frame {
    let server = |role, version: Option<&str>, requests, failed| Server {
        role,
        version: version.map(str::to_owned),
        is_running: true,
        requests,
        failed,
    };
    let panel = |name: &'static str| Panel {
        name,
        plot: "a <plot>",
        phase: "Progressing".into(),
        split: (100 - weight, weight),
        measured: Some(weight as f64),
        servers: [
            server("primary", Some("1.0.0"), 90, 0),
            server("canary", Some("2.0.0"), 10, 1),
        ],
        checks: vec![Measurement {
            name: "request-success-rate".into(),
            value: 95.0,
            limit: "at least 99 %".into(),
            passed: false,
        }],
    };
    Frame {
        at,
        interval: "4s".into(),
        panels: vec![panel("good"), panel("bad")],
        events: vec![Told {
            number: 1,
            at,
            name: "good",
            message: "Advance good.demo".into(),
            warns: false,
        }],
    }
}

fn shown(is_terminal: bool, frames: &[Frame]) -> String {
    let mut out = Vec::new();
    let mut screen = Screen::new(&mut out, is_terminal);
    for frame in frames {
        screen.show(frame).unwrap();
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn without_a_terminal_each_thing_that_happens_is_a_line() {
    let text = shown(false, &[frame(1.0, 10), frame(1.2, 10), frame(1.4, 20)]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(
        lines[0],
        "   1.0s  good  Progressing   [#---------]  10% Advance good.demo"
    );
    assert_eq!(
        lines[1],
        "         good  request-success-rate 95.00 % (at least 99 %) failed; primary 1.0.0: 90 requests; canary 2.0.0: 10 requests"
    );
    assert_eq!(lines[2], "   1.0s  bad   Progressing   [#---------]  10%");
    assert_eq!(lines[4], "   1.4s  good  Progressing   [##--------]  20%");
    assert!(!text.contains('\x1b'));
}

#[test]
fn on_a_terminal_the_view_is_drawn_over_the_last_one() {
    let text = shown(true, &[frame(1.0, 10), frame(1.2, 20)]);
    let rows = frame(1.0, 10).rows().len();
    assert_eq!(text.matches('\n').count(), 2 * rows);
    assert_eq!(text.matches(&format!("\x1b[{rows}A")).count(), 1);
    for part in [
        "request-success-rate",
        "95.00 %",
        "at least 99 %",
        "failed",
        " 20 %",
        "90 requests",
        "Advance",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn a_view_always_has_the_same_height() {
    let mut empty = frame(1.0, 10);
    empty.events.clear();
    for panel in &mut empty.panels {
        panel.checks.clear();
        panel.servers[1].version = None;
    }
    let mut full = frame(1.0, 10);
    full.events = vec![full.events[0].clone(); 40];
    let heights = [empty, full, frame(1.0, 10)].map(|frame| frame.rows().len());
    assert_eq!(heights, [heights[0]; 3]);
    assert!(heights[0] <= 24, "it fits the smallest terminals");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    for is_terminal in [true, false] {
        let mut out = Gone;
        let mut screen = Screen::new(&mut out, is_terminal);
        screen.show(&frame(1.0, 10)).unwrap();
        screen.say("the end\n").unwrap();
    }
}

#[test]
fn bars_show_the_share() {
    let table = [
        (0, "[----------]   0%"),
        (4, "[----------]   4%"),
        (40, "[####------]  40%"),
        (100, "[##########] 100%"),
    ];
    for (weight, text) in table {
        assert_eq!(bar(weight), text);
    }
}
