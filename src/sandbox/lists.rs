//! What lists and maps mean when objects are merged: a builtin kind's are in tables here, those of a CRD in its schema. What is in
//! neither is replaced as a whole.

use super::kinds::Resource;
use serde_json::{Map, Value};

/// How a list is merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Merging {
    /// As a whole.
    Atomic,
    /// Value by value.
    Set,
    /// Item by item; these fields say which is which.
    Map(Vec<String>),
}

/// A place in an object of some kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Site<'a> {
    /// A field of a builtin kind.
    Native { kind: &'a str, field: &'a str },
    /// A place of a custom kind with its schema, which may be null; the root is special for its metadata.
    Custom { schema: &'a Value, root: bool },
}

/// Kind, or empty for all; field; key in strategic merge patches; keys in server-side apply. The first fitting row counts.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const LISTS: [Row; 16] = [
    ("Service", "ports", "port", &["port", "protocol"]),
    ("ServiceAccount", "secrets", "name", &["name"]),
    ("", "ports", "containerPort", &["containerPort", "protocol"]),
    ("", "containers", "name", &["name"]),
    ("", "initContainers", "name", &["name"]),
    ("", "ephemeralContainers", "name", &["name"]),
    ("", "env", "name", &["name"]),
    ("", "volumes", "name", &["name"]),
    ("", "volumeMounts", "mountPath", &["mountPath"]),
    ("", "volumeDevices", "devicePath", &["devicePath"]),
    ("", "imagePullSecrets", "name", &["name"]),
    ("", "hostAliases", "ip", &["ip"]),
    ("", "schedulingGates", "name", &["name"]),
    (
        "",
        "topologySpreadConstraints",
        "topologyKey",
        &["topologyKey", "whenUnsatisfiable"],
    ),
    ("", "conditions", "type", &["type"]),
    ("", "ownerReferences", "uid", &["uid"]),
];
/// Lists of builtin kinds whose values are a set.
const SETS: [&str; 1] = ["finalizers"];
/// Maps of builtin kinds that server-side apply takes as a whole: selectors and references.
const WHOLE: [&str; 13] = [
    "selector",
    "nodeSelector",
    "labelSelector",
    "namespaceSelector",
    "podSelector",
    "configMapKeyRef",
    "secretKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "roleRef",
    "involvedObject",
    "related",
    "regarding",
];

// === impl Site ===

impl<'a> Site<'a> {
    /// The root of objects of this kind.
    pub(super) fn root(resource: &'a Resource) -> Self {
        match &resource.definition {
            Some(definition) => Self::Custom {
                schema: definition.schema(),
                root: true,
            },
            None if resource.custom => Self::Custom {
                schema: &Value::Null,
                root: true,
            },
            None => Self::Native {
                kind: &resource.kind,
                field: "",
            },
        }
    }

    pub(super) fn field(self, name: &'a str) -> Self {
        match self {
            Self::Native { kind, .. } => Self::Native { kind, field: name },
            Self::Custom { root: true, .. } if name == "metadata" => Self::Native { kind: "", field: name },
            Self::Custom { schema, .. } => {
                let declared = schema["properties"].get(name);
                Self::Custom {
                    schema: declared.unwrap_or(&schema["additionalProperties"]),
                    root: false,
                }
            }
        }
    }

    /// The items of the list at this place.
    pub(super) fn item(self) -> Self {
        match self {
            Self::Native { .. } => self,
            Self::Custom { schema, .. } => Self::Custom {
                schema: &schema["items"],
                root: false,
            },
        }
    }

    /// How server-side apply merges the list at this place.
    pub(super) fn merging(self) -> Merging {
        match self {
            Self::Native { field, .. } if SETS.contains(&field) => Merging::Set,
            Self::Native { .. } => self.row().map_or(Merging::Atomic, |row| {
                Merging::Map(row.3.iter().map(|key| (*key).to_owned()).collect())
            }),
            Self::Custom { schema, .. } => match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => Merging::Set,
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                    Merging::Map(keys.filter_map(Value::as_str).map(str::to_owned).collect())
                }
                _ => Merging::Atomic,
            },
        }
    }

    /// How a strategic merge patch merges the list at this place.
    pub(super) fn strategy(self) -> Merging {
        match self {
            Self::Native { field, .. } if SETS.contains(&field) => Merging::Set,
            _ => self
                .row()
                .map_or(Merging::Atomic, |row| Merging::Map(vec![row.2.to_owned()])),
        }
    }

    /// Whether server-side apply takes the map at this place as a whole.
    pub(super) fn is_whole(self) -> bool {
        match self {
            Self::Native { field, .. } => WHOLE.contains(&field),
            Self::Custom { schema, .. } => schema["x-kubernetes-map-type"] == "atomic",
        }
    }

    fn row(self) -> Option<&'static Row> {
        let Self::Native { kind, field } = self else {
            return None;
        };
        LISTS
            .iter()
            .find(|row| row.1 == field && (row.0.is_empty() || row.0 == kind))
    }
}

/// What tells an item of a keyed list from the others.
pub(super) fn key_of(item: &Value, keys: &[String]) -> Value {
    let key = keys.iter().filter_map(|key| {
        let found = item.get(key).filter(|found| !found.is_null());
        // The one key of builtin lists that has a default.
        let found = found.cloned().or_else(|| (key == "protocol").then(|| "TCP".into()));
        found.map(|found| (key.clone(), found))
    });
    Value::Object(key.collect::<Map<_, _>>())
}
