//! Objects that a provider reads and writes, as an API server would keep them: for tests of providers that have several.

use std::collections::BTreeMap;

use crate::{
    ObjectRef,
    json::{merge, merge_diff},
    objects::{Kind, kinds},
    routes::{Context, Flags, Provider, Refused, Split, Unready, provider},
    seam::{Act, Write},
};
use crds::Canary;
use serde_json::{Value, json};

pub(in crate::routes) const NAMESPACE: &str = "shop";

/// A Canary `cart` in `shop`, and the objects around it.
pub(in crate::routes) struct Play {
    pub(in crate::routes) canary: Canary,
    pub(in crate::routes) objects: BTreeMap<ObjectRef, Value>,
    pub(in crate::routes) flags: Flags<'static>,
}

/// The Canary of routers-ingress.md 1.5, with this patch on its spec.
pub(in crate::routes) fn canary(spec: &Value) -> Canary {
    named("cart", spec)
}

pub(in crate::routes) fn named(name: &str, spec: &Value) -> Canary {
    let mut whole = json!({
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "service": {"port": 80, "targetPort": 8080},
        "analysis": {"interval": "30s", "threshold": 5, "stepWeight": 30, "maxWeight": 60},
    });
    merge(&mut whole, spec);
    let metadata = json!({"name": name, "namespace": NAMESPACE, "uid": format!("uid-{name}")});
    let object = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": whole});
    crds::decode::decode(&object).unwrap()
}

/// `analysis` of an A/B test with these matches.
pub(in crate::routes) fn testing(matches: &Value) -> Value {
    json!({"analysis": {"stepWeight": null, "maxWeight": null, "iterations": 5, "match": matches}})
}

/// The kind of a manifest.
fn kind_of(object: &Value) -> Kind {
    let known = [
        kinds::INGRESS,
        kinds::TRAEFIK_SERVICE,
        kinds::HTTP_PROXY,
        kinds::APISIX_ROUTE,
        kinds::ROUTE_TABLE,
        kinds::UPSTREAM,
        kinds::SERVICE,
        kinds::HTTP_ROUTE,
        kinds::HTTP_ROUTE_V1BETA1,
        kinds::GRPC_ROUTE,
        kinds::TCP_ROUTE,
        kinds::TCP_ROUTE_V1ALPHA2,
    ];
    let version = |kind: &Kind| object["apiVersion"].is_null() || object["apiVersion"] == kind.api_version();
    let is_meant = |kind: &Kind| object["kind"] == kind.kind && version(kind);
    let found = known.into_iter().find(is_meant);
    found.unwrap_or_else(|| panic!("a kind of these providers: {object}"))
}

// === impl Play ===

impl Play {
    pub(in crate::routes) fn new(canary: Canary, objects: &[Value]) -> Self {
        let mut play = Self {
            canary,
            objects: BTreeMap::new(),
            flags: Flags::default(),
        };
        for object in objects {
            play.put(object.clone());
        }
        play
    }

    pub(in crate::routes) fn put(&mut self, object: Value) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let at = kind_of(&object).named(text("namespace"), text("name"));
        self.objects.insert(at, object);
    }

    pub(in crate::routes) fn provider(&self) -> &'static Provider {
        provider(self.canary.spec.provider.as_deref().unwrap()).unwrap()
    }

    pub(in crate::routes) fn context(&self) -> Context<'_> {
        let objects = self.provider().objects(&self.canary);
        Context {
            canary: &self.canary,
            current: objects.iter().map(|at| self.objects.get(at)).collect(),
            selector_key: Some("app"),
            selector_value: None,
            entropy: 7,
            flags: self.flags,
        }
    }

    /// Write what is to be written; returns the names of the objects.
    pub(in crate::routes) fn shift(&mut self, split: Split) -> Result<Vec<String>, Refused> {
        let writes = self.provider().writes(&self.context(), split)?;
        Ok(self.apply(writes))
    }

    pub(in crate::routes) fn apply(&mut self, writes: Vec<Write>) -> Vec<String> {
        let names = writes.iter().map(|write| write.object.to_string()).collect();
        for write in writes {
            match write.act {
                Act::Create(object) => drop(self.objects.insert(write.object, object)),
                Act::Merge { patch, .. } => merge(self.objects.get_mut(&write.object).unwrap(), &patch),
                Act::Delete { .. } => drop(self.objects.remove(&write.object)),
            }
        }
        names
    }

    pub(in crate::routes) fn observed(&self) -> Result<Split, Unready> {
        self.provider().observed(&self.context())
    }

    pub(in crate::routes) fn accepted(&self) -> Result<(), Unready> {
        self.provider().accepted(&self.context())
    }

    /// The object of that kind and name.
    pub(in crate::routes) fn get(&self, kind: Kind, name: &str) -> &Value {
        let at = kind.named(NAMESPACE, name);
        self.objects.get(&at).unwrap_or_else(|| panic!("{at} is not there"))
    }

    /// Patch the object of that kind and name, as somebody else.
    pub(in crate::routes) fn patch(&mut self, kind: Kind, name: &str, patch: &Value) {
        merge(self.objects.get_mut(&kind.named(NAMESPACE, name)).unwrap(), patch);
    }

    /// Bring the split about and assert that it is read back, and that a second pass finds nothing to do.
    pub(in crate::routes) fn settle(&mut self, split: Split) {
        self.shift(split).unwrap();
        assert_eq!(self.observed(), Ok(split));
        assert_eq!(self.shift(split), Ok(Vec::new()), "a second pass writes at {split:?}");
    }

    /// Whether these objects say the same, but for versions.
    pub(in crate::routes) fn differs(&self, other: &BTreeMap<ObjectRef, Value>) -> Option<String> {
        let all = self.objects.iter().map(|(at, object)| (at.to_string(), object.clone()));
        let mut mine = json!(all.collect::<BTreeMap<_, _>>());
        let theirs: BTreeMap<_, _> = other
            .iter()
            .map(|(at, object)| (at.to_string(), object.clone()))
            .collect();
        let found = merge_diff(&mine, &json!(theirs)).map(|diff| diff.to_string());
        mine.take();
        found
    }
}
