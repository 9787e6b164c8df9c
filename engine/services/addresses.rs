//! Whether a Service has addresses to send users to. A ready pod is not enough: meshes and ingresses learn of it from the EndpointSlices,
//! which another controller writes in its own time.

use serde_json::Value;

use crate::{
    ObjectRef,
    http::Response,
    metrics::{Access, Question, api_server},
};

/// EndpointSlices that are looked at; each holds 100 addresses by default, and one ready address is enough.
const SLICES_MAX: u32 = 10;

/// The question for the EndpointSlices of a Service. The API server is asked in the moment that counts: to watch the addresses of all
/// Services would cost more than all the rest.
pub fn question(service: &ObjectRef) -> Question {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("labelSelector", &format!("kubernetes.io/service-name={}", service.name))
        .append_pair("limit", &SLICES_MAX.to_string())
        .finish();
    let namespace = &service.namespace;
    Question {
        request: api_server(&format!(
            "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?{query}"
        )),
        access: Access::Cluster,
    }
}

/// Whether one address is ready; `None` where the answer does not tell: the kind is not served, or we may not read it.
pub fn any_ready(answer: &Response) -> Option<bool> {
    let list: Value = serde_json::from_str(&answer.body)
        .ok()
        .filter(|_| answer.status == 200)?;
    let slices = list["items"].as_array()?;
    let mut endpoints = slices
        .iter()
        .filter_map(|slice| slice["endpoints"].as_array())
        .flatten();
    Some(endpoints.any(is_ready))
}

/// A condition that is not given means ready (EndpointConditions of discovery.k8s.io/v1).
fn is_ready(endpoint: &Value) -> bool {
    let has_address = endpoint["addresses"].as_array().is_some_and(|list| !list.is_empty());
    has_address && endpoint["conditions"]["ready"] != false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{model::answer, objects::kinds};

    #[test]
    fn the_slices_of_a_service_are_asked_for_by_its_name() {
        let question = question(&kinds::SERVICE.named("test", "app-primary"));
        assert_eq!(question.access, Access::Cluster);
        let path = "/apis/discovery.k8s.io/v1/namespaces/test/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dapp-primary&limit=10";
        assert!(question.request.url.ends_with(path), "{}", question.request.url);
    }

    #[test]
    fn one_ready_address_is_enough() {
        let endpoint = |ready: Value| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}});
        let told = |slices: Value| any_ready(&answer(200, &json!({"items": slices}).to_string()));
        let slice = |endpoints: Value| json!({"endpoints": endpoints});
        assert_eq!(told(json!([])), Some(false), "no slice yet");
        assert_eq!(told(json!([slice(json!(null))])), Some(false), "an empty slice");
        assert_eq!(told(json!([slice(json!([endpoint(json!(false))]))])), Some(false));
        assert_eq!(told(json!([slice(json!([{"addresses": []}]))])), Some(false));
        let both = json!([
            slice(json!([endpoint(json!(false))])),
            slice(json!([endpoint(json!(true))]))
        ]);
        assert_eq!(told(both), Some(true));
        assert_eq!(told(json!([slice(json!([endpoint(json!(null))]))])), Some(true));
    }

    #[test]
    fn an_answer_that_does_not_tell_is_none() {
        for (status, body) in [
            (403, r#"{"items": []}"#),
            (404, "404 page not found"),
            (200, "{}"),
            (200, "<html>"),
        ] {
            assert_eq!(any_ready(&answer(status, body)), None, "{status} {body}");
        }
    }
}
