//! Provider `contour`: an HTTPProxy with the name of the apex, which a root proxy of the user's includes (routers-ingress.md 3).

mod matches;
mod policies;
#[cfg(test)]
mod tests;

use crds::{Canary, analysis::Analysis};
use serde_json::{Value, json};

use super::{
    Capabilities, Context, Provider, Refused, Split, Unready, adoption,
    affinity::Rules,
    conditions::objection,
    kept::{Shape, keeping_unknown},
};
use crate::{ObjectRef, json as tree, objects::kinds, services};

/// Fields of a route that are written here; all others of the same route are kept.
const ROUTE_FIELDS: [&str; 4] = ["conditions", "services", "timeoutPolicy", "retryPolicy"];
/// Annotation that chooses another class than the command line's, for the proxy of one Canary (RI-30).
const CLASS: &str = "projectcontour.io/ingress.class";
/// Tells Linkerd where the request goes, as Contour sends it to a pod.
const LINKERD: &str = "l5d-dst-override";

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "contour",
    about: "Contour",
    capabilities: Capabilities {
        weights: true,
        ab: true,
        mirror: true,
        mirror_percentage: true,
        retries: true,
        timeouts: true,
        revert: true,
        // No affinity: a response policy replaces the application's own cookies.
        ..Capabilities::NONE
    },
    kinds: &[kinds::HTTP_PROXY],
    notes: "A root HTTPProxy of the user's includes the one with the name of the apex. Its class is the flag `-ingress-class`, or the \
            annotation `projectcontour.io/ingress.class` in `service.apex.annotations`.",
    claims: |name| name == "contour",
    objects: |canary| vec![reference(canary)],
    desired: |context, split, sticky| Ok(vec![desired(context, split, sticky)?]),
    observed,
    accepted,
    reverted: |context| {
        let restored = |current| adoption::restored(current, context.canary);
        vec![context.at(0).and_then(restored)]
    },
};

fn reference(canary: &Canary) -> ObjectRef {
    kinds::HTTP_PROXY.named(canary.namespace(), canary.spec.apex_name())
}

fn desired(context: &Context<'_>, split: Split, _: &Rules) -> Result<Value, Refused> {
    let (service, canary) = (context.service()?, context.canary);
    let current = context.at(0);
    let live = current.map_or(&Value::Null, |object| &object["spec"]);
    let shape = Shape {
        fields: &ROUTE_FIELDS,
        is_weighted: &|route| leads_to_canary(route, canary),
        is_ours: &|route| weight_of(route, &canary.spec.primary_service_name()).is_some(),
    };
    let routes = keeping_unknown(routes(context, split, live)?, &live["routes"], &shape);
    if !live["tcpproxy"].is_null() {
        let at = reference(canary);
        return Err(Refused::Source(format!(
            "{at} is a tcpproxy, which has no routes; rename it, or the apex"
        )));
    }
    let base = current.cloned().unwrap_or_else(|| context.fresh(&reference(canary)));
    let mut object = context.dressed(base, service);
    if let Some(current) = current {
        let is_ours = routes_of(current).iter().any(|route| (shape.is_ours)(route));
        adoption::remember(&mut object, current, canary, is_ours);
    }
    tree::set(&mut object, &["spec", "routes"], json!(routes));
    let own = object["metadata"]["annotations"][CLASS].as_str().map(str::to_owned);
    let class = own.unwrap_or_else(|| context.flags.ingress_class.to_owned());
    if !class.is_empty() {
        object["spec"]["ingressClassName"] = json!(class);
    }
    Ok(object)
}

