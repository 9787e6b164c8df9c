//! The control plane, as its administrator: raw requests, so that the tests see what the API server sees.

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use super::until;

/// Marks the namespaces of these tests, so that what an earlier one left behind is found.
const MARK: &str = "aviary.test/made-by=cluster-tests";
/// Collections: plural, group and version, kind.
const COLLECTIONS: [(&str, &str, &str); 22] = [
    ("canaries", "flagger.app/v1beta1", "Canary"),
    ("metrictemplates", "flagger.app/v1beta1", "MetricTemplate"),
    ("alertproviders", "flagger.app/v1beta1", "AlertProvider"),
    ("deployments", "apps/v1", "Deployment"),
    ("daemonsets", "apps/v1", "DaemonSet"),
    ("scaledobjects", "keda.sh/v1alpha1", "ScaledObject"),
    ("horizontalpodautoscalers", "autoscaling/v2", "HorizontalPodAutoscaler"),
    ("httproutes", "gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("virtualservices", "networking.istio.io/v1beta1", "VirtualService"),
    ("destinationrules", "networking.istio.io/v1beta1", "DestinationRule"),
    ("ingresses", "networking.k8s.io/v1", "Ingress"),
    ("traefikservices", "traefik.io/v1alpha1", "TraefikService"),
    ("httpproxies", "projectcontour.io/v1", "HTTPProxy"),
    ("apisixroutes", "apisix.apache.org/v2", "ApisixRoute"),
    ("routetables", "gateway.solo.io/v1", "RouteTable"),
    ("upstreams", "gloo.solo.io/v1", "Upstream"),
    ("leases", "coordination.k8s.io/v1", "Lease"),
    ("services", "v1", "Service"),
    ("configmaps", "v1", "ConfigMap"),
    ("secrets", "v1", "Secret"),
    ("events", "v1", "Event"),
    ("pods", "v1", "Pod"),
];

/// A control plane that tests/controlplane has started.
pub(crate) struct Lab {
    env: BTreeMap<String, String>,
    client: Client,
}

/// A namespace of one scenario.
pub(crate) struct Room<'l> {
    pub(crate) lab: &'l Lab,
    pub(crate) name: String,
}

// === impl Lab ===

impl Lab {
    /// The control plane that AVIARY_CLUSTER_ENV names, freed from what earlier tests left. `None`, with a word about it, if there is
    /// none; in CI that fails.
    pub(crate) async fn open() -> Option<Self> {
        let Ok(file) = std::env::var("AVIARY_CLUSTER_ENV") else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "AVIARY_CLUSTER_ENV must be set in CI"
            );
            println!("skipped: AVIARY_CLUSTER_ENV names no control plane (tests/controlplane/up)");
            return None;
        };
        let lab = Self::at(&file).await;
        lab.clean().await;
        Some(lab)
    }

    /// The control plane that this file describes, as it is.
    pub(crate) async fn at(file: &str) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let env: BTreeMap<String, String> = pairs.map(|(name, value)| (name.into(), value.into())).collect();
        drop(rustls::crypto::ring::default_provider().install_default()); // an error means that it is there already
        let kubeconfig = Kubeconfig::read_from(&env["AVIARY_ADMIN_KUBECONFIG"]).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        Self { env, client }
    }

    /// The administrator's client.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A value of the env file.
    pub(crate) fn env(&self, name: &str) -> &str {
        &self.env[name]
    }

    /// Where logs may stay.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        PathBuf::from(self.env("AVIARY_RUN_DIR")).join(format!("{name}.log"))
    }

    /// One request; the error is the API server's.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> kube::Result<Value> {
        let content = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("content-type", content);
        let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
        self.client.request(request.body(bytes).unwrap()).await
    }

    /// One request, with the warnings that the API server sends along; the error is its message.
    pub(crate) async fn warned(&self, method: &str, path: &str, body: &Value) -> (Result<Value, String>, Vec<String>) {
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let request = request.body(body.to_string().into_bytes().into()).unwrap();
        let response = self.client.send(request).await.unwrap();
        let (success, headers) = (response.status().is_success(), response.headers());
        let warnings = headers.get_all("warning").iter().map(|header| {
            // 299 - "text", with quotes and backslashes escaped
            let text = String::from_utf8_lossy(header.as_bytes()).into_owned();
            let text = text.split_once('"').map_or("", |(_, text)| text.trim_end_matches('"'));
            text.replace("\\\"", "\"").replace("\\\\", "\\")
        });
        let warnings = warnings.collect();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        let answer = if success {
            Ok(answer)
        } else {
            Err(text(&answer["message"]).to_owned())
        };
        (answer, warnings)
    }

    /// Read; `None` if it is not there.
    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        match self.call("GET", path, None).await {
            Ok(object) => Some(object),
            // A kind that is not served yet answers in plain text.
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("GET {path}: {error}"),
        }
    }

    /// A room that is used by one scenario and is gone with the next test.
    pub(crate) async fn room(&self, name: &str) -> Room<'_> {
        let (key, value) = MARK.split_once('=').unwrap();
        let name = format!("{name}-{}", std::process::id());
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {key: value}},
        });
        self.call("POST", "/api/v1/namespaces", Some(&object)).await.unwrap();
        Room { lab: self, name }
    }

    /// Delete all rooms, and wait until the canaries in them are gone: the next controller shall not find them.
    pub(crate) async fn clean(&self) {
        let list = format!("/api/v1/namespaces?labelSelector={}", MARK.replace('=', "%3D"));
        for namespace in items(self.get(&list).await) {
            let name = text(&namespace["metadata"]["name"]);
            self.call("DELETE", &format!("/api/v1/namespaces/{name}"), None)
                .await
                .ok();
            // What a failed test has left has nobody who would carry out its finalizers.
            let canaries = format!("/apis/flagger.app/v1beta1/namespaces/{name}/canaries");
            for canary in items(self.get(&canaries).await) {
                let path = format!("{canaries}/{}", text(&canary["metadata"]["name"]));
                let freed = json!({"metadata": {"finalizers": null}});
                self.call("PATCH", &path, Some(&freed)).await.ok();
            }
        }
        until(
            "the rooms of earlier tests are empty",
            Duration::from_secs(90),
            async || items(self.get(&list).await).is_empty().then_some(()),
        )
        .await;
    }

    /// The end of a test: nothing was asked for that deploy/kustomize/base does not allow, and nothing stays behind.
    pub(crate) async fn close(self) {
        let audit = fs::read_to_string(self.env("AVIARY_AUDIT_LOG")).unwrap();
        let entries = audit
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // Other things than RBAC forbid, too, such as a kind whose definition is being deleted.
        let forbidden = entries
            .filter(|entry| entry["responseStatus"]["code"] == 403)
            .filter(|entry| entry["annotations"]["authorization.k8s.io/decision"] != "allow");
        let asked = forbidden.map(|entry| format!("{} {}", text(&entry["verb"]), text(&entry["requestURI"])));
        let asked: Vec<String> = asked.collect();
        assert!(asked.is_empty(), "RBAC forbids: {asked:#?}");
        self.clean().await;
    }

    /// Run kubectl as the administrator.
    pub(crate) fn kubectl(&self, words: &[&str]) -> Output {
        let mut command = Command::new(self.env("AVIARY_KUBECTL"));
        command.arg("--kubeconfig").arg(self.env("AVIARY_ADMIN_KUBECONFIG"));
        command.args(words).output().unwrap()
    }
}

