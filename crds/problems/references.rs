//! The target, its names and ports, and what the provider needs.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Problem, problem};
use crate::{
    Canary, CanarySpec, Number,
    service::Service,
    shape::{PROVIDERS, TARGETS},
};

/// Names of Services and values of labels are DNS labels.
pub(crate) const LABEL_MAX: usize = 63;
const SCALERS: [&str; 2] = ["HorizontalPodAutoscaler", "ScaledObject"];

pub(super) fn problems(spec: &CanarySpec, provider: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(of_kinds(spec));
    found.extend(of_provider(spec));
    found.extend(of_knative(spec));
    found.extend(of_missing_references(spec, provider));
    found.extend(of_names(spec));
    match &spec.service {
        Some(service) => found.extend(of_ports(service)),
        None if makes_services(spec) => found.push(problem(
            "spec.service",
            "it is missing, so there is no port to serve",
            "a service with at least its port",
        )),
        None => {}
    }
    found
}

/// Deployments and DaemonSets get Services from us; a target Service, Knative's too, brings its own.
fn makes_services(spec: &CanarySpec) -> bool {
    spec.target_ref.kind != "Service"
}

fn of_kinds(spec: &CanarySpec) -> Vec<Problem> {
    let mut found = Vec::new();
    let target = spec.target_ref.kind.as_str();
    if !TARGETS.contains(&target) {
        found.push(problem(
            "spec.targetRef.kind",
            format!("a {target} cannot be released{}", because(target)),
            TARGETS.join(", "),
        ));
    }
    let scaler = spec.autoscaler_ref.as_ref().map(|scaler| scaler.kind.as_str());
    if let Some(kind) = scaler.filter(|kind| !SCALERS.contains(kind)) {
        found.push(problem(
            "spec.autoscalerRef.kind",
            format!("a {kind} cannot be copied for the primary"),
            SCALERS.join(", "),
        ));
    }
    found
}

/// Why this well-known kind is not among the targets (WL-38).
fn because(kind: &str) -> &'static str {
    match kind {
        "StatefulSet" => ", as its pods have names and volumes that two versions cannot share",
        "Job" | "CronJob" | "Pod" => ", as it does not serve users",
        _ => "",
    }
}

fn of_provider(spec: &CanarySpec) -> Option<Problem> {
    let provider = spec.provider.as_deref().filter(|provider| !provider.is_empty())?;
    if PROVIDERS.contains(&provider) && provider != "supergloo" {
        return None;
    }
    let known: Vec<&str> = PROVIDERS.into_iter().filter(|known| *known != "supergloo").collect();
    Some(problem(
        "spec.provider",
        format!("`{provider}` is not a provider"),
        format!("the mesh or ingress in use, one of {}", known.join(", ")),
    ))
}

/// A Knative Service and the provider `knative` only work together, and without autoscaler (controller.md 1.4).
fn of_knative(spec: &CanarySpec) -> Option<Problem> {
    let target = &spec.target_ref;
    let is_knative = target.kind == "Service" && target.api_version.starts_with("serving.knative.dev/");
    match (is_knative, spec.provider.as_deref() == Some("knative")) {
        (true, false) => Some(problem("spec.provider", "the target is a Knative Service", "knative")),
        (false, true) => Some(problem(
            "spec.targetRef",
            "the provider is knative and the target is not a Knative Service",
            "apiVersion serving.knative.dev/v1 and kind Service, or another provider",
        )),
        (true, true) if spec.autoscaler_ref.is_some() => Some(problem(
            "spec.autoscalerRef",
            "Knative scales its revisions by itself",
            "no autoscalerRef",
        )),
        _ => None,
    }
}

fn of_missing_references(spec: &CanarySpec, provider: &str) -> Option<Problem> {
    let service = spec.service.as_ref();
    let gateways = service.is_some_and(|service| !service.gateway_refs.is_empty());
    let mesh = service.and_then(|service| service.mesh_name.as_deref());
    let own = spec.route_ref.as_ref().map(|route| route.kind.as_str());
    let has_own = own.is_some_and(|kind| kind != "ApisixRoute");
    let (path, present) = match provider {
        "nginx" | "skipper" => ("spec.ingressRef", spec.ingress_ref.is_some()),
        "apisix" => ("spec.routeRef", spec.route_ref.is_some()),
        // v1beta2 finds the mesh by the namespace's labels (routers-mesh.md 7).
        "appmesh" => ("spec.service.meshName", mesh.is_some_and(|mesh| !mesh.is_empty())),
        gateway if gateway.starts_with("gatewayapi:v1") => ("spec.service.gatewayRefs", gateways || has_own),
        _ => return None,
    };
    (!present).then(|| {
        problem(
            path,
            format!("it is missing, and the provider {provider} needs it"),
            "the object that receives the traffic",
        )
    })
}

/// `<apex>-primary` must be a Service name. The target's own name may be longer: its copy is no DNS label, and which
/// label value it needs only the target tells (WL-44).
fn of_names(spec: &CanarySpec) -> Option<Problem> {
    let primary = spec.primary_service_name();
    if !makes_services(spec) || primary.len() <= LABEL_MAX {
        return None;
    }
    let own = spec.service.as_ref().and_then(|service| service.name.as_deref());
    let path = match own.filter(|name| !name.is_empty()) {
        Some(_) => "spec.service.name",
        None => "spec.targetRef.name",
    };
    Some(problem(
        path,
        format!(
            "the Service `{primary}` would have {} characters, more than {LABEL_MAX}",
            primary.len()
        ),
        format!(
            "a spec.service.name of at most {} characters",
            LABEL_MAX - "-primary".len()
        ),
    ))
}

fn of_ports(service: &Service) -> Vec<Problem> {
    let mut found = Vec::new();
    let Number(port) = service.port;
    if !(1.0..=65535.0).contains(&port) {
        found.push(problem(
            "spec.service.port",
            format!("{port} is not a port"),
            "a number from 1 to 65535",
        ));
    }
    // 0 stands for the service port.
    if let Some(IntOrString::Int(port)) = service.target_port
        && !(0..=65535).contains(&port)
    {
        found.push(problem(
            "spec.service.targetPort",
            format!("{port} is not a port"),
            "a number from 1 to 65535, or the name of a container port",
        ));
    }
    found
}

pub(super) fn elsewhere(canary: &Canary) -> Vec<Problem> {
    let spec = &canary.spec;
    let upstream = spec.upstream_ref.as_ref();
    let mut references = vec![(
        "spec.upstreamRef.namespace".to_owned(),
        upstream.and_then(|upstream| upstream.namespace.as_deref()),
    )];
    if let Some(analysis) = &spec.analysis {
        references.extend(analysis.metrics.iter().enumerate().map(|(index, metric)| {
            let template = metric.template_ref.as_ref();
            (
                format!("spec.analysis.metrics[{index}].templateRef.namespace"),
                template.and_then(|template| template.namespace.as_deref()),
            )
        }));
        references.extend(analysis.alerts.iter().enumerate().map(|(index, alert)| {
            (
                format!("spec.analysis.alerts[{index}].providerRef.namespace"),
                alert.provider_ref.namespace.as_deref(),
            )
        }));
    }
    let home = canary.namespace();
    references
        .into_iter()
        .filter_map(|(path, namespace)| Some((path, namespace.filter(|it| !it.is_empty() && *it != home)?)))
        .map(|(path, namespace)| {
            problem(
                path,
                format!("references to another namespace, here `{namespace}`, are forbidden in this cluster"),
                format!("an object in `{home}`"),
            )
        })
        .collect()
}
