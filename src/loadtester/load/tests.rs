//! Against a server on loopback, by numbers of requests and not by time.

use super::*;
use crate::{
    companion::{brake::Brake, payload::Payload},
    loadtester::order::Refusal,
};
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::{net::TcpListener, sync::Arc};

fn plan(metadata: &Value) -> Result<Plan, Refusal> {
    let is_grpc = metadata["type"] == "grpc";
    let body = json!({"metadata": metadata});
    Plan::read(&Payload::read(body.to_string().as_bytes()).unwrap(), is_grpc)
}

/// A server whose every third answer is 503, and what it counted.
fn server() -> (String, Arc<AtomicU64>, actix_web::dev::ServerHandle) {
    let count: Arc<AtomicU64> = Arc::default();
    let counted = count.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = HttpServer::new(move || {
        let counted = counted.clone();
        App::new().default_service(web::to(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match number % 3 {
                    2 => HttpResponse::ServiceUnavailable().body("no"),
                    _ => HttpResponse::Ok().body("yes"),
                }
            }
        }))
    });
    let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    actix_rt::spawn(server);
    (url, count, handle)
}

async fn perform(metadata: Value, stop: Stop) -> (Report, u64) {
    drop(rustls::crypto::ring::default_provider().install_default()); // an error means that another test was first
    let world = World::threads(tokio::runtime::Handle::current(), Vec::new());
    let seen = AtomicU64::new(0);
    let observe = |_: &str, _: Duration| {
        seen.fetch_add(1, Ordering::Relaxed);
    };
    let report = run(
        &world,
        &plan(&metadata).unwrap(),
        Duration::from_mins(1),
        stop,
        &observe,
    )
    .await;
    (report, seen.into_inner())
}

#[actix_rt::test]
async fn as_many_requests_are_sent_as_asked_for() {
    let (url, count, handle) = server();
    let (_brake, stop) = Brake::new();
    let asked = json!({"type": "http", "url": url, "requests": 300, "connections": 4, "maxErrorRate": "10"});
    let limits = plan(&asked).unwrap().limits;
    let (report, seen) = perform(asked, stop).await;
    assert_eq!((count.load(Ordering::Relaxed), report.answers(), seen), (300, 300, 300));
    assert_eq!(
        report.codes(),
        &[("200".to_owned(), 200), ("503".to_owned(), 100)].into()
    );
    assert_eq!(
        report.breaches(&limits),
        ["33.33% of the requests failed, more than 10%"]
    );
    let text = report.text();
    for line in [
        "Latency distribution:",
        "  [200] 200\n",
        "  [503] 100\n",
        "  Total data: 800 bytes\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(report.percentile(50.0) <= report.percentile(99.0));
    handle.stop(false).await;
}

#[actix_rt::test]
async fn a_load_that_is_stopped_ends_at_once_and_tells_what_it_has() {
    let (url, _, handle) = server();
    let (brake, stop) = Brake::new();
    let pulling = brake.clone();
    let world = World::threads(tokio::runtime::Handle::current(), Vec::new());
    let plan = plan(&json!({"type": "http", "url": url, "duration": "1h", "rate": 1000})).unwrap();
    let seen = AtomicU64::new(0);
    let observe = |_: &str, _: Duration| {
        if seen.fetch_add(1, Ordering::Relaxed) == 20 {
            pulling.pull(crate::companion::brake::Why::Idle);
        }
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    let report = run(&world, &plan, Duration::from_mins(1), stop, &observe).await;
    assert_eq!(report.stopped, Some(crate::companion::brake::Why::Idle));
    assert!(report.answers() >= 20);
    handle.stop(false).await;
}

#[actix_rt::test]
async fn nobody_there_is_a_failure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_brake, stop) = Brake::new();
    let (report, seen) = perform(
        json!({"type": "http", "url": format!("http://{free}/"), "requests": 5}),
        stop,
    )
    .await;
    assert_eq!((report.answers(), seen), (0, 5));
    assert!((report.error_percent() - 100.0).abs() < 1e-9);
    let breaches = report.breaches(&plan::Limits::default());
    assert!(breaches[0].starts_with("no request was answered: "), "{breaches:?}");
    assert!(report.text().contains("Error distribution:"));
}

