//! Filters of a rule, in the order of routers-mesh.md 4.1: header changes, rewrite, mirrors, cross-origin policy, the analysis' mirror.

use crds::service::{BackendRef, CorsPolicy, HeaderOperations, Rewrite, Service};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::routes::{Refused, affinity::SET_COOKIE, put_or_remove};

/// Seconds that the API server puts in where a cross-origin policy says nothing (RM-5).
const CORS_MAX_AGE_SECS: u64 = 5;

/// Type of the filter that changes the headers of requests.
const REQUEST_HEADERS: &str = "RequestHeaderModifier";
/// Type of the filter that changes the headers of responses.
const RESPONSE_HEADERS: &str = "ResponseHeaderModifier";

/// Type of the filter that answers for cross-origin requests.
pub(super) const CORS: &str = "CORS";

/// Most seconds that the schema's int32 holds: some 68 years.
const CORS_MAX_AGE_SECS_MAX: u64 = 2_147_483_647;

/// The filters that `spec.service` describes.
pub(super) fn of_service(service: &Service) -> Result<Vec<Value>, Refused> {
    let headers = service.headers.as_ref();
    let request = headers.and_then(|headers| headers.request.as_ref()).and_then(modifier);
    let response = headers.and_then(|headers| headers.response.as_ref()).and_then(modifier);
    let mut filters: Vec<Value> = [
        request.map(|changes| json!({"type": REQUEST_HEADERS, "requestHeaderModifier": changes})),
        response.map(|changes| json!({"type": RESPONSE_HEADERS, "responseHeaderModifier": changes})),
        service.rewrite.as_ref().and_then(rewrite),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (place, given) in service.mirror.iter().enumerate() {
        let missing = || Refused::field(format!("service.mirror[{place}]"), "backendRef is missing");
        filters.push(mirror_filter(&backend(given.backend_ref.as_ref().ok_or_else(missing)?)));
    }
    filters.extend(service.cors_policy.as_ref().map(cors));
    Ok(filters)
}

/// The filter that sends a copy of each request, or of so many percent of them (RM-30), to this Service.
pub(super) fn mirror(service: &str, port: i64, percent: Option<i64>) -> Value {
    let mut filter = mirror_filter(&json!({"group": "", "kind": "Service", "name": service, "port": port}));
    if let Some(percent) = percent.filter(|percent| *percent < 100) {
        filter["requestMirror"]["percent"] = json!(percent);
    }
    filter
}

/// The filters with one more header on responses. A rule can have only one filter of that type (RM-7), with each name once.
pub(super) fn setting_cookie(mut filters: Vec<Value>, text: Option<&str>) -> Vec<Value> {
    let Some(text) = text else { return filters };
    let header = json!({"name": SET_COOKIE, "value": text});
    let modifier = filters.iter_mut().find(|filter| filter["type"] == RESPONSE_HEADERS);
    let Some(modifier) = modifier else {
        let filter = json!({"type": RESPONSE_HEADERS, "responseHeaderModifier": {"add": [header]}});
        // In front of what the service asks for behind it: rewrites, mirrors, cross-origin policy.
        let place = usize::from(filters.first().is_some_and(|first| first["type"] == REQUEST_HEADERS));
        filters.insert(place, filter);
        return filters;
    };
    let changes = &mut modifier["responseHeaderModifier"];
    let is_other = |entry: &&Value| {
        !entry["name"]
            .as_str()
            .unwrap_or_default()
            .eq_ignore_ascii_case(SET_COOKIE)
    };
    let others = changes["add"].as_array().into_iter().flatten().filter(is_other);
    let all: Vec<Value> = others.cloned().chain([header]).collect();
    changes["add"] = json!(all);
    filters
}

/// Whether the rule sends copies to this Service.
pub(super) fn mirrors_to(rule: &Value, service: &str) -> bool {
    let filters = rule["filters"].as_array().into_iter().flatten();
    filters
        .filter(|filter| filter["type"] == "RequestMirror")
        .any(|filter| filter["requestMirror"]["backendRef"]["name"] == service)
}

fn mirror_filter(backend: &Value) -> Value {
    json!({"type": "RequestMirror", "requestMirror": {"backendRef": backend}})
}

fn backend(given: &BackendRef) -> Value {
    let mut backend = json!({
        "group": given.group.as_deref().unwrap_or_default(),
        "kind": given.kind.as_deref().unwrap_or("Service"),
        "name": given.name,
    });
    if let Some(namespace) = given.namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
        backend["namespace"] = json!(namespace);
    }
    if let Some(port) = given.port {
        backend["port"] = json!(port);
    }
    backend
}

fn modifier(operations: &HeaderOperations) -> Option<Value> {
    let list = |headers: &BTreeMap<String, String>| -> Value {
        let pair = |(name, value)| json!({"name": name, "value": value});
        headers.iter().map(pair).collect()
    };
    let mut changes = json!({});
    put_or_remove(&mut changes, "add", !operations.add.is_empty(), list(&operations.add));
    put_or_remove(&mut changes, "set", !operations.set.is_empty(), list(&operations.set));
    let removed = !operations.remove.is_empty();
    put_or_remove(&mut changes, "remove", removed, json!(distinct(&operations.remove)));
    (changes != json!({})).then_some(changes)
}

fn rewrite(given: &Rewrite) -> Option<Value> {
    let present = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut changes = json!({});
    if let Some(authority) = present(&given.authority) {
        changes["hostname"] = json!(authority);
    }
    if let Some(uri) = present(&given.uri) {
        changes["path"] = match given.kind.as_deref() {
            Some("ReplacePrefixMatch") => json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": uri}),
            _ => json!({"type": "ReplaceFullPath", "replaceFullPath": uri}),
        };
    }
    (changes != json!({})).then(|| json!({"type": "URLRewrite", "urlRewrite": changes}))
}

/// Origins given as exact matchers are plain origins and taken over; prefixes and expressions cannot be said, and leaving them out allows
/// less, not more.
fn cors(given: &CorsPolicy) -> Value {
    let exact = given.allow_origins.iter().filter_map(|origin| origin.exact.clone());
    let origins: Vec<String> = given.allow_origin.iter().cloned().chain(exact).collect();
    let max_age = given.max_age.as_deref().and_then(crds::decode::go_duration);
    let seconds = max_age.map(|age| age.as_secs()).filter(|seconds| *seconds > 0);
    let mut policy = json!({"maxAge": seconds.unwrap_or(CORS_MAX_AGE_SECS).min(CORS_MAX_AGE_SECS_MAX)});
    let lists = [
        ("allowOrigins", &origins),
        ("allowMethods", &given.allow_methods),
        ("allowHeaders", &given.allow_headers),
        ("exposeHeaders", &given.expose_headers),
    ];
    for (key, list) in lists {
        put_or_remove(&mut policy, key, !list.is_empty(), json!(distinct(list)));
    }
    if given.allow_credentials == Some(true) {
        policy["allowCredentials"] = json!(true);
    }
    json!({"type": CORS, "cors": policy})
}

/// Each text once, in the order given: the schema keeps these lists as sets.
fn distinct(list: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    list.iter()
        .map(String::as_str)
        .filter(|text| seen.insert(*text))
        .collect()
}
