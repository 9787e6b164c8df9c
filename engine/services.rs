//! The three Kubernetes Services of a canary: apex, primary and canary (services.md).
//!
//! What it is: the whole desired Service, made from the Canary and from the Service as it is, so that a second pass finds nothing to
//! do. What it is not: a decision when to write. Who owns what, and which kinds of targets get Services at all (services.md 2), is the
//! caller's business.

pub mod addresses;
mod adoption;
mod ports;
#[cfg(test)]
mod tests;
mod wanted;

use crds::{
    Canary,
    service::{Metadata, Service},
};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    ObjectRef,
    objects::{self, GITOPS_ANNOTATIONS, kinds},
};

use wanted::Wanted;

pub use adoption::reverted_apex;
pub use ports::discovered_ports;

/// Which of the three Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The one that users call; it selects the primary's pods.
    Apex,
    /// It selects the primary's pods.
    Primary,
    /// It selects the target's pods.
    Canary,
}

/// Selector label detected on the target, such as `app: web` (workloads.md 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Key of the label.
    pub key: String,
    /// Its value on the target's pods; the primary's pods carry `<value>-primary`.
    pub value: String,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Name, unique in the Service.
    pub name: String,
    /// Port number; unique in the Service together with the protocol.
    pub port: i64,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Container port: a number or a name.
    pub target: Value,
    /// Application protocol, if any.
    pub app_protocol: Option<String>,
}

/// The target has none of the accepted selector labels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name}.{namespace}: spec.selector.matchLabels must contain one of [{}]", .accepted.join(", "))]
pub struct NoSelector {
    /// Kind of the target.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The accepted keys, in order.
    pub accepted: Vec<String>,
}

/// `spec.service` does not say on which port.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadPort {
    /// There is no `spec.service`.
    #[error("spec.service is missing")]
    NoService,
    /// It is no port number.
    #[error("spec.service.port: {0} is not a whole number from 1 to 65535")]
    OutOfRange(f64),
}

// === impl Role ===

impl Role {
    /// All three, in the order in which they are written (services.md 3).
    pub const ALL: [Self; 3] = [Self::Canary, Self::Primary, Self::Apex];

    fn metadata(self, service: &Service) -> Option<&Metadata> {
        match self {
            Self::Apex => service.apex.as_ref(),
            Self::Primary => service.primary.as_ref(),
            Self::Canary => service.canary.as_ref(),
        }
    }
}

// === impl Selector ===

impl Selector {
    /// Value that the Service of this role selects (services.md 1).
    pub fn value_for(&self, role: Role) -> String {
        match role {
            Role::Apex | Role::Primary => format!("{}-primary", self.value),
            Role::Canary => self.value.clone(),
        }
    }
}

/// The first of the `candidates` that is a key of the target's `spec.selector.matchLabels` (workloads.md 4).
pub fn selector(target: &Value, candidates: &[String]) -> Result<Selector, NoSelector> {
    let labels = objects::string_map(&target["spec"]["selector"]["matchLabels"]);
    let found = candidates.iter().find_map(|key| labels.get_key_value(key));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found
        .map(|(key, value)| Selector {
            key: key.clone(),
            value: value.clone(),
        })
        .ok_or_else(|| NoSelector {
            kind: text(&target["kind"]),
            name: text(&target["metadata"]["name"]),
            namespace: text(&target["metadata"]["namespace"]),
            accepted: candidates.to_vec(),
        })
}

/// Name of the Service of this role (services.md 1).
pub fn name(canary: &Canary, role: Role) -> String {
    match role {
        Role::Apex => canary.spec.apex_name().to_owned(),
        Role::Primary => canary.spec.primary_service_name(),
        Role::Canary => canary.spec.canary_service_name(),
    }
}

/// The Service of this role.
pub fn reference(canary: &Canary, role: Role) -> ObjectRef {
    kinds::SERVICE.named(canary.namespace(), &name(canary, role))
}

/// `spec.service.port`, checked. The schema allows any number (controller.md 1.2), so this is the place that refuses it.
pub fn port(canary: &Canary) -> Result<i64, BadPort> {
    let given = canary.spec.service.as_ref().ok_or(BadPort::NoService)?.port;
    let whole = given.whole().filter(|port| (1..=65535).contains(port));
    whole.ok_or(BadPort::OutOfRange(given.0))
}

/// The whole desired Service of this role (services.md 4 to 8). `ports` are the discovered ones; the service port comes from the Canary.
/// A Canary without a valid [`port`] gives port 0, which the API server refuses; ask [`port`] first for a better text.
///
/// Different from the peer on purpose: `trafficDistribution` follows the Canary after creation too (SV-4), "owned" includes the uid
/// (SV-6), and fields that are not known here survive. `headless` still acts at creation only, see [`unapplied`].
pub fn desired(canary: &Canary, role: Role, selector: &Selector, ports: &[Port], current: Option<&Value>) -> Value {
    let nothing = Service::default();
    let service = canary.spec.service.as_ref().unwrap_or(&nothing);
    let wanted = Wanted::new(canary, service, role, selector, ports);
    match current {
        None => wanted.created(),
        Some(current) => wanted.updated(current),
    }
}

/// What the Canary asks for and an existing Service cannot be given, as a sentence for its owner: `clusterIP` is immutable (SV-4).
pub fn unapplied(canary: &Canary, current: &Value) -> Option<String> {
    let wanted = canary.spec.service.as_ref()?.headless.unwrap_or(false);
    let is = current["spec"]["clusterIP"] == "None";
    let service = current["metadata"]["name"].as_str().unwrap_or_default();
    let ours = objects::is_controlled_by(current, canary);
    (ours && wanted != is).then(|| {
        format!("spec.service.headless: {wanted} has no effect on the existing Service {service}; delete it to have it made anew")
    })
}

/// Name of another Canary that controls this Service, if one does: two Canaries with one `service.name` would undo each other's writes
/// for ever (SV-6).
pub fn other_canary(canary: &Canary, current: &Value) -> Option<String> {
    let owner = objects::controller_of(current).filter(|owner| owner["kind"] == "Canary")?;
    let other = owner["name"].as_str().unwrap_or_default();
    (other != canary.name()).then(|| other.to_owned())
}

/// `wanted`, with the live value of each of these keys laid over it (services.md 6).
pub(crate) fn with_unmanaged(
    mut wanted: BTreeMap<String, String>,
    live: &BTreeMap<String, String>,
    keys: &[String],
) -> BTreeMap<String, String> {
    let kept = live.iter().filter(|(key, _)| keys.contains(key));
    wanted.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
    wanted
}

/// The annotations with those that keep GitOps tools away (services.md 4).
pub(crate) fn with_gitops(mut annotations: BTreeMap<String, String>) -> BTreeMap<String, String> {
    annotations.extend(GITOPS_ANNOTATIONS.map(|(key, value)| (key.to_owned(), value.to_owned())));
    annotations
}
