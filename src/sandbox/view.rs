//! How objects are shown: whole, or their metadata only.

use super::kinds::Resource;
use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::sync::Arc;

/// `apiVersion` of metadata-only answers.
pub(super) const PARTIAL_VERSION: &str = "meta.k8s.io/v1";
/// Kind of metadata-only answers.
pub(super) const PARTIAL_KIND: &str = "PartialObjectMetadata";

/// A page of a list.
pub(super) struct Page {
    pub(super) items: Vec<Arc<Value>>,
    /// Revision that the page shows.
    pub(super) revision: u64,
    /// Token for the next page.
    pub(super) next: Option<String>,
    /// Objects after this page; unknown where a selector is used.
    pub(super) remaining: Option<usize>,
}

/// An item of a list: native kinds leave out apiVersion and kind there.
struct Item<'a> {
    object: &'a Value,
    typed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: String,
    api_version: String,
    metadata: Value,
    items: Vec<Item<'a>>,
}

/// The object with nothing but its metadata.
pub(super) fn partial(object: &Value) -> Value {
    json!({ "apiVersion": PARTIAL_VERSION, "kind": PARTIAL_KIND, "metadata": object["metadata"] })
}

/// The JSON text of one object.
pub(super) fn text(object: &Value, metadata_only: bool) -> Bytes {
    if metadata_only {
        return Bytes::from(partial(object).to_string());
    }
    Bytes::from(object.to_string())
}

/// One line of a watch.
pub(super) fn event(verb: &str, object: &Value, metadata_only: bool) -> Bytes {
    let object = text(object, metadata_only);
    let head = format!("{{\"type\":\"{verb}\",\"object\":");
    let mut line = Vec::with_capacity(head.len() + object.len() + 2);
    line.extend_from_slice(head.as_bytes());
    line.extend_from_slice(&object);
    line.extend_from_slice(b"}\n");
    Bytes::from(line)
}

/// The JSON text of a list.
pub(super) fn list(resource: &Resource, page: &Page, metadata_only: bool) -> Result<Bytes, serde_json::Error> {
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if let Some(next) = &page.next {
        metadata["continue"] = json!(next);
        if let Some(remaining) = page.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
    }
    if metadata_only {
        let items: Vec<Value> = page.items.iter().map(|object| partial(object)).collect();
        let kind = format!("{PARTIAL_KIND}List");
        let list = json!({ "kind": kind, "apiVersion": PARTIAL_VERSION, "metadata": metadata, "items": items });
        return serde_json::to_vec(&list).map(Bytes::from);
    }
    let list = List {
        kind: format!("{}List", resource.kind),
        api_version: resource.api_version(),
        metadata,
        items: page
            .items
            .iter()
            .map(|object| Item {
                object,
                typed: resource.custom,
            })
            .collect(),
    };
    serde_json::to_vec(&list).map(Bytes::from)
}

// === impl Item ===

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.object.as_object().into_iter().flatten();
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in fields.filter(|(key, _)| self.typed || !["apiVersion", "kind"].contains(&key.as_str())) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
