//! The k6 webhook's HTTP interface (k6-webhook.md 1.2, 3). As with the peer, handlers do not look at the method.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, ServiceConfig},
};
use actors::world::World;
use kube::Client;
use std::sync::Arc;

use super::{
    pages,
    request::Order,
    runs::{Fate, Run, Runs, Verdict},
    secrets,
    series::Series,
};
use crate::companion::{access::Access, program, redaction::Redaction};

/// What requests are answered from.
pub(super) struct Desk {
    /// Time.
    pub(super) world: World,
    /// Who may ask.
    pub(super) access: Access,
    /// What runs and ran.
    pub(super) runs: Runs,
    /// Where Secrets are read.
    pub(super) client: Option<Client>,
    /// Metrics.
    pub(super) series: Arc<Series>,
    /// What is not shown.
    pub(super) redaction: Redaction,
}

/// An answer to `/launch-test`.
struct Answer {
    status: StatusCode,
    body: String,
    retry_after_secs: Option<u64>,
}

/// Register everything.
pub(super) fn routes(config: &mut ServiceConfig, desk: Arc<Desk>) {
    config
        .app_data(Data::from(desk))
        .route("/launch-test", web::to(launch))
        .route("/health", web::to(health))
        .route("/healthz", web::to(health))
        .route("/metrics", web::to(metrics))
        .route("/tests", web::get().to(list))
        .route("/tests/{id}", web::get().to(show))
        .default_service(web::to(|| async {
            failure(StatusCode::NOT_FOUND, "404 page not found")
        }));
}

async fn launch(desk: Data<Desk>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let answer = match desk.launch(&request, &body).await {
        Ok(answer) | Err(answer) => answer,
    };
    desk.series.answers.with_label_values(&[answer.status.as_str()]).inc();
    answer.into()
}

/// Ready when there is a k6 to run (K6-21). Full slots are no fault: they are what 429 is for.
async fn health() -> HttpResponse {
    match program::find("k6") {
        Some(_) => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body("Good to go!"),
        None => failure(StatusCode::SERVICE_UNAVAILABLE, "k6 is not on the PATH"),
    }
}

async fn metrics(desk: Data<Desk>) -> HttpResponse {
    let (_, free) = desk.runs.slots();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(desk.series.render(free))
}

/// JSON, or the page where a browser asks.
async fn list(desk: Data<Desk>, request: HttpRequest) -> HttpResponse {
    if !desk.access.admits(request.headers()) {
        return Answer::failed(401, "Unauthorized").into();
    }
    let views = pages::views(&desk.runs, &desk.world, &desk.redaction);
    let accept = request.headers().get("accept").and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body(pages::html(&views));
    }
    HttpResponse::Ok().json(views)
}

async fn show(desk: Data<Desk>, request: HttpRequest, id: web::Path<u64>) -> HttpResponse {
    if !desk.access.admits(request.headers()) {
        return Answer::failed(401, "Unauthorized").into();
    }
    match desk.runs.get(*id) {
        Some(run) => HttpResponse::Ok().json(pages::whole(&run, &desk.world, &desk.redaction)),
        None => failure(StatusCode::NOT_FOUND, "no such test"),
    }
}

/// As Go's `http.Error`: a line end, and nothing to guess.
fn failure(status: StatusCode, text: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/plain; charset=utf-8")
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(format!("{text}\n"))
}

// === impl Desk ===

impl Desk {
    /// The rows of k6-webhook.md 3, but what cannot run takes no slot (K6-15).
    async fn launch(&self, request: &HttpRequest, body: &[u8]) -> Result<Answer, Answer> {
        if !self.access.admits(request.headers()) {
            return Err(Answer::failed(401, "Unauthorized"));
        }
        let order = Order::read(body).map_err(|bad| Answer::failed(400, bad.to_string()))?;
        if !self.access.allows(&order.namespace) {
            return Err(Answer::failed(403, "Forbidden"));
        }
        if let Some(seat) = self.runs.join(&order) {
            return Ok(self.tell(seat.run(), &*seat.verdict().await));
        }
        if self.runs.is_paused(&order) {
            return Err(Answer::failed(400, "not enough time since last failure"));
        }
        let slot = self.runs.slot().map_err(|secs| Answer {
            retry_after_secs: Some(secs),
            ..Answer::failed(429, "Maximum concurrent test runs reached")
        })?;
        let secrets = secrets::read(self.client.as_ref(), &order.secrets)
            .await
            .map_err(|missing| {
                self.runs.failed(&order);
                Answer::failed(400, missing.to_string())
            })?;
        let waits = order.wait;
        let seat = self.runs.start(order, secrets, slot);
        if !waits {
            return self.started(seat.run()).await;
        }
        // Dropped with this future when the client goes away; the seat stops the run.
        Ok(self.tell(seat.run(), &*seat.verdict().await))
    }

    /// A test in the background is answered when k6 is up, or when it is known that it never will be.
    async fn started(&self, run: &Arc<Run>) -> Result<Answer, Answer> {
        let mut verdict = run.verdict.subscribe();
        tokio::select! {
            () = run.up.notified() => Ok(Answer::said(200, "")),
            ended = verdict.wait_for(Option::is_some) => {
                let verdict = ended.ok().and_then(|ended| Some(ended.as_ref()?.1.clone()));
                match verdict {
                    Some(verdict) if verdict.fate == Fate::NotStarted => Err(self.tell(run, &verdict)),
                    _ => Ok(Answer::said(200, "")),
                }
            }
        }
    }

    fn tell(&self, run: &Run, verdict: &Verdict) -> Answer {
        let output = self
            .redaction
            .with(run.secrets.values().map(String::as_str))
            .clean(&run.output.text());
        if verdict.fate == Fate::Passed {
            return Answer::said(200, output);
        }
        if verdict.fate == Fate::NotStarted && output.is_empty() {
            return Answer::failed(400, verdict.text.clone());
        }
        Answer::failed(400, format!("{}\n{output}", verdict.text))
    }
}

// === impl Answer ===

impl Answer {
    fn said(status: u16, body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: body.into(),
            retry_after_secs: None,
        }
    }

    fn failed(status: u16, text: impl Into<String>) -> Self {
        Self::said(status, text)
    }
}

impl From<Answer> for HttpResponse {
    fn from(answer: Answer) -> Self {
        if answer.status.is_success() {
            return Self::build(answer.status)
                .content_type("text/plain; charset=utf-8")
                .body(answer.body);
        }
        let mut response = failure(answer.status, &answer.body);
        let headers = response.headers_mut();
        if let Some(secs) = answer.retry_after_secs {
            headers.insert(actix_web::http::header::RETRY_AFTER, secs.into());
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            let value = actix_web::http::header::HeaderValue::from_static("Bearer");
            headers.insert(actix_web::http::header::WWW_AUTHENTICATE, value);
        }
        response
    }
}
