//! Provider `gloo`: a RouteTable with the name of the apex, to which the user's VirtualService delegates, and an Upstream for each side
//! (routers-ingress.md 4).

mod matches;
#[cfg(test)]
mod tests;
mod upstreams;

use crds::{Canary, analysis::Analysis};
use serde_json::{Value, json};

use super::{
    Capabilities, Context, Provider, Refused, Split, Unready, adoption,
    affinity::Rules,
    kept::{Shape, keeping_unknown},
};
use crate::{ObjectRef, json as tree, objects::kinds};
use upstreams::Side;

/// Place of the RouteTable among the objects, behind the two Upstreams.
const ROUTE_TABLE: usize = 2;
/// Fields of a route that are written here; all others of the same route are kept.
const ROUTE_FIELDS: [&str; 3] = ["matchers", "inheritablePathMatchers", "routeAction"];
/// Where a route copies its requests to.
const SHADOW: &str = "shadowing";

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "gloo",
    about: "Gloo Edge",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        mirror: true,
        mirror_percentage: true,
        revert: true,
        ..Capabilities::NONE
    },
    kinds: &[kinds::ROUTE_TABLE, kinds::UPSTREAM],
    notes: "A VirtualService of the user's delegates to the RouteTable with the name of the apex. `spec.upstreamRef` names an Upstream whose \
            settings are taken over.",
    // Any suffix goes (routers-ingress.md 0.1).
    claims: |name| name == "gloo" || name.starts_with("gloo:"),
    objects,
    desired,
    observed,
    accepted,
    reverted: |context| {
        let restored = |current| adoption::restored(current, context.canary);
        vec![None, None, context.at(ROUTE_TABLE).and_then(restored)]
    },
};

/// What is written, then the Services and the Upstream that the Upstreams are made from.
fn objects(canary: &Canary) -> Vec<ObjectRef> {
    let upstream = |side| kinds::UPSTREAM.named(canary.namespace(), &upstreams::name(canary, side));
    let service = |name: &str| kinds::SERVICE.named(canary.namespace(), name);
    let mut all = vec![
        upstream(Side::Primary),
        upstream(Side::Canary),
        reference(canary),
        service(&canary.spec.primary_service_name()),
        service(&canary.spec.canary_service_name()),
    ];
    all.extend(upstreams::template(canary));
    all
}

fn reference(canary: &Canary) -> ObjectRef {
    kinds::ROUTE_TABLE.named(canary.namespace(), canary.spec.apex_name())
}

fn desired(context: &Context<'_>, split: Split, _: &Rules) -> Result<Vec<Value>, Refused> {
    // What the Canary says wrong comes before what is missing in the cluster.
    let table = route_table(context, split)?;
    Ok(vec![
        upstreams::desired(context, Side::Primary)?,
        upstreams::desired(context, Side::Canary)?,
        table,
    ])
}

fn route_table(context: &Context<'_>, split: Split) -> Result<Value, Refused> {
    let (service, canary) = (context.service()?, context.canary);
    let tested = matches::tested(context.chosen())?;
    let current = context.at(ROUTE_TABLE);
    let live = current.map_or(&[][..], routes_of);
    let known = live.iter().rfind(|route| shares(route, canary).is_some());
    let known = known.map_or(&[][..], destinations);
    let destination = |side: Side, weight: i64| {
        let name = upstreams::name(canary, side);
        let mut entry = known
            .iter()
            .find(|entry| leads_to(entry, &name))
            .cloned()
            .unwrap_or_default();
        let upstream = json!({"name": name, "namespace": canary.namespace()});
        tree::merge(
            &mut entry,
            &json!({"destination": {"upstream": upstream}, "weight": weight}),
        );
        entry
    };
    let both = [
        destination(Side::Primary, split.primary),
        destination(Side::Canary, split.canary),
    ];
    let route = |destinations: &[Value]| json!({"inheritablePathMatchers": true, "routeAction": {"multi": {"destinations": destinations}}});
    let mut routes = vec![route(&both)];
    if !tested.is_empty() && split.canary > 0 {
        routes[0]["matchers"] = json!(tested);
        // Without it, whoever is not chosen would have no route at all (RI-2).
        routes.push(route(&[destination(Side::Primary, 100)]));
    }
    let primary = upstreams::name(canary, Side::Primary);
    let shape = Shape {
        fields: &ROUTE_FIELDS,
        is_weighted: &|route| shares(route, canary).is_some(),
        is_ours: &|route| destinations(route).iter().any(|entry| leads_to(entry, &primary)),
    };
    let before = current.map_or(&Value::Null, |object| &object["spec"]["routes"]);
    let mut routes = keeping_unknown(routes, before, &shape);
    for route in &mut routes {
        mirror(route, canary, split);
    }

    let base = current.cloned().unwrap_or_else(|| context.fresh(&reference(canary)));
    let mut object = context.dressed(base, service);
    if let Some(current) = current {
        let is_ours = live.iter().any(|route| (shape.is_ours)(route));
        adoption::remember(&mut object, current, canary, is_ours);
    }
    tree::set(&mut object, &["spec", "routes"], json!(routes));
    Ok(object)
}

