//! The table of rules, in CEL as Kubernetes 1.30 has it.
//!
//! `tests/cluster_policy.rs` lets the real API server and [`problems`](crate::problems) judge the same objects: both must name the same paths.

use crate::{
    problems::{BUILTINS, LABEL_MAX, listed},
    shape::{HOOKS, SEVERITIES},
};

/// One thing that can never work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A short name, for docs/policies.md and for tests.
    pub id: &'static str,
    /// Path of the field as in [`Problem::path`](crate::problems::Problem::path), with `[]` for each entry of a list.
    pub path: &'static str,
    /// How it is found.
    pub check: Check,
    /// What is wrong. No single quotes: it stands in CEL texts.
    pub problem: String,
    /// What the owner could write instead. No single quotes.
    pub instead: String,
}

/// The CEL of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An expression that is true for a sound object.
    Holds(String),
    /// A list of the names of entries that are wrong: empty for a sound object.
    Entries(String),
    /// A list of the paths of fields that are wrong: empty for a sound object.
    Fields(String),
}

/// Where whole numbers stand: the variable that holds them, its path, and their names.
const NUMBERS: [(&str, &str, &[&str]); 6] = [
    ("spec", "spec", &["progressDeadlineSeconds"]),
    ("service", "spec.service", &["port"]),
    (
        "replicas",
        "spec.autoscalerRef.primaryScalerReplicas",
        &["minReplicas", "maxReplicas"],
    ),
    (
        "analysis",
        "spec.analysis",
        &[
            "threshold",
            "iterations",
            "mirrorWeight",
            "primaryReadyThreshold",
            "canaryReadyThreshold",
        ],
    ),
    ("affinity", "spec.analysis.sessionAffinity", &["maxAge"]),
    ("analysis", "spec.analysis", &["maxWeight", "stepWeightPromotion"]),
];
/// Those of them that an old form may hold.
const STEPS: [&str; 2] = ["maxWeight", "stepWeightPromotion"];

/// Integers that a JSON number holds exactly.
const SAFE: &str = "9007199254740992.0";

/// What an HTTP client needs of an address: scheme, host and port (the regular expression form of the check in `problems/checks.rs`).
const ADDRESS: &str = concat!(
    r"^(?i:https?)://([^/?#]*@)?",
    r#"(\[[^\]/?#@\s\p{Z}\p{Cc}<>"]+\]|[^\[:/?#@\s\p{Z}\p{Cc}<>"][^:/?#@\s\p{Z}\p{Cc}<>"]*)"#,
    r"(:(0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?)?",
    r"([/?#](?s:.*))?$",
);

/// All rules for what is written, in the order of the fields.
pub fn rules() -> Vec<Rule> {
    let mut all = providers();
    all.extend(services());
    all.extend(steps());
    all.extend(checks());
    all
}

/// What is said when a Canary goes while its target is at zero (W-18).
pub fn deletion() -> Rule {
    rule(
        "deletion",
        "spec.revertOnDeletion",
        holds(
            "!variables.stopped || variables.target.kind == 'Service' || \
             (has(oldObject.spec.revertOnDeletion) && oldObject.spec.revertOnDeletion)",
        ),
        "the target has no pods, the primary goes with the Canary, and nothing is left that serves",
        "true and delete the Canary then, or scale the target up now",
    )
}

