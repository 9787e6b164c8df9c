//! A canary of each ingress provider, with what its user has beside it, and the provider's own view of the live objects.

use engine::{
    Kind, ObjectRef, Write,
    json::merge,
    objects::kinds,
    routes::{Context, Flags, Provider, Split, provider},
    seam::Act,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use crate::cluster::lab::{Lab, Room, text};

/// The controller's flags, other ones than the defaults.
pub(crate) const FLAGS: Flags<'static> = Flags {
    annotations_prefix: "edge.ingress.example.com",
    ingress_class: "edge",
};

/// The providers, each with the file of its CRDs below ../shared/data/crds; Ingress is built in.
pub(crate) const PROVIDERS: [(&str, Option<&str>); 6] = [
    ("nginx", None),
    ("traefik", Some("traefik.yaml")),
    ("contour", Some("contour.yaml")),
    ("skipper", None),
    ("apisix", Some("apisix.yaml")),
    ("gloo", Some("gloo.yaml")),
];

/// The folder with the products' CRDs. `None`, with a word about it, if it is not there; in CI that fails.
pub(crate) fn definitions() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crds");
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "../shared/data/crds must be there in CI"
    );
    println!("skipped: ../shared/data/crds is not there");
    None
}

/// What a user has: plural, object.
pub(crate) type Sources = Vec<(&'static str, Value)>;

/// The canary `name` on this provider: one step to a half.
pub(crate) fn canary(name: &str, provider: &str, spec: &Value) -> Value {
    let mut object = json!({"metadata": {"name": name}, "spec": {
        "provider": provider,
        "progressDeadlineSeconds": 60,
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "service": {"port": 9898, "apex": {"labels": {"tier": "web"}}},
        "analysis": {"interval": "2s", "threshold": 2, "stepWeight": 50, "maxWeight": 50},
    }});
    let more = match provider {
        "nginx" | "skipper" => {
            json!({"ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": format!("{name}-web")}})
        }
        "apisix" => {
            json!({"routeRef": {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": format!("{name}-web")}})
        }
        "gloo" => {
            json!({"upstreamRef": {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": format!("{name}-tuning")}})
        }
        "contour" => {
            json!({"service": {"timeout": "12s", "retries": {"attempts": 2, "retryOn": "5xx"}, "match": [{"uri": {"prefix": "/shop"}}]}})
        }
        _ => json!({}),
    };
    merge(&mut object["spec"], &more);
    merge(&mut object["spec"], spec);
    object
}

/// What the canary `name` needs besides its Deployment.
pub(crate) fn sources(name: &str, provider: &str) -> Sources {
    let path = |path: &str, service: &str| json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 9898}}}});
    let web = format!("{name}-web");
    match provider {
        "nginx" | "skipper" => vec![(
            "ingresses",
            json!({
                "metadata": {"name": web, "annotations": {"zalando.org/skipper-predicate": "Method(\"GET\")"}},
                "spec": {"rules": [{"host": "a.test", "http": {"paths": [path("/", name), path("/static", "assets")]}}, {"host": "b.test"}]},
            }),
        )],
        "apisix" => vec![(
            "apisixroutes",
            json!({"metadata": {"name": web}, "spec": {"http": [
                {"name": "main", "match": {"hosts": ["a.test"], "paths": ["/*"]}, "backends": [{"serviceName": name, "servicePort": 9898}],
                 "plugins": [{"name": "prometheus", "enable": true, "config": {"prefer_name": true}}]},
                {"name": "admin", "match": {"paths": ["/admin"]}, "backends": [{"serviceName": "admin", "servicePort": 80}]},
            ]}}),
        )],
        "gloo" => vec![(
            "upstreams",
            json!({"metadata": {"name": format!("{name}-tuning")}, "spec": {
                "static": {"hosts": [{"addr": "a.test", "port": 80}]}, "connectionConfig": {"connectTimeout": "3s"},
                "loadBalancerConfig": {"roundRobin": {"slowStartConfig": {"slowStartWindow": "90s"}}},
            }}),
        )],
        _ => Vec::new(),
    }
}

/// What a user may have under the name that the route gets, by plural.
pub(crate) fn adopted(name: &str, provider: &str) -> Sources {
    let spec = match provider {
        "traefik" => {
            json!({"weighted": {"sticky": {"cookie": {"name": "lb"}}, "services": [{"name": "legacy", "port": 80, "weight": 1}]}})
        }
        "contour" => {
            json!({"virtualhost": {"fqdn": "a.test"}, "routes": [{"conditions": [{"prefix": "/"}], "services": [{"name": "legacy", "port": 80}]}]})
        }
        "gloo" => {
            json!({"routes": [{"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": {"name": "legacy", "namespace": "default"}}}}]})
        }
        _ => return Vec::new(),
    };
    let plural = match provider {
        "traefik" => "traefikservices",
        "contour" => "httpproxies",
        _ => "routetables",
    };
    vec![(plural, json!({"metadata": {"name": name}, "spec": spec}))]
}

