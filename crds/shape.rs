//! Shapes of the schema that the derive cannot say, and the decoders that go with them.
//!
//! The schema accepts, prunes and defaults what the peer's CRD accepts, prunes and defaults (crates.md 2.1, deploy.md 10);
//! where it differs it is wider, never narrower.

use jiff::Timestamp;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `spec.provider`: the providers of today, and `supergloo` of the v1alpha3 documents so that its owner hears from us.
pub const PROVIDERS: [&str; 23] = [
    "apisix",
    "appmesh",
    "appmesh:v1beta2",
    "contour",
    "gatewayapi:v1",
    "gatewayapi:v1:grpc",
    "gatewayapi:v1:tcp",
    "gatewayapi:v1alpha2:tcp",
    "gatewayapi:v1beta1",
    "gloo",
    "istio",
    "knative",
    "kubernetes",
    "kuma",
    "linkerd",
    "nginx",
    "osm",
    "skipper",
    "smi:v1alpha1",
    "smi:v1alpha2",
    "smi:v1alpha3",
    "supergloo",
    "traefik",
];
/// Kinds of `spec.targetRef`.
pub(crate) const TARGETS: [&str; 3] = ["DaemonSet", "Deployment", "Service"];
/// Kinds of `spec.routeRef`.
pub(crate) const ROUTES: [&str; 4] = ["ApisixRoute", "GRPCRoute", "HTTPRoute", "TCPRoute"];
/// Backends of a MetricTemplate.
pub(crate) const METRIC_PROVIDERS: [&str; 11] = [
    "prometheus",
    "influxdb",
    "datadog",
    "externalmetrics",
    "stackdriver",
    "cloudwatch",
    "newrelic",
    "graphite",
    "dynatrace",
    "keptn",
    "splunk",
];
/// `analysis.webhooks[].type`; empty means `rollout`.
pub(crate) const HOOKS: [&str; 9] = [
    "",
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-promotion",
    "post-rollout",
    "event",
    "rollback",
    "confirm-traffic-increase",
];
/// `analysis.alerts[].severity`; empty means `info`.
pub(crate) const SEVERITIES: [&str; 4] = ["", "info", "warn", "error"];
/// Durations, open at the end as with the peer: `1m30s` passes and `1h` does not.
pub(crate) const INTERVAL: &str = "^[0-9]+(m|s)";
/// A DNS label.
pub(crate) const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS subdomain.
pub(crate) const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// An API group; the core group is empty.
pub(crate) const SUBDOMAIN_OR_EMPTY: &str = r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A kind.
pub(crate) const KIND: &str = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";

pub(crate) fn target(_: &mut SchemaGenerator) -> Schema {
    reference(&TARGETS)
}

pub(crate) fn ingress(_: &mut SchemaGenerator) -> Schema {
    reference(&["Ingress"])
}

fn reference(kinds: &[&str]) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["apiVersion", "kind", "name"],
        "properties": {
            "apiVersion": { "type": "string", "description": "API version of the object." },
            "kind": { "type": "string", "enum": kinds, "description": "Kind of the object." },
            "name": { "type": "string", "description": "Name of the object." },
        },
    })
}

/// A core Service needs a port (the rule of the Gateway API).
pub(crate) fn backend_rules() -> Value {
    json!([{
        "rule": "self.group != '' || self.kind != 'Service' || has(self.port)",
        "message": "a Service needs a port",
    }])
}

/// One text comparison of `service.match[]`.
pub(crate) fn text_match(_: &mut SchemaGenerator) -> Schema {
    at_most_one(&["exact", "prefix", "regex"])
}

/// Text comparisons of `service.match[]` by header or parameter.
pub(crate) fn text_matches(_: &mut SchemaGenerator) -> Schema {
    map_of(&at_most_one(&["exact", "prefix", "regex"]))
}

/// Origins of the cross-origin policy.
pub(crate) fn origins(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": exactly_one(&["exact", "prefix", "regex"]) })
}

/// `analysis.match[]` keeps only the three fields that can select users (deploy.md 10.1); the others are pruned.
pub(crate) fn analysis_matches(_: &mut SchemaGenerator) -> Schema {
    let mut headers = map_of(&exactly_one(&["exact", "prefix", "suffix", "regex"]));
    headers.insert("description".into(), "Headers that must match.".into());
    let mut parameters = map_of(&at_most_one(&["exact", "prefix", "regex"]));
    parameters.insert("description".into(), "Query parameters that must match.".into());
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "headers": headers,
                "queryParams": parameters,
                "sourceLabels": {
                    "type": "object",
                    "additionalProperties": { "type": "string" },
                    "description": "Labels of the caller's pods.",
                },
            },
        },
    })
}

fn map_of(values: &Schema) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": values })
}

fn exactly_one(names: &[&str]) -> Schema {
    let mut schema = texts_of(names);
    let each: Vec<Value> = names.iter().map(|name| json!({ "required": [name] })).collect();
    schema.insert("oneOf".into(), each.into());
    schema
}

fn at_most_one(names: &[&str]) -> Schema {
    let mut schema = texts_of(names);
    let pairs: Vec<Value> = names
        .iter()
        .enumerate()
        .flat_map(|(index, one)| {
            names
                .iter()
                .skip(index + 1)
                .map(move |other| json!({ "required": [one, other] }))
        })
        .collect();
    schema.insert("not".into(), json!({ "anyOf": pairs }));
    schema
}

fn texts_of(names: &[&str]) -> Schema {
    let properties: BTreeMap<&str, Value> = names.iter().map(|name| (*name, json!({ "type": "string" }))).collect();
    json_schema!({ "type": "object", "properties": properties })
}

/// Data of a hook. Numbers too: the documents show one (`clone: 100`) that the peer's schema refuses.
pub(crate) fn texts_or_numbers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "x-kubernetes-int-or-string": true } })
}

/// A point in time.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Texts, with numbers and booleans written out.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let raw = BTreeMap::<String, Value>::deserialize(deserializer)?;
    Ok(raw.into_iter().map(|(key, value)| (key, text(value))).collect())
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A time of the status, or nothing if it cannot be read: no decision hangs on it, so it must not hide the object.
pub(crate) fn readable_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}
