//! What a script sees as its environment: the webhook's own, as document 002 says, less what belongs to the webhook alone (K6-2).

use std::{collections::BTreeMap, ffi::OsString};

/// Names that are left out.
const OWN: [&str; 8] = [
    "SLACK_TOKEN",
    "K6_CLOUD_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_CLIENT_ID",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KUBECONFIG",
];
/// Beginnings of names that are left out: where the API server is, and how to get to it.
const OWN_PREFIX: &str = "KUBERNETES_";

/// The environment of scripts, from that of this process. Later sources win: ours, `env_vars`, `kubernetes_secrets`.
pub(super) fn environment<'v>(
    ours: impl Iterator<Item = (OsString, OsString)>,
    variables: &BTreeMap<String, String>,
    secrets: impl Iterator<Item = (&'v String, &'v String)>,
) -> BTreeMap<String, String> {
    let pair = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let mut environment: BTreeMap<String, String> = ours
        .filter_map(pair)
        .filter(|(name, _)| !OWN.contains(&name.as_str()) && !name.starts_with(OWN_PREFIX))
        .collect();
    environment.extend(variables.iter().map(|(name, value)| (name.clone(), value.clone())));
    environment.extend(secrets.map(|(name, value)| (name.clone(), value.clone())));
    environment
}

#[cfg(test)]
mod tests;
