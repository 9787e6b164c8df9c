//! Requests for objects to store operations and back.

use super::{
    Sandbox, SandboxBody,
    apply::{self, Author},
    failure::Failure,
    http::{Answer, text_of},
    metadata,
    patch::Patch,
    scale,
    select::Selector,
    store::{Id, Listing, Store, place_of},
    url::{Objects, Query},
    validate,
    view::{self, Page, Shape},
    watch::{self, Wish},
    write::{Mode, Part, Terms},
};
use bytes::Bytes;
use http::{Request, header};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// A request whose target is known.
pub(super) struct Call<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) objects: Objects,
    pub(super) query: Query,
    pub(super) shape: Shape,
    pub(super) request: &'a Request<Bytes>,
}

// === impl Call ===

impl Call<'_> {
    pub(super) fn run(&self) -> Result<Answer, Failure> {
        let resource = &self.objects.resource;
        let part = match self.part() {
            "" => Part::Main,
            "status" if resource.has_status => Part::Status,
            "scale" if resource.scale().is_some() => return self.scale(),
            other => return Err(missing_part(other)),
        };
        let method = self.request.method();
        if let Some(name) = &self.objects.name {
            let id = Id::new(resource, self.namespace(), name);
            return match (method.as_str(), part) {
                ("GET", _) => {
                    let object = self.sandbox.state().store.get(&id)?;
                    Ok(self.show(200, &object))
                }
                ("PUT", _) => self.replace(&id, part),
                ("PATCH", _) => self.patch(&id, part),
                ("DELETE", Part::Main) => self.delete(&id),
                _ => Err(Failure::MethodNotAllowed),
            };
        }
        match method.as_str() {
            "GET" if self.query.flag("watch") => self.watch(),
            "GET" => self.list(),
            "POST" if resource.namespaced == self.objects.namespace.is_some() => self.create(),
            "DELETE" => self.delete_all(),
            _ => Err(Failure::MethodNotAllowed),
        }
    }

    fn part(&self) -> &str {
        self.objects.subresource.as_deref().unwrap_or_default()
    }

    fn namespace(&self) -> &str {
        self.objects.namespace.as_deref().unwrap_or_default()
    }

    fn show(&self, code: u16, object: &Value) -> Answer {
        let now = self.sandbox.now();
        Answer::Json(code, view::text(&self.objects.resource, object, self.shape, now))
    }

    fn show_page(&self, page: &Page) -> Result<Answer, Failure> {
        let text = view::list(&self.objects.resource, page, self.shape, self.sandbox.now());
        let text = text.map_err(|error| Failure::BadRequest(format!("cannot write the list: {error}")))?;
        Ok(Answer::Json(200, text))
    }

    /// The field manager: what the caller says, or else the name of its program.
    fn manager(&self) -> &str {
        let named = self.query.text("fieldManager");
        let agent = text_of(self.request, header::USER_AGENT).split('/').next();
        if named.is_empty() {
            agent.unwrap_or_default()
        } else {
            named
        }
    }

    fn author<'a>(&'a self, time: &'a str) -> Author<'a> {
        Author {
            manager: self.manager(),
            subresource: self.part(),
            time,
        }
    }

    /// Write with the caller as the author, at one time.
    fn write<T>(&self, change: impl FnOnce(&mut Store, Mode<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let now = self.sandbox.now();
        let time = metadata::time(now);
        let mode = Mode {
            now,
            dry_run: self.query.text("dryRun") == "All",
            exact: self.query.text("fieldValidation") == "Strict",
            author: Some(self.author(&time)),
            ..self.sandbox.mode()
        };
        self.sandbox.write(|store| change(store, mode))
    }

    fn body(&self) -> Result<Value, Failure> {
        let media = text_of(self.request, header::CONTENT_TYPE);
        if media.contains("protobuf") || media.contains("cbor") {
            return Err(Failure::Lacking(format!(
                "read {media}; of `kubectl create` only `-f` sends JSON, as `kubectl apply` does"
            )));
        }
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
        self.show_page(&page)
    }

    fn watch(&self) -> Result<Answer, Failure> {
        let bookmarks = self.query.flag("allowWatchBookmarks");
        let initial = self.query.flag("sendInitialEvents");
        let wish = Wish {
            namespace: self.objects.namespace.clone(),
            selector: self.selector()?,
            shape: self.shape,
            since: self.query.number("resourceVersion").filter(|_| !initial),
            bookmarks,
            marks_initial: initial && bookmarks,
            lifetime: self.query.number("timeoutSeconds").map(Duration::from_secs),
        };
        let lines = watch::open(self.sandbox, &self.objects.key, wish)?;
        Ok(Answer::Watch(SandboxBody::lines(lines)))
    }

    fn create(&self) -> Result<Answer, Failure> {
        let body = self.body()?;
        let (resource, namespace) = (&self.objects.resource, self.namespace());
        let object = self.write(|store, mode| store.create(resource, namespace, body, mode))?;
        Ok(self.show(201, &object))
    }

    fn replace(&self, id: &Id, part: Part) -> Result<Answer, Failure> {
        let body = self.body()?;
        let object = self.write(|store, mode| store.update(id, part, mode, |_| Ok(body)))?;
        Ok(self.show(200, &object))
    }

    fn read_patch(&self) -> Result<Patch, Failure> {
        let media = text_of(self.request, header::CONTENT_TYPE);
        Patch::parse(&self.objects.resource, media, self.request.body())
    }

    fn patch(&self, id: &Id, part: Part) -> Result<Answer, Failure> {
        let resource = &self.objects.resource;
        let patch = self.read_patch()?;
        if let Patch::Apply(config) = patch {
            return self.apply(id, part, config);
        }
        let object = self.write(|store, mode| store.update(id, part, mode, |current| patch.apply(resource, current)));
        Ok(self.show(200, &*object.map_err(validate::blame_patch)?))
    }

    /// Server-side apply: a merge that knows whose field is whose. What is not there is created.
    fn apply(&self, id: &Id, part: Part, mut config: Value) -> Result<Answer, Failure> {
        if self.query.text("fieldManager").is_empty() {
            let why =
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
            return Err(Failure::BadRequest(why.to_owned()));
        }
        let resource = &self.objects.resource;
        let (force, time) = (self.query.flag("force"), metadata::time(self.sandbox.now()));
        let author = self.author(&time);
        metadata::check_envelope(resource, self.namespace(), &mut config)?;
        metadata::drop_nulls(&mut config);
        let (code, object) = self.write(|store, mode| {
            // The merge says itself who owns what.
            let mode = Mode { author: None, ..mode };
            match store.get(id) {
                Err(Failure::NotFound { .. }) if part == Part::Main => {
                    let object = apply::merged(resource, &Value::Null, &config, author, force)?;
                    let created = store.create(resource, self.namespace(), object, mode);
                    created.map(|object| (201, object))
                }
                Err(failure) => Err(failure),
                Ok(_) => {
                    let merge = |live: &Value| apply::merged(resource, live, &config, author, force);
                    store.update(id, part, mode, merge).map(|object| (200, object))
                }
            }
        })?;
        Ok(self.show(code, &object))
    }

    fn scale(&self) -> Result<Answer, Failure> {
        let resource = &self.objects.resource;
        let name = self.objects.name.as_deref().unwrap_or_default();
        let id = Id::new(resource, self.namespace(), name);
        let changed: Arc<Value> = match self.request.method().as_str() {
            "GET" => self.sandbox.state().store.get(&id)?,
            "PUT" => {
                let body = self.body()?;
                self.write(|store, mode| {
                    store.update(&id, Part::Main, mode, |current| scale::apply(resource, current, &body))
                })?
            }
            "PATCH" => {
                let patch = self.read_patch()?;
                self.write(|store, mode| {
                    store.update(&id, Part::Main, mode, |current| {
                        let wanted = patch.apply(resource, &scale::view(resource, current)?)?;
                        scale::apply(resource, current, &wanted)
                    })
                })?
            }
            _ => return Err(Failure::MethodNotAllowed),
        };
        let scale = scale::view(resource, &changed)?;
        Ok(Answer::Json(200, Bytes::from(scale.to_string())))
    }

    /// A finished delete is answered with a Status, one that waits for finalizers with the object.
    fn delete(&self, id: &Id) -> Result<Answer, Failure> {
        let terms = Terms::parse(self.request.body())?;
        let (object, gone) = self.write(|store, mode| store.delete(id, &terms, mode))?;
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
        let terms = Terms::parse(self.request.body())?;
        let listing = Listing {
            limit: 0,
            ..self.listing()?
        };
        let page = self.write(|store, mode| {
            let page = store.list(&self.objects.key, &listing)?;
            for object in &page.items {
                let (namespace, name) = place_of(object);
                store.delete(&Id::new(&self.objects.resource, &namespace, &name), &terms, mode)?;
            }
            Ok(page)
        })?;
        self.show_page(&page)
    }
}

/// Subresources of things that run are lacking; others do not exist.
fn missing_part(part: &str) -> Failure {
    const LACKING: [&str; 9] = [
        "attach",
        "binding",
        "eviction",
        "ephemeralcontainers",
        "exec",
        "log",
        "portforward",
        "proxy",
        "token",
    ];
    if LACKING.contains(&part) {
        return Failure::Lacking(format!("the subresource {part}; nothing runs in it"));
    }
    Failure::NoPage
}
