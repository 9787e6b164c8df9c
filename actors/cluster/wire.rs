//! Single calls of the Kubernetes API in raw JSON: no retries, no policy. What fails is classified as [`Trouble`].

use engine::{
    Kind, ObjectRef,
    http::{BODY_BYTES_MAX, Response},
    seam::Trouble,
};
use http_body_util::{BodyExt, Limited};
use kube::{
    Client, Error, Resource,
    api::{ApiResource, DeleteParams, DynamicObject, GetParams, Patch, PatchParams, PostParams, Preconditions},
    client::Body,
    core::Request,
};
use serde_json::{Value, json};
use std::{error::Error as _, time::Duration};

/// Owner of our writes in `metadata.managedFields`: the peer's, so that objects change hands without conflicts.
const FIELD_MANAGER: &str = "flagger";

/// Levels of causes that an error text tells; deeper ones repeat the same words.
const CAUSES: usize = 6;

type Built = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

/// The connection to one API server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wire {
    client: Client,
    /// Longest time for one call, its body included.
    deadline: Duration,
}

// === impl Wire ===

impl Wire {
    pub(crate) fn new(client: Client, deadline: Duration) -> Self {
        Self { client, deadline }
    }

    pub(crate) async fn get(&self, of: &ObjectRef) -> Result<Value, Trouble> {
        self.call(of, |request| request.get(&of.name, &GetParams::default()))
            .await
    }

    /// The answer to a `GET`, its body bounded.
    pub(crate) async fn fetch(&self, path: &str) -> Result<Response, Trouble> {
        let refused = |error: &dyn std::fmt::Display| Trouble::Refused(error.to_string());
        let request = http::Request::get(path).body(Body::empty());
        let request = request.map_err(|error| refused(&error))?;
        let exchange = async {
            let answer = self.client.send(request).await.map_err(|error| classify(&error))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), BODY_BYTES_MAX).collect().await;
            let body =
                body.map_err(|error| Trouble::Unavailable(format!("unreadable answer from the API server: {error}")))?;
            Ok(Response {
                status,
                body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                retry_after: None,
            })
        };
        let late = |_| Trouble::Unavailable(format!("no answer from the API server in {:?}", self.deadline));
        tokio::time::timeout(self.deadline, exchange).await.map_err(late)?
    }

    pub(crate) async fn create(&self, of: &ObjectRef, object: &Value) -> Result<Value, Trouble> {
        let whole = complete(of, object);
        self.call(of, |request| {
            request.create(&post_params(), whole.to_string().into_bytes())
        })
        .await
    }

    /// The whole object; its `metadata.resourceVersion` is the precondition.
    pub(crate) async fn replace(&self, of: &ObjectRef, object: &Value) -> Result<Value, Trouble> {
        let body = complete(of, object).to_string().into_bytes();
        self.call(of, |request| request.replace(&of.name, &post_params(), body))
            .await
    }

    pub(crate) async fn merge(&self, of: &ObjectRef, patch: &Value) -> Result<Value, Trouble> {
        self.call(of, |request| {
            request.patch(&of.name, &patch_params(), &Patch::Merge(patch))
        })
        .await
    }

    pub(crate) async fn merge_status(&self, of: &ObjectRef, patch: &Value) -> Result<Value, Trouble> {
        self.call(of, |request| {
            request.patch_subresource("status", &of.name, &patch_params(), &Patch::Merge(patch))
        })
        .await
    }

    pub(crate) async fn delete(&self, of: &ObjectRef, uid: &str) -> Result<Value, Trouble> {
        let only = Preconditions {
            uid: (!uid.is_empty()).then(|| uid.to_owned()),
            resource_version: None,
        };
        let params = DeleteParams::default().preconditions(only);
        self.call(of, |request| request.delete(&of.name, &params)).await
    }

    async fn call(&self, of: &ObjectRef, build: impl FnOnce(Request) -> Built) -> Result<Value, Trouble> {
        let namespace = of.kind.is_namespaced().then_some(of.namespace.as_str());
        for part in namespace.into_iter().chain([of.name.as_str()]) {
            refuse_unsafe(part)?;
        }
        let path = DynamicObject::url_path(&api_resource(of.kind), namespace);
        let request = build(Request::new(path)).map_err(|error| Trouble::Refused(error.to_string()))?;
        let answer = tokio::time::timeout(self.deadline, self.client.request_text(request)).await;
        let text = answer
            .map_err(|_| Trouble::Unavailable(format!("no answer from the API server in {:?}", self.deadline)))?
            .map_err(|error| classify(&error))?;
        // Parsed here and not by the client, which logs the whole body when it cannot: it may be a Secret.
        let mut object = serde_json::from_str(&text)
            .map_err(|error| Trouble::Unavailable(format!("unreadable answer from the API server: {error}")))?;
        tidy(&mut object);
        Ok(object)
    }
}

/// Names become parts of a URL, and some come from users (`templateRef.namespace`): `../` must not reach another resource.
fn refuse_unsafe(part: &str) -> Result<(), Trouble> {
    let plain = part
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if plain && !part.is_empty() && part.bytes().any(|byte| byte != b'.') {
        return Ok(());
    }
    Err(Trouble::Refused(format!("`{part}` is not a valid name")))
}

fn post_params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PostParams::default()
    }
}

fn patch_params() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PatchParams::default()
    }
}

/// The object with the identity that its reference tells.
fn complete(of: &ObjectRef, object: &Value) -> Value {
    let mut whole = object.clone();
    let mut identity = json!({
        "apiVersion": of.kind.api_version(),
        "kind": of.kind.kind,
        "metadata": {"name": of.name},
    });
    if of.kind.is_namespaced() {
        identity["metadata"]["namespace"] = json!(of.namespace);
    }
    engine::json::merge(&mut whole, &identity);
    whole
}

/// The kind as the client names it.
pub(crate) fn api_resource(kind: Kind) -> ApiResource {
    ApiResource {
        group: kind.group.into(),
        version: kind.version.into(),
        api_version: kind.api_version(),
        kind: kind.kind.into(),
        plural: kind.plural.into(),
    }
}

/// Drop what nobody decides on: `managedFields` are often half of an object.
pub(crate) fn tidy(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// What a failed call means for the caller. The text is the API server's, where it sent one.
pub(crate) fn classify(error: &Error) -> Trouble {
    match error {
        Error::Api(status) => {
            let text = match (status.message.as_str(), status.reason.as_str()) {
                ("", "") => format!("the API server answered {}", status.code),
                ("", reason) => reason.to_owned(),
                (message, _) => message.to_owned(),
            };
            match status.code {
                404 => Trouble::NotFound(text),
                409 => Trouble::Conflict(text),
                // 401: the token is being rotated; 408, 410 and 429: come again.
                401 | 408 | 410 | 429 => Trouble::Unavailable(text),
                400..=499 => Trouble::Refused(text),
                _ => Trouble::Unavailable(text),
            }
        }
        Error::BuildRequest(_) | Error::HttpError(_) => Trouble::Refused(error.to_string()),
        _ => Trouble::Unavailable(with_causes(error)),
    }
}

fn with_causes(error: &Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let mut text = error.to_string();
    for cause in causes.take(CAUSES).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
