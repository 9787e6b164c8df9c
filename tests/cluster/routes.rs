//! One suite for every provider of traffic, on the API server with the product's own definitions: weights, foreign edits, A/B, mirror,
//! cookies, deletion. A provider is a `Fixture`; what is asked of it follows from its row in the table.

use engine::{
    Kind, ObjectRef,
    routes::{self, Capabilities, Context, Provider, Split, Unready},
};
use futures::future::join_all;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::cluster::{
    lab::{Lab, Room},
    objects::{NEW, canary, deployment},
    server::serve,
    until,
};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
/// Products' definitions, beside this repository.
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/crds");

/// What the suite must know of a provider.
pub(crate) struct Fixture {
    /// Value of `spec.provider`.
    pub(crate) provider: &'static str,
    /// Name of its canaries; no two fixtures of a room have the same.
    pub(crate) name: &'static str,
    /// Laid over the spec of each Canary; gets its name and namespace.
    pub(crate) spec: fn(&str, &str) -> Value,
    /// Objects of the user's that must be there first: kind, and the object. Gets name and namespace of the Canary.
    pub(crate) given: fn(&str, &str) -> Vec<(Kind, Value)>,
    /// Place of the object with the weights among the provider's objects.
    pub(crate) weighted: usize,
    /// What that object says before the Canary adopts it, laid over its name; null for one that the Canary makes.
    pub(crate) theirs: fn(&str, &str) -> Value,
    /// A foreign edit of that object, as a merge patch, which leaves no weights or wrong ones.
    pub(crate) drift: fn(&str, &str) -> Value,
    /// Whether weights are all that is played: what is the user's own gets nothing else.
    pub(crate) weights_only: bool,
}

/// A canary of the suite.
struct Play<'r> {
    room: &'r Room<'r>,
    provider: &'static Provider,
    fixture: &'r Fixture,
    name: String,
    /// So many times the gate opens.
    approvals: Arc<AtomicUsize>,
}

/// The folder with the products' definitions. `None`, with a word about it, if it is not there; in CI that fails.
pub(crate) fn definitions() -> Option<PathBuf> {
    let folder = PathBuf::from(SHARED);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "the products' definitions must be there in CI: {SHARED}"
    );
    println!("skipped, but for the Gateway API: {SHARED} is not there");
    None
}

/// Apply definitions and wait until they are served.
pub(crate) fn install(lab: &Lab, files: &[PathBuf]) {
    let mut words = vec!["apply", "--server-side", "--force-conflicts"];
    let mut wait = vec!["wait", "--for=condition=Established", "--timeout=60s"];
    let paths: Vec<&str> = files.iter().filter_map(|file| file.to_str()).collect();
    for path in &paths {
        words.extend(["-f", path]);
        wait.extend(["-f", path]);
    }
    for words in [words, wait] {
        let output = lab.kubectl(&words);
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
}

/// Take definitions away again.
pub(crate) fn uninstall(lab: &Lab, names: &[&str]) {
    let mut words = vec!["delete", "crd", "--ignore-not-found", "--wait"];
    words.extend(names);
    let output = lab.kubectl(&words);
    assert!(output.status.success(), "{output:?}");
}

/// Everything that the provider can do, all at once.
pub(crate) async fn plays(room: &Room<'_>, fixture: &Fixture) {
    let provider = routes::provider(fixture.provider).unwrap_or_else(|| panic!("{} is unknown", fixture.provider));
    let can = Some(provider.capabilities).filter(|_| !fixture.weights_only);
    let can = can.unwrap_or(Capabilities::NONE);
    let play = |suffix: &str| Play {
        room,
        provider,
        fixture,
        name: format!("{}{suffix}", fixture.name),
        approvals: Arc::default(),
    };
    let weights = Box::pin(async { play("").weights().await });
    let mut all: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + '_>>> = vec![weights];
    if can.ab {
        all.push(Box::pin(async { play("-ab").ab_test().await }));
    }
    if can.mirror {
        all.push(Box::pin(async { play("-mi").mirror().await }));
    }
    if can.affinity {
        all.push(Box::pin(async { play("-co").affinity().await }));
    }
    join_all(all).await;
}

/// Path of an object.
pub(crate) fn path(at: &ObjectRef) -> String {
    format!("{}/{}", collection(at.kind, &at.namespace), at.name)
}

fn collection(kind: Kind, namespace: &str) -> String {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    let version = kind.api_version();
    if kind.is_namespaced() {
        return format!("/{root}/{version}/namespaces/{namespace}/{}", kind.plural);
    }
    format!("/{root}/{version}/{}", kind.plural)
}

/// Create an object under strict validation.
pub(crate) async fn create(lab: &Lab, kind: Kind, namespace: &str, mut object: Value) -> Value {
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind);
    let path = collection(kind, namespace) + "?fieldValidation=Strict";
    let created = lab.call("POST", &path, Some(&object)).await;
    created.unwrap_or_else(|error| panic!("{error}: {object}"))
}

