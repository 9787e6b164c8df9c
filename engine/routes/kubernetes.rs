//! Provider `kubernetes`: blue/green behind plain Services, no route object at all (routers-mesh.md 2).

use super::{Capabilities, Provider, Split};

/// The provider.
pub(super) const PROVIDER: Provider = Provider {
    name: "kubernetes",
    about: "no mesh: blue/green behind plain Services",
    capabilities: Capabilities::NONE,
    kinds: &[],
    notes: "Live traffic stays on the primary's pods; `stepWeight` becomes rounds of checks.",
    claims: |name| name == "kubernetes",
    objects: |_| Vec::new(),
    desired: |_, _, _| Ok(Vec::new()),
    // Live traffic never leaves the primary's pods; the figure only says whether checks have begun, as with the peer.
    observed: |context| {
        let status = context.canary.status.as_ref();
        let begun = status.is_some_and(|status| status.iterations > 0);
        Ok(if begun { Split::CANARY } else { Split::PRIMARY })
    },
    accepted: |_| Ok(()),
    reverted: |_| Vec::new(),
};
