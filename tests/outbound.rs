//! The production way out, against real sockets on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use actors::outbound::{self, Outbound};
use engine::{
    http::{BODY_BYTES_MAX, Method, Request, Response},
    seam::Trouble,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

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
