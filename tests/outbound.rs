//! The production way out, against real sockets on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use actors::outbound::{self, Outbound};
use engine::{
    http::{BODY_BYTES_MAX, Method, Request, Response},
    seam::Trouble,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
};

/// Addresses that [`asks_what_the_environment_names`] asks, when it is started as a process of its own.
const ASKED: &str = "AVIARY_TEST_ASKED";

/// A server that answers every connection with this text, once; gives what it was sent. An empty text: it never answers.
async fn server(answer: String) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, inbox) = mpsc::channel(16);
    #[expect(clippy::disallowed_methods, reason = "a server of the test, outside any World")]
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            heard.send(request_text(&mut stream).await).await.unwrap();
            if answer.is_empty() {
                silent.push(stream);
                continue;
            }
            let _ = stream.write_all(answer.as_bytes()).await; // the client may have read enough
        }
    });
    (address, inbox)
}

async fn request_text(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).await.unwrap();
        text.extend_from_slice(&part[..length]);
    }
    String::from_utf8(text).unwrap().to_lowercase()
}

fn request(url: String) -> Request {
    Request {
        method: Method::Get,
        url,
        headers: vec![("Authorization".into(), "Bearer s3cret".into())],
        body: String::new(),
        timeout: Duration::from_secs(20),
        skip_tls_verify: false,
        proxy: None,
    }
}

fn production() -> Outbound {
    drop(rustls::crypto::ring::default_provider().install_default()); // an error means that another test was first
    outbound::production()
}

async fn get(url: String) -> Result<Response, Trouble> {
    outbound::send(&production(), request(url)).await
}

#[tokio::test]
async fn an_answer_is_read_with_what_matters() {
    let text = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy";
    let (address, mut inbox) = server(text.into()).await;
    let busy = Response {
        status: 503,
        body: "busy".into(),
        retry_after: Some("7".into()),
    };
    assert_eq!(get(format!("http://{address}/q?x=1")).await, Ok(busy));
    let heard = inbox.recv().await.unwrap();
    assert!(heard.starts_with("get /q?x=1 http/1.1\r\n"), "{heard}");
    assert!(heard.contains("user-agent: aviary/"), "{heard}");
    assert!(heard.contains("authorization: bearer s3cret"), "{heard}");
}

#[tokio::test]
async fn a_redirect_elsewhere_takes_no_credentials_along() {
    let (there, mut inbox) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into()).await;
    let moved =
        format!("HTTP/1.1 307 Moved\r\nLocation: http://{there}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let (here, _inbox_here) = server(moved).await;
    assert_eq!(
        get(format!("http://{here}/")).await.map(|response| response.status),
        Ok(200)
    );
    let heard = inbox.recv().await.unwrap();
    assert!(!heard.contains("s3cret"), "{heard}");
}

#[tokio::test]
async fn a_proxy_is_asked_in_the_receivers_place() {
    let (proxy, mut inbox) = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".into()).await;
    let mut proxied = request("http://chat.invalid/hook".into());
    proxied.proxy = Some(format!("http://{proxy}"));
    let answer = outbound::send(&production(), proxied).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    let heard = inbox.recv().await.unwrap();
    assert!(
        heard.starts_with("get http://chat.invalid/hook http/1.1\r\n"),
        "{heard}"
    );
}

