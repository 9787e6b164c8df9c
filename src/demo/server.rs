//! HTTP on loopback, in both directions.

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{self, Bytes, Data},
};
use actors::outbound::Outbound;
use engine::{
    http::{BODY_BYTES_MAX, Method, Request, Response},
    seam::Trouble,
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tower::{service_fn, util::BoxCloneSyncService};

/// Connections at a time: the load is bounded to 2 × 64 requests under way, the controller's queries to 16.
const CONNECTIONS_MAX: usize = 256;
/// Seconds that requests under way get at the end.
const SHUTDOWN_SECS: u64 = 3;
/// One request on loopback; no answer takes more than milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    /// Where it listens.
    pub(super) address: SocketAddr,
    handle: ServerHandle,
}

// === impl Server ===

impl Server {
    /// Serve everything that comes to a free port with `handler`. Call it inside an actix `System`.
    pub(super) fn start<T, F, A>(state: &Arc<T>, handler: F) -> io::Result<Self>
    where
        T: Send + Sync + 'static,
        F: Fn(HttpRequest, Bytes, Data<T>) -> A + Clone + Send + 'static,
        A: Future<Output = HttpResponse> + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = state.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::from(state.clone()))
                .default_service(web::to(handler.clone()))
        });
        let server = server
            .workers(1)
            .max_connections(CONNECTIONS_MAX)
            .shutdown_timeout(SHUTDOWN_SECS)
            .disable_signals()
            .listen(listener)?
            .run();
        let handle = server.handle();
        tokio::task::spawn_local(server);
        Ok(Self { address, handle })
    }

    /// End, after the requests under way.
    pub(super) async fn stop(self) {
        self.handle.stop(true).await;
    }
}

/// A client that never asks a proxy. A rustls provider must be installed.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()
}

/// The controller's way out: the same, so that a proxy in the environment cannot come between it and the metrics.
pub(super) fn outbound(client: reqwest::Client) -> Outbound {
    BoxCloneSyncService::new(service_fn(move |request: Request| {
        let client = client.clone();
        async move { send(&client, request).await }
    }))
}

async fn send(client: &reqwest::Client, request: Request) -> Result<Response, Trouble> {
    let unavailable = |error: reqwest::Error| Trouble::Unavailable(error.to_string());
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
    };
    let mut sent = client.request(method, &request.url).timeout(request.timeout);
    for (name, value) in &request.headers {
        sent = sent.header(name, value);
    }
    let answer = sent.body(request.body).send().await.map_err(unavailable)?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await.map_err(unavailable)?;
    let body = body.get(..BODY_BYTES_MAX).unwrap_or(&body);
    Ok(Response {
        status,
        body: String::from_utf8_lossy(body).into_owned(),
        retry_after: None,
    })
}
