//! A metrics server and receivers of hooks on loopback. Everything below `/hang` never answers while that is wished.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Open connections: each of a controller's pools keeps some tens to a server.
const CONNECTIONS_MAX: usize = 4096;
/// Longer than an interval, so that connections are used again as with a real server.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The servers.
pub(crate) struct Outside {
    port: u16,
    hangs: Arc<AtomicBool>,
}

// === impl Outside ===

impl Outside {
    /// Start them, on a thread of their own.
    pub(crate) fn start() -> std::io::Result<Self> {
        let hangs = Arc::new(AtomicBool::new(false));
        let shared = hangs.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(shared.clone()))
                .default_service(web::to(answer))
        });
        let server = server
            .workers(1)
            .max_connections(CONNECTIONS_MAX)
            .keep_alive(KEEP_ALIVE)
            .shutdown_timeout(0)
            .disable_signals()
            .bind(("127.0.0.1", 0))?;
        let port = server.addrs().first().map_or(0, std::net::SocketAddr::port);
        actix_rt::spawn(server.run());
        Ok(Self { port, hangs })
    }

    /// Address of a part of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Whether what is below `/hang` hangs.
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::Relaxed);
    }
}

/// A hundred percent of success to every query, 200 to every hook.
async fn answer(request: HttpRequest, hangs: web::Data<AtomicBool>) -> HttpResponse {
    if request.path().starts_with("/hang") && hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    HttpResponse::Ok()
        .content_type("application/json")
        .body(engine::model::vector("100"))
}
