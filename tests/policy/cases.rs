//! Canaries that break one rule each, by a hair where there is one, and their sound neighbours.

use serde_json::{Value, json};

use crate::examples::{base, merge};

/// Patches of the spec of a sound Canary.
pub(crate) fn all() -> Vec<(String, Value)> {
    let mut patches = steps();
    patches.extend(numbers());
    patches.extend(providers());
    patches.extend(services());
    patches.extend(checks());
    patches.extend(old_forms());
    let laid = patches.into_iter().map(|patch| {
        let mut object = base();
        merge(&mut object["spec"], &patch);
        (patch.to_string(), object)
    });
    laid.collect()
}

fn steps() -> Vec<Value> {
    let analyses = [
        json!({"stepWeight": null}),
        json!({"stepWeight": null, "iterations": 0}),
        json!({"stepWeight": null, "iterations": -1}),
        json!({"stepWeight": null, "iterations": 1}),
        json!({"stepWeight": null, "iterations": 0.5}),
        json!({"stepWeight": 0}),
        json!({"stepWeight": -5}),
        json!({"stepWeight": 0.5}),
        json!({"stepWeight": 0, "iterations": 1}),
        json!({"stepWeights": [0, 10]}),
        json!({"stepWeights": [10, 10, 20]}),
        json!({"stepWeights": [50, 20]}),
        json!({"stepWeights": [-1, -2]}),
        json!({"stepWeights": [1, 2, 10, 80]}),
        json!({"stepWeights": [1, 1.5, 2]}),
        json!({"stepWeights": [2, 1.5]}),
        json!({"stepWeights": [5, 5.0]}),
        json!({"stepWeight": 0, "stepWeights": [1, 2]}),
        json!({"stepWeight": null, "stepWeights": []}),
        json!({"stepWeight": null, "match": [{"headers": {"x": {"exact": "y"}}}]}),
    ];
    let each = analyses.into_iter().flat_map(|analysis| {
        let with = |provider: &str| json!({"provider": provider, "analysis": analysis});
        let skipped = json!({"provider": "istio", "skipAnalysis": true, "analysis": analysis});
        [
            with("istio"),
            with("kubernetes"),
            json!({"analysis": analysis}),
            skipped,
        ]
    });
    each.chain([json!({"provider": "istio", "analysis": null})]).collect()
}

fn numbers() -> Vec<Value> {
    let analysis = json!({
        "threshold": 2.5, "iterations": 0.5, "stepWeight": 2.5, "maxWeight": 12.5, "stepWeights": [1.5, 2],
        "stepWeightPromotion": 1e300, "mirrorWeight": -0.5, "primaryReadyThreshold": 99.9, "canaryReadyThreshold": 0.1,
        "sessionAffinity": {"cookieName": "c", "maxAge": 0.5},
        "webhooks": [{"name": "a", "url": "http://a/", "retries": 1.5}, {"name": "b", "url": "http://b/", "retries": 2}],
    });
    let scaler = |minimum: Value| {
        json!({"autoscalerRef": {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "a",
            "primaryScalerReplicas": {"minReplicas": minimum, "maxReplicas": 2},
        }})
    };
    vec![
        json!({"analysis": analysis}),
        json!({"analysis": analysis, "skipAnalysis": true}),
        json!({"progressDeadlineSeconds": 60.5, "service": {"port": 80.5}}),
        json!({"progressDeadlineSeconds": 60.0, "analysis": {"threshold": 5.0, "maxWeight": 9_007_199_254_740_992_i64}}),
        json!({"analysis": {"threshold": 9_007_199_254_740_994_i64, "maxWeight": -2.0}}),
        scaler(json!(1)),
    ]
}

