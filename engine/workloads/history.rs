//! What the cluster still knows of earlier revisions of a target: the ReplicaSets of a Deployment, the ControllerRevisions of a DaemonSet.
//! Both keep whole pod templates (ten by default), and the hash in the Canary's status tells which of them was promoted (WL-7).

use serde_json::{Map, Value};

use super::Workload;
use crate::{
    http::Response,
    json::set,
    metrics::{Access, Question, api_server},
    objects::string_map,
};

/// Label that the Deployment controller adds to the template of a ReplicaSet.
const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The question for all that is kept of this target; `None`: nothing is kept for its kind. The API server is asked once, when a primary
/// is lost: to watch all of this would cost more than it is worth.
pub fn question(target: &Value) -> Option<Question> {
    let plural = match Workload::of_object(target) {
        Workload::Deployment => "replicasets",
        Workload::DaemonSet => "controllerrevisions",
        Workload::Service | Workload::Knative => return None,
    };
    let namespace = target["metadata"]["namespace"].as_str()?;
    let labels = string_map(&target["spec"]["selector"]["matchLabels"]);
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("labelSelector", &labels.join(","))
        .finish();
    Some(Question {
        request: api_server(&format!("/apis/apps/v1/namespaces/{namespace}/{plural}?{query}")),
        access: Access::Cluster,
    })
}

/// The target as it was in this revision, if the answer has it. The hash is the proof: whose object it is found in does not matter.
pub fn target_of(revision: &str, target: &Value, answer: &Response) -> Option<Value> {
    let list: Value = serde_json::from_str(&answer.body)
        .ok()
        .filter(|_| answer.status == 200)?;
    let workload = Workload::of_object(target);
    let earlier = list["items"].as_array()?.iter().filter_map(template).map(|template| {
        let mut earlier = target.clone();
        set(&mut earlier, &["spec", "template"], Value::Object(template));
        earlier
    });
    earlier
        .into_iter()
        .find(|earlier| workload.revision(earlier) == revision)
}

/// The pod template as the target had it.
fn template(item: &Value) -> Option<Map<String, Value>> {
    let kept = item["spec"]
        .get("template")
        .or_else(|| item["data"]["spec"].get("template"))?;
    let mut template = kept.as_object()?.clone();
    template.remove("$patch");
    if let Some(labels) = template
        .get_mut("metadata")
        .and_then(|metadata| metadata["labels"].as_object_mut())
    {
        labels.remove(POD_TEMPLATE_HASH);
    }
    Some(template)
}

#[cfg(test)]
mod tests;
