//! What receivers are told: title, sentence, and the canary's main settings (analysis.md 5.4).

use crds::{
    Canary,
    analysis::{Analysis, Strategy},
};

use super::limits;
use crate::{
    Settings,
    seam::{Alert, Reason, Severity},
};

/// What a receiver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `<name>.<namespace>` of the canary.
    pub title: String,
    /// The sentence.
    pub text: String,
    /// How bad it is.
    pub severity: Severity,
    /// Name and value pairs, in order.
    pub fields: Vec<(String, String)>,
}

/// The message of an alert: `Cluster` with every one, the reason where the text does not say it, the canary's main settings where the
/// alert asks for them. It is short enough for every receiver ([`super::limits`]).
pub fn message(canary: &Canary, alert: &Alert, settings: &Settings) -> Message {
    let cluster = Some(&settings.cluster_name).filter(|name| !name.is_empty());
    let mut fields: Vec<(String, String)> = cluster
        .map(|name| ("Cluster".to_owned(), name.clone()))
        .into_iter()
        .collect();
    if let Reason::Named(reason) = &alert.reason {
        fields.push(("Reason".to_owned(), reason.clone()));
    }
    if alert.with_fields {
        fields.extend(settings_of(canary).map(|(name, value)| (name.to_owned(), value)));
    }
    limits::fit(Message {
        title: canary.display_name(),
        text: alert.message.clone(),
        severity: alert.severity,
        fields,
    })
}

fn settings_of(canary: &Canary) -> impl Iterator<Item = (&'static str, String)> {
    let target = &canary.spec.target_ref;
    let analysis = canary.spec.analysis.clone().unwrap_or_default();
    let all = [
        (
            "Target",
            Some(format!("{}/{}.{}", target.kind, target.name, canary.namespace())),
        ),
        ("Failed checks threshold", Some(analysis.threshold().to_string())),
        (
            "Progress deadline",
            Some(format!("{}s", canary.spec.progress_deadline_seconds())),
        ),
        ("Traffic routing", routing(&analysis)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

fn routing(analysis: &Analysis) -> Option<String> {
    let max = analysis.max_weight.map_or(0.0, |max| max.0);
    match analysis.strategy() {
        Strategy::AbTesting => Some("A/B Testing".to_owned()),
        Strategy::BlueGreen => Some("Blue/Green".to_owned()),
        Strategy::Canary => match analysis.step_weight {
            Some(step) if step.0 > 0.0 => Some(format!("Weight step: {} max: {max}", step.0)),
            _ if analysis.step_weights.is_empty() => None,
            _ => {
                let steps: Vec<String> = analysis.step_weights.iter().map(|step| step.0.to_string()).collect();
                Some(format!("Weight steps: {} max: {max}", steps.join(",")))
            }
        },
    }
}
