//! One Service on its way: what the Canary asks for, and how that is laid over the Service as it is (services.md 4 to 7).

use crds::{Canary, service::Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Port, Role, Selector, adoption, name, ports, with_gitops, with_unmanaged};
use crate::{
    json as tree,
    objects::{self, kinds},
};

/// What the Canary asks for.
pub(super) struct Wanted<'a> {
    canary: &'a Canary,
    service: &'a Service,
    role: Role,
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    selector: Value,
    ports: Vec<Port>,
}

// === impl Wanted ===

impl<'a> Wanted<'a> {
    pub(super) fn new(
        canary: &'a Canary,
        service: &'a Service,
        role: Role,
        selector: &Selector,
        more: &[Port],
    ) -> Self {
        let name = name(canary, role);
        let metadata = role.metadata(service).cloned().unwrap_or_default();
        let mut labels = metadata.labels;
        labels.insert(selector.key.clone(), name.clone());
        let mut ports = vec![ports::service_port(service)];
        ports.extend_from_slice(more);
        Self {
            canary,
            service,
            role,
            name,
            labels,
            annotations: with_gitops(metadata.annotations),
            selector: json!({ &selector.key: selector.value_for(role) }),
            ports,
        }
    }

    pub(super) fn created(&self) -> Value {
        let mut spec = json!({
            "type": "ClusterIP",
            "selector": self.selector,
            "ports": ports::towards(&self.ports, &Value::Null),
        });
        if self.service.headless == Some(true) {
            spec["clusterIP"] = json!("None");
        }
        if let Some(distribution) = self.traffic_distribution() {
            spec["trafficDistribution"] = json!(distribution);
        }
        json!({
            "apiVersion": kinds::SERVICE.api_version(),
            "kind": kinds::SERVICE.kind,
            "metadata": {
                "name": self.name,
                "namespace": self.canary.namespace(),
                "labels": self.labels,
                "annotations": self.annotations,
                "ownerReferences": [objects::owner_reference(self.canary)],
            },
            "spec": spec,
        })
    }

    pub(super) fn updated(&self, current: &Value) -> Value {
        let owned = objects::is_controlled_by(current, self.canary);
        let mut new = current.clone();
        tree::set(&mut new, &["spec", "selector"], self.selector.clone());
        let ports = ports::towards(&self.ports, &current["spec"]["ports"]);
        tree::set(&mut new, &["spec", "ports"], ports);
        match self.traffic_distribution() {
            Some(distribution) => tree::set(&mut new, &["spec", "trafficDistribution"], json!(distribution)),
            // An adopted Service may have one of its own; ours has it from an earlier version of the Canary.
            None if owned => remove(&mut new["spec"], "trafficDistribution"),
            None => {}
        }
        if owned {
            tree::set(&mut new, &["metadata", "labels"], json!(self.labels_over(current)));
            let annotations = json!(self.annotations_over(current));
            tree::set(&mut new, &["metadata", "annotations"], annotations);
        } else if new != *current {
            // Only together with another change (services.md 7), or GitOps tools would undo that change.
            let annotations = with_gitops(objects::metadata_map(current, "annotations"));
            tree::set(&mut new, &["metadata", "annotations"], json!(annotations));
            if self.role == Role::Apex {
                adoption::remember(&mut new, current);
            }
        }
        new
    }

    fn labels_over(&self, current: &Value) -> BTreeMap<String, String> {
        let unmanaged = self.service.unmanaged_metadata.as_ref();
        let keys = unmanaged.map_or(&[][..], |unmanaged| &unmanaged.labels);
        with_unmanaged(self.labels.clone(), &objects::metadata_map(current, "labels"), keys)
    }

    fn annotations_over(&self, current: &Value) -> BTreeMap<String, String> {
        let unmanaged = self.service.unmanaged_metadata.as_ref();
        let keys = unmanaged.map_or(&[][..], |unmanaged| &unmanaged.annotations);
        let live = objects::metadata_map(current, "annotations");
        with_unmanaged(self.annotations.clone(), &live, keys)
    }

    fn traffic_distribution(&self) -> Option<&str> {
        let given = self.service.traffic_distribution.as_deref();
        given.filter(|distribution| !distribution.is_empty())
    }
}

fn remove(object: &mut Value, key: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(key);
    }
}
