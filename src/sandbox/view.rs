//! How objects are shown: whole, their metadata only, or as rows of a table.

use super::{kinds::Resource, table};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::sync::Arc;

/// `apiVersion` of metadata-only answers.
pub(super) const PARTIAL_VERSION: &str = "meta.k8s.io/v1";
/// Kind of metadata-only answers.
pub(super) const PARTIAL_KIND: &str = "PartialObjectMetadata";

/// What a caller wants to see of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Whole,
    Metadata,
    Table(Inside),
}

/// What a row of a table carries besides its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Nothing,
    Metadata,
    Object,
}

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
pub(super) fn text(resource: &Resource, object: &Value, shape: Shape, now: Timestamp) -> Bytes {
    match shape {
        Shape::Whole => Bytes::from(object.to_string()),
        Shape::Metadata => Bytes::from(partial(object).to_string()),
        Shape::Table(inside) => {
            let mut table = table::table(resource, std::iter::once(object), inside, now);
            table["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
            Bytes::from(table.to_string())
        }
    }
}

/// One line of a watch, around the text of an object.
pub(super) fn event(verb: &str, object: &[u8]) -> Bytes {
    let head = format!("{{\"type\":\"{verb}\",\"object\":");
    let mut line = Vec::with_capacity(head.len() + object.len() + 2);
    line.extend_from_slice(head.as_bytes());
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    Bytes::from(line)
}

/// The JSON text of a list.
pub(super) fn list(resource: &Resource, page: &Page, shape: Shape, now: Timestamp) -> Result<Bytes, serde_json::Error> {
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if let Some(next) = &page.next {
        metadata["continue"] = json!(next);
        if let Some(remaining) = page.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
    }
    if let Shape::Table(inside) = shape {
        let objects = page.items.iter().map(AsRef::as_ref);
        let mut table = table::table(resource, objects, inside, now);
        table["metadata"] = metadata;
        return serde_json::to_vec(&table).map(Bytes::from);
    }
    if shape == Shape::Metadata {
        let items: Vec<Value> = page.items.iter().map(|object| partial(object)).collect();
        let kind = format!("{PARTIAL_KIND}List");
        let list = json!({ "kind": kind, "apiVersion": PARTIAL_VERSION, "metadata": metadata, "items": items });
        return serde_json::to_vec(&list).map(Bytes::from);
    }
    let list = List {
        kind: resource.list_kind(),
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

// === impl Shape ===

impl Shape {
    /// Read the `Accept` header and the parameter `includeObject`.
    pub(super) fn parse(accept: &str, include: &str) -> Self {
        if accept.contains("as=Table") {
            return Self::Table(match include {
                "None" => Inside::Nothing,
                "Object" => Inside::Object,
                _ => Inside::Metadata,
            });
        }
        if accept.contains("as=PartialObjectMetadata") {
            return Self::Metadata;
        }
        Self::Whole
    }
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
