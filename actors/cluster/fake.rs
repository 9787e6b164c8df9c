//! A small API server for tests: objects, watches, and answers that a test scripts.

use bytes::Bytes;
use engine::json;
use futures::StreamExt;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::{Client, client::Body};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::Arc,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// The server. Objects live under their URL path.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<String, Value>,
    watches: Vec<Watch>,
    /// `GET /path` prefix, then the code that it is answered with.
    scripted: VecDeque<(String, u16)>,
    /// Path prefixes that are not served, or forbidden.
    refused: BTreeMap<String, u16>,
    log: Vec<String>,
}

struct Watch {
    collection: String,
    events: UnboundedSender<Value>,
}

impl Fake {
    pub(crate) fn client(&self) -> Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { Ok::<_, Infallible>(fake.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// Answer the next request whose `METHOD path` starts like this with that code.
    pub(crate) fn script(&self, like: &str, code: u16) {
        self.0.lock().scripted.push_back((like.to_owned(), code));
    }

    /// Answer every request under this path with that code.
    pub(crate) fn refuse(&self, path: &str, code: u16) {
        self.0.lock().refused.insert(path.to_owned(), code);
    }

    pub(crate) fn serve(&self, path: &str) {
        self.0.lock().refused.remove(path);
    }

    /// Store an object at this path and tell the watches.
    pub(crate) fn put(&self, path: &str, object: Value) -> Value {
        self.0.lock().put(path, object)
    }

    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().remove(path);
    }

    /// As [`Fake::remove`], but no watch learns of it.
    pub(crate) fn lose(&self, path: &str) {
        let mut state = self.0.lock();
        state.version += 1;
        state.objects.remove(path);
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().objects.get(path).cloned()
    }

    /// What was asked since the last call, as `METHOD path`.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().log)
    }

    /// End all watches so that they must list again: 410.
    pub(crate) fn expire(&self) {
        let gone = json!({"type": "ERROR", "object": failure(410, "too old resource version")});
        for watch in std::mem::take(&mut self.0.lock().watches) {
            let _ = watch.events.send(gone.clone());
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Answer> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes);
        let sent = serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or(Value::Null);
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let line = format!("{} {path}", parts.method);
        let mut state = self.0.lock();
        let watch = query.contains("watch=true");
        state
            .log
            .push(if watch { format!("WATCH {path}") } else { line.clone() });
        if let Some(code) = state.scripted_code(&line) {
            return reply(code, &failure(code, "scripted"));
        }
        if watch {
            return stream(state.watch(&path));
        }
        let (code, answer) = state.handle(&parts.method, &path, sent);
        reply(code, &answer)
    }
}

impl State {
    fn scripted_code(&mut self, line: &str) -> Option<u16> {
        let path = line.split(' ').nth(1).unwrap_or_default();
        if let Some((_, code)) = self.refused.iter().find(|(like, _)| path.starts_with(like.as_str())) {
            return Some(*code);
        }
        let at = self.scripted.iter().position(|(like, _)| line.starts_with(like))?;
        self.scripted.remove(at).map(|(_, code)| code)
    }

    fn handle(&mut self, method: &Method, path: &str, sent: Value) -> (u16, Value) {
        let stored = path.strip_suffix("/status").unwrap_or(path);
        let current = self.objects.get(stored).cloned();
        match (method.as_str(), current) {
            ("GET", Some(object)) => (200, object),
            ("GET", None) if is_collection(path) => (200, self.list(path)),
            ("POST", _) => {
                let at = format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap_or_default());
                if self.objects.contains_key(&at) {
                    return (409, failure(409, "already exists"));
                }
                (201, self.put(&at, sent))
            }
            (_, None) => (404, failure(404, "not found")),
            ("DELETE", Some(object)) => {
                let uid = &sent["preconditions"]["uid"];
                if !uid.is_null() && *uid != object["metadata"]["uid"] {
                    return (409, failure(409, "the uid is another"));
                }
                self.remove(path);
                (200, json!({"kind": "Status", "status": "Success"}))
            }
            (verb, Some(object)) => {
                let version = &sent["metadata"]["resourceVersion"];
                if !version.is_null() && *version != object["metadata"]["resourceVersion"] {
                    return (409, failure(409, "the object has been modified"));
                }
                let mut after = object;
                if verb == "PUT" {
                    after = sent;
                } else {
                    json::merge(&mut after, &sent);
                }
                (200, self.put(stored, after))
            }
        }
    }

    fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        json::set(
            &mut object,
            &["metadata", "resourceVersion"],
            json!(self.version.to_string()),
        );
        if object["metadata"]["uid"].is_null() {
            json::set(
                &mut object,
                &["metadata", "uid"],
                json!(format!("uid-{}", self.version)),
            );
        }
        json::set(
            &mut object,
            &["metadata", "managedFields"],
            json!([{"manager": "test"}]),
        );
        let known = self.objects.insert(path.to_owned(), object.clone()).is_some();
        self.tell(path, if known { "MODIFIED" } else { "ADDED" }, &object);
        object
    }

    fn remove(&mut self, path: &str) {
        let Some(mut object) = self.objects.remove(path) else {
            return;
        };
        self.version += 1;
        json::set(
            &mut object,
            &["metadata", "resourceVersion"],
            json!(self.version.to_string()),
        );
        self.tell(path, "DELETED", &object);
    }

    fn tell(&mut self, path: &str, kind: &str, object: &Value) {
        let event = json!({"type": kind, "object": object});
        self.watches
            .retain(|watch| !is_in(path, &watch.collection) || watch.events.send(event.clone()).is_ok());
    }

    fn list(&self, collection: &str) -> Value {
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(path, _)| is_in(path, collection))
            .collect();
        // As the real server: items of a list have no kind.
        let bare = items.iter().map(|(_, object)| {
            let mut object = (*object).clone();
            if let Some(fields) = object.as_object_mut() {
                fields.retain(|key, _| key != "kind" && key != "apiVersion");
            }
            object
        });
        json!({
            "apiVersion": "v1", "kind": "List",
            "metadata": {"resourceVersion": self.version.to_string()},
            "items": bare.collect::<Vec<_>>(),
        })
    }

    fn watch(&mut self, collection: &str) -> UnboundedReceiver<Value> {
        let (events, receiver) = unbounded_channel();
        self.watches.push(Watch {
            collection: collection.to_owned(),
            events,
        });
        receiver
    }
}

/// Paths end in a plural, or in a plural and a name.
fn is_collection(path: &str) -> bool {
    path.split('/').next_back().is_some_and(|last| last.ends_with('s'))
}

/// Whether an object's path is of a collection, across namespaces when the collection names none.
fn is_in(path: &str, collection: &str) -> bool {
    let plural = |path: &str| path.rsplit('/').nth(1).map(str::to_owned);
    let whole = collection.rsplit('/').next().map(str::to_owned);
    let root = collection.rsplit_once('/').map_or("", |(root, _)| root);
    plural(path) == whole && path.starts_with(root)
}

pub(crate) fn failure(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": ""})
}

fn reply(code: u16, body: &Value) -> Response<Answer> {
    let mut response = Response::new(Full::from(body.to_string()).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
    response
}

fn stream(events: UnboundedReceiver<Value>) -> Response<Answer> {
    let lines = futures::stream::unfold(events, |mut events| async move {
        let event: Value = events.recv().await?;
        Some((Bytes::from(format!("{event}\n")), events))
    });
    let frames = lines.then(|line| async move { Full::new(line).frame().await.unwrap() });
    Response::new(StreamBody::new(frames).boxed_unsync())
}
