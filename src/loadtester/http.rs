//! The load tester's HTTP interface (loadtester.md 2, 3, 4.1, 5.1). As with the peer, handlers do not look at the method.

use actions::Answer;
use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, ServiceConfig},
};
use actors::world::World;
use std::sync::Arc;

use super::{
    gates::{Change, Name, Switch},
    order::{Reader, Refusal, duration},
    pages,
    series::Series,
    storage::Storage,
    task::Task,
    tasks::Tasks,
};
use crate::companion::{access::Access, payload::Payload, redaction::Redaction};

mod actions;

/// What requests are answered from.
pub(super) struct Desk {
    /// Time.
    pub(super) world: World,
    /// Who may ask.
    pub(super) access: Access,
    /// How payloads are read.
    pub(super) reader: Reader,
    /// What runs.
    pub(super) tasks: Tasks,
    /// Gates.
    pub(super) gates: Storage,
    /// Metrics.
    pub(super) series: Arc<Series>,
    /// What is not shown.
    pub(super) redaction: Redaction,
    /// Status of a test that failed.
    pub(super) failure_status: StatusCode,
}

/// Register everything. What is not listed is a task, as with the peer; except below `/gate/` and `/rollback/`, where it is a typing
/// error (LT-19).
pub(super) fn routes(config: &mut ServiceConfig, desk: Arc<Desk>) {
    config
        .app_data(Data::from(desk))
        .route("/healthz", web::to(|| async { "OK" }))
        .route("/metrics", web::to(metrics))
        .route("/gate/approve", web::to(approve))
        .route("/gate/halt", web::to(halt))
        .route("/gate/{action}", web::to(|d, r, p, b| gate(d, r, p, b, Switch::Gate)))
        .route(
            "/rollback/{action}",
            web::to(|d, r, p, b| gate(d, r, p, b, Switch::Rollback)),
        )
        .route("/gates", web::get().to(gates))
        .route("/tasks", web::get().to(list))
        .route("/tasks/{id}", web::get().to(show))
        .route("/tasks/{id}", web::delete().to(stop))
        .route("/", web::get().to(list))
        .default_service(web::to(task));
}

async fn metrics(desk: Data<Desk>) -> HttpResponse {
    desk.tasks.gauge();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(desk.series.render())
}

async fn approve(desk: Data<Desk>, request: HttpRequest) -> HttpResponse {
    desk.guard(&request)
        .map_or_else(Answer::into, |()| text(StatusCode::OK, "OK"))
}

async fn halt() -> HttpResponse {
    text(StatusCode::FORBIDDEN, "Forbidden")
}

async fn gate(
    desk: Data<Desk>,
    request: HttpRequest,
    action: web::Path<String>,
    body: Bytes,
    switch: Switch,
) -> HttpResponse {
    match desk.gate(&request, &action, &body, switch).await {
        Ok(answer) | Err(answer) => desk.count(answer),
    }
}

async fn task(desk: Data<Desk>, request: HttpRequest, body: Bytes) -> HttpResponse {
    match desk.task(&request, &body).await {
        Ok(answer) | Err(answer) => desk.count(answer),
    }
}

async fn gates(desk: Data<Desk>, request: HttpRequest) -> HttpResponse {
    if let Err(answer) = desk.guard(&request) {
        return answer.into();
    }
    match desk.gates.book().await {
        Ok(book) => HttpResponse::Ok().json(book.lines()),
        Err(trouble) => text(StatusCode::INTERNAL_SERVER_ERROR, trouble.to_string()),
    }
}

/// JSON, or the page where a browser asks.
async fn list(desk: Data<Desk>, request: HttpRequest) -> HttpResponse {
    if let Err(answer) = desk.guard(&request) {
        return answer.into();
    }
    let clock = pages::Clock::of(&desk.world);
    let wants_page = request.headers().get("accept").and_then(|accept| accept.to_str().ok());
    let views = desk.tasks.read(|ledger| pages::views(ledger, &clock, &desk.redaction));
    if !wants_page.is_some_and(|accept| accept.contains("text/html")) {
        return HttpResponse::Ok().json(views);
    }
    let gates = desk.gates.book().await.map(|book| book.lines()).unwrap_or_default();
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(pages::html(&views, &gates))
}

async fn show(desk: Data<Desk>, request: HttpRequest, id: web::Path<u64>) -> HttpResponse {
    if let Err(answer) = desk.guard(&request) {
        return answer.into();
    }
    let clock = pages::Clock::of(&desk.world);
    let view = desk
        .tasks
        .read(|ledger| Some(pages::whole(ledger.entry(*id)?, &clock, &desk.redaction)));
    view.map_or_else(
        || text(StatusCode::NOT_FOUND, "no such task"),
        |view| HttpResponse::Ok().json(view),
    )
}

