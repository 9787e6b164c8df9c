//! Envoy, as Contour leads it: HTTPProxies, and the HTTPRoutes of one Gateway.

use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command, time::Duration};

use super::{program, proxy::Shares};
use crate::cluster::{
    lab::{Lab, Room, text},
    process::Process,
    until,
};

/// Port of the Gateway's listener; Contour adds 8,000 to it, so that Envoy needs no right to low ports.
const LISTENER: u16 = 100;
/// Where Envoy tells about itself.
const ADMIN: &str = "127.0.0.1:9901";
/// Where Contour has it serve its metrics.
pub(crate) const METRICS: &str = "127.0.0.1:8002";
const XDS: u16 = 8001;
/// Kinds of newer or older versions of the Gateway API than the one that is installed.
const DISABLED: [&str; 4] = ["tlsroutes", "grpcroutes", "tcproutes", "backendtlspolicies"];
const MINUTE: Duration = Duration::from_mins(1);

/// Both of them.
pub(crate) struct Envoy {
    _processes: [Process; 2],
    http: reqwest::Client,
}

// === impl Envoy ===

impl Envoy {
    pub(crate) const ADDRESS: &'static str = "127.0.0.1:8100";

    /// Install Contour's kinds and the Gateway, and start both.
    pub(crate) async fn start(lab: &Lab, room: &Room<'_>, gateway: &str) -> Self {
        let folder = PathBuf::from(lab.env("AVIARY_RUN_DIR")).join("envoy");
        fs::create_dir_all(&folder).unwrap();
        super::install(lab, "contour.yml").await;
        open(room, gateway).await;
        let contour = Process::start(&mut contour(lab, room, gateway, &folder), &lab.log("contour"));
        let bootstrap = folder.join("envoy.json");
        let made = Command::new(program("contour"))
            .args(["bootstrap", "--xds-address=127.0.0.1", &format!("--xds-port={XDS}")])
            .arg(&bootstrap)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&bootstrap).unwrap()).unwrap();
        let (address, port) = ADMIN.split_once(':').unwrap();
        let port: u16 = port.parse().unwrap();
        config["admin"]["address"] = json!({"socket_address": {"address": address, "port_value": port}});
        fs::write(&bootstrap, config.to_string()).unwrap();
        let mut command = Command::new(binary());
        command.args([
            "--log-level",
            "warning",
            "--service-cluster",
            "plane",
            "--service-node",
            "plane",
        ]);
        command
            .args(["--concurrency", "2", "--disable-hot-restart"])
            .arg("-c")
            .arg(&bootstrap);
        let envoy = Process::start(&mut command, &lab.log("envoy"));
        let http = reqwest::Client::new();
        until("Envoy listens", MINUTE, async || {
            http.get(format!("http://{ADMIN}/ready")).send().await.ok()
        })
        .await;
        Self {
            _processes: [envoy, contour],
            http,
        }
    }

    /// What each of the rules for a namespace leads to.
    pub(crate) async fn rules(&self, namespace: &str) -> Vec<Shares> {
        let mut rules = Vec::new();
        collect(&self.dump().await, namespace, &mut rules);
        rules
    }

    /// Whether any rule copies requests to a Service of a namespace.
    pub(crate) async fn mirrors(&self, namespace: &str) -> bool {
        copies(&self.dump().await, namespace)
    }

    /// Everything that it was told; nothing while it does not answer.
    async fn dump(&self) -> Value {
        let answer = self.http.get(format!("http://{ADMIN}/config_dump")).send().await;
        let Ok(answer) = answer else { return Value::Null };
        answer.json().await.unwrap()
    }
}

/// Every route anywhere in the dump: it names one cluster, or several with their weights. Their names are
/// <namespace>/<service>/<port>/<hash>.
fn collect(value: &Value, namespace: &str, rules: &mut Vec<Shares>) {
    let service = |cluster: &Value| -> Option<String> {
        let (service, _) = text(cluster)
            .strip_prefix(namespace)?
            .strip_prefix('/')?
            .split_once('/')?;
        Some(service.to_owned())
    };
    if let Some(service) = service(&value["route"]["cluster"]) {
        rules.push(vec![(service, 1)]);
    }
    let weighted = value["route"]["weighted_clusters"]["clusters"]
        .as_array()
        .into_iter()
        .flatten();
    let shares = weighted.filter_map(|cluster| {
        Some((
            service(&cluster["name"])?,
            cluster["weight"].as_i64().unwrap_or_default(),
        ))
    });
    let shares: Shares = shares.collect();
    if !shares.is_empty() {
        rules.push(shares);
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, namespace, rules)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, namespace, rules)),
        _ => {}
    }
}

fn copies(value: &Value, namespace: &str) -> bool {
    let policies = value["request_mirror_policies"].as_array().into_iter().flatten();
    let mut clusters = policies.map(|policy| text(&policy["cluster"]));
    if clusters.any(|cluster| cluster.starts_with(&format!("{namespace}/"))) {
        return true;
    }
    match value {
        Value::Array(values) => values.iter().any(|value| copies(value, namespace)),
        Value::Object(fields) => fields.values().any(|value| copies(value, namespace)),
        _ => false,
    }
}

/// The Gateway that Contour's configuration names.
async fn open(room: &Room<'_>, gateway: &str) {
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": "contour"}, "spec": {"controllerName": "projectcontour.io/gateway-controller"},
    });
    let classes = "/apis/gateway.networking.k8s.io/v1/gatewayclasses";
    room.lab.call("POST", classes, Some(&class)).await.unwrap();
    super::gateway(room, gateway, "contour", LISTENER).await;
}

fn contour(lab: &Lab, room: &Room<'_>, gateway: &str, folder: &std::path::Path) -> Command {
    let config = folder.join("contour.yml");
    let reference = json!({"gateway": {"gatewayRef": {"namespace": room.name, "name": gateway}}});
    fs::write(&config, reference.to_string()).unwrap();
    let mut command = Command::new(program("contour"));
    command.args([
        "serve",
        "--insecure",
        "--disable-leader-election",
        "--xds-address=127.0.0.1",
    ]);
    command
        .arg(format!("--xds-port={XDS}"))
        .arg("--config-path")
        .arg(config);
    command.arg("--kubeconfig").arg(lab.env("AVIARY_ADMIN_KUBECONFIG"));
    command.args(["--envoy-service-http-address=127.0.0.1", "--stats-address=127.0.0.1"]);
    command.args(["--http-port=8003", "--health-port=8003", "--debug-http-port=8004"]);
    command.args(DISABLED.map(|kind| format!("--disable-feature={kind}")));
    command
}

fn binary() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/envoy");
    let output = Command::new(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