/// Shadowing stands among the options, which are the user's own; only one that leads to our canary is ours.
fn mirror(route: &mut Value, canary: &Canary, split: Split) {
    let name = upstreams::name(canary, Side::Canary);
    if split.mirrored {
        let percent = canary.spec.analysis.as_ref().and_then(Analysis::mirror_percent);
        let percent = percent.map_or(json!(100), |percent| json!(percent));
        let upstream = json!({"name": name, "namespace": canary.namespace()});
        tree::set(
            route,
            &["options", SHADOW],
            json!({"upstream": upstream, "percentage": percent}),
        );
        return;
    }
    if !mirrors_to(route, &name) {
        return;
    }
    let options = route["options"].as_object_mut();
    let is_empty = options.is_some_and(|options| {
        options.remove(SHADOW);
        options.is_empty()
    });
    if let Some(fields) = route.as_object_mut().filter(|_| is_empty) {
        fields.remove("options");
    }
}

fn mirrors_to(route: &Value, upstream: &str) -> bool {
    route["options"][SHADOW]["upstream"]["name"] == upstream
}

fn routes_of(object: &Value) -> &[Value] {
    object["spec"]["routes"].as_array().map_or(&[][..], Vec::as_slice)
}

fn destinations(route: &Value) -> &[Value] {
    let list = &route["routeAction"]["multi"]["destinations"];
    list.as_array().map_or(&[][..], Vec::as_slice)
}

fn leads_to(destination: &Value, upstream: &str) -> bool {
    destination["destination"]["upstream"]["name"] == upstream
}

/// Weights of both sides; `None` where a route does not lead to both. No weight is a weight of 0.
fn shares(route: &Value, canary: &Canary) -> Option<(i64, i64)> {
    let weight = |side: Side| {
        let name = upstreams::name(canary, side);
        let found = destinations(route).iter().find(|entry| leads_to(entry, &name))?;
        Some(found["weight"].as_i64().unwrap_or(0))
    };
    Some((weight(Side::Primary)?, weight(Side::Canary)?))
}

fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let canary = context.canary;
    let at = reference(canary);
    let object = context.at(ROUTE_TABLE).ok_or_else(|| Unready::Absent(at.to_string()))?;
    let found = routes_of(object).iter().find_map(|route| shares(route, canary));
    let split = found.and_then(|(primary, share)| Split::of_shares(primary, share));
    let split = split.ok_or_else(|| Unready::NoSplit(at.to_string()))?;
    let target = upstreams::name(canary, Side::Canary);
    let mirrored = routes_of(object).iter().any(|route| mirrors_to(route, &target));
    Ok(Split { mirrored, ..split })
}

/// Gloo writes for each of its gateways whether it took the object over; states are numbers in older versions.
fn accepted(context: &Context<'_>) -> Result<(), Unready> {
    upstreams::check_template(context).map_err(Unready::Source)?;
    for (place, at) in objects(context.canary).into_iter().enumerate().take(ROUTE_TABLE + 1) {
        let statuses = context
            .at(place)
            .and_then(|object| object["status"]["statuses"].as_object());
        let mut rejected = statuses
            .into_iter()
            .flatten()
            .filter(|(_, status)| status["state"] == "Rejected" || status["state"] == 2);
        if let Some((gateway, status)) = rejected.next() {
            return Err(Unready::NotAccepted {
                route: at.to_string(),
                parent: gateway.clone(),
                why: status["reason"].as_str().unwrap_or("no reason is given").to_owned(),
            });
        }
    }
    Ok(())
}