/// An A/B test that the provider can say.
pub(crate) fn tested() -> Value {
    json!({"stepWeight": null, "maxWeight": null, "iterations": 2, "match": [{"headers": {"x-who": {"regex": "insider.*"}}}]})
}

/// A canary with the objects of its route, as they are on the API server.
pub(crate) struct Scene<'r> {
    room: &'r Room<'r>,
    pub(crate) canary: crds::Canary,
    pub(crate) provider: &'static Provider,
    objects: Vec<ObjectRef>,
    live: Vec<Option<Value>>,
}

fn path(at: &ObjectRef) -> String {
    collection(&at.kind, &at.namespace) + "/" + &at.name
}

fn collection(kind: &Kind, namespace: &str) -> String {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    format!("/{root}/{}/namespaces/{namespace}/{}", kind.api_version(), kind.plural)
}

// === impl Scene ===

impl<'r> Scene<'r> {
    pub(crate) async fn of(room: &'r Room<'r>, name: &str) -> Self {
        let object = room.get("canaries", name).await;
        let canary: crds::Canary = crds::decode::decode(&object).unwrap();
        let provider = provider(canary.spec.provider.as_deref().unwrap()).unwrap();
        let mut scene = Self {
            room,
            objects: provider.objects(&canary),
            live: Vec::new(),
            canary,
            provider,
        };
        scene.look().await;
        scene
    }

    /// Another analysis, for our eyes only.
    pub(crate) fn analyse(&mut self, analysis: &Value) {
        let mut object = json!(self.canary);
        merge(&mut object["spec"]["analysis"], analysis);
        self.canary = crds::decode::decode(&object).unwrap();
    }

    pub(crate) async fn look(&mut self) {
        self.live.clear();
        for at in &self.objects {
            self.live.push(self.lab().get(&path(at)).await);
        }
    }

    fn lab(&self) -> &'r Lab {
        self.room.lab
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            canary: &self.canary,
            current: self.live.iter().map(Option::as_ref).collect(),
            selector_key: Some("app"),
            selector_value: Some("app"),
            entropy: 7,
            flags: FLAGS,
        }
    }

    /// What the route says now, on the API server.
    pub(crate) async fn split(&mut self) -> Option<Split> {
        self.look().await;
        self.provider.observed(&self.context()).ok()
    }

    /// Bring the split about, as strictly as the API server can check it: it stores every field as it was written, so a second pass finds
    /// nothing to do.
    pub(crate) async fn settle(&mut self, split: Split) {
        let writes = self.provider.writes(&self.context(), split).unwrap();
        self.write(writes).await;
        assert_eq!(self.split().await, Some(split), "{}", self.provider.name);
        let again = self.provider.writes(&self.context(), split);
        assert_eq!(again, Ok(Vec::new()), "{} at {split:?}", self.provider.name);
    }

    pub(crate) async fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            let (method, at, body) = match write.act {
                Act::Create(object) => ("POST", collection(&write.object.kind, &write.object.namespace), object),
                Act::Merge { patch, .. } => ("PATCH", path(&write.object), patch),
                Act::Delete { .. } => panic!("nothing is deleted: {}", write.object),
            };
            let answer = self
                .lab()
                .call(method, &format!("{at}?fieldValidation=Strict"), Some(&body))
                .await;
            answer.unwrap_or_else(|error| panic!("{}: {error}: {body:#}", write.object));
        }
        self.look().await;
    }

    /// The object that carries the weights, and a foreign edit of it that takes the weights away.
    pub(crate) fn spoiled(&self) -> (ObjectRef, Value) {
        let found = self.objects.iter().zip(&self.live).find(|(at, object)| {
            let is_source = at.name.ends_with("-web") || at.name.ends_with("-tuning");
            object.is_some() && !is_source && at.kind != kinds::UPSTREAM && at.kind != kinds::SERVICE
        });
        let (at, object) = found.expect("there is a route");
        let mut annotations = object.as_ref().unwrap()["metadata"]["annotations"].clone();
        for (_, value) in annotations.as_object_mut().into_iter().flatten() {
            if text(value) == "50" || text(value).contains("50,") {
                *value = json!("spoiled");
            }
        }
        let spec = match at.kind.kind {
            "TraefikService" => json!({"weighted": {"services": [{"name": "evil", "port": 1, "weight": 7}]}}),
            "HTTPProxy" | "RouteTable" => json!({"routes": []}),
            "ApisixRoute" => json!({"http": []}),
            _ => json!({"rules": [{"host": "evil.test"}]}),
        };
        (
            at.clone(),
            json!({"metadata": {"annotations": annotations}, "spec": spec}),
        )
    }

    pub(crate) async fn spoil(&self) {
        let (at, patch) = self.spoiled();
        self.lab().call("PATCH", &path(&at), Some(&patch)).await.unwrap();
    }
}
