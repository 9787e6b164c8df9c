//! HTTP requests to store operations and back.

use super::{
    Sandbox, SandboxBody, discovery,
    failure::Failure,
    patch::Patch,
    select::Selector,
    store::{Id, Listing, place_of},
    url::{self, Objects, Query, Target},
    view,
    watch::{self, Wish},
    write::{Mode, Part, Terms},
};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::{Value, json};
use std::time::Duration;

/// Largest body: the real server's limit of 3 MiB.
pub(super) const BODY: usize = 3 * 1024 * 1024;

/// A request whose target is known.
struct Call<'a> {
    sandbox: &'a Sandbox,
    objects: Objects,
    query: Query,
    metadata_only: bool,
    request: &'a Request<Bytes>,
}

/// Code and content of an answer.
enum Answer {
    Json(u16, Bytes),
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

fn refuse(failure: &Failure) -> Answer {
    match failure {
        Failure::NoPage => Answer::Text(failure.code(), format!("{failure}\n")),
        _ => Answer::Json(failure.code(), Bytes::from(failure.status().to_string())),
    }
}

fn respond(answer: Answer) -> Response<SandboxBody> {
    let (code, media, body) = match answer {
        Answer::Json(code, bytes) => (code, "application/json", SandboxBody::whole(bytes)),
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

fn route(sandbox: &Sandbox, request: &Request<Bytes>) -> Result<Answer, Failure> {
    if request.body().len() > BODY {
        return Err(Failure::TooLarge(BODY));
    }
    let target = url::resolve(&sandbox.state().store, request.uri().path()).ok_or(Failure::NoPage)?;
    if let Target::Objects(objects) = target {
        let accept = request
            .headers()
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok());
        let metadata_only = accept.unwrap_or_default().contains("as=PartialObjectMetadata");
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let call = Call {
            sandbox,
            objects,
            query,
            metadata_only,
            request,
        };
        return call.run();
    }
    if request.method() != Method::GET {
        return Err(Failure::MethodNotAllowed);
    }
    let state = sandbox.state();
    let document = match target {
        Target::Version => discovery::version(),
        Target::CoreVersions => discovery::core_versions(),
        Target::Groups => discovery::groups(&state.store),
        Target::Group(name) => discovery::group(&state.store, &name)?,
        Target::GroupVersion(group, version) => discovery::resources(&state.store, &group, &version)?,
        Target::Health | Target::Objects(_) => return Ok(Answer::Text(200, "ok".to_owned())),
    };
    Ok(Answer::Json(200, Bytes::from(document.to_string())))
}

// === impl Call ===

impl Call<'_> {
    fn run(&self) -> Result<Answer, Failure> {
        let part = match self.objects.subresource.as_deref() {
            None => Part::Main,
            Some("status") if self.objects.resource.has_status => Part::Status,
            Some(_) => return Err(Failure::NoPage),
        };
        let method = self.request.method();
        if let Some(name) = &self.objects.name {
            let id = Id::new(&self.objects.resource, self.namespace(), name);
            return match (method.as_str(), part) {
                ("GET", _) => self
                    .sandbox
                    .state()
                    .store
                    .get(&id)
                    .map(|object| self.show(200, &object)),
                ("PUT", _) => self.replace(&id, part),
                ("PATCH", _) => self.patch(&id, part),
                ("DELETE", Part::Main) => self.delete(&id),
                _ => Err(Failure::MethodNotAllowed),
            };
        }
        match method.as_str() {
            "GET" if self.query.flag("watch") => self.watch(),
            "GET" => self.list(),
            "POST" if self.objects.resource.namespaced == self.objects.namespace.is_some() => self.create(),
            "DELETE" => self.delete_all(),
            _ => Err(Failure::MethodNotAllowed),
        }
    }

    fn namespace(&self) -> &str {
        self.objects.namespace.as_deref().unwrap_or_default()
    }

    fn show(&self, code: u16, object: &Value) -> Answer {
        Answer::Json(code, view::text(object, self.metadata_only))
    }

    fn mode(&self) -> Mode {
        Mode {
            now: self.sandbox.now(),
            dry_run: self.query.text("dryRun") == "All",
        }
    }

    fn body(&self) -> Result<Value, Failure> {
        let unread = |error| Failure::BadRequest(format!("cannot read the body: {error}"));
        serde_json::from_slice(self.request.body()).map_err(unread)
    }

    fn selector(&self) -> Result<Selector, Failure> {
        let (labels, fields) = (self.query.text("labelSelector"), self.query.text("fieldSelector"));
        Selector::parse(&self.objects.resource, labels, fields)
    }

    fn listing(&self) -> Result<Listing, Failure> {
        let exact = self.query.text("resourceVersionMatch") == "Exact";
        Ok(Listing {
            namespace: self.objects.namespace.clone(),
            selector: self.selector()?,
            limit: self.query.number("limit").unwrap_or_default() as usize,
            token: self.query.text("continue").to_owned(),
            exactly: self.query.number("resourceVersion").filter(|_| exact),
        })
    }

    fn list(&self) -> Result<Answer, Failure> {
        let listing = self.listing()?;
        let page = self.sandbox.state().store.list(&self.objects.key, &listing)?;
        let text = view::list(&self.objects.resource, &page, self.metadata_only);
        let text = text.map_err(|error| Failure::BadRequest(format!("cannot write the list: {error}")))?;
        Ok(Answer::Json(200, text))
    }

    fn watch(&self) -> Result<Answer, Failure> {
        let bookmarks = self.query.flag("allowWatchBookmarks");
        let initial = self.query.flag("sendInitialEvents");
        let wish = Wish {
            namespace: self.objects.namespace.clone(),
            selector: self.selector()?,
            metadata_only: self.metadata_only,
            since: self.query.number("resourceVersion").filter(|_| !initial),
            bookmarks,
            marks_initial: initial && bookmarks,
            lifetime: self.query.number("timeoutSeconds").map(Duration::from_secs),
        };
        let lines = watch::open(self.sandbox, &self.objects.key, wish)?;
        Ok(Answer::Watch(SandboxBody::lines(lines)))
    }

    fn create(&self) -> Result<Answer, Failure> {
        let (body, mode) = (self.body()?, self.mode());
        let object = self
            .sandbox
            .write(|store| store.create(&self.objects.resource, self.namespace(), body, mode))?;
        Ok(self.show(201, &object))
    }

    fn replace(&self, id: &Id, part: Part) -> Result<Answer, Failure> {
        let (body, mode) = (self.body()?, self.mode());
        let object = self.sandbox.write(|store| store.update(id, part, mode, |_| Ok(body)))?;
        Ok(self.show(200, &object))
    }

    fn patch(&self, id: &Id, part: Part) -> Result<Answer, Failure> {
        let media = self
            .request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let patch = Patch::parse(media.unwrap_or_default(), self.request.body())?;
        let mode = self.mode();
        let object = self
            .sandbox
            .write(|store| store.update(id, part, mode, |current| patch.apply(current)))?;
        Ok(self.show(200, &object))
    }

    /// A finished delete is answered with a Status, one that waits for finalizers with the object.
    fn delete(&self, id: &Id) -> Result<Answer, Failure> {
        let (terms, mode) = (Terms::parse(self.request.body())?, self.mode());
        let (object, gone) = self.sandbox.write(|store| store.delete(id, &terms, mode))?;
        if !gone {
            return Ok(self.show(200, &object));
        }
        let resource = &self.objects.resource;
        let mut details = json!({ "name": id.place.1, "kind": resource.plural, "uid": object["metadata"]["uid"] });
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        });
        Ok(Answer::Json(200, Bytes::from(status.to_string())))
    }

    fn delete_all(&self) -> Result<Answer, Failure> {
        let (terms, mode) = (Terms::parse(self.request.body())?, self.mode());
        let listing = Listing {
            limit: 0,
            ..self.listing()?
        };
        let page = self.sandbox.write(|store| {
            let page = store.list(&self.objects.key, &listing)?;
            for object in &page.items {
                let (namespace, name) = place_of(object);
                store.delete(&Id::new(&self.objects.resource, &namespace, &name), &terms, mode)?;
            }
            Ok(page)
        })?;
        let text = view::list(&self.objects.resource, &page, self.metadata_only);
        let text = text.map_err(|error| Failure::BadRequest(format!("cannot write the list: {error}")))?;
        Ok(Answer::Json(200, text))
    }
}