fn providers() -> Vec<Rule> {
    let needs = |id, path, providers: &str, present: &str| {
        let check = format!("!(variables.provider in [{providers}]) || ({present})");
        let problem = "it is missing, and the provider needs it";
        rule(
            id,
            path,
            Check::Holds(check),
            problem,
            "the object that receives the traffic",
        )
    };
    vec![
        rule(
            "provider",
            "spec.provider",
            holds("variables.provider != 'supergloo'"),
            "`supergloo` is not a provider",
            "the mesh or ingress in use",
        ),
        rule(
            "knative-provider",
            "spec.provider",
            holds("!variables.knative || variables.provider == 'knative'"),
            "the target is a Knative Service",
            "knative",
        ),
        rule(
            "knative-target",
            "spec.targetRef",
            holds("variables.provider != 'knative' || variables.knative"),
            "the provider is knative and the target is not a Knative Service",
            "apiVersion serving.knative.dev/v1 and kind Service, or another provider",
        ),
        rule(
            "knative-scaler",
            "spec.autoscalerRef",
            holds("!variables.knative || variables.provider != 'knative' || !has(variables.spec.autoscalerRef)"),
            "Knative scales its revisions by itself",
            "no autoscalerRef",
        ),
        needs(
            "ingress",
            "spec.ingressRef",
            "'nginx', 'skipper'",
            "has(variables.spec.ingressRef)",
        ),
        needs("route", "spec.routeRef", "'apisix'", "has(variables.spec.routeRef)"),
        needs(
            "mesh",
            "spec.service.meshName",
            "'appmesh'",
            "has(variables.service.meshName) && variables.service.meshName != ''",
        ),
        needs(
            "gateways",
            "spec.service.gatewayRefs",
            "'gatewayapi:v1', 'gatewayapi:v1beta1', 'gatewayapi:v1:grpc', 'gatewayapi:v1:tcp', 'gatewayapi:v1alpha2:tcp'",
            "has(variables.service.gatewayRefs) && variables.service.gatewayRefs.size() > 0 || \
             has(variables.spec.routeRef) && variables.spec.routeRef.kind != 'ApisixRoute'",
        ),
    ]
}

fn services() -> Vec<Rule> {
    let longest = LABEL_MAX - "-primary".len();
    let too_long = |id, path, named: &str, name: &str| {
        let check = format!("variables.target.kind == 'Service' || {named} || {name}.size() <= {longest}");
        let problem = format!("the Service of the primary would have more than {LABEL_MAX} characters");
        let instead = format!("a spec.service.name of at most {longest} characters");
        rule(id, path, Check::Holds(check), problem, instead)
    };
    vec![
        rule(
            "service",
            "spec.service",
            holds("variables.target.kind == 'Service' || has(variables.spec.service)"),
            "it is missing, so there is no port to serve",
            "a service with at least its port",
        ),
        too_long(
            "service-name",
            "spec.service.name",
            "!variables.named",
            "variables.service.name",
        ),
        too_long(
            "target-name",
            "spec.targetRef.name",
            "variables.named",
            "variables.target.name",
        ),
        rule(
            "port",
            "spec.service.port",
            holds("!has(variables.service.port) || (variables.service.port >= 1 && variables.service.port <= 65535)"),
            "it is not a port",
            "a number from 1 to 65535",
        ),
        rule(
            "target-port",
            "spec.service.targetPort",
            holds(
                "!has(variables.service.targetPort) || type(variables.service.targetPort) == string || \
                 (variables.service.targetPort >= 0 && variables.service.targetPort <= 65535)",
            ),
            "it is not a port",
            "a number from 1 to 65535, or the name of a container port",
        ),
    ]
}

fn steps() -> Vec<Rule> {
    let advances = "!variables.stepped || variables.stepWeights.size() > 0 || variables.stepWeight.size() > 0";
    let nothing = |id, path, unless: &str| {
        let check = format!("{advances} || {unless}has(variables.analysis.iterations)");
        let instead = "stepWeight, stepWeights, or iterations of at least 1";
        rule(
            id,
            path,
            Check::Holds(check),
            "nothing says how the run advances",
            instead,
        )
    };
    vec![
        rule(
            "whole-numbers",
            "spec",
            Check::Fields(fractions()),
            "only a whole number makes sense here",
            "it without a fraction",
        ),
        nothing("steps", "spec.analysis", ""),
        nothing("iterations", "spec.analysis.iterations", "!"),
        rule(
            "step-weight",
            "spec.analysis.stepWeight",
            holds("!variables.stepped || variables.stepWeights.size() > 0 || variables.stepWeight.all(w, w > 0)"),
            "with this step the canary never gets more traffic",
            "a percentage from 1 to 100",
        ),
        rule(
            "step-weights",
            "spec.analysis.stepWeights[]",
            holds(
                "!variables.stepped || (variables.stepWeights.all(w, w > 0 && \
                 variables.stepWeights.filter(x, x == w).size() == 1) && variables.stepWeights.isSorted())",
            ),
            "a weight is not above the one before it, so the run would never get past it",
            "weights that increase from step to step, the first above 0",
        ),
    ]
}

