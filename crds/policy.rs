//! [`problems`](crate::problems) at the door: what can never work, said by the API server at `kubectl apply`, before a controller sees it.
//!
//! Two ValidatingAdmissionPolicies, made from the table in [`rules`]. They hold only what needs no flag of the controller and what the
//! schema does not refuse already. By default they warn; `deploy/policies/deny` makes the first one refuse. Whatever is wrong with an
//! expression never refuses an object (`failurePolicy: Ignore`).
//!
//! `deploy/policies/policies.yaml` is this output, checked in; a test keeps the two equal.

pub mod rules;
pub mod variables;

use serde_json::{Value, json};

use rules::{Check, Rule};

/// Name of the policy, and of the binding, that looks at what is written.
pub const CANARIES: &str = "aviary-canaries";
/// Name of the policy, and of the binding, that looks at deletions.
pub const DELETIONS: &str = "aviary-canary-deletions";

/// Both policies, each followed by its binding.
pub fn policies() -> Vec<Value> {
    let rules: Vec<Value> = rules::rules().iter().map(Rule::validation).collect();
    // What writes the spec is looked at. The controller's finalizers and anybody's labels go through whatever the spec says, so
    // that a Canary from before the policy can still be worked with, and deleted.
    let conditions = [
        ("has-a-spec", "has(object.spec)"),
        ("is-not-going", "!has(object.metadata.deletionTimestamp)"),
        (
            "spec-changes",
            "request.operation == 'CREATE' || !has(oldObject.spec) || object.spec != oldObject.spec",
        ),
    ];
    let canaries = json!({
        "matchConstraints": of_canaries(&["CREATE", "UPDATE"]),
        "matchConditions": named(&conditions),
        "variables": named(variables::VARIABLES),
        "validations": rules,
    });
    let deletions = json!({
        "matchConstraints": of_canaries(&["DELETE"]),
        "matchConditions": named(&[("has-a-spec", "has(oldObject.spec)")]),
        "variables": named(variables::STOPPED),
        "validations": [rules::deletion().validation()],
    });
    let mut all = Vec::new();
    for (name, mut spec) in [(CANARIES, canaries), (DELETIONS, deletions)] {
        spec["failurePolicy"] = json!("Ignore");
        all.push(object("ValidatingAdmissionPolicy", name, &spec));
        let binding = json!({"policyName": name, "validationActions": ["Warn", "Audit"]});
        all.push(object("ValidatingAdmissionPolicyBinding", name, &binding));
    }
    // A stable order, whatever map type serde_json was built with.
    all.iter_mut().for_each(Value::sort_all_objects);
    all
}

/// The policies as one YAML stream.
///
/// # Panics
///
/// Never: only keys that are no texts cannot be written, and JSON has none.
pub fn yaml() -> String {
    let documents: Vec<String> = policies()
        .iter()
        .map(|policy| serde_saphyr::to_string(policy).expect("JSON values have only text keys"))
        .collect();
    format!("---\n{}", documents.join("---\n"))
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// Requests for old versions are converted, so one version is enough.
fn of_canaries(operations: &[&str]) -> Value {
    json!({
        "matchPolicy": "Equivalent",
        "resourceRules": [{
            "apiGroups": [crate::GROUP],
            "apiVersions": [crate::VERSION],
            "operations": operations,
            "resources": ["canaries"],
        }],
    })
}

fn named<T: AsRef<str>>(pairs: &[(&str, T)]) -> Vec<Value> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, expression)| json!({"name": name, "expression": expression.as_ref()}))
        .collect()
}

// === impl Rule ===

impl Rule {
    /// What the API server says, after the names of the policy and its binding.
    fn validation(&self) -> Value {
        let Self {
            path, problem, instead, ..
        } = self;
        let text = format!("{problem}; write {instead}");
        match &self.check {
            Check::Holds(expression) => json!({"expression": expression, "message": format!("{path}: {text}")}),
            Check::Entries(entries) => json!({
                "expression": format!("({entries}).size() == 0"),
                "message": format!("{path}: {text}"),
                "messageExpression": format!("'{path} (' + ({entries}).join(', ') + '): {text}'"),
            }),
            Check::Fields(fields) => json!({
                "expression": format!("({fields}).size() == 0"),
                "message": format!("{path}: {text}"),
                "messageExpression": format!("({fields}).join(', ') + ': {text}'"),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
