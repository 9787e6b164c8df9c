//! Provider `traefik`: a weighted TraefikService with the name of the apex, to which the user's IngressRoute leads (routers-ingress.md 5).

#[cfg(test)]
mod tests;

use crds::Canary;
use serde_json::{Value, json};

use super::{Capabilities, Context, Provider, Refused, Split, Unready, adoption, affinity::Rules};
use crate::{ObjectRef, json as tree, objects::kinds, services};

/// What else a TraefikService can be, of which it can be one thing only.
const OTHER_FORMS: [&str; 3] = ["mirroring", "failover", "highestRandomWeight"];
/// Weight of a service that has none, as Traefik takes it (RI-18).
const WEIGHT_DEFAULT: i64 = 1;

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "traefik",
    about: "Traefik's IngressRoutes",
    capabilities: Capabilities {
        weights: true,
        revert: true,
        // No A/B testing: requests are matched by the IngressRoute, which is the user's own.
        ..Capabilities::NONE
    },
    kinds: &[kinds::TRAEFIK_SERVICE],
    notes: "The user's IngressRoute leads to the TraefikService with the name of the apex. Requests are matched by the IngressRoute, so \
            there is no A/B testing.",
    claims: |name| name == "traefik",
    objects: |canary| vec![reference(canary)],
    desired: |context, split, sticky| Ok(vec![desired(context, split, sticky)?]),
    observed,
    // Traefik reports nothing that a run could wait for.
    accepted: |_| Ok(()),
    reverted: |context| {
        let restored = |current| adoption::restored(current, context.canary);
        vec![context.at(0).and_then(restored)]
    },
};

fn reference(canary: &Canary) -> ObjectRef {
    kinds::TRAEFIK_SERVICE.named(canary.namespace(), canary.spec.apex_name())
}

/// The primary, and the canary while it has a share. A share of 0 is written as such: without a weight Traefik would take 1.
fn desired(context: &Context<'_>, split: Split, _: &Rules) -> Result<Value, Refused> {
    let (service, canary) = (context.service()?, context.canary);
    let port = services::port(canary)?;
    let current = context.at(0);
    let base = current.cloned().unwrap_or_else(|| context.fresh(&reference(canary)));
    let mut object = context.dressed(base, service);
    let mut is_ours = false;
    if let Some(current) = current {
        is_ours = weight_of(current, &canary.spec.primary_service_name()).is_some();
        adoption::remember(&mut object, current, canary, is_ours);
    }
    let live = current.filter(|_| is_ours).map_or(&[][..], entries);
    let named = |name: &str| live.iter().find(|entry| entry["name"] == name);
    let primary = canary.spec.primary_service_name();
    let entry = |name: String, weight: i64| {
        // What somebody said about one side holds for the other, too.
        let mut entry = named(&name).or_else(|| named(&primary)).cloned().unwrap_or_default();
        let ours = json!({"name": name, "namespace": canary.namespace(), "port": port, "weight": weight});
        tree::merge(&mut entry, &ours);
        if entry["kind"] != "Service"
            && let Some(fields) = entry.as_object_mut()
        {
            fields.remove("kind");
        }
        entry
    };
    let mut wanted = vec![entry(primary.clone(), split.primary)];
    if split.canary > 0 {
        wanted.push(entry(canary.spec.canary_service_name(), split.canary));
    }
    tree::set(&mut object, &["spec", "weighted", "services"], json!(wanted));
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.retain(|form, _| !OTHER_FORMS.contains(&form.as_str()));
    }
    Ok(object)
}

fn entries(object: &Value) -> &[Value] {
    object["spec"]["weighted"]["services"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
}

fn weight_of(object: &Value, name: &str) -> Option<i64> {
    let entry = entries(object).iter().find(|entry| entry["name"] == name)?;
    Some(entry["weight"].as_i64().unwrap_or(WEIGHT_DEFAULT))
}

/// An object without the primary says nothing (RI-6), and neither does one that is no weighted service at all (RI-8).
fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let canary = context.canary;
    let at = reference(canary);
    let object = context.at(0).ok_or_else(|| Unready::Absent(at.to_string()))?;
    let share = weight_of(object, &canary.spec.canary_service_name()).unwrap_or(0);
    let split =
        weight_of(object, &canary.spec.primary_service_name()).and_then(|primary| Split::of_shares(primary, share));
    split.ok_or_else(|| Unready::NoSplit(at.to_string()))
}
