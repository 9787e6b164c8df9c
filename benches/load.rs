//! Our generator and hey side by side, against one server on loopback: the same number of requests, at the same rate, and as fast as
//! they can. Prints both summaries; asserts nothing, as times differ from machine to machine.
//!
//!     tests/testers/build && cargo bench --bench load

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use actix_web::{App, HttpResponse, HttpServer, web};
use std::{
    net::TcpListener,
    process::{Child, Command},
    time::Duration,
};

/// Name, hey's flags, and our metadata.
const CASES: [(&str, &str, &str); 3] = [
    (
        "2,000 requests, 4 connections",
        "-n 2000 -c 4",
        r#""requests": 2000, "connections": 4"#,
    ),
    (
        "5 s at 200/s, 4 connections",
        "-z 5s -q 50 -c 4",
        r#""duration": "5s", "rate": 200, "connections": 4"#,
    ),
    (
        "5 s as fast as it can, 8 connections",
        "-z 5s -c 8",
        r#""duration": "5s", "connections": 8"#,
    ),
];
/// Lines of a summary that are compared.
const FIGURES: [&str; 8] = [
    "Total:",
    "Average:",
    "Requests/sec:",
    "50%",
    "90%",
    "95%",
    "99%",
    "[200]",
];

struct Tester(Child);

impl Drop for Tester {
    fn drop(&mut self) {
        self.0.kill().ok(); // it may have ended
        self.0.wait().ok();
    }
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn main() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", target.local_addr().unwrap());
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(async move {
            let app = || App::new().default_service(web::to(|| async { HttpResponse::Ok().body("hello") }));
            HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .listen(target)
                .unwrap()
                .run()
                .await
        })
    });
    let port = port();
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
    let cache =
        std::env::var("AVIARY_CACHE").unwrap_or_else(|_| format!("{}/.cache/aviary", std::env::var("HOME").unwrap()));
    for (name, flags, metadata) in CASES {
        let mut hey = Command::new(format!("{cache}/testers/hey"));
        let hey = hey
            .args(flags.split(' '))
            .arg(&url)
            .output()
            .expect("tests/testers/build makes hey");
        let body = format!(r#"{{"metadata": {{"type": "http", "url": "{url}", "wait": true, {metadata}}}}}"#);
        let ours = Command::new("curl").args(["-s", "-d", &body, &own]).output().unwrap();
        println!("\n{name}");
        let (hey, ours) = (
            String::from_utf8_lossy(&hey.stdout),
            String::from_utf8_lossy(&ours.stdout),
        );
        for figure in FIGURES {
            println!(
                "  {figure:14} hey {:>14}   ours {:>14}",
                value(&hey, figure),
                value(&ours, figure)
            );
        }
    }
}

/// The number in the line of this figure.
fn value<'t>(text: &'t str, figure: &str) -> &'t str {
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with(figure))
        .unwrap_or_default();
    let rest = line.split_once(figure).map_or("", |(_, rest)| rest);
    rest.split_whitespace()
        .find(|word| word.parse::<f64>().is_ok())
        .unwrap_or("-")
}
