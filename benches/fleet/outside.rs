//! A metrics server and receivers of hooks on loopback. A second server beside it, with limits of its own in the controller, has what
//! misbehaves while that is wished: below `/hang` it never answers, below `/slow` it takes its time.

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
/// What a slow answer takes: less than the controller's limit of 5 s, so that the server counts as alive.
pub(crate) const SLOW: Duration = Duration::from_secs(4);

/// The servers.
pub(crate) struct Outside {
    good: u16,
    bad: u16,
    moods: Arc<Moods>,
}

/// What is wished of the second server.
#[derive(Default)]
struct Moods {
    hangs: AtomicBool,
    is_slow: AtomicBool,
}

// === impl Outside ===

impl Outside {
    /// Start them, on threads of their own.
    pub(crate) fn start() -> std::io::Result<Self> {
        let moods = Arc::new(Moods::default());
        Ok(Self {
            good: serve(&moods)?,
            bad: serve(&moods)?,
            moods,
        })
    }

    /// Address of a part of them.
    pub(crate) fn url(&self, path: &str) -> String {
        let is_bad = ["/hang", "/slow"].iter().any(|bad| path.starts_with(bad));
        let port = if is_bad { self.bad } else { self.good };
        format!("http://127.0.0.1:{port}{path}")
    }

    /// Whether what is below `/hang` hangs.
    pub(crate) fn hang(&self, hangs: bool) {
        self.moods.hangs.store(hangs, Ordering::Relaxed);
    }

    /// Whether what is below `/slow` is slow.
    pub(crate) fn slow(&self, is_slow: bool) {
        self.moods.is_slow.store(is_slow, Ordering::Relaxed);
    }
}

fn serve(moods: &Arc<Moods>) -> std::io::Result<u16> {
    let shared = moods.clone();
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
    Ok(port)
}

/// A hundred percent of success to every query, 200 to every hook.
async fn answer(request: HttpRequest, moods: web::Data<Moods>) -> HttpResponse {
    if request.path().starts_with("/hang") && moods.hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    if request.path().starts_with("/slow") && moods.is_slow.load(Ordering::Relaxed) {
        actix_rt::time::sleep(SLOW).await;
    }
    HttpResponse::Ok()
        .content_type("application/json")
        .body(engine::model::vector("100"))
}
