//! A server to load: HTTP/1.1 with connections that stay, a thread each; it counts, and answers as it is told.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The server; it runs as long as the test's process.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: String,
    count: Arc<AtomicU64>,
}

/// What a request says: method, path, headers and body in one text.
pub(crate) type Handler = Arc<dyn Fn(&str) -> (u16, String) + Send + Sync>;

// === impl Target ===

impl Target {
    /// Answers 200 with a text that has a token in it.
    pub(crate) fn start() -> Self {
        Self::with(Arc::new(|_| (200, "token=abc\n".to_owned())))
    }

    /// Answers what the handler says.
    pub(crate) fn with(handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Self {
            address: listener.local_addr().unwrap().to_string(),
            count: Arc::default(),
        };
        let shared = target.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, counter) = (handler.clone(), shared.count.clone());
                // A client that goes away is its own business.
                std::thread::spawn(move || converse(stream, &handler, &counter).ok());
            }
        });
        target
    }

    /// Requests that came.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

fn converse(stream: TcpStream, handler: &Handler, count: &AtomicU64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut text = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            text.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        text.push_str("\r\n");
        text.push_str(&String::from_utf8_lossy(&body));
        count.fetch_add(1, Ordering::Relaxed);
        let (status, answer) = handler(&text);
        let head = format!(
            "HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        writer.write_all((head + &answer).as_bytes())?;
    }
}
