//! The API over HTTP on loopback, for kubectl and for whatever else is no part of this process.
//!
//! Plain HTTP/1.1: kubectl takes it without a certificate and then sends no credentials, of which there are none. Who can reach the
//! port may do everything, so [`listener`] offers loopback only.

use super::Sandbox;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::Server, web};
use http_body_util::BodyDataStream;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

/// Connections at a time: kubectl opens one or two, a controller one per watched kind; a fleet's test some dozens.
const CONNECTIONS_MAX: usize = 1_024;
/// One byte more than the API takes, so that the API itself says what is too large.
const BODY: usize = super::http::BODY + 1;
/// A client that sends no request for this long is dropped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Seconds that open requests get at the end; watches never end by themselves, so waiting longer is in vain.
const SHUTDOWN_SECS: u64 = 1;
/// Name of cluster, user and context in the kubeconfig.
const NAME: &str = "aviary-sandbox";

/// A listener on loopback; port 0 chooses a free one.
pub fn listener(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// A server of this cluster, not started yet: awaiting it (inside an actix `System`) serves until its handle says stop. It heeds no
/// signals.
pub fn serve(sandbox: &Sandbox, listener: TcpListener) -> io::Result<Server> {
    let sandbox = sandbox.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(sandbox.clone()))
            .app_data(web::PayloadConfig::new(BODY))
            .default_service(web::to(answer))
    });
    let server = server
        .workers(1)
        .max_connections(CONNECTIONS_MAX)
        .client_request_timeout(REQUEST_TIMEOUT)
        // A watch whose client is gone ends at once, and not with the next event.
        .h1_allow_half_closed(false)
        .shutdown_timeout(SHUTDOWN_SECS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// What kubectl needs to know, as YAML.
pub fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\n\
         clusters: [{{name: {NAME}, cluster: {{server: \"http://{address}\"}}}}]\n\
         users: [{{name: {NAME}, user: {{}}}}]\n\
         contexts: [{{name: {NAME}, context: {{cluster: {NAME}, user: {NAME}}}}}]\n\
         current-context: {NAME}\n"
    )
}

async fn answer(request: HttpRequest, body: web::Bytes, sandbox: web::Data<Sandbox>) -> HttpResponse {
    // actix-web is on http 0.2, the sandbox on http 1: they meet as text.
    let mut asked = http::Request::builder()
        .method(request.method().as_str())
        .uri(request.uri().to_string());
    for (name, value) in request.headers() {
        asked = asked.header(name.as_str(), value.as_bytes());
    }
    let Ok(asked) = asked.body(body) else {
        return HttpResponse::BadRequest().finish();
    };
    let Ok(answer) = sandbox.answer(asked).await else {
        // An injected fault; a stopped server looks like one that is not there.
        return HttpResponse::ServiceUnavailable().force_close().finish();
    };
    let (parts, body) = answer.into_parts();
    let code = actix_web::http::StatusCode::from_u16(parts.status.as_u16());
    let mut response = HttpResponse::build(code.unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &parts.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.streaming(BodyDataStream::new(body))
}