fn providers() -> Vec<Value> {
    let knative = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "app"});
    let service = json!({"apiVersion": "v1", "kind": "Service", "name": "app"});
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "a"});
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "app"});
    let route = json!({"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "app"});
    let gateway = json!({"name": "gateway"});
    vec![
        json!({"provider": "supergloo"}),
        json!({"provider": "nginx"}),
        json!({"provider": "skipper"}),
        json!({"provider": "nginx", "ingressRef": ingress}),
        json!({"provider": "apisix"}),
        json!({"provider": "apisix", "routeRef": route}),
        json!({"provider": "appmesh"}),
        json!({"provider": "appmesh:v1beta2", "service": {"meshName": ""}}),
        json!({"provider": "appmesh:v1beta2", "service": {"meshName": "global"}}),
        json!({"provider": "gatewayapi:v1"}),
        json!({"provider": "gatewayapi:v1beta1", "service": {"gatewayRefs": []}}),
        json!({"provider": "gatewayapi:v1", "service": null}),
        json!({"provider": "gatewayapi:v1:grpc"}),
        json!({"provider": "gatewayapi:v1alpha2:tcp", "service": {"gatewayRefs": [gateway]}}),
        json!({"provider": "gatewayapi:v1:tcp", "routeRef": {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute", "name": "web"}}),
        json!({"provider": "gatewayapi:v1", "routeRef": {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "web"}}),
        json!({"provider": "gatewayapi:v1", "service": {"gatewayRefs": [gateway]}}),
        json!({"provider": "knative"}),
        json!({"targetRef": knative}),
        json!({"targetRef": knative, "provider": "istio"}),
        json!({"targetRef": knative, "provider": "knative", "service": null}),
        json!({"targetRef": knative, "provider": "knative", "autoscalerRef": scaler}),
        json!({"targetRef": service, "provider": "knative"}),
        json!({"targetRef": service, "service": null}),
        json!({"targetRef": {"kind": "DaemonSet"}}),
    ]
}

fn services() -> Vec<Value> {
    let name = |length: usize| "n".repeat(length);
    vec![
        json!({"service": null}),
        json!({"service": {"port": 0}}),
        json!({"service": {"port": 1}}),
        json!({"service": {"port": 65535}}),
        json!({"service": {"port": 65536}}),
        json!({"service": {"targetPort": 0}}),
        json!({"service": {"targetPort": -1}}),
        json!({"service": {"targetPort": 65536}}),
        json!({"service": {"targetPort": "http"}}),
        json!({"service": {"name": name(55)}}),
        json!({"service": {"name": name(56)}}),
        json!({"targetRef": {"name": name(56)}}),
        json!({"targetRef": {"name": name(55)}}),
        json!({"targetRef": {"name": name(60)}, "service": {"name": "app"}}),
        json!({"targetRef": {"name": name(60)}, "service": {"name": ""}}),
        json!({"targetRef": {"name": name(60), "kind": "Service", "apiVersion": "v1"}}),
    ]
}

fn checks() -> Vec<Value> {
    let mut analyses = vec![
        json!({"metrics": [{"name": "mine"}, {"name": "request-duration"}]}),
        json!({"metrics": [{"name": "mine", "query": ""}]}),
        json!({"metrics": [{"name": "mine", "query": "up"}, {"name": "theirs", "templateRef": {"name": "t"}}]}),
        json!({"metrics": [{"name": "request-duration", "thresholdRange": {"min": 2, "max": 1.5}}]}),
        json!({"metrics": [{"name": "request-duration", "thresholdRange": {"min": 1.5, "max": 1.5}}]}),
        json!({"metrics": [{"name": "request-duration", "thresholdRange": {"min": 1}}]}),
        json!({"sessionAffinity": {"cookieName": "c", "primaryCookieName": "c"}}),
        json!({"sessionAffinity": {"cookieName": "c", "primaryCookieName": "d"}}),
        json!({"alerts": [{"name": "a", "severity": "warn", "providerRef": {"name": "p"}}]}),
    ];
    let addresses = [
        "http://flagger-loadtester.test/",
        "https://user:pass@host:8443/path?q=a b",
        "HTTP://host",
        "http://[::1]:8080/",
        "http://host:/x",
        "http://host?x",
        "http://host:65535",
        "http://host:00080/",
        "http://a@b@host/",
        "http://host/line\nbreak",
        "",
        "host/path",
        "ftp://host/",
        "http://",
        "http:///path",
        "http://user@/",
        "http://ho st/",
        "http://ho\u{a0}st/",
        "http://<receiver>/",
        "http://host:port/",
        "http://host:65536/",
        "http://host:70000/",
        "http://host:+80/",
        "http://[::1/",
        "http://[]/",
    ];
    analyses.extend(addresses.map(|url| json!({"webhooks": [{"name": "it's a \"hook\"", "url": url}]})));
    let each = analyses.into_iter().map(|analysis| json!({"analysis": analysis}));
    each.collect()
}

/// What the schema refuses in today's form, and what the translation of old forms changes.
fn old_forms() -> Vec<Value> {
    let old = |analysis: Value| json!({"provider": "istio", "analysis": null, "canaryAnalysis": analysis});
    let hook = json!([{"name": "w", "url": "http://w/", "type": "pre-rolout"}]);
    let alert = json!([{"name": "a", "severity": "fatal", "providerRef": {"name": "p"}}]);
    vec![
        old(json!({"stepWeight": 5, "webhooks": hook, "alerts": alert})),
        old(json!({"stepWeight": 5, "skipAnalysis": true, "webhooks": hook, "alerts": alert})),
        old(json!({"promotion": {"stepWeight": 0, "maxWeight": 0.5}})),
        old(json!({"promotion": {"stepWeights": [3, 2]}})),
        old(json!({"promotion": {"stepWeight": 0}, "stepWeight": 5})),
        old(json!({})),
        json!({"provider": "istio", "canaryAnalysis": {"stepWeight": 0}}),
        json!({"provider": "istio", "analysis": {"stepWeight": null, "promotion": {"stepWeight": 20, "maxWeight": 50}}}),
        json!({"provider": "istio", "skipAnalysis": false, "analysis": {"stepWeight": 0, "skipAnalysis": true}}),
    ]
}
