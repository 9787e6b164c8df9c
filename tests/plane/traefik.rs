//! Traefik, reading HTTPRoutes and its own kinds from the API server.

use serde_json::{Value, json};
use std::{process::Command, time::Duration};

use super::program;
use crate::cluster::{
    lab::{Lab, Room, text},
    process::Process,
    until,
};

/// Where users come in; the port of the Gateway's listener.
const PORT: u16 = 8000;
/// Its metrics, and what it says about itself. Both ports are free, as the network namespace is ours.
pub(crate) const ADMIN: &str = "127.0.0.1:8080";
/// Definitions of its kinds, as tests/testers/build has copied them from the module.
const DEFINITIONS: &str = "traefik.yml";
const CLASS: &str = "traefik";
const MINUTE: Duration = Duration::from_mins(1);

/// The proxy.
pub(crate) struct Traefik {
    _process: Process,
    http: reqwest::Client,
}

// === impl Traefik ===

impl Traefik {
    /// Install its kinds and start it, as its manual says, with its own defaults.
    pub(crate) async fn start(lab: &Lab) -> Self {
        let definitions = program(DEFINITIONS);
        let applied = lab.kubectl(&["apply", "--server-side", "-f", definitions.to_str().unwrap()]);
        assert!(applied.status.success(), "{applied:?}");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        until("Traefik's kinds are established", MINUTE, async || {
            lab.kubectl(&wait).status.success().then_some(())
        })
        .await;
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
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=INFO",
        ]);
        command.arg(format!("--entrypoints.web.address=127.0.0.1:{PORT}"));
        command.arg(format!("--entrypoints.traefik.address={ADMIN}"));
        command.env("KUBECONFIG", lab.env("AVIARY_ADMIN_KUBECONFIG"));
        Self {
            _process: Process::start(&mut command, &lab.log("traefik")),
            http: reqwest::Client::new(),
        }
    }

    /// Where users send their requests.
    pub(crate) fn url() -> String {
        format!("http://127.0.0.1:{PORT}/")
    }

    /// A Gateway for everybody's routes.
    pub(crate) async fn gateway(room: &Room<'_>, name: &str) {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": name},
            "spec": {"gatewayClassName": CLASS, "listeners": [{
                "name": "http", "protocol": "HTTP", "port": PORT, "allowedRoutes": {"namespaces": {"from": "All"}},
            }]},
        });
        let path = format!("/apis/gateway.networking.k8s.io/v1/namespaces/{}/gateways", room.name);
        room.lab.call("POST", &path, Some(&gateway)).await.unwrap();
    }

    /// Wait until it shares the requests of a namespace so: Services of backends and their weights. It takes up to two seconds to notice
    /// what has changed, which is its default (`providersThrottleDuration`).
    pub(crate) async fn until_shared(&self, room: &Room<'_>, wanted: &[(&str, i64)]) {
        let mut last = Vec::new();
        let look = async {
            loop {
                last = self.shares(&room.name).await;
                if !last.is_empty() && last.iter().all(|shares| is_shared(shares, &room.name, wanted)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(MINUTE, look).await.is_err() {
            panic!("{}: Traefik shares {last:?}, not {wanted:?}", room.name);
        }
    }

    /// Wait until one of the rules of a namespace leads to this Service alone.
    pub(crate) async fn until_chosen(&self, room: &Room<'_>, service: &str) {
        until(
            &format!("{}: Traefik leads to {service}", room.name),
            MINUTE,
            async || {
                let shares = self.shares(&room.name).await;
                let mut leads = shares
                    .iter()
                    .map(|shares| is_shared(shares, &room.name, &[(service, 1)]));
                leads.any(|leads| leads).then_some(())
            },
        )
        .await;
    }

    /// Names and weights of what each of the weighted services of a namespace leads to.
    async fn shares(&self, namespace: &str) -> Vec<Vec<(String, i64)>> {
        let url = format!("http://{ADMIN}/api/http/services?per_page=1000");
        let Ok(answer) = self.http.get(url).send().await else {
            return Vec::new();
        };
        let services: Value = answer.json().await.unwrap();
        let weighted = services.as_array().into_iter().flatten();
        let weighted = weighted.filter_map(|service| service["weighted"]["services"].as_array());
        let entries = weighted.map(|entries| {
            let entries = entries.iter().map(|entry| {
                let weight = entry["weight"].as_i64().unwrap_or(1);
                (text(&entry["name"]).to_owned(), weight)
            });
            entries.collect::<Vec<_>>()
        });
        let of_namespace = |entries: &Vec<(String, i64)>| {
            entries
                .iter()
                .any(|(name, _)| name.starts_with(&format!("{namespace}-")))
        };
        entries.filter(of_namespace).collect()
    }
}

/// What is not wanted must have no weight.
fn is_shared(shares: &[(String, i64)], namespace: &str, wanted: &[(&str, i64)]) -> bool {
    let service = |entry: &str| -> Option<String> {
        // <namespace>-<service>-<port>, with `http-` before the port where the route is an HTTPRoute.
        let rest = entry.strip_prefix(namespace)?.strip_prefix('-')?;
        let (rest, _) = rest.split_once("-9898")?;
        Some(rest.trim_end_matches("-http").to_owned())
    };
    let weight = |name: &str| -> i64 {
        let of_service = shares
            .iter()
            .filter(|(entry, _)| service(entry).as_deref() == Some(name));
        of_service.map(|(_, weight)| *weight).sum()
    };
    let total: i64 = shares.iter().map(|(_, weight)| *weight).sum();
    let wanted_total: i64 = wanted.iter().map(|(_, weight)| *weight).sum();
    wanted
        .iter()
        .all(|(name, share)| weight(name) * wanted_total == share * total)
}
