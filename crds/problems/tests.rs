//! What can never work is named with its path; what works is not.

use super::*;
use serde_json::{Value, json};

fn canary(patch: &Value) -> Canary {
    let mut object = json!({
        "metadata": {"name": "app", "namespace": "test"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "service": {"port": 9898},
            "analysis": {"interval": "1m", "threshold": 10, "stepWeight": 5},
        },
    });
    merge(&mut object["spec"], patch);
    crate::decode::canary(&object).unwrap().0
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        merge(&mut into[key], value);
    }
}

fn paths(found: &[Problem]) -> Vec<&str> {
    found.iter().map(|problem| problem.path.as_str()).collect()
}

#[test]
fn sound_canaries_have_no_problems() {
    let sound = [
        json!({}),
        json!({"skipAnalysis": true, "analysis": {"stepWeight": 0.5, "metrics": [{"name": "mine"}]}}),
        json!({"analysis": null}),
        json!({"analysis": {"stepWeight": null, "stepWeights": [1, 2, 10, 80]}}),
        json!({"analysis": {"stepWeight": null, "stepWeights": [50, 150]}}),
        json!({"analysis": {"stepWeight": 150, "maxWeight": 120, "threshold": 0, "mirrorWeight": -1}}),
        json!({"analysis": {"stepWeight": 0, "iterations": 2}}),
        json!({"analysis": {"stepWeight": null, "iterations": 2, "stepWeights": [5, 5]}}),
        json!({"analysis": {"stepWeight": null}, "provider": "kubernetes"}),
        json!({"analysis": {"interval": "1minute", "metrics": [
            {"name": "request-success-rate", "thresholdRange": {"min": 99.5, "max": 99.5}},
            {"name": "mine", "query": "up", "threshold": 0.5},
            {"name": "theirs", "templateRef": {"name": "t"}},
        ]}}),
        json!({"service": {"targetPort": 0}}),
        json!({"service": {"targetPort": "http"}}),
        json!({"targetRef": {"name": "a-deployment-with-a-name-of-more-than-fifty-five-characters"}, "service": {"name": "app"}}),
        json!({"targetRef": {"kind": "Service", "apiVersion": "serving.knative.dev/v1"}, "provider": "knative", "service": null}),
        json!({"provider": "nginx", "ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "app"}}),
        json!({"provider": "gatewayapi:v1", "service": {"gatewayRefs": [{"name": "gw"}]}}),
        json!({"provider": "gatewayapi:v1:grpc", "service": {"gatewayRefs": [{"name": "gw"}]}}),
        json!({"provider": "gatewayapi:v1", "routeRef": {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "name": "web"}}),
    ];
    for patch in sound {
        assert_eq!(problems(&canary(&patch)), [], "{patch}");
    }
}

#[test]
fn steps_that_never_arrive() {
    let cases = [
        (json!({"stepWeight": null}), vec!["spec.analysis"]),
        (
            json!({"stepWeight": null, "iterations": 0}),
            vec!["spec.analysis.iterations"],
        ),
        (json!({"stepWeight": 0}), vec!["spec.analysis.stepWeight"]),
        (json!({"stepWeight": -5}), vec!["spec.analysis.stepWeight"]),
        (json!({"stepWeights": [0, 10]}), vec!["spec.analysis.stepWeights[0]"]),
        (
            json!({"stepWeights": [10, 10, 20]}),
            vec!["spec.analysis.stepWeights[1]"],
        ),
        (json!({"stepWeights": [50, 20]}), vec!["spec.analysis.stepWeights[1]"]),
        (
            json!({"stepWeights": [-1, -2]}),
            vec!["spec.analysis.stepWeights[0]", "spec.analysis.stepWeights[1]"],
        ),
    ];
    for (analysis, expected) in cases {
        let canary = canary(&json!({"analysis": analysis}));
        assert_eq!(paths(&problems(&canary)), expected, "{analysis}");
        assert_eq!(
            problems_with(&canary, "kubernetes"),
            [],
            "{analysis}: kubernetes has no steps"
        );
    }
}

#[test]
fn fractions_where_whole_numbers_are_needed() {
    let canary = canary(&json!({
        "progressDeadlineSeconds": 60.5,
        "service": {"port": 80.5},
        "autoscalerRef": {"apiVersion": "v1", "kind": "HorizontalPodAutoscaler", "name": "app",
            "primaryScalerReplicas": {"minReplicas": 1.5, "maxReplicas": 2}},
        "analysis": {"threshold": 2.5, "stepWeight": 2.5, "maxWeight": 12.5, "stepWeights": [1.5, 2],
            "sessionAffinity": {"cookieName": "c", "maxAge": 0.5},
            "webhooks": [{"name": "w", "url": "http://w/", "retries": 1.5}]},
    }));
    let found = problems(&canary);
    let expected = [
        "spec.progressDeadlineSeconds",
        "spec.service.port",
        "spec.autoscalerRef.primaryScalerReplicas.minReplicas",
        "spec.analysis.threshold",
        "spec.analysis.stepWeight",
        "spec.analysis.maxWeight",
        "spec.analysis.sessionAffinity.maxAge",
        "spec.analysis.stepWeights[0]",
        "spec.analysis.webhooks[0].retries",
    ];
    assert_eq!(paths(&found), expected);
    assert_eq!(found[1].problem, "80.5 is not a whole number");
    assert_eq!(found[1].instead, "80");
}

#[test]
fn references_names_and_ports() {
    let long = "a-service-with-a-name-of-more-than-fifty-five-characters";
    let hpa = json!({"apiVersion": "v1", "kind": "HorizontalPodAutoscaler", "name": "app"});
    let cases = [
        (json!({"service": {"port": 0}}), "spec.service.port"),
        (json!({"service": {"port": 65536}}), "spec.service.port"),
        (json!({"service": {"targetPort": 70000}}), "spec.service.targetPort"),
        (json!({"service": {"targetPort": -1}}), "spec.service.targetPort"),
        (json!({"service": null}), "spec.service"),
        (json!({"service": {"name": long}}), "spec.service.name"),
        (json!({"targetRef": {"name": long}}), "spec.targetRef.name"),
        (json!({"targetRef": {"kind": "StatefulSet"}}), "spec.targetRef.kind"),
        (
            json!({"autoscalerRef": {"apiVersion": "v1", "kind": "VPA", "name": "app"}}),
            "spec.autoscalerRef.kind",
        ),
        (json!({"provider": "supergloo"}), "spec.provider"),
        (json!({"provider": "istoi"}), "spec.provider"),
        (json!({"provider": "nginx"}), "spec.ingressRef"),
        (json!({"provider": "skipper"}), "spec.ingressRef"),
        (json!({"provider": "apisix"}), "spec.routeRef"),
        (json!({"provider": "appmesh"}), "spec.service.meshName"),
        (json!({"provider": "gatewayapi:v1beta1"}), "spec.service.gatewayRefs"),
        (
            json!({"provider": "gatewayapi:v1alpha2:tcp"}),
            "spec.service.gatewayRefs",
        ),
        (
            json!({"provider": "gatewayapi:v1", "routeRef": {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "web"}}),
            "spec.service.gatewayRefs",
        ),
        (json!({"provider": "knative"}), "spec.targetRef"),
        (
            json!({"targetRef": {"kind": "Service", "apiVersion": "serving.knative.dev/v1"}}),
            "spec.provider",
        ),
        (
            json!({"targetRef": {"kind": "Service", "apiVersion": "serving.knative.dev/v1"}, "provider": "knative", "autoscalerRef": hpa}),
            "spec.autoscalerRef",
        ),
    ];
    for (patch, expected) in cases {
        assert_eq!(paths(&problems(&canary(&patch))), [expected], "{patch}");
    }
    assert_eq!(paths(&problems_with(&canary(&json!({})), "nginx")), ["spec.ingressRef"]);
}

#[test]
fn metrics_hooks_alerts_and_cookies() {
    let cases = [
        (json!({"metrics": [{"name": "mine"}]}), "metrics[0]"),
        (json!({"metrics": [{"name": "mine", "query": ""}]}), "metrics[0]"),
        (
            json!({"metrics": [{"name": "request-duration", "thresholdRange": {"min": 2, "max": 1}}]}),
            "metrics[0].thresholdRange",
        ),
        (
            json!({"webhooks": [{"name": "w", "url": "http://w/", "type": "pre-rolout"}]}),
            "webhooks[0].type",
        ),
        (
            json!({"alerts": [{"name": "a", "providerRef": {"name": "p"}, "severity": "fatal"}]}),
            "alerts[0].severity",
        ),
        (
            json!({"sessionAffinity": {"cookieName": "c", "primaryCookieName": "c"}}),
            "sessionAffinity.primaryCookieName",
        ),
        (
            json!({"sessionAffinity": {"cookieName": "a=b"}}),
            "sessionAffinity.cookieName",
        ),
        (
            json!({"sessionAffinity": {"cookieName": ""}}),
            "sessionAffinity.cookieName",
        ),
        (
            json!({"sessionAffinity": {"cookieName": "c", "primaryCookieName": "p;"}}),
            "sessionAffinity.primaryCookieName",
        ),
    ];
    for (analysis, expected) in cases {
        let found = problems(&canary(&json!({"analysis": analysis})));
        assert_eq!(paths(&found), [format!("spec.analysis.{expected}")], "{analysis}");
    }
}

#[test]
fn hook_addresses() {
    let found = |url: &str| problems(&canary(&json!({"analysis": {"webhooks": [{"name": "w", "url": url}]}})));
    let good = [
        "http://flagger-loadtester.test/",
        "https://user:pass@host:8443/path?q=a b",
        "HTTP://host",
        "http://[::1]:8080/",
        "http://host:/x",
        "http://host?x",
    ];
    for url in good {
        assert_eq!(found(url), [], "{url}");
    }
    let bad = [
        "",
        "host/path",
        "ftp://host/",
        "http://",
        "http:///path",
        "http://ho st/",
        "http://<receiver>/",
        "http://host:port/",
        "http://host:70000/",
        "http://host:+80/",
        "http://[::1/",
    ];
    for url in bad {
        assert_eq!(paths(&found(url)), ["spec.analysis.webhooks[0].url"], "{url}");
    }
}

#[test]
fn references_to_other_namespaces() {
    let canary = canary(&json!({
        "upstreamRef": {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "app", "namespace": "gloo"},
        "analysis": {
            "metrics": [
                {"name": "a", "templateRef": {"name": "t"}},
                {"name": "b", "templateRef": {"name": "t", "namespace": "test"}},
                {"name": "c", "templateRef": {"name": "t", "namespace": "flagger"}},
            ],
            "alerts": [
                {"name": "a", "providerRef": {"name": "p", "namespace": ""}},
                {"name": "b", "providerRef": {"name": "p", "namespace": "flagger"}},
            ],
        },
    }));
    let expected = [
        "spec.upstreamRef.namespace",
        "spec.analysis.metrics[2].templateRef.namespace",
        "spec.analysis.alerts[1].providerRef.namespace",
    ];
    assert_eq!(paths(&cross_namespace(&canary)), expected);
    assert_eq!(problems(&canary), []);
}
