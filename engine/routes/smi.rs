//! Providers of the Service Mesh Interface: one TrafficSplit with the name of the apex, in three versions of one shape (routers-mesh.md 8).
//!
//! Linkerd reads v1alpha1 through its SMI extension, Open Service Mesh v1alpha2. A TrafficSplit knows services and weights and nothing
//! else: what the Canary says of requests is refused, or told to have no effect (RM-3, RM-4).

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::{Capabilities, Context, Provider, Refused, Split, Unready, adoption, order};
use crate::{
    ObjectRef, json as tree,
    objects::{Kind, kinds},
};

const fn provider(name: &'static str, about: &'static str, claims: fn(&str) -> bool, version: &Version) -> Provider {
    Provider {
        name,
        about,
        capabilities: Capabilities {
            weights: true,
            revert: true,
            ..Capabilities::NONE
        },
        kinds: version.kinds,
        notes: "",
        claims,
        objects: version.objects,
        desired: version.desired,
        observed: version.observed,
        // Nobody reports about a TrafficSplit.
        accepted: |_| Ok(()),
        reverted: |context| {
            let split = context.at(0);
            vec![split.and_then(|split| adoption::restored(split, context.canary))]
        },
    }
}

/// What differs between versions, as functions of a provider.
struct Version {
    kinds: &'static [Kind],
    objects: fn(&crds::Canary) -> Vec<ObjectRef>,
    desired: fn(&Context<'_>, Split, &super::Rules) -> Result<Vec<Value>, Refused>,
    observed: fn(&Context<'_>) -> Result<Split, Unready>,
}

const ONE: Version = Version {
    kinds: &[kinds::TRAFFIC_SPLIT_V1ALPHA1],
    objects: |canary| vec![reference(kinds::TRAFFIC_SPLIT_V1ALPHA1, canary)],
    // Weights of this version are quantities, which are stored as texts.
    desired: |context, split, _| {
        desired(context, kinds::TRAFFIC_SPLIT_V1ALPHA1, split, |weight| {
            json!(weight.to_string())
        })
    },
    observed: |context| observed(context, kinds::TRAFFIC_SPLIT_V1ALPHA1),
};
const TWO: Version = Version {
    kinds: &[kinds::TRAFFIC_SPLIT_V1ALPHA2],
    objects: |canary| vec![reference(kinds::TRAFFIC_SPLIT_V1ALPHA2, canary)],
    desired: |context, split, _| desired(context, kinds::TRAFFIC_SPLIT_V1ALPHA2, split, |weight| json!(weight)),
    observed: |context| observed(context, kinds::TRAFFIC_SPLIT_V1ALPHA2),
};
const THREE: Version = Version {
    kinds: &[kinds::TRAFFIC_SPLIT_V1ALPHA3],
    objects: |canary| vec![reference(kinds::TRAFFIC_SPLIT_V1ALPHA3, canary)],
    desired: |context, split, _| desired(context, kinds::TRAFFIC_SPLIT_V1ALPHA3, split, |weight| json!(weight)),
    observed: |context| observed(context, kinds::TRAFFIC_SPLIT_V1ALPHA3),
};

/// Linkerd with its SMI extension.
pub(super) const LINKERD: Provider = Provider {
    notes: "For A/B tests, mirrors and cookies on Linkerd use `gatewayapi:v1` or `gatewayapi:v1beta1` with the apex Service as parent \
            (`gatewayRefs: [{group: core, kind: Service, name: APEX, port: PORT}]`).",
    ..provider(
        "linkerd",
        "Linkerd with its SMI extension",
        |name| name == "linkerd",
        &ONE,
    )
};
/// Open Service Mesh.
pub(super) const OSM: Provider = provider("osm", "Open Service Mesh", |name| name == "osm", &TWO);
/// Any mesh that reads v1alpha1; a mesh may be named behind it (`smi:v1alpha1:linkerd`).
pub(super) const V1ALPHA1: Provider = provider(
    "smi:v1alpha1",
    "any mesh with SMI",
    |name| is_version(name, "smi:v1alpha1"),
    &ONE,
);
/// Any mesh that reads v1alpha2.
pub(super) const V1ALPHA2: Provider = provider(
    "smi:v1alpha2",
    "any mesh with SMI",
    |name| is_version(name, "smi:v1alpha2"),
    &TWO,
);
/// Any mesh that reads v1alpha3.
pub(super) const V1ALPHA3: Provider = provider(
    "smi:v1alpha3",
    "any mesh with SMI",
    |name| is_version(name, "smi:v1alpha3"),
    &THREE,
);

fn is_version(name: &str, version: &str) -> bool {
    let rest = name.strip_prefix(version);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

fn reference(kind: Kind, canary: &crds::Canary) -> ObjectRef {
    kind.named(canary.namespace(), canary.spec.apex_name())
}

/// The service whose traffic is shared, and both backends. Metadata is nobody's but the user's (routers-mesh.md 8).
fn desired(context: &Context<'_>, kind: Kind, split: Split, weight: fn(i64) -> Value) -> Result<Vec<Value>, Refused> {
    let (canary, service) = (context.canary, context.service()?);
    let current = context.at(0);
    let live = current.map_or(&Value::Null, |object| &object["spec"]);
    let mut object = current
        .cloned()
        .unwrap_or_else(|| context.fresh(&reference(kind, canary)));
    if let Some(current) = current {
        let is_ours = backend(live, &canary.spec.primary_service_name()).is_some();
        adoption::remember(&mut object, current, canary, is_ours);
    }
    let root = service.hosts.first().map_or(canary.spec.apex_name(), String::as_str);
    let sides = [
        (canary.spec.canary_service_name(), split.canary),
        (canary.spec.primary_service_name(), split.primary),
    ];
    let backends = sides.map(|(name, share)| {
        let mut entry = backend(live, &name)
            .cloned()
            .unwrap_or_else(|| json!({ "service": name }));
        entry["weight"] = weight(share);
        entry
    });
    tree::set(&mut object, &["spec", "service"], json!(root));
    tree::set(&mut object, &["spec", "backends"], json!(backends));
    object["spec"] = order::settled(object["spec"].take(), live);
    Ok(vec![object])
}

fn backend<'v>(spec: &'v Value, service: &str) -> Option<&'v Value> {
    let mut backends = spec["backends"].as_array().into_iter().flatten();
    backends.find(|backend| backend.is_object() && backend["service"] == service)
}

fn observed(context: &Context<'_>, kind: Kind) -> Result<Split, Unready> {
    let canary = context.canary;
    let at = reference(kind, canary);
    let object = context.at(0).ok_or_else(|| Unready::Absent(at.to_string()))?;
    let share = |service: String| Some(thousandths(&backend(&object["spec"], &service)?["weight"]));
    let primary = share(canary.spec.primary_service_name());
    let shares = primary.zip(share(canary.spec.canary_service_name()));
    shares
        .and_then(|(primary, canary)| Split::of_shares(primary, canary))
        .ok_or_else(|| Unready::NoSplit(at.to_string()))
}

/// A weight as people write it: a number, a text, or a quantity in thousandths (`500m`). What cannot be read is nothing.
fn thousandths(weight: &Value) -> i64 {
    let whole = |number: i64| number.saturating_mul(1000);
    if let Some(text) = weight.as_str() {
        let (digits, is_milli) = text.strip_suffix('m').map_or((text, false), |digits| (digits, true));
        let number = digits.parse::<i64>().unwrap_or(0);
        return if is_milli { number } else { whole(number) };
    }
    // A weight may be any number of JSON: 30 and 30.0 are the same.
    weight.as_i64().map_or_else(
        || {
            weight
                .as_f64()
                .and_then(|number| format!("{number:.0}").parse().ok())
                .map_or(0, whole)
        },
        whole,
    )
}
