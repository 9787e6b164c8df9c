//! The HTTP server of both companions: actix-web, plain or with TLS, and a way to end it.

use actix_web::{
    App, HttpServer,
    dev::Server,
    web::{self, ServiceConfig},
};
use anyhow::Context as _;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use std::{
    future::Future,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

use super::payload::BODY_BYTES_MAX;

/// Connections at a time; more wait in the kernel. A thousand k6 tests (the documented default) and their neighbours. Each holds at
/// most one body: 2,048 × 2 MiB at the very worst, and a few KiB usually.
const CONNECTIONS_MAX: usize = 2048;
/// A client that sends no request for this long is dropped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is kept for this long: longer than clients keep theirs (90 s in ours and in Go), so that none is closed just as
/// a hook is sent over it.
const KEEP_ALIVE: Duration = Duration::from_mins(2);
/// Seconds that answers get to be written after everything has been stopped.
const SHUTDOWN_SECS: u64 = 5;
/// Threads that answer. Tasks run elsewhere.
const WORKERS: usize = 2;

/// Files that switch TLS on; all empty: plain HTTP.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Tls {
    /// Certificate chain (PEM); with -tls-key, the server speaks TLS only.
    #[arg(long = "tls-cert", default_value = "", hide_default_value = true)]
    pub cert: String,
    /// Private key of -tls-cert (PEM).
    #[arg(long = "tls-key", default_value = "", hide_default_value = true)]
    pub key: String,
    /// Certificate authority (PEM) that clients must have a certificate of: mutual TLS.
    #[arg(long = "tls-client-ca", default_value = "", hide_default_value = true)]
    pub client_ca: String,
}

/// A server on this port of all addresses, not started yet. A client that goes away while it waits drops its handler.
pub(crate) fn listen<F>(port: u16, tls: &Tls, routes: F) -> anyhow::Result<Server>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .configure(routes.clone())
    });
    let server = server
        .workers(WORKERS)
        .max_connections(CONNECTIONS_MAX)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(REQUEST_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECS)
        .h1_allow_half_closed(false)
        .disable_signals();
    // IPv6 serves IPv4 as well; where it is switched off, IPv4 alone.
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .with_context(|| format!("port {port}"))?;
    let server = match tls.config()? {
        Some(config) => server.listen_rustls_0_23(listener, config)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

/// Serve until SIGTERM or SIGINT, then call `stop`, and then end the server. A second signal ends it at once.
pub(crate) async fn serve(server: Server, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let handle = server.handle();
    let mut running = actix_rt::spawn(server);
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        ended = &mut running => return ended?.context("the server ended by itself"),
    }
    tracing::info!("stopping: running tasks are ended and told about");
    tokio::select! {
        () = async { stop.await; handle.stop(true).await } => {}
        _ = terminated.recv() => anyhow::bail!("told to stop twice"),
        _ = interrupted.recv() => anyhow::bail!("told to stop twice"),
    }
    tracing::info!("stopped");
    Ok(())
}

// === impl Tls ===

impl Tls {
    fn config(&self) -> anyhow::Result<Option<ServerConfig>> {
        if self.cert.is_empty() && self.key.is_empty() {
            anyhow::ensure!(self.client_ca.is_empty(), "-tls-client-ca needs -tls-cert and -tls-key");
            return Ok(None);
        }
        let chain = certificates(&self.cert).context("-tls-cert")?;
        let key = PrivateKeyDer::from_pem_file(&self.key).context("-tls-key")?;
        let builder = ServerConfig::builder();
        let builder = if self.client_ca.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&self.client_ca).context("-tls-client-ca")? {
                roots.add(certificate).context("-tls-client-ca")?;
            }
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build()?)
        };
        let config = builder.with_single_cert(chain, key).context("-tls-cert and -tls-key")?;
        Ok(Some(config))
    }
}

fn certificates(path: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)?.collect();
    let found = found?;
    anyhow::ensure!(!found.is_empty(), "{path} has no certificate");
    Ok(found)
}
