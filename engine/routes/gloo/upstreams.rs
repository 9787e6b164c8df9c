//! The Upstreams: where each side's pods are, with the settings of the Upstream that the Canary refers to (routers-ingress.md 4.1).

use crds::Canary;
use serde_json::{Value, json};

use crate::{
    ObjectRef, json as tree,
    objects::{self, kinds},
    routes::{Context, Refused},
    services,
};

/// Which version an Upstream leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The primary.
    Primary,
    /// The canary.
    Canary,
}

/// Places of the Services and of the template among the objects.
const SERVICES: usize = 3;
const TEMPLATE: usize = 5;
/// What an Upstream leads to, of which it can be one thing only, and what Gloo itself notes: not copied.
const ITS_OWN: [&str; 11] = [
    "kube",
    "static",
    "pipe",
    "consul",
    "aws",
    "awsEc2",
    "azure",
    "gcp",
    "ai",
    "discoveryMetadata",
    "namespacedStatuses",
];

/// `<namespace>-<apex>-primaryupstream-<port>`: the builtin checks look for this name. A Canary without a port is refused before
/// anything is written.
pub(super) fn name(canary: &Canary, side: Side) -> String {
    let port = services::port(canary).unwrap_or_default();
    let side = match side {
        Side::Primary => "primary",
        Side::Canary => "canary",
    };
    format!(
        "{}-{}-{side}upstream-{port}",
        canary.namespace(),
        canary.spec.apex_name()
    )
}

/// The Upstream that the Canary refers to; without a namespace it is in the Canary's (RI-23).
pub(super) fn template(canary: &Canary) -> Option<ObjectRef> {
    let reference = canary
        .spec
        .upstream_ref
        .as_ref()
        .filter(|reference| !reference.name.is_empty())?;
    let namespace = reference.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    Some(kinds::UPSTREAM.named(namespace.unwrap_or(canary.namespace()), &reference.name))
}

pub(super) fn check_template(context: &Context<'_>) -> Result<(), String> {
    match template(context.canary) {
        Some(at) if context.at(TEMPLATE).is_none() => {
            Err(format!("{at} is not there; create it, or correct spec.upstreamRef"))
        }
        _ => Ok(()),
    }
}

/// The Upstream of one side. All settings follow the template (RI-22); without one, whatever somebody wrote into it is kept.
pub(super) fn desired(context: &Context<'_>, side: Side) -> Result<Value, Refused> {
    let canary = context.canary;
    let port = services::port(canary)?;
    let (place, service) = match side {
        Side::Primary => (0, canary.spec.primary_service_name()),
        Side::Canary => (1, canary.spec.canary_service_name()),
    };
    let current = context.at(place);
    if let Err(why) = check_template(context)
        && current.is_none()
    {
        return Err(Refused::Source(why));
    }
    let at = kinds::UPSTREAM.named(canary.namespace(), &name(canary, side));
    let mut object = current.cloned().unwrap_or_else(|| context.fresh(&at));
    if let Some(template) = context.at(TEMPLATE).filter(|_| template(canary).is_some()) {
        object["spec"] = configured(&object["spec"], &template["spec"]);
    }
    let mut kube = json!({"serviceName": service, "serviceNamespace": canary.namespace(), "servicePort": port});
    let selector = context
        .at(SERVICES + place)
        .map(|service| objects::string_map(&service["spec"]["selector"]));
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        kube["selector"] = json!(selector);
        // Of another version of the Service nothing shall be left.
        if let Some(known) = object["spec"]["kube"].as_object_mut() {
            known.remove("selector");
        }
    }
    let mut known = object["spec"]["kube"].clone();
    tree::merge(&mut known, &kube);
    tree::set(&mut object, &["spec", "kube"], known);
    Ok(object)
}

/// The template's settings, with what the Upstream has of its own.
fn configured(own: &Value, template: &Value) -> Value {
    let is_its_own = |key: &str| ITS_OWN.contains(&key);
    let part = |of: &Value, wanted: bool| {
        let fields = of.as_object().into_iter().flatten();
        fields
            .filter(|(key, _)| is_its_own(key) == wanted)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    part(own, true).into_iter().chain(part(template, false)).collect()
}
