//! Routes: who gets which share, and what App Mesh's gateway shows to the outside.

use crds::{
    Canary,
    service::{HttpMatch, Retries, Service, StringMatch},
};
use serde_json::{Value, json};

use super::{Version, entry, is_grpc, millis, nodes, protocol, put};
use crate::{
    json as tree,
    routes::{Context, Refused, Split},
};

/// Priority of the first route of an A/B test; lower ones win.
const CHOSEN_PRIORITY: usize = 10;
/// Priority of the route for everybody else.
const REST_PRIORITY: usize = 20;
/// What is tried again where nothing is said.
const RETRY_ON: &str = "gateway-error";
/// Limit of one attempt where none can be read, in milliseconds.
const ATTEMPT_MILLIS: i64 = 250;
/// Retry events that are no matter of HTTP.
const CONNECTION: &str = "connection-error";
/// The same of gRPC.
const OF_GRPC: [&str; 5] = [
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];
/// What App Mesh's gateway reads.
const GATEWAY: &str = "gateway.appmesh.k8s.aws/";

/// Which traffic a set of routes is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The users'.
    Both,
    /// That of acceptance tests: no A/B test applies.
    Canary,
}

/// What all routes of a Canary have in common.
pub(super) struct Frame<'a> {
    context: &'a Context<'a>,
    service: &'a Service,
    version: Version,
    port: i64,
    /// Headers of each kind of requests that an A/B test chooses.
    chosen: Vec<Value>,
}

// === impl Frame ===

