//! What the rules of the policies talk about, in CEL: names and expressions, each of which may use those before it.

/// Variables of the rules. Old forms are read as [`legacy`](crate::legacy) translates them; what is not there is an empty map or list,
/// so that no rule has to ask first. `analysis` is empty while the analysis is skipped, `stepped` is true for a run by weights with a
/// provider that has weights: without `spec.provider` only the controller's flag tells, so nothing is said.
pub const VARIABLES: &[(&str, &str)] = &[
    ("spec", "object.spec"),
    ("target", "variables.spec.targetRef"),
    (
        "provider",
        "has(variables.spec.provider) ? variables.spec.provider : ''",
    ),
    (
        "service",
        "has(variables.spec.service) ? variables.spec.service : dyn({})",
    ),
    (
        "replicas",
        "has(variables.spec.autoscalerRef) && has(variables.spec.autoscalerRef.primaryScalerReplicas) ? \
         variables.spec.autoscalerRef.primaryScalerReplicas : dyn({})",
    ),
    (
        "written",
        "has(variables.spec.analysis) ? variables.spec.analysis : \
         has(variables.spec.canaryAnalysis) ? variables.spec.canaryAnalysis : dyn({})",
    ),
    (
        "skips",
        "has(variables.spec.skipAnalysis) ? variables.spec.skipAnalysis : \
         has(variables.written.skipAnalysis) ? variables.written.skipAnalysis : \
         !has(variables.spec.analysis) && !has(variables.spec.canaryAnalysis)",
    ),
    ("analysis", "variables.skips ? dyn({}) : variables.written"),
    (
        "promotion",
        "has(variables.analysis.promotion) ? variables.analysis.promotion : dyn({})",
    ),
    (
        "stepWeight",
        "has(variables.analysis.stepWeight) ? [dyn(variables.analysis.stepWeight)] : \
         has(variables.promotion.stepWeight) ? [dyn(variables.promotion.stepWeight)] : []",
    ),
    (
        "stepWeights",
        "has(variables.analysis.stepWeights) ? variables.analysis.stepWeights : \
         has(variables.promotion.stepWeights) ? variables.promotion.stepWeights : dyn([])",
    ),
    (
        "metrics",
        "has(variables.analysis.metrics) ? variables.analysis.metrics : dyn([])",
    ),
    (
        "webhooks",
        "has(variables.analysis.webhooks) ? variables.analysis.webhooks : dyn([])",
    ),
    (
        "alerts",
        "has(variables.analysis.alerts) ? variables.analysis.alerts : dyn([])",
    ),
    (
        "affinity",
        "has(variables.analysis.sessionAffinity) ? variables.analysis.sessionAffinity : dyn({})",
    ),
    (
        "stepped",
        "!variables.skips && !(variables.provider in ['', 'kubernetes']) && \
         !(has(variables.analysis.iterations) && variables.analysis.iterations >= 1 && \
         double(int(variables.analysis.iterations)) == double(variables.analysis.iterations))",
    ),
    (
        "knative",
        "variables.target.kind == 'Service' && variables.target.apiVersion.startsWith('serving.knative.dev/')",
    ),
    ("named", "has(variables.service.name) && variables.service.name != ''"),
];

/// Variables of the rule for deletions. A target is at zero between its runs and while a confirm-rollout gate holds one; where the
/// weight is not 0 then, the canary was kept because only it works. Services are not scaled.
pub const STOPPED: &[(&str, &str)] = &[
    ("target", "oldObject.spec.targetRef"),
    (
        "stopped",
        "has(oldObject.status) && has(oldObject.status.phase) && \
         oldObject.status.phase in ['Initialized', 'Waiting', 'Succeeded', 'Failed'] && \
         (!has(oldObject.status.canaryWeight) || oldObject.status.canaryWeight == 0)",
    ),
];
