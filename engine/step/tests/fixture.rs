//! A cluster with one Deployment and one Canary.

use serde_json::{Value, json};

use crate::{
    ObjectRef,
    json::merge,
    model::{Model, answer, vector},
    objects::kinds,
};
use crds::Phase;
use jiff::Timestamp;

pub(super) const NAMESPACE: &str = "test";

pub(super) fn target_at() -> ObjectRef {
    kinds::DEPLOYMENT.named(NAMESPACE, "app")
}

pub(super) fn primary_at() -> ObjectRef {
    kinds::DEPLOYMENT.named(NAMESPACE, "app-primary")
}

pub(super) fn route_at() -> ObjectRef {
    kinds::HTTP_ROUTE.named(NAMESPACE, "app")
}

/// The object with the weights, whichever provider the canary has.
pub(super) fn weights_at(model: &Model) -> ObjectRef {
    match model.canary().spec.provider.as_deref().unwrap_or_default() {
        "istio" => kinds::VIRTUAL_SERVICE.named(NAMESPACE, "app"),
        "smi:v1alpha2" => kinds::TRAFFIC_SPLIT_V1ALPHA2.named(NAMESPACE, "app"),
        "kuma" => kinds::TRAFFIC_ROUTE.named(NAMESPACE, "app"),
        "appmesh:v1beta2" => kinds::VIRTUAL_ROUTER_V1BETA2.named(NAMESPACE, "app"),
        "gatewayapi:v1:tcp" => kinds::TCP_ROUTE.named(NAMESPACE, "app"),
        "nginx" | "skipper" => kinds::INGRESS.named(NAMESPACE, "web-canary"),
        "traefik" => kinds::TRAEFIK_SERVICE.named(NAMESPACE, "app"),
        "contour" => kinds::HTTP_PROXY.named(NAMESPACE, "app"),
        "apisix" => kinds::APISIX_ROUTE.named(NAMESPACE, "web-app-canary"),
        "gloo" => kinds::ROUTE_TABLE.named(NAMESPACE, "app"),
        _ if model.get(&own_at()).is_some() => own_at(),
        _ => route_at(),
    }
}

/// A route of the user's own.
pub(super) fn own_at() -> ObjectRef {
    kinds::HTTP_ROUTE.named(NAMESPACE, "web")
}

/// It leads to the apex, by a rule named `main`, and elsewhere.
pub(super) fn own_route() -> Value {
    let backend = |name: &str, weight: i64| json!({"name": name, "port": 9898, "weight": weight});
    let matches = |path: &str| json!([{"path": {"type": "PathPrefix", "value": path}}]);
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": NAMESPACE, "generation": 1},
        "spec": {
            "parentRefs": [{"name": "gw", "namespace": "default"}],
            "rules": [
                {"matches": matches("/old"), "backendRefs": [backend("old", 3), backend("older", 1)]},
                {"name": "main", "matches": matches("/"), "filters": [{"type": "ExtensionRef"}], "backendRefs": [backend("app", 1)]},
            ],
        },
    })
}

/// `spec` with a reference to that route.
pub(super) fn on_own_route(spec: &Value) -> Value {
    let reference = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "name": "web"});
    let mut all = json!({"service": {"gatewayRefs": null, "hosts": null}, "routeRef": reference});
    merge(&mut all, spec);
    all
}

/// Put this share into all pairs of backends, those for cookies included, and into annotations.
pub(super) fn reweigh(route: &mut Value, share: i64) {
    let annotations = route["metadata"]["annotations"].as_object_mut();
    for (key, text) in annotations.into_iter().flatten() {
        match key.as_str() {
            "nginx.ingress.kubernetes.io/canary-weight" => *text = share.to_string().into(),
            "zalando.org/backend-weights" => {
                *text = json!({"app-primary": 100 - share, "app-canary": share})
                    .to_string()
                    .into();
            }
            _ => {}
        }
    }
    pairs(&mut route["spec"], share);
}

fn pairs(value: &mut Value, share: i64) {
    match value {
        Value::Object(fields) => {
            for field in fields.values_mut() {
                pairs(field, share);
            }
        }
        Value::Array(list) => {
            if let [primary, canary] = list.as_mut_slice()
                && primary["weight"].is_number()
                && canary["weight"].is_number()
            {
                primary["weight"] = (100 - share).into();
                canary["weight"] = share.into();
            }
            for entry in list {
                pairs(entry, share);
            }
        }
        _ => {}
    }
}

/// `spec` on an ingress provider, and the user's own objects that it needs.
pub(super) fn on_ingress(provider: &str, spec: &Value) -> Value {
    let reference = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "name": "web"});
    let mut all = json!({
        "provider": provider,
        "service": {"gatewayRefs": null, "hosts": null},
        "ingressRef": reference("networking.k8s.io/v1", "Ingress"),
        "routeRef": reference("apisix.apache.org/v2", "ApisixRoute"),
    });
    merge(&mut all, spec);
    all
}

