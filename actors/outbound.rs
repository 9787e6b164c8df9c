//! HTTP to the outside: hooks, metrics servers, chats. One injected service, so that tests need no sockets.
//!
//! In production it is `reqwest` with clients that are kept (W-57), a time limit that covers the body, bodies cut at
//! [`BODY_BYTES_MAX`] (W-52) and redirects that carry no credentials to another server (W-51).
//! Texts of errors name the server only: paths and queries may hold secrets (DP-14).

use engine::{
    http::{BODY_BYTES_MAX, Method, Request, Response},
    seam::Trouble,
};
use futures::future::BoxFuture;
use reqwest::Url;
use std::{error::Error, sync::Arc, time::Duration};
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};

use pool::Pool;

mod pool;
mod redirect;
#[cfg(test)]
mod tests;

/// The way out. `Unavailable`: no connection, no answer in time, answer broken off. `Refused`: trying again will not help (bad URL,
/// header, proxy or certificate, too many redirects).
pub type Outbound = BoxCloneSyncService<Request, Response, Trouble>;

/// The production service. A rustls provider must be installed before it is called first.
pub fn production() -> Outbound {
    let pool = Arc::new(Pool::default());
    BoxCloneSyncService::new(service_fn(move |request: Request| {
        let pool = pool.clone();
        async move { within(request.timeout, origin(&request.url)?, follow(&pool, request)).await }
    }))
}

/// A test double: `answer` gives how long a request takes and what comes of it. The request's time limit counts as in production.
pub fn scripted<F>(answer: F) -> Outbound
where
    F: Fn(&Request) -> (Duration, Result<Response, Trouble>) + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    BoxCloneSyncService::new(service_fn(move |request: Request| {
        let answer = answer.clone();
        let exchange: BoxFuture<'static, Result<Response, Trouble>> = Box::pin(async move {
            let (latency, result) = answer(&request);
            let late = async {
                tokio::time::sleep(latency).await;
                result
            };
            within(request.timeout, origin(&request.url)?, late).await
        });
        exchange
    }))
}

/// Send a request.
pub async fn send(outbound: &Outbound, request: Request) -> Result<Response, Trouble> {
    outbound.clone().oneshot(request).await
}

/// `scheme://host:port` of a URL: what names a server. Refused when it is no HTTP URL.
pub fn origin(url: &str) -> Result<String, Trouble> {
    let refused = |why: String| Trouble::Refused(why);
    let parsed = Url::parse(url).map_err(|error| refused(format!("not a URL: {error}")))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(refused(format!("unsupported URL scheme {}", parsed.scheme())));
    }
    Ok(parsed.origin().ascii_serialization())
}

async fn within(
    limit: Duration,
    server: String,
    exchange: impl Future<Output = Result<Response, Trouble>>,
) -> Result<Response, Trouble> {
    match tokio::time::timeout(limit, exchange).await {
        Ok(result) => result,
        Err(_) => Err(Trouble::Unavailable(format!("{server}: no answer within {limit:?}"))),
    }
}

/// Send, following redirects.
async fn follow(pool: &Pool, mut request: Request) -> Result<Response, Trouble> {
    for _ in 0..=redirect::REDIRECTS_MAX {
        let response = attempt(pool, &request).await?;
        let status = response.status().as_u16();
        match redirect::next(&request, status, header(&response, "location"))? {
            Some(next) => request = next,
            None => return read(response).await,
        }
    }
    let server = origin(&request.url)?;
    let most = redirect::REDIRECTS_MAX;
    Err(Trouble::Refused(format!("{server}: stopped after {most} redirects")))
}

async fn attempt(pool: &Pool, request: &Request) -> Result<reqwest::Response, Trouble> {
    let client = pool.client(request.skip_tls_verify, request.proxy.as_deref())?;
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    };
    let mut builder = client.request(method, &request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if !request.body.is_empty() {
        builder = builder.body(request.body.clone());
    }
    builder.send().await.map_err(|error| classify(&request.url, error))
}

async fn read(mut response: reqwest::Response) -> Result<Response, Trouble> {
    let status = response.status().as_u16();
    let retry_after = header(&response, "retry-after").map(str::to_owned);
    let url = response.url().to_string();
    let mut body = Vec::new();
    while body.len() < BODY_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(chunk.get(..BODY_BYTES_MAX - body.len()).unwrap_or(&chunk)),
            Ok(None) => break,
            Err(error) => return Err(classify(&url, error)),
        }
    }
    Ok(Response {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
        retry_after,
    })
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// What a failed exchange means for a retry.
fn classify(url: &str, error: reqwest::Error) -> Trouble {
    let is_builder = error.is_builder();
    let cause = root_cause(&error.without_url());
    let server = origin(url).unwrap_or_default();
    let text = format!("{server}: {cause}");
    if is_builder || is_certificate_fault(&cause) {
        return Trouble::Refused(text);
    }
    Trouble::Unavailable(text)
}

/// Known by its text: rustls' own error type is not among this crate's dependencies.
fn is_certificate_fault(cause: &str) -> bool {
    cause.contains("certificate")
}

fn root_cause(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