/// The weighted routes: one for each way in which a request can be reached. In an A/B test only for chosen requests, as long as there is a
/// share, and behind them those for everybody else.
fn routes(context: &Context<'_>, split: Split, live: &Value) -> Result<Vec<Value>, Refused> {
    let (service, canary) = (context.service()?, context.canary);
    let port = services::port(canary)?;
    let served = matches::served(&service.matches)?;
    let tested = matches::tested(context.chosen(), &served)?;
    let policies = policies::of_service(service)?;
    let live = live["routes"].as_array().map_or(&[][..], Vec::as_slice);
    let counterpart = live.iter().rfind(|route| leads_to_canary(route, canary));
    let known = counterpart.map_or(&[][..], services_of);
    let target = |name: String, weight: i64| {
        let value = format!("{name}.{}.svc.cluster.local:{port}", canary.namespace());
        let mut target = known
            .iter()
            .find(|entry| entry["name"] == name && !is_mirror(entry))
            .cloned()
            .unwrap_or_default();
        let policy = json!({"set": [{"name": LINKERD, "value": value}]});
        tree::merge(
            &mut target,
            &json!({"name": name, "port": port, "weight": weight, "requestHeadersPolicy": policy}),
        );
        target
    };
    let primary = |weight| target(canary.spec.primary_service_name(), weight);
    let mut shared = vec![
        primary(split.primary),
        target(canary.spec.canary_service_name(), split.canary),
    ];
    if split.mirrored
        && let Some(mirror) = shared.last_mut()
    {
        let percent = canary.spec.analysis.as_ref().and_then(Analysis::mirror_percent);
        mirror["mirror"] = json!(true);
        mirror["weight"] = percent.map_or(json!(100), |percent| json!(percent));
    }
    let route = |conditions: &Vec<Value>, services: &[Value]| {
        let mut route = json!({"conditions": conditions, "services": services});
        tree::merge(&mut route, &policies);
        route
    };
    if tested.is_empty() || split.canary == 0 {
        return Ok(served.iter().map(|conditions| route(conditions, &shared)).collect());
    }
    let chosen = tested.iter().map(|conditions| route(conditions, &shared));
    let others = served.iter().map(|conditions| route(conditions, &[primary(100)]));
    Ok(chosen.chain(others).collect())
}

fn routes_of(object: &Value) -> &[Value] {
    object["spec"]["routes"].as_array().map_or(&[][..], Vec::as_slice)
}

fn services_of(route: &Value) -> &[Value] {
    route["services"].as_array().map_or(&[][..], Vec::as_slice)
}

fn is_mirror(service: &Value) -> bool {
    service["mirror"] == true
}

fn leads_to_canary(route: &Value, canary: &Canary) -> bool {
    let target = canary.spec.canary_service_name();
    services_of(route).iter().any(|service| service["name"] == target)
}

/// Weight of the service of that name; one without a weight has 0, as Contour takes it beside others that have one.
fn weight_of(route: &Value, name: &str) -> Option<i64> {
    let mut services = services_of(route).iter().filter(|service| !is_mirror(service));
    let found = services.find(|service| service["name"] == name)?;
    Some(found["weight"].as_i64().unwrap_or(0))
}

/// The split of the last route that leads to both sides. One without the primary says nothing (RI-6).
fn observed(context: &Context<'_>) -> Result<Split, Unready> {
    let canary = context.canary;
    let at = reference(canary);
    let object = context.at(0).ok_or_else(|| Unready::Absent(at.to_string()))?;
    let shares = |route: &Value| {
        let primary = weight_of(route, &canary.spec.primary_service_name())?;
        let share = weight_of(route, &canary.spec.canary_service_name()).unwrap_or(0);
        Split::of_shares(primary, share)
    };
    let mut both = routes_of(object)
        .iter()
        .rev()
        .filter(|route| leads_to_canary(route, canary));
    let split = both.find_map(shares).ok_or_else(|| Unready::NoSplit(at.to_string()))?;
    let target = canary.spec.canary_service_name();
    let mut all = routes_of(object).iter().flat_map(services_of);
    let mirrored = all.any(|service| is_mirror(service) && service["name"] == target);
    Ok(Split { mirrored, ..split })
}

/// Contour says in the status whether it could make a route of the proxy (RI-31). A proxy that no root includes is told, too: no request
/// reaches it.
fn accepted(context: &Context<'_>) -> Result<(), Unready> {
    let at = reference(context.canary);
    let object = context.at(0).ok_or_else(|| Unready::Absent(at.to_string()))?;
    match objection(object, "Valid") {
        None => Ok(()),
        Some(why) => Err(Unready::NotAccepted {
            route: at.to_string(),
            parent: "contour".to_owned(),
            why,
        }),
    }
}
