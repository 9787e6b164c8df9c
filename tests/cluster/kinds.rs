//! Kinds of other products, in as few words as the API server takes.

use serde_json::{Value, json};
use std::time::Duration;

use super::{
    lab::{Lab, text},
    until,
};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const MINUTE: Duration = Duration::from_mins(1);

/// The smallest definition of a kind that takes all of its fields.
fn definition(group: &str, version: &str, kind: &str) -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let singular = kind.to_lowercase();
    let plural = match singular.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{singular}s"),
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular},
            "versions": [{"name": version, "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}}}],
        },
    })
}

/// Whether there is a CustomResourceDefinition of this name.
pub(crate) async fn is_installed(lab: &Lab, name: &str) -> bool {
    lab.get(&format!("{DEFINITIONS}/{name}")).await.is_some()
}

/// Install a kind; `false`: it was there already. Returns when the API server serves it, a moment after its definition is there.
pub(crate) async fn install(lab: &Lab, group: &str, version: &str, kind: &str) -> bool {
    let definition = definition(group, version, kind);
    let is_new = !is_installed(lab, text(&definition["metadata"]["name"])).await;
    if is_new {
        lab.call("POST", DEFINITIONS, Some(&definition)).await.unwrap();
    }
    let list = format!(
        "/apis/{group}/{version}/{}",
        text(&definition["spec"]["names"]["plural"])
    );
    // Until then the answer is no Status, so it cannot be told from other failures.
    until("the kind is served", MINUTE, async || {
        lab.call("GET", &list, None).await.ok().map(drop)
    })
    .await;
    is_new
}
