//! A small HTTP server on loopback, and the hooks that it plays.

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

/// A client that sends nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(5);

/// Answer every request to a new port with what `answer` makes of path and body. Gives the port.
pub(crate) fn serve(answer: impl Fn(&str, &str) -> (u16, String) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            handle(stream, &answer).ok(); // a client that goes away is its own business
        }
    });
    port
}

fn handle(stream: TcpStream, answer: &dyn Fn(&str, &str) -> (u16, String)) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, text) = answer(path, &String::from_utf8_lossy(&body));
    let head = format!(
        "HTTP/1.1 {status} .\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    let mut stream = reader.into_inner();
    stream.write_all((head + &text).as_bytes())
}

/// A server of hooks: 200, unless a path was given another status.
#[derive(Clone)]
pub(crate) struct Hooks {
    port: u16,
    desk: Arc<Mutex<Desk>>,
}

#[derive(Default)]
struct Desk {
    statuses: BTreeMap<String, u16>,
    calls: Vec<(String, String)>,
}

// === impl Hooks ===

impl Hooks {
    pub(crate) fn start() -> Self {
        let desk: Arc<Mutex<Desk>> = Arc::default();
        let shared = desk.clone();
        let port = serve(move |path, body| {
            let mut desk = shared.lock();
            desk.calls.push((path.to_owned(), body.to_owned()));
            (desk.statuses.get(path).copied().unwrap_or(200), String::new())
        });
        Self { port, desk }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on answer this path so.
    pub(crate) fn answer(&self, path: &str, status: u16) {
        self.desk.lock().statuses.insert(path.to_owned(), status);
    }

    /// Bodies that came to a path.
    pub(crate) fn bodies(&self, path: &str) -> Vec<String> {
        let desk = self.desk.lock();
        let calls = desk.calls.iter().filter(|(called, _)| called == path);
        calls.map(|(_, body)| body.clone()).collect()
    }
}
