//! Where a pod template names ConfigMaps and Secrets.

use serde_json::Value;

use crate::objects::{Kind, kinds};

/// Field of the source, field of the name in it, kind of the object.
type Form = (&'static str, &'static str, Kind);

const VOLUME: [Form; 2] = [
    ("configMap", "name", kinds::CONFIG_MAP),
    ("secret", "secretName", kinds::SECRET),
];
const PROJECTED: [Form; 2] = [
    ("configMap", "name", kinds::CONFIG_MAP),
    ("secret", "name", kinds::SECRET),
];
const ENV: [Form; 2] = [
    ("configMapKeyRef", "name", kinds::CONFIG_MAP),
    ("secretKeyRef", "name", kinds::SECRET),
];
const ENV_FROM: [Form; 2] = [
    ("configMapRef", "name", kinds::CONFIG_MAP),
    ("secretRef", "name", kinds::SECRET),
];

/// One place that names an object.
pub(super) struct Place {
    /// Kind of the object.
    pub(super) kind: Kind,
    /// Its name; never empty.
    pub(super) name: String,
    /// Whether pods start without it.
    pub(super) optional: bool,
    /// JSON pointer to the name.
    pointer: String,
}

/// All places, in the order of workloads.md 12.1: volumes, containers, init containers.
pub(super) fn of(pod_template: &Value) -> Vec<Place> {
    let spec = &pod_template["spec"];
    let mut found = Vec::new();
    for (volume, at) in items(&spec["volumes"], "/spec/volumes") {
        collect(&mut found, volume, &at, &VOLUME);
        let sources = &volume["projected"]["sources"];
        for (source, at) in items(sources, &format!("{at}/projected/sources")) {
            collect(&mut found, source, &at, &PROJECTED);
        }
    }
    for list in ["containers", "initContainers"] {
        for (container, at) in items(&spec[list], &format!("/spec/{list}")) {
            for (variable, at) in items(&container["env"], &format!("{at}/env")) {
                collect(&mut found, &variable["valueFrom"], &format!("{at}/valueFrom"), &ENV);
            }
            for (source, at) in items(&container["envFrom"], &format!("{at}/envFrom")) {
                collect(&mut found, source, &at, &ENV_FROM);
            }
        }
    }
    found
}

/// The pod template as if no config had a copy: `-primary` is cut from every name.
pub(crate) fn without_suffix(mut pod_template: Value) -> Value {
    for place in of(&pod_template) {
        if let Some(name) = place.name.strip_suffix("-primary") {
            place.rename(&mut pod_template, name.to_owned());
        }
    }
    pod_template
}

fn items<'a>(list: &'a Value, at: &str) -> impl Iterator<Item = (&'a Value, String)> {
    let entries = list.as_array().into_iter().flatten();
    entries
        .enumerate()
        .map(move |(index, item)| (item, format!("{at}/{index}")))
}

fn collect(found: &mut Vec<Place>, parent: &Value, at: &str, forms: &[Form]) {
    for (field, name_field, kind) in forms {
        let source = &parent[*field];
        let Some(name) = source[*name_field].as_str().filter(|name| !name.is_empty()) else {
            continue;
        };
        found.push(Place {
            kind: *kind,
            name: name.to_owned(),
            optional: source["optional"] == true,
            pointer: format!("{at}/{field}/{name_field}"),
        });
    }
}

// === impl Place ===

impl Place {
    /// Put another name at this place of the template in which it was found.
    pub(super) fn rename(&self, pod_template: &mut Value, name: String) {
        if let Some(at) = pod_template.pointer_mut(&self.pointer) {
            *at = Value::String(name);
        }
    }
}
