//! The primary's copies of ConfigMaps and Secrets.

use crds::{Canary, GROUP};
use serde_json::{Map, Value, json};

use crate::{
    ObjectRef,
    json::set,
    objects::{kinds, metadata_map, owner_reference},
    workloads::metadata::{by_prefix, put_map, settled},
};

/// Fields of a source that its copy takes over. `immutable` is not among them: the copy must follow the next release.
const COPIED: [&str; 3] = ["data", "binaryData", "type"];

/// Where the copy of a ConfigMap or Secret lives.
pub fn copy_ref(source: &ObjectRef) -> ObjectRef {
    source
        .kind
        .named(&source.namespace, &format!("{}-primary", source.name))
}

/// The copy `<name>-primary` of a ConfigMap or Secret as it shall be, made from the copy as it is (workloads.md 12.4).
///
/// Content and type are the source's, `binaryData` included (WL-11); labels are the source's by prefix. Annotations are not copied.
/// This Canary becomes the controller; other owners stay, not as controllers, so that canaries can share a config. What others
/// put on the copy stays.
pub fn copy(canary: &Canary, source: &Value, current: Option<&Value>, prefixes: &[String]) -> Value {
    let mut desired = current.cloned().unwrap_or_else(|| blank(canary, source));
    for field in COPIED {
        put(&mut desired, field, &source[field]);
    }
    let labels = by_prefix(&metadata_map(source, "labels"), prefixes);
    let labels = settled(metadata_map(&desired, "labels"), labels, prefixes);
    put_map(&mut desired, "labels", labels);
    let owners = owners(canary, &desired);
    set(&mut desired, &["metadata", "ownerReferences"], owners);
    desired
}

fn blank(canary: &Canary, source: &Value) -> Value {
    let is_secret = source["kind"] == "Secret" || source["type"].is_string();
    let kind = if is_secret { kinds::SECRET } else { kinds::CONFIG_MAP };
    let name = source["metadata"]["name"].as_str().unwrap_or_default();
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {"name": format!("{name}-primary"), "namespace": canary.namespace()},
    })
}

fn put(object: &mut Value, field: &str, value: &Value) {
    let Value::Object(fields) = object else { return };
    if value.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), value.clone());
    }
}

fn owners(canary: &Canary, current: &Value) -> Value {
    let mut owners = vec![owner_reference(canary)];
    let present = current["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    for other in present.filter(|owner| !is_this(owner, canary)) {
        let mut fields: Map<String, Value> = other.as_object().cloned().unwrap_or_default();
        fields.insert("controller".to_owned(), Value::Bool(false));
        owners.push(Value::Object(fields));
    }
    Value::Array(owners)
}

/// A reference to this Canary, also to one of the same name that was deleted and made anew.
fn is_this(owner: &Value, canary: &Canary) -> bool {
    let group = owner["apiVersion"].as_str().and_then(|text| text.split('/').next());
    group == Some(GROUP) && owner["kind"] == "Canary" && owner["name"] == canary.name()
}