#[tokio::test]
async fn an_endless_redirect_ends() {
    let (address, _inbox) =
        server("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into()).await;
    let refused = Trouble::Refused(format!("http://{address}: stopped after 10 redirects"));
    assert_eq!(get(format!("http://{address}/")).await, Err(refused));
}

#[tokio::test]
async fn a_long_body_is_cut() {
    let body = "x".repeat(2 * BODY_BYTES_MAX);
    let (address, _inbox) = server(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    assert_eq!(
        get(format!("http://{address}/"))
            .await
            .map(|response| response.body.len()),
        Ok(BODY_BYTES_MAX)
    );
}

#[tokio::test]
async fn silence_is_unavailable_and_so_is_nobody() {
    let (address, _inbox) = server(String::new()).await;
    let mut silent = request(format!("http://{address}/"));
    silent.timeout = Duration::from_millis(50);
    let late = outbound::send(&production(), silent).await;
    assert_eq!(
        late,
        Err(Trouble::Unavailable(format!("http://{address}: no answer within 50ms")))
    );

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = get(format!("http://{free}/secret")).await.unwrap_err();
    assert!(
        matches!(&nobody, Trouble::Unavailable(text) if !text.contains("secret")),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn what_cannot_work_is_refused() {
    let mut bad_header = request("http://127.0.0.1:9/".into());
    bad_header.headers = vec![("no good".into(), "x".into())];
    let mut bad_proxy = request("http://127.0.0.1:9/".into());
    bad_proxy.proxy = Some("http://[".into());
    for bad in [
        request("nowhere".into()),
        request("ftp://host/".into()),
        bad_header,
        bad_proxy,
    ] {
        let result = outbound::send(&production(), bad.clone()).await;
        assert!(matches!(result, Err(Trouble::Refused(_))), "{bad:?}: {result:?}");
    }
}

/// A server that writes parts of a body until the client has gone, or this many; tells how many bytes it could write.
async fn flood(head: &'static str, part: Vec<u8>, parts: usize) -> (SocketAddr, oneshot::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = oneshot::channel();
    #[expect(clippy::disallowed_methods, reason = "a server of the test, outside any World")]
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request_text(&mut stream).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut written = 0;
        for _ in 0..parts {
            if stream.write_all(&part).await.is_err() {
                break;
            }
            written += part.len();
        }
        stream.read_exact(&mut [0]).await.ok(); // until the client goes
        tell.send(written).unwrap();
    });
    (address, told)
}

#[tokio::test]
async fn of_a_hundred_megabytes_and_of_an_endless_body_a_part_is_read() {
    const HUNDRED_MB: usize = 100 * 1024 * 1024;
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let block = 64 * 1024;
    let chunk = format!("{block:x}\r\n{}\r\n", "x".repeat(block)).into_bytes();
    // The endless one would write for ever if the client did not go.
    for (head, part, parts) in [
        (sized, vec![b'x'; block], HUNDRED_MB / block),
        (chunked, chunk, usize::MAX),
    ] {
        let (address, written) = flood(head, part, parts).await;
        let body = get(format!("http://{address}/")).await.unwrap().body;
        assert_eq!(body.len(), BODY_BYTES_MAX);
        // What the kernel's buffers of both sides hold at most, generously.
        let written = written.await.unwrap();
        assert!(
            written < BODY_BYTES_MAX + 32 * 1024 * 1024,
            "{written} bytes were taken"
        );
    }
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_at_the_time_limit() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let (address, _written) = flood(head, b"x".to_vec(), 10).await;
    let mut slow = request(format!("http://{address}/"));
    slow.timeout = Duration::from_millis(200);
    let result = outbound::send(&production(), slow).await;
    assert!(
        matches!(&result, Err(Trouble::Unavailable(text)) if text.contains("no answer within 200ms")),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_name_that_nobody_has_is_unavailable() {
    let result = get("http://no-such-host.invalid:9090/secret".into()).await;
    let Err(Trouble::Unavailable(text)) = &result else {
        panic!("{result:?}");
    };
    assert!(
        text.starts_with("http://no-such-host.invalid:9090: ") && !text.contains("secret"),
        "{text}"
    );
}

/// `openssl s_server` with a certificate; ended when dropped.
struct TlsServer(Child);

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.0.kill().ok(); // it may have ended
        self.0.wait().ok();
    }
}

impl TlsServer {
    fn start(here: &Path, certificate: &str, port: u16) -> Self {
        let mut command = Command::new("openssl");
        command.args([
            "s_server",
            "-quiet",
            "-www",
            "-key",
            "server.key",
            "-cert",
            certificate,
            "-accept",
        ]);
        command.arg(format!("127.0.0.1:{port}")).current_dir(here);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

/// A CA of our own, a certificate of it, and one that has expired.
fn certificates() -> PathBuf {
    let here = std::env::temp_dir().join(format!("aviary-outbound-{}", std::process::id()));
    std::fs::create_dir_all(&here).unwrap();
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=ca
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server
        printf 'subjectAltName=IP:127.0.0.1' > server.ext
        sign() { openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile server.ext \"$@\"; }
        sign -days 2 -out good.crt
        sign -days -1 -out expired.crt ||
          sign -not_before 20200101000000Z -not_after 20200201000000Z -out expired.crt";
    let made = Command::new("bash")
        .args(["-c", script])
        .current_dir(&here)
        .output()
        .unwrap();
    let cause = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "openssl (apt-get install openssl): {cause}");
    here
}

/// Asks each server that the environment names and prints what came of it; without one it does nothing.
#[tokio::test]
async fn asks_what_the_environment_names() {
    let Ok(asked) = std::env::var(ASKED) else { return };
    for url in asked.split(' ') {
        let mut result = get(url.to_owned()).await;
        for _ in 0..100 {
            if !matches!(&result, Err(Trouble::Unavailable(text)) if text.contains("refused")) {
                break; // it is up
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            result = get(url.to_owned()).await;
        }
        println!("asked: {result:?}");
    }
}

/// A private CA is trusted where `SSL_CERT_FILE` names it; an expired certificate never is.
#[test]
fn certificates_are_checked_against_the_environment_and_the_clock() {
    let here = certificates();
    let free = || {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    };
    let (good, expired) = (free(), free());
    let _servers = [
        TlsServer::start(&here, "good.crt", good),
        TlsServer::start(&here, "expired.crt", expired),
    ];
    let ask = |ca: Option<&Path>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "asks_what_the_environment_names", "--nocapture"]);
        command.env(ASKED, format!("https://127.0.0.1:{good}/ https://127.0.0.1:{expired}/"));
        command.env_remove("SSL_CERT_DIR");
        match ca {
            Some(file) => command.env("SSL_CERT_FILE", file),
            None => command.env_remove("SSL_CERT_FILE"),
        };
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let asked: Vec<String> = text
            .lines()
            .filter(|line| line.contains("asked: "))
            .map(str::to_owned)
            .collect();
        assert_eq!(asked.len(), 2, "{text}");
        asked
    };
    let stranger = ask(None);
    assert!(
        stranger
            .iter()
            .all(|line| line.contains("Err(Refused(") && line.contains("certificate")),
        "{stranger:?}"
    );
    let trusted = ask(Some(&here.join("ca.crt")));
    assert!(trusted[0].contains("Ok(Response { status: 200"), "{trusted:?}");
    let is_expired = trusted[1].contains("Err(Refused(") && trusted[1].to_lowercase().contains("expired");
    assert!(is_expired, "{trusted:?}");
    std::fs::remove_dir_all(here).unwrap();
}