impl<'a> Frame<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        service: &'a Service,
        port: i64,
        version: Version,
    ) -> Result<Self, Refused> {
        let has_mesh = service.mesh_name.as_ref().is_some_and(|name| !name.is_empty());
        if version == Version::One && !has_mesh {
            return Err(Refused::field(
                "service.meshName",
                "every object needs the name of its mesh",
            ));
        }
        let chosen = context.chosen().iter().enumerate();
        Ok(Self {
            context,
            service,
            version,
            port,
            chosen: chosen
                .map(|(place, found)| headers(place, found))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The routes of the router of this name, which is `current` now: what others added to a route stays.
    pub(super) fn routes(
        &self,
        name: &str,
        split: Split,
        side: Side,
        current: Option<&Value>,
    ) -> Result<Vec<Value>, Refused> {
        let live = current.map_or(&Value::Null, |object| &object["spec"]["routes"]);
        let both = [
            (self.context.canary.spec.canary_service_name(), split.canary),
            (self.context.canary.spec.primary_service_name(), split.primary),
        ];
        if side == Side::Canary || self.chosen.is_empty() {
            return Ok(vec![self.route(entry(live, name), None, None, &both)]);
        }
        // One route for each entry: what matches any of them is chosen. The peer asks for all of them at once.
        if self.chosen.len() > REST_PRIORITY - CHOSEN_PRIORITY {
            return Err(Refused::field("analysis.match", "App Mesh takes 10 entries at most"));
        }
        let chosen = self.chosen.iter().enumerate().map(|(place, headers)| {
            let suffix = if place == 0 {
                "a".to_owned()
            } else {
                format!("a-{}", place + 1)
            };
            self.route(
                entry(live, &format!("{name}-{suffix}")),
                Some(CHOSEN_PRIORITY + place),
                Some(headers),
                &both,
            )
        });
        let primary = [(self.context.canary.spec.primary_service_name(), 100)];
        let rest = self.route(entry(live, &format!("{name}-b")), Some(REST_PRIORITY), None, &primary);
        Ok(chosen.chain([rest]).collect())
    }

    fn route(
        &self,
        mut route: Value,
        priority: Option<usize>,
        headers: Option<&Value>,
        targets: &[(String, i64)],
    ) -> Value {
        let (field, other) = self.fields();
        let mut rule = route[field].take();
        tree::set(&mut rule, &["match"], self.matched(headers));
        let targets: Vec<Value> = targets
            .iter()
            .map(|(node, weight)| self.target(node, *weight))
            .collect();
        tree::set(&mut rule, &["action"], json!({ "weightedTargets": targets }));
        put(
            &mut rule,
            "retryPolicy",
            self.service.retries.as_ref().map(|retries| self.retries(retries)),
        );
        match self.version {
            Version::One => put(&mut rule, "priority", priority.map(|priority| json!(priority))),
            Version::Two => {
                let timeout = millis(self.service.timeout.as_ref());
                let timeout = timeout.map(|millis| json!({"perRequest": {"unit": "ms", "value": millis}}));
                put(&mut rule, "timeout", timeout);
                put(&mut route, "priority", priority.map(|priority| json!(priority)));
            }
        }
        route[field] = rule;
        put(&mut route, other, None);
        route
    }

    /// The field of this protocol, and that of the other one. The peer writes HTTP routes for gRPC, too (RM-37).
    fn fields(&self) -> (&'static str, &'static str) {
        let [http, grpc] = match self.version {
            Version::One => ["http", "grpc"],
            Version::Two => ["httpRoute", "grpcRoute"],
        };
        if is_grpc(self.service) {
            (grpc, http)
        } else {
            (http, grpc)
        }
    }

    fn matched(&self, headers: Option<&Value>) -> Value {
        let (mut matched, field) = if is_grpc(self.service) {
            (json!({}), "metadata")
        } else {
            (json!({"prefix": prefix(self.service)}), "headers")
        };
        put(&mut matched, field, headers.cloned());
        matched
    }

    fn target(&self, node: &str, weight: i64) -> Value {
        match self.version {
            Version::One => json!({"virtualNodeName": node, "weight": weight}),
            Version::Two => json!({"virtualNodeRef": {"name": node}, "weight": weight}),
        }
    }

    fn retries(&self, retries: &Retries) -> Value {
        let millis = millis(retries.per_try_timeout.as_ref()).unwrap_or(ATTEMPT_MILLIS);
        let given = retries.retry_on.as_deref().filter(|text| !text.trim().is_empty());
        let events = given
            .unwrap_or(RETRY_ON)
            .split(',')
            .map(str::trim)
            .filter(|event| !event.is_empty());
        let (tcp, events): (Vec<&str>, Vec<&str>) = events.partition(|event| *event == CONNECTION);
        let (grpc, http): (Vec<&str>, Vec<&str>) = events
            .into_iter()
            .partition(|event| is_grpc(self.service) && OF_GRPC.contains(event));
        let mut policy = json!({"maxRetries": retries.attempts.unwrap_or(1)});
        match self.version {
            Version::One => policy["perRetryTimeoutMillis"] = json!(millis),
            Version::Two => policy["perRetryTimeout"] = json!({"unit": "ms", "value": millis}),
        }
        for (field, events) in [
            ("httpRetryEvents", http),
            ("grpcRetryEvents", grpc),
            ("tcpRetryEvents", tcp),
        ] {
            put(&mut policy, field, (!events.is_empty()).then(|| json!(events)));
        }
        policy
    }

    /// Make `object` the router of this name: a VirtualRouter, or the VirtualService of v1beta1 that has it inside.
    pub(super) fn fill_router(&self, object: &mut Value, name: &str, routes: &[Value]) {
        let listeners = json!([{"portMapping": {"port": self.listener(), "protocol": protocol(self.service)}}]);
        match self.version {
            Version::One => {
                tree::set(object, &["spec", "meshName"], json!(self.service.mesh_name));
                tree::set(object, &["spec", "virtualRouter", "name"], json!(name));
                tree::set(object, &["spec", "virtualRouter", "listeners"], listeners);
            }
            Version::Two => tree::set(object, &["spec", "listeners"], listeners),
        }
        tree::set(object, &["spec", "routes"], json!(routes));
    }

    /// Envoy listens beside the container, from v1beta2 on where the container does.
    fn listener(&self) -> i64 {
        match self.version {
            Version::One => self.port,
            Version::Two => nodes::container_port(self.context, self.service),
        }
    }
}

fn prefix(service: &Service) -> &str {
    let uri = service.matches.first().and_then(|found| found.uri.as_ref());
    uri.and_then(|uri| uri.prefix.as_deref())
        .filter(|prefix| !prefix.is_empty())
        .unwrap_or("/")
}

/// Conditions on the headers of one kind of requests. App Mesh knows no other ones; a test of everybody is refused (RM-2).
fn headers(place: usize, found: &HttpMatch) -> Result<Value, Refused> {
    let refused = |why: &str| Refused::field(format!("analysis.match[{place}]"), why);
    if !found.query_params.is_empty() || !found.source_labels.is_empty() {
        return Err(refused("App Mesh compares headers only; remove the other conditions"));
    }
    if found.headers.is_empty() {
        return Err(refused("it would match every request: name a header"));
    }
    let each = found.headers.iter().map(|(name, text)| {
        let comparison = comparison(text).ok_or_else(|| refused("a header must be compared with something"))?;
        Ok(json!({"name": name, "match": comparison}))
    });
    each.collect()
}

fn comparison(text: &StringMatch) -> Option<Value> {
    let ways = [
        ("exact", &text.exact),
        ("prefix", &text.prefix),
        ("regex", &text.regex),
        ("suffix", &text.suffix),
    ];
    let (way, value) = ways.into_iter().find_map(|(way, value)| Some((way, value.as_ref()?)))?;
    Some(json!({ way: value }))
}

/// Weights of primary and canary in the first route that leads to both.
pub(super) fn shares(object: &Value, canary: &Canary) -> Option<(i64, i64)> {
    let routes = object["spec"]["routes"].as_array().into_iter().flatten();
    let rules = routes.filter_map(|route| {
        let fields = ["httpRoute", "grpcRoute", "http", "grpc"].into_iter();
        fields.map(|field| &route[field]).find(|rule| rule.is_object())
    });
    let mut pairs = rules.filter_map(|rule| {
        let targets = rule["action"]["weightedTargets"].as_array()?;
        let weight = |node: String| {
            let mut targets = targets.iter();
            let found =
                targets.find(|target| target["virtualNodeRef"]["name"] == *node || target["virtualNodeName"] == *node);
            Some(found?["weight"].as_i64().unwrap_or(0))
        };
        let primary = weight(canary.spec.primary_service_name())?;
        Some((primary, weight(canary.spec.canary_service_name())?))
    });
    pairs.next()
}

/// What App Mesh's gateway is told: only where there are hosts. The trailing comma is the peer's (routers-mesh.md 6).
pub(super) fn expose(object: &mut Value, service: &Service) {
    let attempts = service.retries.as_ref().and_then(|retries| retries.attempts);
    let told = [
        ("expose", Some("true".to_owned())),
        ("domain", Some(format!("{},", service.hosts.join(",")))),
        ("timeout", service.timeout.clone().filter(|timeout| !timeout.is_empty())),
        ("retries", attempts.map(|attempts| attempts.to_string())),
    ];
    for (key, value) in told {
        let key = format!("{GATEWAY}{key}");
        if let Some(value) = value.filter(|_| !service.hosts.is_empty()) {
            tree::set(object, &["metadata", "annotations", key.as_str()], json!(value));
            continue;
        }
        let annotations = object.pointer_mut("/metadata/annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.remove(&key);
        }
    }
}
