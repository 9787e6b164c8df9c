//! `/metrics`, `/healthz` and `/readyz` (deploy.md 5).

use actix_web::{App, HttpResponse, HttpServer, dev::Server, web};
use std::{io, sync::Arc, time::Duration};

/// Connections at a time: probes and scrapers are few, and each answer takes milliseconds.
const CONNECTIONS_MAX: usize = 64;
/// A client that sends no request for this long is dropped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds that open connections get at shutdown; the peer's grace.
const SHUTDOWN_SECS: u64 = 3;

/// What the endpoints answer from.
pub(super) struct Answers {
    /// The text of `/metrics`.
    pub(super) metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Whether all caches are filled.
    pub(super) ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// The state of all actors as JSON.
    pub(super) state: Box<dyn Fn() -> serde_json::Value + Send + Sync>,
}

/// A server on this port, not started yet. One worker is plenty.
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
        .bind(("0.0.0.0", port))?;
    Ok(server.run())
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
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((answers.metrics)())
}

async fn state(answers: web::Data<Answers>) -> HttpResponse {
    HttpResponse::Ok().json((answers.state)())
}