// === impl Room ===

impl Room<'_> {
    /// Path of an object in this room, or of a collection if `name` is empty.
    pub(crate) fn path(&self, plural: &str, name: &str) -> String {
        let (_, version, _) = COLLECTIONS.iter().find(|(known, _, _)| *known == plural).unwrap();
        let root = if version.contains('/') { "apis" } else { "api" };
        let path = format!("/{root}/{version}/namespaces/{}/{plural}/{name}", self.name);
        path.trim_end_matches('/').to_owned()
    }

    /// Read an object that must be there.
    pub(crate) async fn get(&self, plural: &str, name: &str) -> Value {
        let found = self.find(plural, name).await;
        found.unwrap_or_else(|| panic!("{plural}/{name} is not in {}", self.name))
    }

    /// Read an object that may be there.
    pub(crate) async fn find(&self, plural: &str, name: &str) -> Option<Value> {
        self.lab.get(&self.path(plural, name)).await
    }

    /// Create an object; kind and version are added.
    pub(crate) async fn create(&self, plural: &str, mut object: Value) -> Value {
        let (_, version, kind) = COLLECTIONS.iter().find(|(known, _, _)| *known == plural).unwrap();
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        let path = self.path(plural, "") + "?fieldValidation=Strict";
        let created = self.lab.call("POST", &path, Some(&object)).await;
        created.unwrap_or_else(|error| panic!("{error}: {object}"))
    }

    /// Merge a patch into an object.
    pub(crate) async fn patch(&self, plural: &str, name: &str, patch: Value) -> Value {
        let patched = self.lab.call("PATCH", &self.path(plural, name), Some(&patch)).await;
        patched.unwrap_or_else(|error| panic!("{plural}/{name}: {error}: {patch}"))
    }

    /// Give the first container of a Deployment this image.
    pub(crate) fn set_image(&self, name: &str, container: &str, image: &str) {
        let words = [
            "-n",
            &self.name,
            "set",
            "image",
            &format!("deployment/{name}"),
            &format!("{container}={image}"),
        ];
        let output = self.lab.kubectl(&words);
        assert!(output.status.success(), "{output:?}");
    }

    /// Messages of the Events about a canary.
    pub(crate) async fn messages(&self, canary: &str) -> Vec<String> {
        let events = items(self.find("events", "").await).into_iter();
        let of_canary = events.filter(|event| event["involvedObject"]["name"] == canary);
        of_canary.map(|event| text(&event["message"]).to_owned()).collect()
    }

    /// Wait for an Event about a canary.
    pub(crate) async fn until_told(&self, canary: &str, words: &[&str]) -> String {
        let told = async || {
            let messages = self.messages(canary).await;
            let fits = |message: &String| words.iter().all(|word| message.contains(word));
            messages.into_iter().find(fits)
        };
        let what = format!("{}/{canary} is told {words:?}", self.name);
        until(&what, Duration::from_mins(1), told).await
    }

    /// Wait until a canary's status fulfils a wish; show what there is if it does not come true.
    pub(crate) async fn until_status(&self, canary: &str, what: &str, wish: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let look = async {
            loop {
                last = self.get("canaries", canary).await["status"].take();
                if wish(&last) {
                    return;
                }
                tokio::time::sleep(super::POLL).await;
            }
        };
        if tokio::time::timeout(Duration::from_mins(2), look).await.is_err() {
            let messages = self.messages(canary).await.join("\n");
            panic!("{}/{canary} never was {what}: {last:#}\n{messages}", self.name);
        }
        last
    }

    /// Wait for a phase.
    pub(crate) async fn until_phase(&self, canary: &str, phase: &str) -> Value {
        self.until_status(canary, phase, |status| status["phase"] == phase)
            .await
    }
}

/// The items of a list.
pub(crate) fn items(list: Option<Value>) -> Vec<Value> {
    let items = list.map(|mut list| list["items"].take());
    items.and_then(|items| items.as_array().cloned()).unwrap_or_default()
}

/// A text, or nothing.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
