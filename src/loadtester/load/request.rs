//! One connection of a load.

use bytes::Bytes;
use http_body_util::BodyExt;
use reqwest::{Client, Request};
use std::error::Error;

use super::{grpc, plan::Plan};

/// Sends the plan's request again and again over one connection.
pub(super) struct Sender {
    client: Client,
    request: Request,
    /// As in the plan.
    grpc: Option<bool>,
}

/// An answer that was read to its end.
pub(super) struct Answer {
    /// HTTP status, or the name of gRPC's.
    pub(super) code: String,
    /// Whether it counts as an error.
    pub(super) is_error: bool,
    /// Length of its body.
    pub(super) bytes: u64,
}

// === impl Sender ===

impl Sender {
    /// A client of its own, so that it is one connection.
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        let builder = Client::builder()
            .pool_max_idle_per_host(1)
            .timeout(plan.timeout)
            .tls_danger_accept_invalid_certs(plan.insecure)
            .user_agent(concat!("aviary-loadtester/", env!("CARGO_PKG_VERSION")));
        let builder = match (plan.http2, plan.url.scheme()) {
            (true, "http") => builder.http2_prior_knowledge(),
            (true, _) => builder,
            (false, _) => builder.http1_only(),
        };
        let client = builder.build().map_err(|error| root(&error))?;
        let mut request = Request::new(plan.method.clone(), plan.url.clone());
        *request.headers_mut() = plan.headers.clone();
        if !plan.body.is_empty() {
            *request.body_mut() = Some(Bytes::from(plan.body.clone()).into());
        }
        Ok(Self {
            client,
            request,
            grpc: plan.grpc,
        })
    }

    /// Send it and read the answer.
    pub(super) async fn send(&self) -> Result<Answer, String> {
        // A body of bytes can always be cloned.
        let request = self.request.try_clone().ok_or("the request cannot be repeated")?;
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| root(&error.without_url()))?;
        match self.grpc {
            None => read(response).await,
            Some(is_health) => read_grpc(response, is_health).await,
        }
    }
}

async fn read(mut response: reqwest::Response) -> Result<Answer, String> {
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| root(&error.without_url()))? {
        bytes += chunk.len() as u64;
    }
    Ok(Answer {
        code: response.status().as_u16().to_string(),
        is_error: response.status().as_u16() >= 400,
        bytes,
    })
}

async fn read_grpc(response: reqwest::Response, is_health: bool) -> Result<Answer, String> {
    let (head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    if head.status != http::StatusCode::OK {
        let code = format!("HTTP {}", head.status.as_u16());
        return Ok(Answer {
            code,
            is_error: true,
            bytes: 0,
        });
    }
    let body = body.collect().await.map_err(|error| root(&error))?;
    let mut code = grpc::code(&head.headers, body.trailers());
    let bytes = body.to_bytes();
    if is_health && code == "OK" && !grpc::is_serving(&bytes) {
        "NOT_SERVING".clone_into(&mut code);
    }
    Ok(Answer {
        is_error: code != "OK",
        code,
        bytes: bytes.len() as u64,
    })
}

/// The deepest cause: `connection refused` says more than `error sending request`.
fn root(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
