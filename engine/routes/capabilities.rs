//! What a provider can do, as data: what it cannot is refused or told by the steps, and shown in docs/providers.md.

#[cfg(test)]
mod tests;

use crds::{Canary, analysis::Strategy};

use super::Refused;

/// What a provider can do. The caller refuses a strategy that it cannot run, instead of sending everybody to the canary (RM-3, RM-4), and
/// says which options of `spec.service` have no effect.
///
/// A row names what is there and takes the rest from [`Capabilities::NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent abilities, each read on its own"
)]
pub struct Capabilities {
    /// Shares traffic by weight.
    pub weights: bool,
    /// Sends matched requests to the canary (`analysis.match`).
    pub ab: bool,
    /// Mirrors requests to the canary.
    pub mirror: bool,
    /// Mirrors a part of the requests (`analysis.mirrorWeight`).
    pub mirror_percentage: bool,
    /// Keeps users on their side with cookies (`analysis.sessionAffinity`).
    pub affinity: bool,
    /// Changes headers (`service.headers`).
    pub headers: bool,
    /// Tries failed requests again (`service.retries`).
    pub retries: bool,
    /// Ends slow requests (`service.timeout`).
    pub timeouts: bool,
    /// Answers for cross-origin requests (`service.corsPolicy`).
    pub cors: bool,
    /// Leaves hosts and gateways to a parent route (`service.delegation`).
    pub delegation: bool,
    /// Gives an object that was there before the Canary back what it said (`revertOnDeletion`).
    pub revert: bool,
    /// Has routes that are made for gRPC, or documented to carry it.
    pub grpc: bool,
    /// Shares TCP connections.
    pub tcp: bool,
}

// === impl Capabilities ===

impl Capabilities {
    /// Nothing at all.
    pub const NONE: Self = Self {
        weights: false,
        ab: false,
        mirror: false,
        mirror_percentage: false,
        affinity: false,
        headers: false,
        retries: false,
        timeouts: false,
        cors: false,
        delegation: false,
        revert: false,
        grpc: false,
        tcp: false,
    };

    /// Every ability under its short name, in the order of the struct: the columns of docs/providers.md.
    pub const fn columns(self) -> [(&'static str, bool); 13] {
        [
            ("weights", self.weights),
            ("A/B", self.ab),
            ("mirror", self.mirror),
            ("mirror %", self.mirror_percentage),
            ("affinity", self.affinity),
            ("headers", self.headers),
            ("retries", self.retries),
            ("timeouts", self.timeouts),
            ("CORS", self.cors),
            ("delegation", self.delegation),
            ("revert", self.revert),
            ("gRPC", self.grpc),
            ("TCP", self.tcp),
        ]
    }

    /// Whether it can run this kind of analysis.
    pub const fn supports(self, strategy: Strategy) -> bool {
        match strategy {
            Strategy::Canary => self.weights,
            Strategy::AbTesting => self.ab,
            Strategy::BlueGreen => true,
        }
    }

    /// What the analysis asks for and this provider cannot do: path below `spec`, and why. Such a Canary is refused (RM-3, RM-4).
    pub fn missing(self, canary: &Canary) -> Vec<(&'static str, &'static str)> {
        let Some(analysis) = canary.spec.analysis.as_ref().filter(|_| !canary.spec.skips_analysis()) else {
            return Vec::new();
        };
        let asked = [
            (
                !analysis.matches.is_empty() && !self.ab,
                (
                    "analysis.match",
                    "it cannot tell requests apart, so there is no A/B testing",
                ),
            ),
            (
                analysis.session_affinity.is_some() && !self.affinity,
                ("analysis.sessionAffinity", "it cannot keep users on their side"),
            ),
            (
                analysis.mirror == Some(true) && !self.mirror,
                ("analysis.mirror", "it cannot mirror requests"),
            ),
        ];
        let missing = asked.into_iter().filter(|(is_missing, _)| *is_missing);
        missing.map(|(_, what)| what).collect()
    }

    /// Refuse an analysis that asks for more than weights, where a form of the route has no more although its provider has.
    pub(super) fn only_weights(canary: &Canary, why: &str) -> Result<(), Refused> {
        let weights = Self {
            weights: true,
            ..Self::NONE
        };
        match weights.missing(canary).first() {
            Some((path, _)) => Err(Refused::field(*path, why)),
            None => Ok(()),
        }
    }

    /// Paths below `spec` that this provider leaves out. They stop nothing, as with the peer, but their owner is told.
    pub fn without_effect(self, canary: &Canary) -> Vec<&'static str> {
        let Some(service) = &canary.spec.service else {
            return Vec::new();
        };
        let is_given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let protocol = service.app_protocol.as_deref().unwrap_or_default();
        let analysis = canary.spec.analysis.as_ref();
        let mirrors_part =
            analysis.is_some_and(|analysis| analysis.mirror == Some(true) && analysis.mirror_weight.is_some());
        let given = [
            (service.headers.is_some() && !self.headers, "service.headers"),
            (service.retries.is_some() && !self.retries, "service.retries"),
            (is_given(&service.timeout) && !self.timeouts, "service.timeout"),
            (service.cors_policy.is_some() && !self.cors, "service.corsPolicy"),
            (
                service.delegation == Some(true) && !self.delegation,
                "service.delegation",
            ),
            (protocol.eq_ignore_ascii_case("tcp") && !self.tcp, "service.appProtocol"),
            (
                mirrors_part && self.mirror && !self.mirror_percentage,
                "analysis.mirrorWeight",
            ),
        ];
        let idle = given.into_iter().filter(|(is_idle, _)| *is_idle);
        idle.map(|(_, path)| path).collect()
    }
}
