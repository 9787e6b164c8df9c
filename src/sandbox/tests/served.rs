//! Selectors, kinds that come and go, addresses and defaults.

use super::{super::*, api, code, config, deployment, sandbox};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn selectors_select() {
    let sandbox = sandbox();
    for (name, labels) in [
        ("a", json!({ "x": "1" })),
        ("b", json!({ "x": "2", "y": "1" })),
        ("c", json!({})),
    ] {
        sandbox.create(config(name, &labels)).unwrap();
    }
    let maps: Api<ConfigMap> = Api::all(sandbox.client());
    let cases = [
        ("x=1", "", "a"),
        ("x==2,y", "", "b"),
        ("x!=1", "", "bc"),
        ("!x", "", "c"),
        ("x in (1, 2)", "", "ab"),
        ("x notin (1),y", "", "b"),
        ("", "metadata.name=b", "b"),
        ("", "metadata.name!=b,metadata.namespace=default", "ac"),
        ("x", "metadata.namespace=other", ""),
    ];
    for (labels, fields, wanted) in cases {
        let list = maps
            .list(&ListParams::default().labels(labels).fields(fields))
            .await
            .unwrap();
        let names: String = list.items.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, wanted, "{labels} {fields}");
    }
    let canaries = api(&sandbox.client(), "flagger.app", "v1beta1", "Canary");
    assert_eq!(
        code(canaries.list(&ListParams::default().fields("spec.x=1")).await),
        400
    );
}

#[tokio::test(start_paused = true)]
async fn kinds_come_and_go() {
    let sandbox = sandbox();
    let routes = api(&sandbox.client(), "example.org", "v1alpha1", "Gadget");
    assert_eq!(code(routes.list(&ListParams::default()).await), 404);
    assert_eq!(code(routes.get("x").await), 404);
    sandbox.install(Resource::custom("example.org", "v1alpha1", "Gadget", "gadgets"));
    assert!(routes.list(&ListParams::default()).await.unwrap().items.is_empty());
    let discovered = kube::discovery::group(&sandbox.client(), "example.org").await.unwrap();
    let (found, _) = discovered.recommended_kind("Gadget").unwrap();
    assert_eq!(found.plural, "gadgets");
    sandbox.uninstall("gadgets.example.org").unwrap();
    assert_eq!(code(routes.list(&ListParams::default()).await), 404);
    assert_eq!(sandbox.client().apiserver_version().await.unwrap().minor, "36");
}

#[tokio::test(start_paused = true)]
async fn services_get_addresses_and_defaults() {
    let sandbox = sandbox();
    let service = |name: &str, spec: Value| {
        sandbox.create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec }))
    };
    let made = service(
        "a",
        json!({ "ports": [{ "port": 80 }, { "port": 81, "targetPort": "http" }] }),
    )
    .unwrap();
    assert_eq!(
        (&made["spec"]["clusterIP"], &made["spec"]["clusterIPs"]),
        (&json!("10.0.0.1"), &json!(["10.0.0.1"]))
    );
    assert_eq!(
        made["spec"]["ports"][0],
        json!({ "port": 80, "protocol": "TCP", "targetPort": 80 })
    );
    assert_eq!(made["spec"]["ports"][1]["targetPort"], "http");
    assert_eq!(
        service("b", json!({ "clusterIP": "None" })).unwrap()["spec"]["clusterIPs"],
        json!(["None"])
    );
    let copy = service("c", json!({ "clusterIPs": ["10.0.0.1"] })).unwrap_err();
    assert!(
        copy.code() == 422
            && copy
                .to_string()
                .contains("may not be set when `clusterIP` is not specified"),
        "{copy}"
    );

    let services: Api<Service> = Api::default_namespaced(sandbox.client());
    let mut lacking: Service = serde_json::from_value(made).unwrap();
    let spec = lacking.spec.as_mut().unwrap();
    (spec.cluster_ip, spec.cluster_ips) = (None, None);
    let kept = services.replace("a", &PostParams::default(), &lacking).await.unwrap();
    assert_eq!(kept.spec.unwrap().cluster_ip.unwrap(), "10.0.0.1");
    let moved = json!({ "spec": { "clusterIP": "10.0.9.9" } });
    assert_eq!(
        sandbox.patch("services", "default", "a", &moved).unwrap_err().code(),
        422
    );
}

#[tokio::test(start_paused = true)]
async fn defaults_are_filled_in() {
    let sandbox = sandbox();
    let made = sandbox.create(deployment("app", 2, "app:1")).unwrap();
    let wanted = [
        ("/spec/progressDeadlineSeconds", json!(600)),
        ("/spec/revisionHistoryLimit", json!(10)),
        ("/spec/strategy/rollingUpdate/maxSurge", json!("25%")),
        ("/spec/template/spec/restartPolicy", json!("Always")),
        (
            "/spec/template/spec/containers/0/imagePullPolicy",
            json!("IfNotPresent"),
        ),
    ];
    for (path, value) in wanted {
        assert_eq!(made.pointer(path), Some(&value), "{path}");
    }
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": "r" },
        "spec": {
            "parentRefs": [{ "name": "g" }],
            "rules": [{ "backendRefs": [{ "name": "b", "port": 80 }] }, { "matches": [{ "headers": [{ "name": "h", "value": "1" }] }] }],
        },
    });
    let route = sandbox.create(route).unwrap();
    let path = json!({ "type": "PathPrefix", "value": "/" });
    assert_eq!(route.pointer("/spec/rules/0/matches"), Some(&json!([{ "path": path }])));
    assert_eq!(route.pointer("/spec/rules/1/matches/0/path"), Some(&path));
    assert_eq!(
        route.pointer("/spec/rules/1/matches/0/headers/0/type"),
        Some(&json!("Exact"))
    );
    let backend = json!({ "group": "", "kind": "Service", "name": "b", "port": 80, "weight": 1 });
    assert_eq!(route.pointer("/spec/rules/0/backendRefs/0"), Some(&backend));
    assert_eq!(route.pointer("/spec/parentRefs/0/kind"), Some(&json!("Gateway")));

    let plain =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "stringData": { "k": "vw" } });
    sandbox.create(plain).unwrap();
    let secrets: Api<Secret> = Api::default_namespaced(sandbox.client());
    assert_eq!(secrets.get("s").await.unwrap().data.unwrap()["k"].0, b"vw");
    let moved = json!({ "spec": { "selector": { "matchLabels": { "app": "other" } } } });
    assert_eq!(
        sandbox
            .patch("deployments.apps", "default", "app", &moved)
            .unwrap_err()
            .code(),
        422
    );
}
