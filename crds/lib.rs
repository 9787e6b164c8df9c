//! The contract of Aviary with its users: `Canary`, `MetricTemplate` and `AlertProvider` of `flagger.app/v1beta1`.
//!
//! What it is: the three kinds as Rust types, their lenient decoding, the defaults that the controller (not the API
//! server) applies, the CRD manifests generated from these same types, what old documents call things ([`legacy`]) and
//! what the schema admits although it cannot work ([`problems`], and at the API server [`policy`]). What it is not: behaviour. Nothing here decides anything.
//!
//! Read in this order: [`canary`], [`service`], [`analysis`], [`status`], then [`decode`], [`problems`] and [`manifest`].

pub mod alert_provider;
pub mod analysis;
pub mod canary;
pub mod decode;
pub mod legacy;
pub mod manifest;
pub mod metric_template;
pub mod number;
pub mod policy;
pub mod problems;
pub mod service;
mod shape;
pub mod status;
pub mod traffic_policy;

pub use alert_provider::{AlertProvider, AlertProviderSpec};
pub use canary::{Canary, CanarySpec};
pub use metric_template::{MetricTemplate, MetricTemplateSpec};
pub use number::Number;
pub use shape::PROVIDERS;
pub use status::{CanaryStatus, Condition, Phase};

/// API group of all three kinds.
pub const GROUP: &str = "flagger.app";
/// The stored version; [`legacy`] names the older ones that are served too.
pub const VERSION: &str = "v1beta1";
/// `apiVersion` of all three kinds.
pub const API_VERSION: &str = "flagger.app/v1beta1";
