//! `spec.service.trafficPolicy`: the part of Istio's traffic policy that the contract keeps; the rest is pruned.
//!
//! These types only give the schema its shape. The controller hands the policy to the DestinationRule as it is, so
//! [`Service`](crate::service::Service) holds it as JSON and nothing in it can make a canary unreadable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Istio traffic policy.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicy {
    /// Connection limits.
    pub connection_pool: Option<ConnectionPool>,
    /// How requests are spread.
    pub load_balancer: Option<LoadBalancer>,
    /// When a pod is left out.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS towards the workload.
    pub tls: Option<Tls>,
}

/// Connection limits.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionPool {
    /// Limits of HTTP connections.
    pub http: Option<HttpPool>,
}

/// Limits of HTTP connections.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPool {
    /// Whether HTTP/1.1 is upgraded to HTTP/2.
    #[schemars(extend("enum" = ["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]))]
    pub h2_upgrade_policy: Option<String>,
    /// Requests that may wait for a connection.
    #[serde(rename = "http1MaxPendingRequests")]
    pub http1_max_pending_requests: Option<i64>,
    /// Requests under way at a time.
    #[serde(rename = "http2MaxRequests")]
    pub http2_max_requests: Option<i64>,
    /// How long an unused connection is kept, a duration.
    pub idle_timeout: Option<String>,
    /// Requests per connection.
    pub max_requests_per_connection: Option<i64>,
    /// Retries under way at a time.
    pub max_retries: Option<i64>,
}

/// How requests are spread: `simple` or `consistentHash`. The peer refuses some wrong mixtures that pass here; Istio refuses them later.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("anyOf" = [{ "required": ["simple"] }, { "required": ["consistentHash"] }]))]
pub struct LoadBalancer {
    /// One of the simple methods.
    #[schemars(extend("enum" = ["ROUND_ROBIN", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "LEAST_REQUEST"]))]
    pub simple: Option<String>,
    /// By a hash of the request.
    pub consistent_hash: Option<ConsistentHash>,
    /// By place.
    pub locality_lb_setting: Option<Locality>,
    /// How long a new pod's share grows, a duration.
    pub warmup_duration_secs: Option<String>,
}

/// What the hash is made of.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsistentHash {
    /// A cookie.
    pub http_cookie: Option<HashCookie>,
    /// A header.
    pub http_header_name: Option<String>,
    /// A query parameter.
    pub http_query_parameter_name: Option<String>,
    /// The caller's address.
    pub use_source_ip: Option<bool>,
    /// Least number of points on the ring.
    pub minimum_ring_size: Option<i64>,
}

/// A cookie that is hashed.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HashCookie {
    /// Name of the cookie.
    pub name: Option<String>,
    /// Path of the cookie.
    pub path: Option<String>,
    /// Life time of the cookie, a duration.
    pub ttl: Option<String>,
}

/// Spreading by place.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Locality {
    /// Shares by place of origin.
    pub distribute: Option<Vec<Distribution>>,
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// Where to go when a place has no healthy pods.
    pub failover: Option<Vec<Failover>>,
}

/// Shares of the places that serve one place of origin.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(default)]
pub struct Distribution {
    /// Place of origin.
    pub from: Option<String>,
    /// Percent per place.
    pub to: Option<BTreeMap<String, i64>>,
}

/// A way out for one region.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(default)]
pub struct Failover {
    /// The region that fails.
    pub from: Option<String>,
    /// The region that takes over.
    pub to: Option<String>,
}

/// When a pod is left out.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OutlierDetection {
    /// How long at first, a duration.
    pub base_ejection_time: Option<String>,
    /// After so many 5xx in a row.
    #[serde(rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: Option<i64>,
    /// After so many errors in a row.
    pub consecutive_errors: Option<i64>,
    /// After so many gateway errors in a row.
    pub consecutive_gateway_errors: Option<i64>,
    /// After so many failures in a row that began here.
    pub consecutive_local_origin_failures: Option<i64>,
    /// Time between two looks, a duration.
    pub interval: Option<String>,
    /// Percent of pods that may be left out.
    pub max_ejection_percent: Option<i64>,
    /// Percent of healthy pods below which nothing is left out.
    pub min_health_percent: Option<i64>,
    /// Tell local failures from others.
    pub split_external_local_origin_errors: Option<bool>,
}

/// TLS towards the workload.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Tls {
    /// File with certificates that are trusted.
    pub ca_certificates: Option<String>,
    /// File with the client's certificate.
    pub client_certificate: Option<String>,
    /// Kind of TLS.
    #[schemars(extend("enum" = ["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]))]
    pub mode: Option<String>,
    /// File with the client's key.
    pub private_key: Option<String>,
    /// Server name that is asked for.
    pub sni: Option<String>,
    /// Names that the certificate may carry.
    pub subject_alt_names: Option<Vec<String>>,
}