fn checks() -> Vec<Rule> {
    let entries =
        |list: &str, wrong: &str| Check::Entries(format!("variables.{list}.filter(e, {wrong}).map(e, string(e.name))"));
    vec![
        rule(
            "metric-query",
            "spec.analysis.metrics[]",
            entries(
                "metrics",
                &format!("!(e.name in {BUILTINS:?}) && !(has(e.query) && e.query != '') && !has(e.templateRef)"),
            ),
            "a metric that is not builtin has no query",
            "a templateRef, a query, or the name request-success-rate or request-duration",
        ),
        rule(
            "metric-range",
            "spec.analysis.metrics[].thresholdRange",
            entries(
                "metrics",
                "has(e.thresholdRange) && has(e.thresholdRange.min) && has(e.thresholdRange.max) && \
                 e.thresholdRange.min > e.thresholdRange.max",
            ),
            "no value is at least min and at most max",
            "a min that is not above max",
        ),
        rule(
            "hook-type",
            "spec.analysis.webhooks[].type",
            entries("webhooks", &format!("has(e.type) && !(e.type in {HOOKS:?})")),
            "it is not a hook type",
            format!("one of {}", listed(&HOOKS)),
        ),
        rule(
            "hook-url",
            "spec.analysis.webhooks[].url",
            entries("webhooks", &format!("!e.url.matches(r'{ADDRESS}')")),
            "it is not an http or https address",
            "an address such as http://receiver.namespace/path",
        ),
        rule(
            "alert-severity",
            "spec.analysis.alerts[].severity",
            entries("alerts", &format!("has(e.severity) && !(e.severity in {SEVERITIES:?})")),
            "it is not a severity",
            format!("one of {}", listed(&SEVERITIES)),
        ),
        rule(
            "cookies",
            "spec.analysis.sessionAffinity.primaryCookieName",
            holds(
                "!has(variables.affinity.primaryCookieName) || \
                 variables.affinity.primaryCookieName != variables.affinity.cookieName",
            ),
            "it is the name of the cookie of the canary too",
            "a name of its own",
        ),
    ]
}

/// A list of the paths of all fractions, as one expression.
fn fractions() -> String {
    let mut parts = Vec::new();
    let is = |number: &str| {
        let within = format!("{number} >= -{SAFE} && {number} <= {SAFE}");
        format!("!({within} && double(int({number})) == double({number}))")
    };
    let named = NUMBERS
        .iter()
        .flat_map(|(variable, path, names)| names.iter().map(move |name| (variable, path, name)));
    for (variable, path, name) in named {
        let at = format!("variables.{variable}.{name}");
        let mut wrong = format!("has({at}) ? {}", is(&at));
        if STEPS.contains(name) {
            let old = format!("variables.promotion.{name}");
            wrong = format!("{wrong} : has({old}) ? {}", is(&old));
        }
        parts.push(format!("(({wrong} : false) ? ['{path}.{name}'] : [])"));
    }
    let any = [
        ("stepWeight", "w", is("w"), "stepWeight"),
        ("stepWeights", "w", is("w"), "stepWeights[]"),
        (
            "webhooks",
            "e",
            format!("has(e.retries) && {}", is("e.retries")),
            "webhooks[].retries",
        ),
    ];
    for (list, item, wrong, path) in any {
        parts.push(format!(
            "(variables.{list}.exists({item}, {wrong}) ? ['spec.analysis.{path}'] : [])"
        ));
    }
    parts.join(" + ")
}

fn holds(expression: &str) -> Check {
    Check::Holds(expression.to_owned())
}

fn rule(
    id: &'static str,
    path: &'static str,
    check: Check,
    problem: impl Into<String>,
    instead: impl Into<String>,
) -> Rule {
    Rule {
        id,
        path,
        check,
        problem: problem.into(),
        instead: instead.into(),
    }
}
