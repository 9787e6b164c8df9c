//! Traefik, reading HTTPRoutes and its own kinds from the API server.

use serde_json::{Value, json};
use std::{process::Command, time::Duration};

use super::program;
use crate::cluster::{
    lab::{Lab, Room, text},
    process::Process,
};

/// Port of the Gateway's listener, which must be that of the entry point.
const PORT: u16 = 8000;
/// Its metrics, and what it says about itself. Both ports are free, as the network namespace is ours.
pub(crate) const ADMIN: &str = "127.0.0.1:8080";
/// Definitions of its kinds, as tests/testers/build has copied them from the module.
const DEFINITIONS: &str = "traefik.yml";
const CLASS: &str = "traefik";

const MINUTE: Duration = Duration::from_mins(1);
/// Between two looks at what it does.
const POLL: Duration = Duration::from_millis(100);

/// Services of a rule and their weights.
type Shares = Vec<(String, i64)>;

/// The proxy.
pub(crate) struct Traefik {
    _process: Process,
    http: reqwest::Client,
}

// === impl Traefik ===

impl Traefik {
    pub(crate) const ADDRESS: &'static str = "127.0.0.1:8000";

    /// Install its kinds and start it, as its manual says, with its own defaults.
    pub(crate) async fn start(lab: &Lab) -> Self {
        super::install(lab, DEFINITIONS).await;
        let class = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": {"name": CLASS}, "spec": {"controllerName": "traefik.io/gateway-controller"},
        });
        let classes = "/apis/gateway.networking.k8s.io/v1/gatewayclasses";
        lab.call("POST", classes, Some(&class)).await.unwrap();
        let mut command = Command::new(program("traefik"));
        command.args([
            "--providers.kubernetesgateway=true",
            "--providers.kubernetescrd=true",
            "--metrics.prometheus=true",
            "--api.insecure=true",
            "--api.dashboard=false", // its pages are not in the Go module
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=INFO",
        ]);
        command.arg(format!("--entrypoints.web.address={}", Self::ADDRESS));
        command.arg(format!("--entrypoints.traefik.address={ADMIN}"));
        command.env("KUBECONFIG", lab.env("AVIARY_ADMIN_KUBECONFIG"));
        Self {
            _process: Process::start(&mut command, &lab.log("traefik")),
            http: reqwest::Client::new(),
        }
    }

    /// A Gateway for everybody's routes.
    pub(crate) async fn gateway(room: &Room<'_>, name: &str) {
        super::gateway(room, name, CLASS, PORT).await;
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
            loop {
                last = self.rules(&room.name).await;
                if wish(&last) {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let is_so = tokio::time::timeout(MINUTE, look).await.is_ok();
        assert!(is_so, "{}: Traefik never {what}: {last:?}", room.name);
    }

    /// What each of the weighted services of a namespace leads to. It takes up to two seconds to notice what has changed, which is its
    /// default (`providersThrottleDuration`).
    async fn rules(&self, namespace: &str) -> Vec<Shares> {
        let url = format!("http://{ADMIN}/api/http/services?per_page=1000");
        let Ok(answer) = self.http.get(url).send().await else {
            return Vec::new();
        };
        let services: Value = answer.json().await.unwrap();
        let weighted = services.as_array().into_iter().flatten();
        let weighted = weighted.filter_map(|service| service["weighted"]["services"].as_array());
        let rules = weighted.map(|entries| {
            let shares = entries.iter().filter_map(|entry| {
                let weight = entry["weight"].as_i64().unwrap_or(1);
                Some((service(text(&entry["name"]), namespace)?, weight))
            });
            shares.collect::<Shares>()
        });
        rules.filter(|shares| !shares.is_empty()).collect()
    }
}

/// Entries are called <namespace>-<service>-<port>, with `http-` before the port where the route is an HTTPRoute.
fn service(entry: &str, namespace: &str) -> Option<String> {
    let rest = entry.strip_prefix(namespace)?.strip_prefix('-')?;
    let (rest, _) = rest.split_once("-9898")?;
    Some(rest.trim_end_matches("-http").to_owned())
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
