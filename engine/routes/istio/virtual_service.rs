//! The VirtualService: hosts, gateways and routes (routers-mesh.md 3.2, 3.5).

use crds::{
    Canary,
    analysis::Analysis,
    service::{HeaderOperations, Headers, HttpMatch, Mirror, Service},
};
use serde_json::{Map, Value, json};

use super::{VIRTUAL_SERVICE, adoption, matches, reference};
use crate::{
    json as tree,
    routes::{
        Capabilities, Context, Refused, Split,
        affinity::{Rules, SET_COOKIE},
        kept::{Shape, keeping_unknown},
        order, put_or_remove,
    },
    services,
};

/// Fields of an HTTP route that are written here; all others of the same route are kept.
const HTTP_FIELDS: [&str; 10] = [
    "match",
    "rewrite",
    "timeout",
    "retries",
    "corsPolicy",
    "headers",
    "route",
    "mirror",
    "mirrorPercentage",
    "mirrors",
];
/// The same of a TCP route.
const TCP_FIELDS: [&str; 2] = ["match", "route"];
/// The gateway that stands for all sidecars.
const MESH: &str = "mesh";

/// What all HTTP routes of one VirtualService have in common.
struct Frame<'a> {
    canary: &'a Canary,
    /// Whom an A/B test chooses.
    chosen: &'a [HttpMatch],
    /// Rewrite, timeout, retries, cross-origin policy, headers.
    options: Map<String, Value>,
    /// Port of the destinations, where it must be told.
    port: Option<i64>,
    /// The mirror, while requests are mirrored.
    mirror: Map<String, Value>,
}

pub(super) fn desired(context: &Context<'_>, split: Split, sticky: &Rules) -> Result<Value, Refused> {
    let service = context.service()?;
    let canary = context.canary;
    let is_tcp = is_tcp(service);
    if is_tcp {
        // The peer leaves out what only HTTP has and sends everybody to the canary, or mirrors for ever (RM-3, RM-4).
        Capabilities::only_weights(canary, "it needs HTTP, and service.appProtocol is tcp")?;
    }
    let (hosts, gateways) = hosts_and_gateways(canary, service)?;
    let frame = Frame::new(context, service, split)?;
    let current = context.at(VIRTUAL_SERVICE);
    let live = current.map_or(&Value::Null, |object| &object["spec"]);
    let (field, other, known, routes) = if is_tcp {
        ("tcp", "http", &TCP_FIELDS[..], vec![frame.tcp(service, split)])
    } else {
        ("http", "tcp", &HTTP_FIELDS[..], frame.http(service, split, sticky)?)
    };
    let shape = Shape {
        fields: known,
        is_weighted: &|route| shares(route, canary).is_some(),
        is_ours: &|route| weight_of(route, &canary.spec.primary_service_name()).is_some(),
    };
    let routes = keeping_unknown(routes, &live[field], &shape);

    let base = current.cloned().unwrap_or_else(|| context.fresh(&reference(canary)));
    let mut object = context.dressed(base, service);
    if let Some(current) = current {
        adoption::remember(&mut object, current, canary);
    }
    tree::set(&mut object, &["spec", "hosts"], json!(hosts));
    let spec = &mut object["spec"];
    put_or_remove(spec, "gateways", !gateways.is_empty(), json!(gateways));
    put_or_remove(spec, other, false, Value::Null);
    spec[field] = json!(routes);
    object["spec"] = order::settled(spec.take(), live);
    Ok(object)
}

fn is_tcp(service: &Service) -> bool {
    let protocol = service.app_protocol.as_deref();
    protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("tcp"))
}

/// A delegate has neither: both stand in the VirtualService that delegates to it.
fn hosts_and_gateways(canary: &Canary, service: &Service) -> Result<(Vec<String>, Vec<String>), Refused> {
    let (mut hosts, mut gateways) = (service.hosts.clone(), service.gateways.clone());
    if service.delegation == Some(true) {
        if !hosts.is_empty() || !gateways.is_empty() {
            let why = "a delegate has no hosts and gateways of its own: remove them, or the delegation";
            return Err(Refused::field("service.delegation", why));
        }
        return Ok((hosts, gateways));
    }
    let apex = canary.spec.apex_name();
    if !hosts.iter().any(|host| host == apex || host == "*") {
        hosts.push(apex.to_owned());
    }
    if gateways.is_empty() {
        gateways.push(MESH.to_owned());
    }
    Ok((hosts, gateways))
}

