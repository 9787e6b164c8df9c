//! OpenAPI v3 documents, as far as `kubectl explain` and kubectl's check before an apply read them: the paths of objects, and the
//! schemas.
//!
//! Strategic merge patches are served but not offered here: kubectl then plans them with its own tables of merge keys, and these
//! schemas have none.

use super::{
    discovery,
    failure::Failure,
    kinds::Resource,
    natives::{self, PLACE},
    store::Store,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Parameters of writes that clients look for.
const PARAMETERS: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];

/// Media type of OpenAPI v2. kubectl asks for it where v3 does not know a kind; the empty document says that v2 does not either.
pub(super) const OLD: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// `/openapi/v3`: where the documents are.
pub(super) fn index(store: &Store) -> Value {
    let kinds = store.topics.values().map(|topic| topic.resource.as_ref());
    let paths: BTreeSet<String> = kinds.map(|kind| place(&kind.group, &kind.version)).collect();
    let entry = |path: String| {
        let address = json!({ "serverRelativeURL": format!("/openapi/v3/{path}") });
        (path, address)
    };
    json!({ "paths": paths.into_iter().map(entry).collect::<Map<_, _>>() })
}

/// The document of a group and version.
pub(super) fn document(store: &Store, group: &str, version: &str) -> Result<Value, Failure> {
    let kinds = discovery::kinds(store, group, version);
    if kinds.is_empty() {
        return Err(Failure::NoPage);
    }
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in kinds {
        let base = if kind.namespaced {
            format!("/{}/namespaces/{{namespace}}/{}", place(group, version), kind.plural)
        } else {
            format!("/{}/{}", place(group, version), kind.plural)
        };
        paths.insert(format!("{base}/{{name}}"), operations(kind, &["get", "put", "patch"]));
        paths.insert(base, operations(kind, &["get", "post"]));
        collect(kind, &mut schemas);
    }
    Ok(json!({
        "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": "v1.36.0" },
        "paths": paths, "components": { "schemas": schemas },
    }))
}

fn place(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn gvk(kind: &Resource) -> Value {
    json!({ "group": kind.group, "version": kind.version, "kind": kind.kind })
}

fn operations(kind: &Resource, verbs: &[&str]) -> Value {
    let schema = json!({ "type": "string" });
    let parameters = PARAMETERS.map(|name| json!({ "name": name, "in": "query", "schema": schema }));
    let operation = |verb: &&str| {
        let mut operation = json!({ "x-kubernetes-group-version-kind": gvk(kind), "responses": {} });
        if *verb != "get" {
            operation["parameters"] = json!(parameters);
            let media = if *verb == "patch" {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            operation["requestBody"] = json!({ "content": { media: {} } });
        }
        ((*verb).to_owned(), operation)
    };
    Value::Object(verbs.iter().map(operation).collect())
}

/// Add the schema of a kind and all that it refers to.
fn collect(kind: &Resource, schemas: &mut Map<String, Value>) {
    if let Some(name) = natives::name(kind).filter(|_| kind.definition.is_none()) {
        add(name, schemas);
        return;
    }
    let mut schema = kind
        .definition
        .as_ref()
        .map_or_else(free, |definition| definition.schema().clone());
    // The fields that every object has, in the words of a builtin kind.
    if let Some(known) = natives::schemas().get("io.k8s.api.core.v1.ConfigMap") {
        for field in ["apiVersion", "kind", "metadata"] {
            schema["properties"][field] = known["properties"][field].clone();
        }
    }
    schema["x-kubernetes-group-version-kind"] = json!([gvk(kind)]);
    for name in references(&schema) {
        add(&name, schemas);
    }
    let group: Vec<&str> = kind.group.split('.').rev().collect();
    schemas.insert(format!("{}.{}.{}", group.join("."), kind.version, kind.kind), schema);
}

/// The schema of a kind that has none.
fn free() -> Value {
    json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

fn add(name: &str, schemas: &mut Map<String, Value>) {
    if schemas.contains_key(name) {
        return;
    }
    if let Some(schema) = natives::schemas().get(name) {
        schemas.insert(name.to_owned(), schema.clone());
        for name in references(schema) {
            add(&name, schemas);
        }
    }
}

/// Names of the schemas that a schema refers to.
fn references(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![schema];
    while let Some(at) = open.pop() {
        match at {
            Value::Object(fields) => {
                let name = at["$ref"].as_str().and_then(|reference| reference.strip_prefix(PLACE));
                found.extend(name.map(str::to_owned));
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}