// === impl Play ===

impl Play<'_> {
    /// 0, 10, 50 and 100 percent, a foreign edit on the way, and the deletion of a canary that has adopted the route.
    async fn weights(&self) {
        let mut spec = json!({"revertOnDeletion": true});
        spec["analysis"] = json!({"stepWeights": [10, 50, 100], "stepWeight": null, "maxWeight": null});
        let at = self.route();
        let mut before = Value::Null;
        let mut theirs = (self.fixture.theirs)(&self.name, &self.room.name);
        if !theirs.is_null() {
            theirs["metadata"] = json!({"name": at.name});
            before = create(self.room.lab, at.kind, &at.namespace, theirs).await;
        }
        self.install(&spec).await;
        self.room.until_phase(&self.name, "Initialized").await;
        self.until_split(Split::PRIMARY).await;
        self.is_settled(Split::PRIMARY).await;

        self.room.set_image(&self.name, "podinfod", NEW);
        for weight in [10, 50, 100] {
            self.approve(1);
            self.until_split(Split::of(weight)).await;
            self.is_settled(Split::of(weight)).await;
            if weight == 50 {
                self.mends_a_foreign_edit(&at).await;
            }
        }
        self.approve(usize::MAX / 2);
        self.room.until_phase(&self.name, "Succeeded").await;
        self.until_split(Split::PRIMARY).await;
        self.is_settled(Split::PRIMARY).await;
        self.deletes(&at, &before).await;
    }

    /// Repaired at the weight of the run, which goes on (RM-1, W-8).
    async fn mends_a_foreign_edit(&self, at: &ObjectRef) {
        let whole = self.room.lab.get(&path(at)).await.unwrap();
        let edit = (self.fixture.drift)(&self.name, &self.room.name);
        let edited = self.room.lab.call("PATCH", &path(at), Some(&edit)).await.unwrap();
        assert_ne!(edited["spec"], whole["spec"], "{}: the edit changes nothing", self.name);
        let what = format!("{} is mended", self.name);
        let mended = async || {
            let now = self.room.lab.get(&path(at)).await?;
            (now["spec"] == whole["spec"]).then_some(())
        };
        until(&what, PATIENCE, mended).await;
        self.is_settled(Split::of(50)).await;
        let status = self.room.get("canaries", &self.name).await["status"].take();
        assert_eq!(status["phase"], "Progressing", "{}", self.name);
        assert_eq!(status["canaryWeight"], 50, "{}", self.name);
    }

    /// What was there before is there again; what the Canary made goes, at once where nothing can own it.
    async fn deletes(&self, at: &ObjectRef, before: &Value) {
        let canary = self.room.path("canaries", &self.name);
        self.room.lab.call("DELETE", &canary, None).await.unwrap();
        let gone = async || self.room.find("canaries", &self.name).await.is_none().then_some(());
        until(&format!("{} is gone", self.name), PATIENCE, gone).await;
        let after = self.room.lab.get(&path(at)).await;
        if !before.is_null() {
            assert_eq!(after.unwrap()["spec"], before["spec"], "{}", self.name);
        } else if !at.kind.is_namespaced() {
            assert_eq!(after, None, "{}", self.name);
        }
    }

    async fn ab_test(&self) {
        let matched = json!([{"headers": {"x-canary": {"exact": "insider"}}}]);
        let analysis = json!({"iterations": 1, "stepWeight": null, "maxWeight": null, "match": matched});
        self.install(&json!({ "analysis": analysis })).await;
        self.room.until_phase(&self.name, "Initialized").await;
        self.room.set_image(&self.name, "podinfod", NEW);
        self.room.until_phase(&self.name, "WaitingPromotion").await;
        self.until_split(Split::CANARY).await;
        self.is_settled(Split::CANARY).await;
        assert!(self.says("insider").await, "{}", self.name);
        self.approve(usize::MAX / 2);
        self.room.until_phase(&self.name, "Succeeded").await;
        self.is_settled(Split::PRIMARY).await;
    }

    async fn mirror(&self) {
        let analysis = json!({"stepWeight": 50, "maxWeight": 50, "mirror": true, "mirrorWeight": 20});
        self.install(&json!({ "analysis": analysis })).await;
        self.room.until_phase(&self.name, "Initialized").await;
        self.approve(1);
        self.room.set_image(&self.name, "podinfod", NEW);
        self.until_split(Split::PRIMARY.mirrored()).await;
        self.is_settled(Split::PRIMARY.mirrored()).await;
        self.approve(usize::MAX / 2);
        self.room.until_phase(&self.name, "Succeeded").await;
        self.is_settled(Split::PRIMARY).await;
        assert!(!self.says("irror").await, "{}", self.name);
    }

    async fn affinity(&self) {
        let affinity = json!({"cookieName": "sticky", "primaryCookieName": "stay"});
        let analysis = json!({"stepWeight": 50, "maxWeight": 50, "sessionAffinity": affinity});
        self.install(&json!({ "analysis": analysis })).await;
        self.room.until_phase(&self.name, "Initialized").await;
        self.approve(1);
        self.room.set_image(&self.name, "podinfod", NEW);
        self.until_split(Split::of(50)).await;
        self.is_settled(Split::of(50)).await;
        assert!(self.says("sticky=").await && self.says("stay=").await, "{}", self.name);
        self.approve(usize::MAX / 2);
        self.room.until_phase(&self.name, "Succeeded").await;
        self.is_settled(Split::PRIMARY).await;
        assert!(
            self.says("Max-Age=-1").await && !self.says("stay=").await,
            "{}",
            self.name
        );
    }

    fn approve(&self, times: usize) {
        self.approvals.store(times, SeqCst);
    }

    /// A gate that holds each step, and each promotion, until it is approved.
    fn gates(&self) -> Value {
        let left = self.approvals.clone();
        let port = serve(move |_, _| {
            let approved = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            (if approved { 200 } else { 403 }, String::new())
        });
        let gate = |kind: &str| json!({"name": kind, "type": kind, "url": format!("http://127.0.0.1:{port}/")});
        json!([gate("confirm-traffic-increase"), gate("confirm-promotion")])
    }

    /// The workload, what the user has beside it, and the Canary.
    async fn install(&self, spec: &Value) {
        let namespace = &self.room.name;
        for (kind, object) in (self.fixture.given)(&self.name, namespace) {
            create(self.room.lab, kind, namespace, object).await;
        }
        self.room.create("deployments", deployment(&self.name)).await;
        let mut object = canary(&self.name);
        object["spec"]["provider"] = json!(self.fixture.provider);
        object["spec"]["service"] = json!({"port": 9898});
        object["spec"]["analysis"]["interval"] = json!("1s");
        engine::json::merge(&mut object["spec"], &(self.fixture.spec)(&self.name, namespace));
        engine::json::merge(&mut object["spec"], spec);
        object["spec"]["analysis"]["webhooks"] = self.gates();
        self.room.create("canaries", object).await;
    }

    /// The object with the weights, before there is a Canary.
    fn route(&self) -> ObjectRef {
        let mut object = canary(&self.name);
        object["apiVersion"] = json!("flagger.app/v1beta1");
        object["kind"] = json!("Canary");
        object["metadata"]["namespace"] = json!(self.room.name);
        engine::json::merge(&mut object["spec"], &(self.fixture.spec)(&self.name, &self.room.name));
        let canary = crds::decode::decode(&object).unwrap();
        self.provider.objects(&canary).swap_remove(self.fixture.weighted)
    }

    /// Ask the provider about its objects as they are now.
    async fn ask<T>(&self, question: impl FnOnce(&Context<'_>) -> T) -> T {
        let object = self.room.get("canaries", &self.name).await;
        let canary = crds::decode::decode(&object).unwrap();
        let mut current = Vec::new();
        for at in self.provider.objects(&canary) {
            current.push(self.room.lab.get(&path(&at)).await);
        }
        for object in current.iter_mut().flatten() {
            object["metadata"]["managedFields"].take();
            object["metadata"].as_object_mut().unwrap().remove("managedFields");
        }
        question(&Context {
            canary: &canary,
            current: current.iter().map(Option::as_ref).collect(),
            selector_key: Some("app"),
            selector_value: Some(&self.name),
            entropy: 0,
            flags: engine::routes::Flags::default(),
        })
    }

    async fn observed(&self) -> Result<Split, Unready> {
        self.ask(|context| self.provider.observed(context)).await
    }

    async fn until_split(&self, wanted: Split) {
        let mut last = Err(Unready::Absent("nothing yet".into()));
        let look = async {
            loop {
                last = self.observed().await;
                if last == Ok(wanted) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, look).await.is_err() {
            let told = self.room.messages(&self.name).await.join("\n");
            panic!("{}: {last:?} instead of {wanted:?}\n{told}", self.name);
        }
    }

    /// Nothing is left to write, so the server has dropped nothing; and the server takes every object under strict validation.
    async fn is_settled(&self, split: Split) {
        let settled = async || {
            let writes = self.ask(|context| self.provider.writes(context, split)).await.unwrap();
            writes.is_empty().then_some(())
        };
        until(&format!("{} is settled at {split:?}", self.name), PATIENCE, settled).await;
        let fresh = self.ask(|context| {
            // What is the user's own is never made.
            let live = self.fixture.weights_only.then(|| context.current.clone());
            let desired = Context {
                current: live.unwrap_or_else(|| vec![None; context.current.len()]),
                ..context.clone()
            };
            let made = self.provider.desired(&desired, split).unwrap();
            let live = context.current.iter().map(|object| object.cloned().unwrap_or_default());
            made.into_iter().zip(live).collect::<Vec<_>>()
        });
        for ((made, mut live), at) in fresh.await.into_iter().zip(self.objects().await) {
            live["spec"] = made["spec"].clone();
            let strict = path(&at) + "?dryRun=All&fieldValidation=Strict";
            let answer = self.room.lab.call("PUT", &strict, Some(&live)).await;
            // Somebody may have written it in between: only what is wrong with the object counts.
            if let Err(error) = answer.as_ref().map_err(ToString::to_string) {
                assert!(
                    error.contains("the object has been modified"),
                    "{}: {error}: {live:#}",
                    self.name
                );
            }
        }
    }

    async fn objects(&self) -> Vec<ObjectRef> {
        let object = self.room.get("canaries", &self.name).await;
        self.provider.objects(&crds::decode::decode(&object).unwrap())
    }

    /// Whether the spec of any of its objects contains this.
    async fn says(&self, word: &str) -> bool {
        self.ask(|context| {
            let mut specs = context
                .current
                .iter()
                .flatten()
                .map(|object| object["spec"].to_string());
            specs.any(|spec| spec.contains(word))
        })
        .await
    }
}
