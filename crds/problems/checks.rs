//! Metrics, hooks, alerts and cookies.

use super::{Problem, problem};
use crate::{
    analysis::{Alert, Analysis, Metric, SessionAffinity, Webhook},
    shape::{HOOKS, SEVERITIES},
};

pub(crate) const BUILTINS: [&str; 2] = ["request-success-rate", "request-duration"];

pub(super) fn problems(analysis: &Analysis) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, metric) in analysis.metrics.iter().enumerate() {
        found.extend(of_metric(metric, &format!("spec.analysis.metrics[{index}]")));
    }
    for (index, hook) in analysis.webhooks.iter().enumerate() {
        found.extend(of_hook(hook, &format!("spec.analysis.webhooks[{index}]")));
    }
    for (index, alert) in analysis.alerts.iter().enumerate() {
        found.extend(of_alert(alert, &format!("spec.analysis.alerts[{index}]")));
    }
    found.extend(analysis.session_affinity.iter().flat_map(of_affinity));
    found
}

fn of_metric(metric: &Metric, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let queried = metric.query.as_deref().is_some_and(|query| !query.is_empty());
    if !BUILTINS.contains(&metric.name.as_str()) && !queried && metric.template_ref.is_none() {
        found.push(problem(
            path,
            format!("`{}` is not builtin and has no query", metric.name),
            "a templateRef, a query, or the name request-success-rate or request-duration",
        ));
    }
    let range = metric.threshold_range.unwrap_or_default();
    if let (Some(min), Some(max)) = (range.min, range.max)
        && min > max
    {
        found.push(problem(
            format!("{path}.thresholdRange"),
            format!("no value is at least {} and at most {}", min.0, max.0),
            "a min that is not above max",
        ));
    }
    found
}

fn of_hook(hook: &Webhook, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let kind = hook.kind.as_deref().unwrap_or_default();
    if !HOOKS.contains(&kind) {
        found.push(problem(
            format!("{path}.type"),
            format!("`{kind}` is not a hook type"),
            format!("one of {}", listed(&HOOKS)),
        ));
    }
    if !is_http_url(&hook.url) {
        found.push(problem(
            format!("{path}.url"),
            format!("`{}` is not an http or https address", hook.url),
            "an address such as http://receiver.namespace/path",
        ));
    }
    found
}

fn of_alert(alert: &Alert, path: &str) -> Option<Problem> {
    let severity = alert.severity.as_deref().unwrap_or_default();
    (!SEVERITIES.contains(&severity)).then(|| {
        problem(
            format!("{path}.severity"),
            format!("`{severity}` is not a severity"),
            format!("one of {}", listed(&SEVERITIES)),
        )
    })
}

/// Two cookies of one name would send each user to and fro (controller.md 1.4); a name with a `=` would be cut (RM-10).
fn of_affinity(affinity: &SessionAffinity) -> Vec<Problem> {
    let path = "spec.analysis.sessionAffinity";
    let primary = affinity.primary_cookie_name.as_deref().filter(|name| !name.is_empty());
    let names = [
        ("cookieName", Some(affinity.cookie_name.as_str())),
        ("primaryCookieName", primary),
    ];
    let given = names.into_iter().filter_map(|(field, name)| Some((field, name?)));
    let mut found: Vec<Problem> = given
        .filter(|(_, name)| !is_cookie_name(name))
        .map(|(field, name)| {
            problem(
                format!("{path}.{field}"),
                format!("`{name}` is not the name of a cookie"),
                "letters, digits, - and _",
            )
        })
        .collect();
    if primary == Some(affinity.cookie_name.as_str()) {
        found.push(problem(
            format!("{path}.primaryCookieName"),
            format!("`{}` is the canary's cookie too", affinity.cookie_name),
            "a name of its own",
        ));
    }
    found
}

/// A token of HTTP (RFC 6265 4.1.1, RFC 9110 5.6.2).
fn is_cookie_name(name: &str) -> bool {
    let is_token = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    !name.is_empty() && name.chars().all(is_token)
}

pub(crate) fn listed(texts: &[&str]) -> String {
    let named: Vec<&str> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
    named.join(", ")
}

/// Scheme, host and port as an HTTP client needs them; the rest is the receiver's business.
fn is_http_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let http = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host_port)| host_port);
    let (host, port) = match host_port.strip_prefix('[') {
        Some(v6) => v6.split_once(']').unwrap_or(("", "")),
        None => host_port.split_at(host_port.find(':').unwrap_or(host_port.len())),
    };
    let host_fits =
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c));
    http && host_fits && port_fits(port)
}

/// Nothing, or a colon and a number; Go and browsers take a lone colon.
fn port_fits(port: &str) -> bool {
    match port.strip_prefix(':') {
        Some(digits) => digits.is_empty() || (!digits.starts_with('+') && digits.parse::<u16>().is_ok()),
        None => port.is_empty(),
    }
}
