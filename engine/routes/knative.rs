//! Provider `knative`: the target shares its own traffic between its latest revision and the one that is the primary (routers-mesh.md 10).

use serde_json::{Value, json};

use super::{Capabilities, Context, Provider, Split, Unready};
use crate::{json as tree, objects::kinds, workloads::knative};

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "knative",
    about: "Knative Serving",
    capabilities: Capabilities {
        weights: true,
        // `workloads::knative` gives the Service back.
        revert: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::KNATIVE_SERVICE, kinds::KNATIVE_REVISION],
    notes: "The target is a Knative Service, which shares its own traffic between revisions.",
    claims: |name| name == "knative",
    objects: |canary| vec![kinds::KNATIVE_SERVICE.named(canary.namespace(), &canary.spec.target_ref.name)],
    desired: |context, split, _| Ok(desired(context, split)),
    observed,
    accepted,
    // The Service is the user's own: `workloads::knative` gives it back.
    reverted: |_| Vec::new(),
};

/// Without the Service there is nothing to write: it is the user's own, and never made.
fn desired(context: &Context<'_>, split: Split) -> Vec<Value> {
    let Some((service, primary)) = context
        .at(0)
        .and_then(|service| Some((service, knative::primary(service)?)))
    else {
        return Vec::new();
    };
    let mut object = service.clone();
    // The promotion renames the primary to the latest revision. Its share is still under the older name until all traffic moves, and
    // both names mean what was analysed or what was promoted before.
    if is_promoting(context) && observed(context).is_ok_and(|now| now.canary == split.canary && split.canary > 0) {
        return vec![object];
    }
    tree::set(
        &mut object,
        &["spec", "traffic"],
        json!(traffic(service, primary, split)),
    );
    vec![object]
}

/// Two entries, made from those that are there, so that tags and what Knative adds survive; other entries only keep their tag.
fn traffic(service: &Value, primary: &str, split: Split) -> Vec<Value> {
    let entries = service["spec"]["traffic"].as_array().map_or(&[][..], Vec::as_slice);
    let (mut latest, mut pinned, mut others) = (None, None, Vec::new());
    for entry in entries {
        let is_latest = entry["latestRevision"] == true;
        if latest.is_none() && is_latest {
            latest = Some(entry.clone());
        } else if pinned.is_none() && !is_latest && entry["revisionName"] == primary {
            pinned = Some(entry.clone());
        } else if let Some(fields) = entry.as_object().filter(|_| entry["tag"].is_string()) {
            let mut fields = fields.clone();
            fields.remove("percent");
            others.push(Value::Object(fields));
        }
    }
    let mut latest = latest.unwrap_or_else(|| json!({"latestRevision": true}));
    let mut pinned = pinned.unwrap_or_else(|| json!({"revisionName": primary}));
    tree::set(&mut latest, &["percent"], split.canary.into());
    tree::set(&mut pinned, &["percent"], split.primary.into());
    [latest, pinned].into_iter().chain(others).collect()
}

fn is_promoting(context: &Context<'_>) -> bool {
    let status = context.canary.status.as_ref();
    status.is_some_and(|status| status.phase == crds::Phase::Promoting)
}

/// What is asked for, not what Knative has made of it: during a promotion both names mean the same revision, and its status cannot be told
/// apart (RM-14). At rest the pinned revision must be the primary.
fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let object = context.canary.spec.target_ref.name.clone();
    let service = context.at(0).ok_or_else(|| Unready::Absent(object.clone()))?;
    let entries = service["spec"]["traffic"].as_array().into_iter().flatten();
    let (mut latest, mut pinned) = (None, None);
    for entry in entries {
        let percent = entry["percent"].as_i64().unwrap_or(0);
        if entry["latestRevision"] == true {
            latest = Some(percent.saturating_add(latest.unwrap_or(0)));
        } else if entry["revisionName"].is_string() {
            pinned = Some(percent.saturating_add(pinned.unwrap_or(0)));
        }
    }
    let split = pinned
        .zip(latest)
        .and_then(|(pinned, latest)| Split::of_shares(pinned, latest));
    split.ok_or(Unready::NoSplit(object))
}

fn accepted(context: &Context<'_>) -> Result<(), Unready> {
    let Some(service) = context.at(0) else { return Ok(()) };
    let conditions = service["status"]["conditions"].as_array().into_iter().flatten();
    let mut routes = conditions.filter(|condition| condition["type"] == "RoutesReady");
    match routes.next().filter(|condition| condition["status"] == "False") {
        None => Ok(()),
        Some(refused) => Err(Unready::NotAccepted {
            route: context.canary.spec.target_ref.name.clone(),
            parent: "knative".to_owned(),
            why: refused["message"].as_str().unwrap_or("no reason is given").to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
