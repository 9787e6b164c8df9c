//! Our generator and hey side by side, against one server on loopback: the same number of requests, at the same rate, as fast as they can,
//! and against a server that is slow and fails now and then. Prints the medians of several turns and what ours are in terms of hey's;
//! asserts nothing, as times differ from machine to machine.
//!
//!     tests/testers/build && cargo bench --bench load
//!     cargo bench --bench load -- --turns 1

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::{
    net::TcpListener,
    process::{Child, Command},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How often each case is run with each program, in turn: the fewest that have a median.
const TURNS: usize = 3;
/// What the slow page takes.
const SLOW: Duration = Duration::from_millis(20);
/// One in so many answers of the slow page is a failure.
const FAILS_EACH: u64 = 10;
/// Name, page, hey's flags, and our metadata.
const CASES: [(&str, &str, &str, &str); 4] = [
    (
        "2,000 requests, 4 connections",
        "",
        "-n 2000 -c 4",
        r#""requests": 2000, "connections": 4"#,
    ),
    (
        "5 s at 200/s, 4 connections",
        "",
        "-z 5s -q 50 -c 4",
        r#""duration": "5s", "rate": 200, "connections": 4"#,
    ),
    (
        "5 s as fast as it can, 8 connections",
        "",
        "-z 5s -c 8",
        r#""duration": "5s", "connections": 8"#,
    ),
    (
        "1,000 requests that take 20 ms, every tenth a 503, 10 connections",
        "slow",
        "-n 1000 -c 10",
        r#""requests": 1000, "connections": 10"#,
    ),
];
/// Lines of a summary that are compared; seconds, requests per second and counts.
const FIGURES: [&str; 9] = [
    "Total:",
    "Average:",
    "Requests/sec:",
    "50%",
    "90%",
    "95%",
    "99%",
    "[200]",
    "[503]",
];

struct Tester(Child);

impl Drop for Tester {
    fn drop(&mut self) {
        self.0.kill().ok(); // it may have ended
        self.0.wait().ok();
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    // cargo test runs bench targets, too, without this word: nothing is measured then.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let after = words.iter().position(|word| word == "--turns").map(|at| at + 1);
    let turns = after.and_then(|at| words.get(at)?.parse().ok()).unwrap_or(TURNS);
    let url = target();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_aviary"));
    command.args(["loadtester", "-log-level=error", &format!("-port={port}")]);
    let _tester = Tester(command.spawn().unwrap());
    let own = format!("http://127.0.0.1:{port}/");
    for _ in 0..100 {
        let healthz = Command::new("curl")
            .args(["-s", "-o", "/dev/null", &format!("{own}healthz")])
            .status();
        if healthz.unwrap().success() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("medians of {turns}; seconds, requests per second, counts\n");
    println!("| case | figure | hey | ours | ours / hey |");
    println!("|---|---|---|---|---|");
    for (name, page, flags, metadata) in CASES {
        let url = format!("{url}{page}");
        let mut said: [Vec<String>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..turns {
            said[0].push(hey(flags, &url));
            said[1].push(ours(metadata, &url, &own));
        }
        for figure in FIGURES {
            let [hey, ours] = [&said[0], &said[1]].map(|said| median(said, figure));
            if let (Some(hey), Some(ours)) = (hey, ours) {
                let figure = figure.trim_end_matches(':');
                println!("| {name} | {figure} | {hey} | {ours} | {:.2} |", ours / hey);
            }
        }
    }
}

/// A server on one thread; gives its address.
fn target() -> String {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let answer = async |request: HttpRequest| {
            if request.path() != "/slow" {
                return HttpResponse::Ok().body("hello");
            }
            actix_rt::time::sleep(SLOW).await;
            if ASKED.fetch_add(1, Ordering::Relaxed).is_multiple_of(FAILS_EACH) {
                return HttpResponse::ServiceUnavailable().finish();
            }
            HttpResponse::Ok().body("hello")
        };
        actix_rt::System::new().block_on(async move {
            let app = move || App::new().default_service(web::to(answer));
            HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .listen(listener)
                .unwrap()
                .run()
                .await
        })
    });
    url
}

fn hey(flags: &str, url: &str) -> String {
    let cache =
        std::env::var("AVIARY_CACHE").unwrap_or_else(|_| format!("{}/.cache/aviary", std::env::var("HOME").unwrap()));
    let mut hey = Command::new(format!("{cache}/testers/hey"));
    let hey = hey.args(flags.split(' ')).arg(url).output();
    String::from_utf8(hey.expect("tests/testers/build makes hey").stdout).unwrap()
}

fn ours(metadata: &str, url: &str, own: &str) -> String {
    let body = format!(r#"{{"metadata": {{"type": "http", "url": "{url}", "wait": true, {metadata}}}}}"#);
    let ours = Command::new("curl").args(["-s", "-d", &body, own]).output().unwrap();
    String::from_utf8(ours.stdout).unwrap()
}

/// The median of a figure, where it is printed each time.
fn median(said: &[String], figure: &str) -> Option<f64> {
    let mut values: Vec<f64> = said.iter().map(|text| value(text, figure)).collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The number in the line of this figure.
fn value(text: &str, figure: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.trim_start().starts_with(figure))?;
    let (_, rest) = line.split_once(figure)?;
    rest.split_whitespace().find_map(|word| word.parse().ok())
}
