//! The proxies that users come through, and what they do now by their own account.

use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

use super::{envoy::Envoy, objects::APP, traefik::Traefik};
use crate::cluster::lab::{Room, text};

const MINUTE: Duration = Duration::from_mins(1);
/// Between two looks at a proxy.
const POLL: Duration = Duration::from_millis(100);
/// What a proxy tells is true for all of its threads a moment later: it must be seen so many times.
const LOOKS: usize = 3;

/// Services of a rule and their weights.
pub(crate) type Shares = Vec<(String, i64)>;

/// One of them.
pub(crate) enum Proxy {
    Traefik(Traefik),
    Envoy(Envoy),
}

// === impl Proxy ===

impl Proxy {
    /// Where users send their requests.
    pub(crate) fn address(&self) -> &'static str {
        match self {
            Self::Traefik(_) => Traefik::ADDRESS,
            Self::Envoy(_) => Envoy::ADDRESS,
        }
    }

    /// Requests over which a share is measured. Traefik takes turns, Envoy draws lots: over 2,000 lots the half is off by more than three
    /// points once in 140 times, over 6,000 once in 300,000.
    pub(crate) fn requests(&self) -> u64 {
        match self {
            Self::Traefik(_) => 2_000,
            Self::Envoy(_) => 6_000,
        }
    }

    /// Wait until all rules of a namespace share requests so.
    pub(crate) async fn until_shared(&self, room: &Room<'_>, wanted: &[(&str, i64)]) {
        let all = |rules: &[Shares]| !rules.is_empty() && rules.iter().all(|shares| is_shared(shares, wanted));
        self.until(room, &format!("shares {wanted:?}"), all).await;
    }

    /// Wait until one of the rules of a namespace leads to this Service alone.
    pub(crate) async fn until_chosen(&self, room: &Room<'_>, service: &str) {
        let any = |rules: &[Shares]| rules.iter().any(|shares| is_shared(shares, &[(service, 1)]));
        self.until(room, &format!("leads to {service}"), any).await;
    }

    async fn until(&self, room: &Room<'_>, what: &str, wish: impl Fn(&[Shares]) -> bool) {
        let mut last = Vec::new();
        let look = async {
            let mut seen = 0;
            while seen < LOOKS {
                last = self.rules(&room.name).await;
                seen = if wish(&last) { seen + 1 } else { 0 };
                tokio::time::sleep(POLL).await;
            }
        };
        let is_so = tokio::time::timeout(MINUTE, look).await.is_ok();
        assert!(is_so, "{}: the proxy never {what}: {last:?}", room.name);
    }

    /// Wait until its rules are those of the HTTPRoute.
    pub(crate) async fn settled(&self, room: &Room<'_>) {
        let mut last = (BTreeSet::new(), false);
        let mut wanted = last.clone();
        let look = async {
            let mut seen = 0;
            while seen < LOOKS {
                wanted = said(&room.get("httproutes", APP).await);
                last = (
                    self.rules(&room.name).await.iter().map(reduced).collect(),
                    self.mirrors(&room.name).await,
                );
                seen = if last == wanted { seen + 1 } else { 0 };
                tokio::time::sleep(POLL).await;
            }
        };
        let is_so = tokio::time::timeout(MINUTE, look).await.is_ok();
        assert!(
            is_so,
            "{}: the proxy has {last:?}, the route says {wanted:?}",
            room.name
        );
    }

    async fn rules(&self, namespace: &str) -> Vec<Shares> {
        match self {
            Self::Traefik(traefik) => traefik.rules(namespace).await,
            Self::Envoy(envoy) => envoy.rules(namespace).await,
        }
    }

    async fn mirrors(&self, namespace: &str) -> bool {
        match self {
            Self::Traefik(_) => false,
            Self::Envoy(envoy) => envoy.mirrors(namespace).await,
        }
    }
}

/// Rules of an HTTPRoute, and whether one of them mirrors.
fn said(route: &Value) -> (BTreeSet<Shares>, bool) {
    let rules = route["spec"]["rules"].as_array().into_iter().flatten();
    let shares = rules.map(|rule| {
        let backends = rule["backendRefs"].as_array().into_iter().flatten();
        let shares = backends.map(|backend| {
            (
                text(&backend["name"]).to_owned(),
                backend["weight"].as_i64().unwrap_or(1),
            )
        });
        reduced(&shares.collect())
    });
    (shares.collect(), route["spec"].to_string().contains("RequestMirror"))
}

/// Without those that get nothing; one that gets everything has weight 1.
fn reduced(shares: &Shares) -> Shares {
    let mut some: Shares = shares.iter().filter(|(_, weight)| *weight > 0).cloned().collect();
    if let [(_, weight)] = &mut some[..] {
        *weight = 1;
    }
    some.sort();
    some
}

/// What is not wanted must have no weight.
fn is_shared(shares: &Shares, wanted: &[(&str, i64)]) -> bool {
    let weight = |name: &str| -> i64 {
        let of_service = shares.iter().filter(|(service, _)| service == name);
        of_service.map(|(_, weight)| *weight).sum()
    };
    let total: i64 = shares.iter().map(|(_, weight)| *weight).sum();
    let wanted_total: i64 = wanted.iter().map(|(_, weight)| *weight).sum();
    wanted
        .iter()
        .all(|(name, share)| weight(name) * wanted_total == share * total)
}
