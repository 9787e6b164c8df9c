//! `/metrics`, `/healthz` and `/readyz` (deploy.md 5).

use actix::Addr;
use actix_web::{App, HttpResponse, HttpServer, dev::Server, web};
use actors::supervisor::{ObserveAll, Supervisor};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Connections at a time: probes and scrapers are few, and each answer takes milliseconds.
const CONNECTIONS_MAX: usize = 64;
/// A client that sends no request for this long is dropped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds that open connections get at shutdown; the peer's grace.
const SHUTDOWN_SECS: u64 = 3;

/// What the endpoints answer from.
pub(super) struct Answers {
    metrics: Box<dyn Fn() -> String + Send + Sync>,
    ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// There is none before this process acts.
    supervisor: OnceLock<Addr<Supervisor>>,
}

// === impl Answers ===

impl Answers {
    /// Answers of a process that does not act yet: the text of `/metrics`, and whether all caches are filled.
    pub(super) fn new(
        metrics: Box<dyn Fn() -> String + Send + Sync>,
        ready: Box<dyn Fn() -> bool + Send + Sync>,
    ) -> Self {
        Self {
            metrics,
            ready,
            supervisor: OnceLock::new(),
        }
    }

    /// From now on `/debug/state` shows this supervisor and its canaries.
    pub(super) fn watch(&self, supervisor: Addr<Supervisor>) {
        self.supervisor.set(supervisor).ok();
    }
}

/// A server on this port of all addresses, not started yet. One worker is plenty.
pub(super) fn server(port: u16, answers: Arc<Answers>) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::from(answers.clone()))
            .route("/healthz", web::get().to(healthz))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
            .route("/debug/state", web::get().to(state))
    });
    let server = server
        .workers(1)
        .max_connections(CONNECTIONS_MAX)
        .client_request_timeout(REQUEST_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECS)
        .disable_signals()
        .listen(listener(port)?)?;
    Ok(server.run())
}

/// IPv6 serves IPv4 as well, as with the peer; where it is switched off, IPv4 alone.
fn listener(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
}

async fn healthz() -> &'static str {
    "OK"
}

async fn readyz(answers: web::Data<Answers>) -> HttpResponse {
    if (answers.ready)() {
        HttpResponse::Ok().body("OK")
    } else {
        HttpResponse::ServiceUnavailable().body("the caches are still being filled")
    }
}

async fn metrics(answers: web::Data<Answers>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body((answers.metrics)())
}

async fn state(answers: web::Data<Answers>) -> HttpResponse {
    let Some(supervisor) = answers.supervisor.get() else {
        return HttpResponse::ServiceUnavailable().body("this replica does not act");
    };
    match supervisor.send(ObserveAll).await {
        Ok(state) => HttpResponse::Ok().json(state),
        Err(error) => HttpResponse::ServiceUnavailable().body(error.to_string()),
    }
}