/// The routes, of whichever protocol there are.
pub(super) fn routes(spec: &Value) -> &[Value] {
    let lists = [&spec["http"], &spec["tcp"]];
    let found = lists
        .into_iter()
        .find_map(|list| list.as_array().filter(|list| !list.is_empty()));
    found.map_or(&[][..], Vec::as_slice)
}

/// Weights of primary and canary; `None` where a route does not lead to both.
pub(super) fn shares(route: &Value, canary: &Canary) -> Option<(i64, i64)> {
    let primary = weight_of(route, &canary.spec.primary_service_name())?;
    let share = weight_of(route, &canary.spec.canary_service_name())?;
    Some((primary, share))
}

fn weight_of(route: &Value, host: &str) -> Option<i64> {
    let destinations = route["route"].as_array()?;
    let found = destinations.iter().find(|entry| entry["destination"]["host"] == host)?;
    Some(found["weight"].as_i64().unwrap_or(0).max(0))
}

// === impl Frame ===

impl<'a> Frame<'a> {
    fn new(context: &Context<'a>, service: &Service, split: Split) -> Result<Self, Refused> {
        let canary = context.canary;
        let port = services::port(canary)?;
        let first = service.gateways.first();
        let is_reached_from_outside = first.is_some_and(|gateway| gateway != MESH) || service.delegation == Some(true);
        let is_told = service.port_discovery == Some(true) && is_reached_from_outside;
        let mut options = options(service);
        let always = mirrors(service)?;
        let target = split
            .mirrored
            .then(|| json!({"host": canary.spec.canary_service_name()}));
        let percent = canary.spec.analysis.as_ref().and_then(Analysis::mirror_percent);
        let percent = percent.map(|percent| json!({ "value": percent }));
        let mut mirror = Map::new();
        match target {
            Some(target) if always.is_empty() => {
                mirror.insert("mirror".into(), target);
                mirror.extend(percent.map(|percent| ("mirrorPercentage".to_owned(), percent)));
            }
            // A route cannot have both forms.
            Some(target) => {
                let mut entry = json!({ "destination": target });
                put_or_remove(&mut entry, "percentage", percent.is_some(), json!(percent));
                let all = always.iter().cloned().chain([entry]);
                mirror.insert("mirrors".into(), all.collect());
            }
            None => {}
        }
        if !always.is_empty() {
            options.insert("mirrors".into(), json!(always));
        }
        Ok(Self {
            canary,
            chosen: context.chosen(),
            options,
            port: is_told.then_some(port),
            mirror,
        })
    }

    /// The weighted route; in front of it those for cookies, behind it with `analysis.match` the one for everybody else.
    fn http(&self, service: &Service, split: Split, sticky: &Rules) -> Result<Vec<Value>, Refused> {
        let reached = if self.chosen.is_empty() {
            service.matches.clone()
        } else {
            matches::tested(self.chosen, &service.matches)?
        };
        let mut routes = Vec::new();
        for rule in &sticky.sticky {
            let mut route = self.route(
                &matches::with_cookie(&reached, &rule.regex),
                &self.both(rule.split),
                true,
            );
            if let Some(text) = &rule.set_cookie {
                tree::set(&mut route, &["headers", "response", "add", SET_COOKIE], json!(text));
            }
            routes.push(route);
        }
        let mut shared = self.both(split);
        for (destination, text) in shared.iter_mut().zip([&sticky.on_primary, &sticky.on_canary]) {
            if let Some(text) = text {
                tree::set(destination, &["headers", "response", "add", SET_COOKIE], json!(text));
            }
        }
        routes.push(self.route(&reached, &shared, true));
        if !self.chosen.is_empty() {
            routes.push(self.route(&service.matches, &[self.primary(100)], false));
        }
        Ok(routes)
    }

