//! Objects as they come from a watch: raw JSON that cannot fail to decode, so one odd object never stops a watch (W-41).

use engine::{Kind, ObjectRef};
use kube::{
    Resource,
    api::{ApiResource, ObjectMeta},
    core::DynamicResourceScope,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::borrow::Cow;

use crate::cluster::wire::tidy;

/// On ConfigMaps and Secrets this annotation repeats their data.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object, whole or only its metadata (`BARE`).
#[derive(Clone, Debug)]
pub(super) struct Raw<const BARE: bool> {
    /// Only what the watch itself needs.
    meta: ObjectMeta,
    pub(super) object: Value,
}

// === impl Raw ===

impl<'de, const BARE: bool> Deserialize<'de> for Raw<BARE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Value::deserialize(deserializer)?;
        tidy(&mut object);
        let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        let meta = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { meta, object })
    }
}

impl<const BARE: bool> Resource for Raw<BARE> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn metadata_api() -> bool {
        BARE
    }

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        of.kind.as_str().into()
    }

    fn group(of: &ApiResource) -> Cow<'_, str> {
        of.group.as_str().into()
    }

    fn version(of: &ApiResource) -> Cow<'_, str> {
        of.version.as_str().into()
    }

    fn plural(of: &ApiResource) -> Cow<'_, str> {
        of.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Where an object stands in its shard, and the key of a canary: `<namespace>/<name>`.
pub fn key_of(of: &ObjectRef) -> String {
    format!("{}/{}", of.namespace, of.name)
}

/// The same for an object; `None` for one without a name.
pub(super) fn place_of(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    Some(format!("{namespace}/{}", metadata["name"].as_str()?))
}

/// The object as the caches keep it. Lists leave out the kind and metadata watches name another one, so both are set here.
pub(super) fn shape(kind: Kind, bare: bool, mut object: Value) -> Value {
    if bare {
        object = json!({ "metadata": object["metadata"].take() });
        if let Some(annotations) = object["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    engine::json::set(&mut object, &["apiVersion"], json!(kind.api_version()));
    engine::json::set(&mut object, &["kind"], json!(kind.kind));
    object
}
