//! Flagger's CRDs beside ours, under a group and names of their own.

use serde_json::{Value, json};
use std::{path::Path, time::Duration};

use super::probes::Probe;
use crate::cluster::{
    lab::{Lab, Room, text},
    until,
};

/// A group in place of `flagger.app`.
const GROUP: &str = "peer.aviary.test";
/// Plurals in place of `canaries` and so on, so that nobody finds two kinds of one name.
const MARK: &str = "peer";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// One of the two sets of CRDs.
#[derive(Clone, Copy)]
pub(crate) struct Contract<'v> {
    group: &'static str,
    mark: &'static str,
    version: &'v str,
}

/// Serve the peer's CRDs as they are, but for group and names.
pub(crate) async fn install(lab: &Lab, file: &Path) {
    remove(lab).await;
    for plural in ["canaries", "metrictemplates", "alertproviders"] {
        let mut crd = definition(lab, file, &format!("{plural}.flagger.app"));
        let names = &mut crd["spec"]["names"];
        names["plural"] = json!(format!("{MARK}{plural}"));
        names["singular"] = json!(format!("{MARK}{}", text(&names["singular"])));
        names["categories"] = json!([]);
        names["shortNames"] = json!([]);
        crd["spec"]["group"] = json!(GROUP);
        crd["metadata"] = json!({"name": format!("{MARK}{plural}.{GROUP}")});
        lab.call("POST", DEFINITIONS, Some(&crd)).await.unwrap();
    }
}

/// kubectl reads the file, so that no other reader's view of YAML comes between.
fn definition(lab: &Lab, file: &Path, name: &str) -> Value {
    let words = ["create", "--dry-run=client", "-o", "json", "-f"];
    let output = lab.kubectl(&[&words[..], &[&file.to_string_lossy()]].concat());
    assert!(output.status.success(), "{output:?}");
    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let mut documents = documents
        .map(Result::unwrap)
        .flat_map(|document| match &document["items"] {
            Value::Array(items) => items.clone(),
            _ => vec![document],
        });
    let found = documents.find(|crd| crd["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {}", file.display()))
}

/// Take the peer's CRDs away, and wait until they are gone.
pub(crate) async fn remove(lab: &Lab) {
    for plural in ["canaries", "metrictemplates", "alertproviders"] {
        let path = format!("{DEFINITIONS}/{MARK}{plural}.{GROUP}");
        lab.call("DELETE", &path, None).await.ok();
        let gone = async || lab.get(&path).await.is_none().then_some(());
        until("the peer's CRD is gone", Duration::from_secs(30), gone).await;
    }
}

// === impl Contract ===

impl Contract<'static> {
    pub(crate) const PEER: Self = Self {
        group: GROUP,
        mark: MARK,
        version: "v1beta1",
    };
    pub(crate) const OURS: Self = Self {
        group: "flagger.app",
        mark: "",
        version: "v1beta1",
    };
}

impl Contract<'_> {
    /// The same in another version.
    pub(crate) fn of(self, version: &str) -> Contract<'_> {
        Contract { version, ..self }
    }

    /// Wait until it is served, and store the Canary that each status is written to.
    pub(crate) async fn prepare(self, room: &Room<'_>) {
        let mut holder = crate::examples::base();
        holder["metadata"] = json!({"name": "holder"});
        let holder = Probe::new(&crate::examples::Example {
            from: "holder".into(),
            object: holder,
        });
        for kind in ["MetricTemplate", "AlertProvider"] {
            let list = self.path(room, kind);
            let served = async || room.lab.get(&list).await.map(drop);
            until("the CRD is served", Duration::from_secs(30), served).await;
        }
        let path = self.path(room, "Canary");
        let stored = async || room.lab.call("POST", &path, Some(&self.body(&holder))).await.ok();
        until("the Canary is served", Duration::from_secs(30), stored).await;
    }

    /// Content that reads back after this object was written, or why it was refused.
    pub(crate) async fn answer(self, room: &Room<'_>, probe: &Probe) -> Result<Value, String> {
        let path = self.path(room, &probe.kind);
        let answer = if probe.object["status"].is_null() {
            let path = format!("{path}?dryRun=All");
            room.lab.call("POST", &path, Some(&self.body(probe))).await
        } else {
            let path = format!("{path}/holder/status?dryRun=All");
            let status = json!({"status": probe.object["status"]});
            room.lab.call("PATCH", &path, Some(&status)).await
        };
        match answer {
            Ok(object) => Ok(json!({"spec": object["spec"], "status": object["status"]})),
            Err(kube::Error::Api(status)) if [400, 422].contains(&status.code) => Err(status.message),
            Err(error) => panic!("{}: {error}", probe.from),
        }
    }

    fn path(self, room: &Room<'_>, kind: &str) -> String {
        let plural = match kind {
            "Canary" => "canaries",
            "MetricTemplate" => "metrictemplates",
            _ => "alertproviders",
        };
        let Self { group, mark, version } = self;
        format!("/apis/{group}/{version}/namespaces/{}/{mark}{plural}", room.name)
    }

    fn body(self, probe: &Probe) -> Value {
        let mut object = probe.object.clone();
        object["apiVersion"] = json!(format!("{}/{}", self.group, self.version));
        object["metadata"] = json!({"name": probe.name});
        object
    }
}