#[test]
fn plans_are_read_and_mistakes_named() {
    let plan_of = |metadata: Value| plan(&metadata).unwrap();
    let least = plan_of(json!({"type": "http", "url": "http://a/"}));
    assert_eq!(
        (least.connections, least.rate, least.duration),
        (2, None, Some(Duration::from_mins(1)))
    );
    let full = plan_of(json!({
        "type": "http", "url": "https://a/x", "method": "POST", "body": "{test: 2}", "rate": 20, "connections": "4",
        "headers": "X-A: 1\nX-B: 2", "http2": true, "timeout": "3s", "requests": 7, "maxP99": "250ms",
    }));
    assert_eq!(
        (full.rate, full.connections, full.requests, full.duration),
        (Some(20.0), 4, 7, None)
    );
    assert_eq!(full.headers["x-b"], "2");
    assert_eq!(full.limits.p99, Some(Duration::from_millis(250)));
    assert_eq!(
        plan_of(json!({"type": "http", "url": "http://a/", "headers": "{\"X-A\": \"1\"}"})).headers["x-a"],
        "1"
    );

    for (key, value, words) in [
        ("url", json!("ftp://a/"), "only http and https"),
        ("url", json!("nowhere"), "url: "),
        ("rate", json!("fast"), "rate must be a number from 0.001 to 100000"),
        ("rate", json!(1e9), "rate must be a number"),
        ("connections", json!(0), "connections must be a number from 1 to 1000"),
        (
            "connections",
            json!(1_000_000),
            "connections must be a number from 1 to 1000",
        ),
        ("duration", json!("soon"), "duration must be a duration"),
        ("method", json!("NO METHOD"), "method"),
        ("headers", json!("nonsense"), "headers must be lines"),
        ("http2", json!("perhaps"), "http2 must be true or false"),
        ("conections", json!(2), "unknown key conections; known are"),
        (
            "maxErrorRate",
            json!(101),
            "maxErrorRate must be a number from 0 to 100",
        ),
    ] {
        let mut metadata = json!({"type": "http", "url": "http://a/"});
        metadata[key] = value;
        let refusal = plan(&metadata).unwrap_err();
        assert!(
            refusal.status == 400 && refusal.text.contains(words),
            "{key}: {refusal}"
        );
    }
    assert!(plan(&json!({"type": "grpc", "url": "a:1", "call": "noslash"})).is_err());
    assert!(plan(&json!({"type": "grpc", "url": "a:1", "call": "p.S/M", "data": "%"})).is_err());
}

#[test]
fn grpc_frames_are_the_standard_ones() {
    assert_eq!(grpc::frame(b"ab"), [0, 0, 0, 0, 2, b'a', b'b']);
    assert_eq!(grpc::health_request(""), b"");
    assert_eq!(grpc::health_request("app"), [0x0a, 3, b'a', b'p', b'p']);
    assert_eq!(grpc::health_request(&"x".repeat(200))[..3], [0x0a, 0xc8, 0x01]);
    assert!(grpc::is_serving(&[0, 0, 0, 0, 2, 8, 1]));
    for body in [&[0, 0, 0, 0, 2, 8, 2][..], &[0, 0, 0, 0, 0], &[], &[1]] {
        assert!(!grpc::is_serving(body), "{body:?}");
    }
    let mut headers = http::HeaderMap::new();
    assert_eq!(grpc::code(&headers, None), "no grpc-status");
    headers.insert("grpc-status", "14".parse().unwrap());
    assert_eq!(grpc::code(&headers, None), "UNAVAILABLE");
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    assert_eq!(grpc::code(&headers, Some(&trailers)), "OK", "trailers win");
}