async fn stop(desk: Data<Desk>, request: HttpRequest, id: web::Path<u64>) -> HttpResponse {
    if let Err(answer) = desk.guard(&request) {
        return answer.into();
    }
    if desk.tasks.stop(*id) {
        return text(StatusCode::ACCEPTED, "");
    }
    text(StatusCode::NOT_FOUND, "no such task, or it has ended")
}

fn text(status: StatusCode, body: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/plain; charset=utf-8")
        .body(body.into())
}

// === impl Desk ===

impl Desk {
    fn guard(&self, request: &HttpRequest) -> Result<(), Answer> {
        if self.access.admits(request.headers()) {
            return Ok(());
        }
        Err(Answer::unauthorized())
    }

    fn count(&self, answer: Answer) -> HttpResponse {
        if answer.status.as_u16() >= 400 && answer.is_refusal {
            self.series.refused.with_label_values(&[answer.status.as_str()]).inc();
        }
        answer.into()
    }

    /// Token, payload, namespace: what every request with a body goes through.
    fn open(&self, request: &HttpRequest, body: &[u8]) -> Result<Payload, Answer> {
        self.guard(request)?;
        let payload = Payload::read(body).map_err(|error| {
            tracing::error!(%error, "reading the request failed");
            Answer::refused(400, "")
        })?;
        if self.access.allows(&payload.namespace) {
            return Ok(payload);
        }
        Err(Answer::refused(403, "Forbidden"))
    }

    async fn gate(&self, request: &HttpRequest, action: &str, body: &[u8], switch: Switch) -> Result<Answer, Answer> {
        if !matches!(action, "check" | "open" | "close") {
            return Err(Answer::refused(404, "no such gate; there are check, open and close"));
        }
        let payload = self.open(request, body)?;
        let name = Name {
            switch,
            namespace: payload.namespace.clone(),
            canary: payload.name.clone(),
        };
        if action == "check" {
            let checksum = payload.checksum.as_str();
            // Who looks by hand uses nothing up.
            let open = if payload.phase.is_empty() {
                self.gates.is_open(&self.world, &name, checksum).await
            } else {
                self.gates.pass(&self.world, &name, checksum).await
            };
            let open = open.map_err(|trouble| Answer::trouble(&trouble))?;
            let canary = format!("{}.{}", name.canary, name.namespace);
            tracing::info!(canary, gate = ?switch, checksum, open, "gate check");
            return Ok(if open {
                Answer::said(200, "Approved")
            } else {
                Answer::said(403, "Forbidden")
            });
        }
        let change = change(request, &payload, name, action == "open")?;
        self.gates
            .change(&self.world, &change)
            .await
            .map_err(|trouble| Answer::trouble(&trouble))?;
        tracing::info!(?change, "gate changed");
        Ok(Answer::said(202, ""))
    }

    async fn task(&self, request: &HttpRequest, body: &[u8]) -> Result<Answer, Answer> {
        let payload = self.open(request, body)?;
        let ask = self
            .reader
            .read(&payload)
            .map_err(|Refusal { status, text }| Answer::refused(status, self.redaction.clean(&text)))?;
        let background = ask.background;
        let seat = self.tasks.submit(ask).map_err(Answer::full)?;
        if background {
            return Ok(Answer::said(202, ""));
        }
        // Dropped with this future when the client goes away; the seat tells the ledger.
        let outcome = seat.task().ended().await;
        Ok(self.told(seat.task(), outcome.success, &outcome.cause))
    }

    fn told(&self, task: &Task, success: bool, cause: &str) -> Answer {
        let ask = &task.ask;
        if success && !ask.return_output {
            return Answer::said(200, "");
        }
        let output = self.redaction.clean(&task.output.text());
        if success {
            return Answer::said(200, output);
        }
        let body = format!("command {} failed: {output}: {cause}", ask.shown);
        Answer::said(self.failure_status.as_u16(), body)
    }
}

/// An opening by hand (no `phase`) that names a checksum is for that revision only (LT-9). What a controller calls as a hook always
/// carries both, and means what it means with the peer.
fn change(request: &HttpRequest, payload: &Payload, name: Name, open: bool) -> Result<Change, Answer> {
    let lasting = match payload.get("ttl") {
        None => None,
        Some(text) => Some(duration(text).ok_or_else(|| Answer::refused(400, format!("ttl {text:?} is no duration")))?),
    };
    let once = match payload.get("once") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Answer::refused(
                400,
                format!("once {other:?} is neither true nor false"),
            ));
        }
    };
    let by_hand = payload.phase.is_empty();
    Ok(Change {
        name,
        open,
        checksum: if open && by_hand {
            payload.checksum.clone()
        } else {
            String::new()
        },
        once: once && open && by_hand,
        lasting: lasting.filter(|_| open),
        by: request.connection_info().peer_addr().unwrap_or_default().to_owned(),
    })
}