pub(super) fn ingress_sources() -> [(ObjectRef, Value); 2] {
    let backend = json!({"service": {"name": "app", "port": {"number": 9898}}});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]},
    });
    let route = json!({
        "apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"http": [{"name": "main", "match": {"paths": ["/*"]}, "backends": [{"serviceName": "app", "servicePort": 9898}]}]},
    });
    [
        (kinds::INGRESS.named(NAMESPACE, "web"), ingress),
        (kinds::APISIX_ROUTE.named(NAMESPACE, "web"), route),
    ]
}

pub(super) fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "app", "namespace": NAMESPACE, "generation": 1, "labels": {"app": "app"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 9898}]}]},
            },
        },
    })
}

/// The base Canary (Gateway API, steps of 20 up to 60, threshold 3) with a merge patch on its spec.
pub(super) fn canary(spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "app", "namespace": NAMESPACE, "uid": "c0ffee", "generation": 1},
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 9898, "hosts": ["app.example.com"], "gatewayRefs": [{"name": "gw", "namespace": "default"}]},
            "analysis": {
                "interval": "10s", "threshold": 3, "stepWeight": 20, "maxWeight": 60,
                "metrics": [
                    {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
                    {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}},
                ],
            },
        },
    });
    merge(&mut object["spec"], spec);
    object
}

/// A model in which success rate and duration answer with these values.
pub(super) fn model(spec: &Value, success: &'static str, seconds: &'static str) -> Model {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut model = Model::new(start, &canary(spec), [(target_at(), deployment())]);
    let is_ingress = spec["ingressRef"].is_object();
    for (at, object) in ingress_sources().into_iter().filter(|_| is_ingress) {
        model.put(at, object);
    }
    if spec["routeRef"]["kind"] == "HTTPRoute" {
        model.put(own_at(), own_route());
    }
    model.queries = Box::new(move |_, request| {
        let body = if request.url.contains("quantile") {
            vector(seconds)
        } else {
            vector(success)
        };
        Ok(answer(
            200,
            &if request.url.contains("vector%281%29") {
                vector("1")
            } else {
                body
            },
        ))
    });
    model
}

/// A good model that is initialised, with a new image set.
pub(super) fn released(spec: &Value) -> Model {
    released_with(model(spec, "100", "0.2"))
}

pub(super) fn released_with(mut model: Model) -> Model {
    assert!(model.run_until(&[Phase::Initialized], 30), "{:#?}", model.trajectory);
    set_image(&mut model, "app:2");
    model
}

/// Run to the end, whichever it is.
pub(super) fn finish(model: &mut Model) {
    let ended = model.run_until(&[Phase::Succeeded, Phase::Failed], 120);
    assert!(
        ended,
        "{:#?}\n{:#?}\n{:#?}",
        model.trajectory, model.decisions, model.violations
    );
}

/// The next release starts, is analysed and promoted: whatever came before, nothing stands in its way.
pub(super) fn next_release_succeeds(model: &mut Model, image_of_it: &str) {
    set_image(model, image_of_it);
    model.settle();
    assert!(model.run_until(&[Phase::Progressing], 20), "{:#?}", model.decisions);
    ends_promoted(model, image_of_it);
}

/// The release that is on its way is promoted.
pub(super) fn ends_promoted(model: &mut Model, image_of_it: &str) {
    finish(model);
    assert_eq!(
        (model.phase(), image(model, &primary_at()).as_str()),
        (Phase::Succeeded, image_of_it),
        "{:#?}",
        model.decisions
    );
    assert_clean(model);
}

/// Run until the canary has at least this share.
pub(super) fn reach(model: &mut Model, weight: i64) {
    for _ in 0..60 {
        if model
            .canary()
            .status
            .is_some_and(|status| status.canary_weight >= weight)
        {
            return;
        }
        model.run_until(&[Phase::Succeeded, Phase::Failed], 1);
    }
    panic!(
        "weight {weight} is not reached: {:#?}\n{:#?}",
        model.trajectory, model.decisions
    );
}

pub(super) fn set_image(model: &mut Model, image: &str) {
    let mut containers = deployment()["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["image"] = image.into();
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"spec": {"containers": containers}}}}),
    );
}

pub(super) fn image(model: &Model, at: &ObjectRef) -> String {
    let object = model.get(at).expect("it is there");
    object["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn replicas(model: &Model, at: &ObjectRef) -> i64 {
    model.get(at).expect("it is there")["spec"]["replicas"]
        .as_i64()
        .unwrap_or(-1)
}

pub(super) fn assert_clean(model: &Model) {
    assert_eq!(model.violations, [], "{:#?}", model.trajectory);
}

/// The part of the trajectory after initialisation.
pub(super) fn run_of(model: &Model) -> Vec<&str> {
    let start = model
        .trajectory
        .iter()
        .position(|line| line.starts_with("Initialized"))
        .map_or(0, |at| at + 1);
    model.trajectory[start..].iter().map(String::as_str).collect()
}
