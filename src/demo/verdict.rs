//! Whether both releases ended as they should.

use anyhow::{Context as _, bail};

use super::cast::{BAD, GOOD, NAMESPACE, Role};
use crate::sandbox::Sandbox;

/// A summary, or what is wrong with one of the ends.
pub(super) fn judge(sandbox: &Sandbox) -> anyhow::Result<String> {
    let lines: Vec<String> = [&GOOD, &BAD]
        .into_iter()
        .map(|role| judge_one(sandbox, role))
        .collect::<anyhow::Result<_>>()?;
    Ok(lines.join("\n"))
}

fn judge_one(sandbox: &Sandbox, role: &Role) -> anyhow::Result<String> {
    let (name, phase) = (role.name, role.phase(sandbox));
    if phase != role.end {
        bail!("the release of {name} ended as {phase}, not as {}", role.end);
    }
    let weights = role.weights(sandbox);
    if weights != (100, 0) {
        bail!(
            "{name}: the traffic is split {}/{}, not 100/0 for the primary",
            weights.0,
            weights.1
        );
    }
    let primary = sandbox
        .get("deployments.apps", NAMESPACE, &format!("{name}-primary"))
        .with_context(|| format!("{name} has no primary"))?;
    let image = primary["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default();
    let wanted = role.wanted_image();
    if image != wanted {
        bail!("{name}: the primary runs {image}, not {wanted}");
    }
    Ok(format!(
        "{name:<5} {phase:<13} 100 % of the traffic is served by {image}"
    ))
}
