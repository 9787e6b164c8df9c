//! HTTP requests to answers: documents here, objects in [`super::call`].

use super::{
    Sandbox, SandboxBody,
    call::Call,
    discovery,
    failure::Failure,
    openapi,
    url::{self, Query, Target},
    view::Shape,
};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::{Value, json};

/// Largest body: the real server's limit of 3 MiB.
pub(super) const BODY: usize = 3 * 1024 * 1024;

/// Code and content of an answer.
pub(super) enum Answer {
    Json(u16, Bytes),
    /// JSON under another name.
    Typed(&'static str, Bytes),
    Text(u16, String),
    Watch(SandboxBody),
}

/// Serve one request. Refusals are answers too.
pub(super) fn serve(sandbox: &Sandbox, request: &Request<Bytes>) -> Response<SandboxBody> {
    respond(route(sandbox, request).unwrap_or_else(|failure| refuse(&failure)))
}

/// The answer of a refused request.
pub(super) fn refused(failure: &Failure) -> Response<SandboxBody> {
    respond(refuse(failure))
}

/// An injected answer.
pub(super) fn injected(code: u16) -> Response<SandboxBody> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "message": "injected by a test", "reason": if code == 429 { "TooManyRequests" } else { "InternalError" },
    });
    let mut response = respond(Answer::Json(code, Bytes::from(status.to_string())));
    if code == 429 {
        let second = header::HeaderValue::from_static("1");
        response.headers_mut().insert(header::RETRY_AFTER, second);
    }
    response
}

fn refuse(failure: &Failure) -> Answer {
    match failure {
        Failure::NoPage => Answer::Text(failure.code(), format!("{failure}\n")),
        _ => Answer::Json(failure.code(), Bytes::from(failure.status().to_string())),
    }
}

fn respond(answer: Answer) -> Response<SandboxBody> {
    let (code, media, body) = match answer {
        Answer::Json(code, bytes) => (code, "application/json", SandboxBody::whole(bytes)),
        Answer::Typed(media, bytes) => (200, media, SandboxBody::whole(bytes)),
        Answer::Text(code, text) => (code, "text/plain; charset=utf-8", SandboxBody::whole(Bytes::from(text))),
        Answer::Watch(body) => (200, "application/json", body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media));
    response
}

/// A header as text; empty where there is none.
pub(super) fn text_of(request: &Request<Bytes>, name: header::HeaderName) -> &str {
    let value = request.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn route(sandbox: &Sandbox, request: &Request<Bytes>) -> Result<Answer, Failure> {
    if request.body().len() > BODY {
        return Err(Failure::TooLarge(BODY));
    }
    let target = url::resolve(&sandbox.state().store, request.uri().path()).ok_or(Failure::NoPage)?;
    let accept = text_of(request, header::ACCEPT);
    let objects = match target {
        Target::Objects(objects) => objects,
        Target::Lacking(what) => return Err(Failure::Lacking(what)),
        _ if request.method() != Method::GET => return Err(Failure::MethodNotAllowed),
        Target::Health => return Ok(Answer::Text(200, "ok".to_owned())),
        Target::OldSchemas => return Ok(Answer::Typed(openapi::OLD, Bytes::new())),
        target => return document(sandbox, target, accept),
    };
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let shape = Shape::parse(accept, query.text("includeObject"));
    let call = Call {
        sandbox,
        objects,
        query,
        shape,
        request,
    };
    call.run()
}

fn document(sandbox: &Sandbox, target: Target, accept: &str) -> Result<Answer, Failure> {
    let store = &sandbox.state().store;
    let core = matches!(target, Target::CoreVersions);
    if discovery::wants_aggregated(accept) && (core || matches!(target, Target::Groups)) {
        return Ok(Answer::Typed(
            discovery::AGGREGATED,
            written(&discovery::aggregated(store, core)),
        ));
    }
    let document = match target {
        Target::Version => discovery::version(),
        Target::CoreVersions => discovery::core_versions(),
        Target::Groups => discovery::groups(store),
        Target::Group(name) => discovery::group(store, &name)?,
        Target::GroupVersion(group, version) => discovery::resources(store, &group, &version)?,
        Target::Schemas => openapi::index(store),
        Target::Schema(group, version) => openapi::document(store, &group, &version)?,
        Target::Health | Target::OldSchemas | Target::Lacking(_) | Target::Objects(_) => return Err(Failure::NoPage),
    };
    Ok(Answer::Json(200, written(&document)))
}

fn written(document: &Value) -> Bytes {
    Bytes::from(document.to_string())
}
