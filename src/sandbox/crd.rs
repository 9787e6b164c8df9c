//! CustomResourceDefinitions: a stored one is served at once, with its schema, columns and subresources. Of several versions only the
//! one that is stored can be used; nothing converts.

use super::{
    failure::Cause,
    history::{Change, Verb},
    kinds::{CRD_GROUP, CRD_PLURAL, Resource},
    metadata,
    store::{Id, Store},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a CRD says about its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// `spec.names`
    names: Value,
    /// The stored entry of `spec.versions`.
    version: Value,
    /// Names of the other served versions.
    others: Vec<String>,
}

// === impl Definition ===

impl Definition {
    /// The schema of objects.
    pub(super) fn schema(&self) -> &Value {
        &self.version["schema"]["openAPIV3Schema"]
    }

    /// Whether the CRD serves a version that the sandbox does not.
    pub(super) fn lacks(&self, version: &str) -> bool {
        self.others.iter().any(|other| other == version)
    }

    pub(super) fn columns(&self) -> &[Value] {
        self.version["additionalPrinterColumns"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    pub(super) fn name(&self, field: &str) -> Option<String> {
        self.names[field].as_str().map(str::to_owned)
    }

    pub(super) fn names(&self, field: &str) -> Vec<String> {
        let names = self.names[field].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(super) fn scale(&self) -> Option<[String; 3]> {
        let scale = self.version["subresources"]["scale"].as_object()?;
        let pointer = |field: &str| {
            scale
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .replace('.', "/")
        };
        Some(["specReplicasPath", "statusReplicasPath", "labelSelectorPath"].map(pointer))
    }
}

// === impl Store ===

impl Store {
    /// Serve what new and changed CRDs define and forget what deleted ones did.
    pub(super) fn follow_crds(&mut self, touched: &[(Id, Arc<Change>)], now: Timestamp) {
        let is_crd = |id: &Id| id.topic.0 == CRD_GROUP && id.topic.1 == CRD_PLURAL;
        for (id, change) in touched.iter().filter(|(id, _)| is_crd(id)) {
            let Some(resource) = resource(&change.object) else {
                continue;
            };
            if change.verb == Verb::Deleted {
                self.uninstall(&(resource.group, resource.plural));
                continue;
            }
            self.define(resource);
            let status = status(&change.object, now);
            // A CRD that is gone again is the only failure.
            drop(self.amend(id, |crd| crd["status"] = status));
        }
    }
}

/// The kind that a CRD defines; `None` while it names none.
pub(super) fn resource(crd: &Value) -> Option<Resource> {
    let spec = &crd["spec"];
    let versions = spec["versions"].as_array()?;
    let version = versions.iter().find(|version| version["storage"] == true)?;
    let others = versions
        .iter()
        .filter(|other| other["served"] == true && other["storage"] != true);
    let mut resource = Resource::custom(
        spec["group"].as_str()?,
        version["name"].as_str()?,
        spec["names"]["kind"].as_str()?,
        spec["names"]["plural"].as_str()?,
    );
    resource.namespaced = spec["scope"] == "Namespaced";
    resource.has_status = version["subresources"]["status"].is_object();
    resource.definition = Some(Arc::new(Definition {
        names: spec["names"].clone(),
        version: version.clone(),
        others: others
            .filter_map(|other| other["name"].as_str())
            .map(str::to_owned)
            .collect(),
    }));
    Some(resource)
}

/// Names that a CRD may leave out.
pub(super) fn preset_names(crd: &mut Value) {
    let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
    let names = &mut crd["spec"]["names"];
    for (field, name) in [("singular", kind.to_lowercase()), ("listKind", format!("{kind}List"))] {
        if names[field].is_null() {
            names[field] = json!(name);
        }
    }
    if crd["spec"]["conversion"].is_null() {
        crd["spec"]["conversion"] = json!({ "strategy": "None" });
    }
}

/// What is wrong with a CRD, as far as serving it depends on that.
pub(super) fn problems(crd: &Value) -> Vec<Cause> {
    let spec = &crd["spec"];
    let mut found = Vec::new();
    for field in ["group", "scope"] {
        if spec[field].as_str().is_none_or(str::is_empty) {
            found.push(Cause::required(format!("spec.{field}")));
        }
    }
    for field in ["plural", "kind"] {
        if spec["names"][field].as_str().is_none_or(str::is_empty) {
            found.push(Cause::required(format!("spec.names.{field}")));
        }
    }
    let name = crd["metadata"]["name"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let wanted = format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"]));
    if found.is_empty() && name != wanted {
        let why = format!("{name:?}: must be spec.names.plural+\".\"+spec.group");
        found.push(Cause::invalid("metadata.name", why));
    }
    let versions = spec["versions"].as_array().map_or(&[][..], Vec::as_slice);
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let why = format!(
            "{}: must have exactly one version marked as storage version",
            spec["versions"]
        );
        found.push(Cause::invalid("spec.versions", why));
    }
    for (at, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            let field = format!("spec.versions[{at}].schema.openAPIV3Schema");
            found.push(Cause::new(field, "Required value: schemas are required"));
        }
    }
    found
}

fn status(crd: &Value, now: Timestamp) -> Value {
    let spec = &crd["spec"];
    let conditions = crd["status"]["conditions"].as_array();
    let condition = |kind: &str, reason: &str, message: &str| {
        let known = conditions.and_then(|all| all.iter().find(|known| known["type"] == kind));
        known.cloned().unwrap_or_else(|| {
            json!({
                "type": kind, "status": "True", "reason": reason, "message": message,
                "lastTransitionTime": metadata::time(now),
            })
        })
    };
    let stored = resource(crd).map(|resource| resource.version);
    json!({
        "acceptedNames": spec["names"],
        "storedVersions": [stored],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    })
}