    fn route(&self, matches: &[HttpMatch], destinations: &[Value], is_tested: bool) -> Value {
        let mut route = Value::Object(self.options.clone());
        put_or_remove(&mut route, "match", !matches.is_empty(), matches::stored(matches));
        route["route"] = json!(destinations);
        if is_tested && let Some(fields) = route.as_object_mut() {
            fields.extend(self.mirror.clone());
        }
        route
    }

    /// Of the matches only the ports mean something to TCP.
    fn tcp(&self, service: &Service, split: Split) -> Value {
        let ports = service.matches.iter().filter_map(|found| found.port);
        let ports: Vec<Value> = ports.map(|port| json!({"port": port})).collect();
        let mut route = json!({"route": self.both(split)});
        put_or_remove(&mut route, "match", !ports.is_empty(), json!(ports));
        route
    }

    fn both(&self, split: Split) -> [Value; 2] {
        let canary = self.destination(&self.canary.spec.canary_service_name(), split.canary);
        [self.primary(split.primary), canary]
    }

    fn primary(&self, weight: i64) -> Value {
        self.destination(&self.canary.spec.primary_service_name(), weight)
    }

    fn destination(&self, host: &str, weight: i64) -> Value {
        let mut destination = json!({"destination": {"host": host}, "weight": weight});
        if let Some(port) = self.port {
            destination["destination"]["port"] = json!({"number": port});
        }
        destination
    }
}

fn options(service: &Service) -> Map<String, Value> {
    let rewrite = service.rewrite.clone().map(|mut rewrite| {
        // Says something to the Gateway API only.
        rewrite.kind = None;
        rewrite
    });
    let timeout = service.timeout.as_ref().filter(|timeout| !timeout.is_empty());
    let headers = service.headers.as_ref().and_then(without_empty);
    let given = [
        ("rewrite", json!(rewrite)),
        ("timeout", json!(timeout)),
        ("retries", json!(service.retries)),
        ("corsPolicy", json!(service.cors_policy)),
        ("headers", json!(headers)),
    ];
    let present = given.into_iter().filter(|(_, value)| !value.is_null());
    present.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The mirrors of the service's own, which the peer writes for the Gateway API only (RM-31).
fn mirrors(service: &Service) -> Result<Vec<Value>, Refused> {
    let mirror = |(place, given): (usize, &Mirror)| {
        let path = format!("service.mirror[{place}]");
        let Some(backend) = &given.backend_ref else {
            return Err(Refused::field(path, "backendRef is missing"));
        };
        if backend.kind.as_deref().is_some_and(|kind| kind != "Service") {
            return Err(Refused::field(
                path + ".backendRef.kind",
                "Istio mirrors to Services only",
            ));
        }
        let namespace = backend.namespace.as_deref().filter(|namespace| !namespace.is_empty());
        // Istio completes names without a dot only.
        let host = namespace.map_or_else(
            || backend.name.clone(),
            |namespace| format!("{}.{namespace}.svc.cluster.local", backend.name),
        );
        let mut destination = json!({ "host": host });
        if let Some(port) = backend.port {
            destination["port"] = json!({ "number": port });
        }
        Ok(json!({ "destination": destination }))
    };
    service.mirror.iter().enumerate().map(mirror).collect()
}

/// Whether a route sends copies to this host.
pub(super) fn mirrors_to(route: &Value, host: &str) -> bool {
    let mut several = route["mirrors"].as_array().into_iter().flatten();
    route["mirror"]["host"] == *host || several.any(|mirror| mirror["destination"]["host"] == *host)
}

/// What changes nothing is left out.
fn without_empty(headers: &Headers) -> Option<Headers> {
    let changes = |operations: &Option<HeaderOperations>| {
        operations.clone().filter(|given| *given != HeaderOperations::default())
    };
    let headers = Headers {
        request: changes(&headers.request),
        response: changes(&headers.response),
    };
    (headers != Headers::default()).then_some(headers)
}
